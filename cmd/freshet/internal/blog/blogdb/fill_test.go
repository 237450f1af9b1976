package blogdb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPostsAreDeterministic(t *testing.T) {
	type row struct {
		Author      int
		Title, Body string
	}
	write := func(n int) (rows []row) {
		w := newWriter()
		for id := 1; id <= n; id++ {
			author, title, body := w.post(id)
			rows = append(rows, row{author, title, body})
		}
		return rows
	}
	many := write(1000)
	if diff := cmp.Diff(many[:100], write(100)); diff != "" {
		t.Errorf("fewer posts are not the same ones (-want +got):\n%s", diff)
	}
	for i, r := range many {
		if n := len(strings.Fields(r.Body)); n < 20 || n > 80 {
			t.Errorf("post %d has %d words", i+1, n)
		}
		if r.Title == "" || r.Author < 1 || r.Author > users {
			t.Errorf("post %d: %+v", i+1, r)
		}
		if isExample(i+1) && r.Author != johndoe {
			t.Errorf("post %d is by %d", i+1, r.Author)
		}
	}
}

func TestUsers(t *testing.T) {
	seen := make(map[string]bool)
	for id := 1; id <= users; id++ {
		u := user(id)
		if seen[u.Username] {
			t.Errorf("second user %s", u.Username)
		}
		seen[u.Username] = true
		if strings.Trim(u.Username, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("username %q is not plain", u.Username)
		}
	}
	want := Profile{
		UserID: 123, Username: "johndoe", Name: "John Doe", Email: "johndoe@example.com",
		Bio: "Writes about typography and woodwork.", Location: "Vienna", Website: "https://johndoe.example.com",
	}
	if diff := cmp.Diff(want, user(123)); diff != "" {
		t.Errorf("user 123 (-want +got):\n%s", diff)
	}
}

func TestDirectory(t *testing.T) {
	d := open(t, 10)
	works := make(map[int64]int)
	for org := int64(1); org <= organizations; org++ {
		for dept := int64(1); dept <= departmentsPerOrg; dept++ {
			got, err := d.Department(t.Context(), org, dept)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Employees) != usersPerDepartment || got.Organization == "" || got.Department == "" {
				t.Errorf("department %d of %d: %+v", dept, org, got)
			}
			for _, e := range got.Employees {
				works[e.UserID]++
			}
		}
	}
	if len(works) != users {
		t.Errorf("%d users work somewhere", len(works))
	}
	member, err := d.Member(t.Context(), 123)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Member{"johndoe", []Place{{OrgID: 7, DeptID: 1}}}, member); diff != "" {
		t.Errorf("Member(123) (-want +got):\n%s", diff)
	}
}

func TestCountries(t *testing.T) {
	list, err := open(t, 10).Countries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 190 {
		t.Errorf("%d countries", len(list))
	}
	for _, c := range list {
		if len(c.Code) != 2 || c.Name == "" || c.Capital == "" || c.Region == "" {
			t.Errorf("country %+v", c)
		}
	}
}
