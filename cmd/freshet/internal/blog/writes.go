package blog

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/freshet-dev/freshet"
	"github.com/freshet-dev/freshet/cmd/freshet/internal/blog/blogdb"
)

// The longest texts, in bytes.
const (
	maxTitle   = 300
	maxBody    = 64 << 10
	maxProfile = 1000
)

// Every write names what it affects before it commits, not after: when the
// client goes away, or the database's answer is lost, in the moment of the
// commit, the handler ends with an error (5xx) and the names are still there to
// be invalidated. A change that is turned down (4xx) invalidates nothing.

// affectPost invalidates what shows a post of one author: the pages of their
// lists in every size, the post under their name, their list and statistics.
// The rules cannot name them, for the request does not say who the author is.
func affectPost(ctx context.Context, userID int64, username string, post ...int64) error {
	name := freshet.Escape(username)
	targets := []freshet.Target{
		freshet.Match(name + "_posts:page_*"),
		freshet.Key(fmt.Sprintf("user_posts:%d", userID)),
		freshet.Key(fmt.Sprintf("user_stats:%d", userID)),
	}
	for _, id := range post {
		targets = append(targets, freshet.Key(fmt.Sprintf("%s_post_cache:%d", name, id)))
	}
	return freshet.FromContext(ctx).Invalidate(targets...)
}

func (a *API) createPost(w http.ResponseWriter, r *http.Request) error {
	userID, err := wholeNumber("user_id", r.URL.Query().Get("user_id"))
	if err != nil {
		return err
	}
	change, err := decodePost(w, r)
	if err != nil {
		return err
	}
	if change.Title == nil || change.Body == nil {
		return badInput("title and body are required")
	}
	author, err := a.db.Member(r.Context(), userID)
	if err != nil {
		return err
	}
	if err := affectPost(r.Context(), userID, author.Username); err != nil {
		return err
	}
	post, err := a.db.CreatePost(r.Context(), userID, *change.Title, *change.Body)
	if err != nil {
		return err
	}
	w.Header().Set("Location", fmt.Sprintf("/posts/%d", post.ID))
	reply(w, http.StatusCreated, post)
	return nil
}

func (a *API) putPost(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "post_id")
	if err != nil {
		return err
	}
	change, err := decodePost(w, r)
	if err != nil {
		return err
	}
	old, err := a.db.Post(r.Context(), id)
	if err != nil {
		return err
	}
	if err := affectPost(r.Context(), old.UserID, old.Username, id); err != nil {
		return err
	}
	post, err := a.db.ChangePost(r.Context(), id, change)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, post)
	return nil
}

func (a *API) deletePost(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "post_id")
	if err != nil {
		return err
	}
	old, err := a.db.Post(r.Context(), id)
	if err != nil {
		return err
	}
	if err := affectPost(r.Context(), old.UserID, old.Username, id); err != nil {
		return err
	}
	if err := a.db.DeletePost(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func decodePost(w http.ResponseWriter, r *http.Request) (c blogdb.PostChange, err error) {
	if err := decode(w, r, &c); err != nil {
		return c, err
	}
	return c, errors.Join(checkText("title", c.Title, 1, maxTitle), checkText("body", c.Body, 1, maxBody))
}

func (a *API) putProfile(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "user_id")
	if err != nil {
		return err
	}
	change, err := decodeProfile(w, r)
	if err != nil {
		return err
	}
	member, err := a.db.Member(r.Context(), id)
	if err != nil {
		return err
	}
	// Where the user works is known to the database only.
	for _, p := range member.Places {
		key := fmt.Sprintf("org_%d_dept_%d_employees:%d", p.OrgID, p.DeptID, p.DeptID)
		if err := freshet.FromContext(r.Context()).Invalidate(freshet.Key(key)); err != nil {
			return err
		}
	}
	profile, err := a.db.ChangeProfile(r.Context(), id, change)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, profile)
	return nil
}

func decodeProfile(w http.ResponseWriter, r *http.Request) (c blogdb.ProfileChange, err error) {
	if err := decode(w, r, &c); err != nil {
		return c, err
	}
	return c, errors.Join(
		checkText("name", c.Name, 1, maxProfile),
		checkText("email", c.Email, 1, maxProfile),
		checkText("bio", c.Bio, 0, maxProfile),
		checkText("location", c.Location, 0, maxProfile),
		checkText("website", c.Website, 0, maxProfile),
	)
}
