package blogdb

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestNotFound(t *testing.T) {
	d := open(t, 10)
	ctx := t.Context()
	tests := []struct {
		name string
		ask  func() error
	}{
		{"post", func() error { _, err := d.Post(ctx, 11); return err }},
		{"change post", func() error { _, err := d.ChangePost(ctx, 11, PostChange{Title: ptr("x")}); return err }},
		{"delete post", func() error { return d.DeletePost(ctx, -1) }},
		{"posts by user", func() error { _, err := d.PostsByUser(ctx, 201, 1, 0); return err }},
		{"posts by username", func() error { _, err := d.PostsByUsername(ctx, "JohnDoe", 1, 0); return err }},
		{"profile", func() error { _, err := d.Profile(ctx, 0); return err }},
		{"change profile", func() error { _, err := d.ChangeProfile(ctx, 0, ProfileChange{}); return err }},
		{"member", func() error { _, err := d.Member(ctx, 201); return err }},
		{"department", func() error { _, err := d.Department(ctx, 1, 6); return err }},
		{"organization", func() error { _, err := d.Department(ctx, 11, 1); return err }},
		{"stats", func() error { _, err := d.AuthorStats(ctx, 201); return err }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.ask(); !errors.Is(err, ErrNotFound) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestPostsLife(t *testing.T) {
	d := open(t, 10)
	ctx := t.Context()
	made, err := d.CreatePost(ctx, 123, "title", "body")
	if err != nil {
		t.Fatal(err)
	}
	want := Post{ID: 11, UserID: 123, Username: "johndoe", Title: "title", Body: "body"}
	if diff := cmp.Diff(want, made, cmpopts.IgnoreFields(Post{}, "CreatedAt")); diff != "" || made.CreatedAt == "" {
		t.Errorf("CreatePost (-want +got):\n%s", diff)
	}
	changed, err := d.ChangePost(ctx, 11, PostChange{Body: ptr("other")})
	if err != nil || changed.Title != "title" || changed.Body != "other" {
		t.Errorf("ChangePost = %+v, %v", changed, err)
	}
	if err := d.DeletePost(ctx, 11); err != nil {
		t.Fatal(err)
	}
	again, err := d.CreatePost(ctx, 123, "title", "body")
	if err != nil || again.ID != 12 {
		t.Errorf("the id of a deleted post came back: %+v, %v", again, err)
	}
	if _, err := d.CreatePost(ctx, 999, "title", "body"); err == nil {
		t.Error("a post of nobody")
	}
}

// emptied returns a database whose first post will be post 11.
func emptied(t *testing.T) *DB {
	d := open(t, 10)
	if _, err := d.write.Exec(`DELETE FROM posts`); err != nil {
		t.Fatal(err)
	}
	return d
}

func add(t *testing.T, d *DB, user int64, title, body string) {
	t.Helper()
	if _, err := d.CreatePost(t.Context(), user, title, body); err != nil {
		t.Fatal(err)
	}
}

func TestAuthorStats(t *testing.T) {
	d := emptied(t)
	add(t, d, 7, "a", "Planet planet other. Planet")
	add(t, d, 7, "b", "two planet")
	add(t, d, 8, "c", "one two three four five six seven eight")
	if _, err := d.write.Exec(`UPDATE posts SET created_at = '2024-05-06T07:08:09Z'`); err != nil {
		t.Fatal(err)
	}
	got, err := d.AuthorStats(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	want := AuthorStats{
		UserID: 7, Username: user(7).Username, Posts: 2, Words: 6, AverageWords: 3, LongestPost: 4,
		Rank: 2, Authors: users, BusiestMonth: "2024-05", TopWords: []WordCount{{"planet", 4}, {"other", 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("AuthorStats (-want +got):\n%s", diff)
	}
	got, err = d.AuthorStats(t.Context(), 9)
	if err != nil || got.Posts != 0 || got.Rank != 3 || len(got.TopWords) != 0 {
		t.Errorf("statistics without posts: %+v, %v", got, err)
	}
}

// Bodies come from clients: none may break the splitting into words.
func TestAuthorStatsOfHostileBodies(t *testing.T) {
	d := emptied(t)
	for _, body := range []string{
		`"`, `\`, `\ "`, `"," quoted`, `]`, "tab\tnew\nline\r", "\u2028 \u00e9\U0001F600", " ", "  double  ", "\xff\xfe broken", `\u0020 \n`,
	} {
		add(t, d, 7, body, body)
		if _, err := d.AuthorStats(t.Context(), 7); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestSearch(t *testing.T) {
	d := emptied(t)
	add(t, d, 1, "Nothing", "here")
	add(t, d, 1, "In the body", "a Coffee and another coffee")
	add(t, d, 2, "COFFEE in the title", "b")
	add(t, d, 2, "100% _sure_", `back\slash and Ärger`)
	tests := []struct {
		text string
		want []int64
	}{
		{"coffee", []int64{13, 12}},
		{"CofFEE", []int64{13, 12}},
		{"%", []int64{14}},
		{"_", []int64{14}},
		{`\`, []int64{14}},
		{`k\s`, []int64{14}},
		{"Ärger", []int64{14}},
		{"*", nil},
		{"'; DROP TABLE posts; --", nil},
		{"b", []int64{12, 14, 13}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := d.Search(t.Context(), tt.text, 10, 0)
			if err != nil {
				t.Fatal(err)
			}
			var ids []int64
			for _, h := range got.Hits {
				ids = append(ids, h.ID)
			}
			if diff := cmp.Diff(tt.want, ids); diff != "" || got.Total != len(tt.want) {
				t.Errorf("total %d, hits (-want +got):\n%s", got.Total, diff)
			}
		})
	}
	t.Run("page", func(t *testing.T) {
		got, err := d.Search(t.Context(), "coffee", 1, 1)
		if err != nil || got.Total != 2 || len(got.Hits) != 1 || got.Hits[0].ID != 12 {
			t.Errorf("second page: %+v, %v", got, err)
		}
		got, err = d.Search(t.Context(), "coffee", 1, 2)
		if err != nil || got.Total != 2 || len(got.Hits) != 0 {
			t.Errorf("page after the last: %+v, %v", got, err)
		}
	})
}

func TestProfiles(t *testing.T) {
	d := open(t, 10)
	want := user(5)
	want.Bio, want.Location = "", "Faro"
	got, err := d.ChangeProfile(t.Context(), 5, ProfileChange{Bio: ptr(""), Location: ptr("Faro")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ChangeProfile (-want +got):\n%s", diff)
	}
	if got, err = d.Profile(t.Context(), 5); err != nil || got != want {
		t.Errorf("Profile = %+v, %v", got, err)
	}
}
