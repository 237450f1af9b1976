package blog

import (
	"context"
	"fmt"
	"net/http"

	"github.com/freshet-dev/freshet/cmd/freshet/internal/blog/blogdb"
)

// show answers with what find returns for the id that the path names.
func show[T any](w http.ResponseWriter, r *http.Request, wildcard string, find func(context.Context, int64) (T, error)) error {
	id, err := pathID(r, wildcard)
	if err != nil {
		return err
	}
	found, err := find(r.Context(), id)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, found)
	return nil
}

func (a *API) getPost(w http.ResponseWriter, r *http.Request) error {
	return show(w, r, "post_id", a.db.Post)
}

func (a *API) getLatestPosts(w http.ResponseWriter, r *http.Request) error {
	posts, err := a.db.LatestPosts(r.Context(), latestPosts)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, struct {
		Posts []blogdb.Latest `json:"posts"`
	}{posts})
	return nil
}

func (a *API) getAuthorPosts(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "user_id")
	if err != nil {
		return err
	}
	page, err := a.db.PostsByUser(r.Context(), id, authorPosts, 0)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, page)
	return nil
}

func (a *API) getAuthorStats(w http.ResponseWriter, r *http.Request) error {
	return show(w, r, "user_id", a.db.AuthorStats)
}

// userPosts is one page of a user's posts with its place.
type userPosts struct {
	Page         int `json:"page"`
	ItemsPerPage int `json:"items_per_page"`
	blogdb.AuthorPosts
}

func (a *API) getUserPosts(w http.ResponseWriter, r *http.Request) error {
	page, err := pageNumber(r, "page", 1, maxPage)
	if err != nil {
		return err
	}
	perPage, err := pageNumber(r, "items_per_page", defaultPerPage, maxPerPage)
	if err != nil {
		return err
	}
	posts, err := a.db.PostsByUsername(r.Context(), r.PathValue("username"), perPage, (page-1)*perPage)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, userPosts{page, perPage, posts})
	return nil
}

func (a *API) getUserPost(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "post_id")
	if err != nil {
		return err
	}
	post, err := a.db.Post(r.Context(), id)
	if err != nil {
		return err
	}
	if post.Username != r.PathValue("username") {
		return fmt.Errorf("post of this user %w", blogdb.ErrNotFound)
	}
	reply(w, http.StatusOK, post)
	return nil
}

func (a *API) getProfile(w http.ResponseWriter, r *http.Request) error {
	return show(w, r, "user_id", a.db.Profile)
}

func (a *API) getEmployees(w http.ResponseWriter, r *http.Request) error {
	org, err := pathID(r, "org_id")
	if err != nil {
		return err
	}
	dept, err := pathID(r, "dept_id")
	if err != nil {
		return err
	}
	department, err := a.db.Department(r.Context(), org, dept)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, department)
	return nil
}

// searchResults is one page of hits with what was asked for.
type searchResults struct {
	Query string `json:"q"`
	Page  int    `json:"page"`
	blogdb.Results
}

func (a *API) search(w http.ResponseWriter, r *http.Request) error {
	text, err := searchText(r)
	if err != nil {
		return err
	}
	page, err := pageNumber(r, "page", 1, maxPage)
	if err != nil {
		return err
	}
	results, err := a.db.Search(r.Context(), text, searchPage, (page-1)*searchPage)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, searchResults{text, page, results})
	return nil
}

func (a *API) getCountries(w http.ResponseWriter, r *http.Request) error {
	countries, err := a.db.Countries(r.Context())
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, countries)
	return nil
}

func (a *API) getLiveStats(w http.ResponseWriter, r *http.Request) error {
	stats, err := a.db.LiveStats(r.Context())
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, stats)
	return nil
}
