package blog

import (
	"net/http"
	"time"

	"github.com/freshet-dev/freshet"
)

// route is one route with its rule.
type route struct {
	pattern string
	rule    freshet.Rule
	handle  func(http.ResponseWriter, *http.Request) error
}

// rankings is carried by everything that compares authors: one author's rank
// changes with any other's post.
const rankings = "rankings"

// affectedByPosts returns the rule of a route that writes posts: what shows
// posts of all authors. What shows those of one, the handler names.
func affectedByPosts(key string) freshet.Rule {
	return freshet.Rule{
		Key:             key,
		Invalidate:      []string{"latest_posts:global", "live_stats"},
		InvalidateMatch: []string{"search_results_*"},
		InvalidateTags:  []string{rankings},
	}
}

// routes returns every route that is behind the cache. Ids are typed, so that
// /posts/007 and /posts/7 are one entry, and a write of either drops it.
func (a *API) routes() []route {
	return append(a.readRoutes(), a.writeRoutes()...)
}

func (a *API) readRoutes() []route {
	return []route{
		{"GET /posts/{post_id}", freshet.Rule{
			Key: "post_cache:{:int}",
			TTL: time.Hour,
		}, a.getPost},
		{"GET /posts/latest", freshet.Rule{
			Key: "latest_posts:global",
			TTL: 5 * time.Minute,
		}, a.getLatestPosts},
		{"GET /authors/{user_id}/posts", freshet.Rule{
			Key: "user_posts:{user_id:int}",
			TTL: 30 * time.Minute,
		}, a.getAuthorPosts},
		{"GET /authors/{user_id}/stats", freshet.Rule{
			Key:  "user_stats:{user_id:int}",
			TTL:  time.Hour,
			Tags: []string{rankings},
		}, a.getAuthorStats},
		{"GET /users/{username}/posts", freshet.Rule{
			Key: "{username}_posts:page_{page:int=1}:items_per_page_{items_per_page:int=10}:{username}",
			TTL: 5 * time.Minute,
		}, a.getUserPosts},
		{"GET /users/{username}/posts/{post_id}", freshet.Rule{
			Key: "{username}_post_cache:{post_id:int}",
			TTL: time.Hour,
		}, a.getUserPost},
		{"GET /users/{user_id}/profile", freshet.Rule{
			Key: "user_profile:{user_id:int}",
			TTL: time.Hour,
		}, a.getProfile},
		{"GET /organizations/{org_id}/departments/{dept_id}/employees", freshet.Rule{
			Key: "org_{org_id:int}_dept_{dept_id:int}_employees:{dept_id:int}",
			TTL: 30 * time.Minute,
		}, a.getEmployees},
		{"GET /search", freshet.Rule{
			Key:   "search_results_{q:str}:{page:int=1}",
			TTL:   time.Hour,
			Query: []string{"q"},
		}, a.search},
		{"GET /countries", freshet.Rule{
			Key: "countries",
			TTL: 24 * time.Hour,
		}, a.getCountries},
		{"GET /stats/live", freshet.Rule{
			Key: "live_stats",
			TTL: time.Minute,
		}, a.getLiveStats},
	}
}

func (a *API) writeRoutes() []route {
	create := affectedByPosts("new_post:{user_id:int}")
	create.Query = []string{"user_id"}
	create.Invalidate = append(create.Invalidate, "user_posts:{user_id}", "user_stats:{user_id}")
	return []route{
		{"POST /posts", create, a.createPost},
		{"PUT /posts/{post_id}", affectedByPosts("post_cache:{post_id:int}"), a.putPost},
		{"DELETE /posts/{post_id}", affectedByPosts("post_cache:{post_id:int}"), a.deletePost},
		{"PUT /users/{user_id}/profile", freshet.Rule{
			Key:             "user_profile:{user_id:int}",
			Invalidate:      []string{"latest_posts:global"},
			InvalidateMatch: []string{"user_{user_id}_*", "*_user_{user_id}_*", "search_results_*"},
		}, a.putProfile},
	}
}
