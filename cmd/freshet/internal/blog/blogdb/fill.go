package blogdb

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The size of the directory. Every user is an employee of one department.
const (
	users              = 200
	organizations      = 10
	departmentsPerOrg  = 5
	usersPerDepartment = users / organizations / departmentsPerOrg
)

// johndoe is the user of the documentation's examples, and the author of the
// posts that they name.
const (
	johndoe     = 123
	johndoeName = "John Doe"
)

// isExample reports whether the documentation's examples name post id.
func isExample(id int) bool { return id == 123 || id == 456 || id == 789 }

// fill inserts the data set: the same rows on every machine, and with fewer
// posts a prefix of the same posts.
func fill(ctx context.Context, tx *sql.Tx, posts int) error {
	if err := fillUsers(ctx, tx); err != nil {
		return err
	}
	if err := fillOrganizations(ctx, tx); err != nil {
		return err
	}
	if err := fillPosts(ctx, tx, posts); err != nil {
		return err
	}
	return insert(ctx, tx, `INSERT INTO countries (code, name, capital, region) VALUES (?, ?, ?, ?)`, func(row func(...any)) {
		for line := range strings.Lines(countries) {
			field := strings.Split(strings.TrimSpace(line), "|")
			row(field[0], field[1], field[2], field[3])
		}
	})
}

// insert prepares statement and runs it with every row that rows gives. After
// an error the remaining rows are dropped, and the first error is returned.
func insert(ctx context.Context, tx *sql.Tx, statement string, rows func(row func(...any))) error {
	prepared, err := tx.PrepareContext(ctx, statement)
	if err != nil {
		return err
	}
	defer prepared.Close()
	rows(func(values ...any) {
		if err == nil {
			_, err = prepared.ExecContext(ctx, values...)
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func fillUsers(ctx context.Context, tx *sql.Tx) error {
	const statement = `INSERT INTO users (id, username, name, email, bio, location, website) VALUES (?, ?, ?, ?, ?, ?, ?)`
	return insert(ctx, tx, statement, func(row func(...any)) {
		for id := 1; id <= users; id++ {
			u := user(id)
			row(u.UserID, u.Username, u.Name, u.Email, u.Bio, u.Location, u.Website)
		}
	})
}

// user returns the profile of user id. Strides that share no factor with the
// lists' lengths keep neighbours from looking alike.
func user(id int) Profile {
	first, last := pick(firstNames, id), pick(lastNames, id*7)
	name, username := first+" "+last, fmt.Sprintf("%s%d", strings.ToLower(first), id)
	if id == johndoe {
		name, username = johndoeName, "johndoe"
	}
	return Profile{
		UserID:   int64(id),
		Username: username,
		Name:     name,
		Email:    username + "@example.com",
		Bio:      fmt.Sprintf("Writes about %s and %s.", pick(topics, id), pick(topics, id*3+1)),
		Location: pick(cities, id*5),
		Website:  "https://" + username + ".example.com",
	}
}

func fillOrganizations(ctx context.Context, tx *sql.Tx) error {
	names := strings.Fields(organizationNames)
	err := insert(ctx, tx, `INSERT INTO organizations (id, name) VALUES (?, ?)`, func(row func(...any)) {
		for org := range organizations {
			row(org+1, names[org])
		}
	})
	if err != nil {
		return err
	}
	err = insert(ctx, tx, `INSERT INTO departments (org_id, id, name) VALUES (?, ?, ?)`, func(row func(...any)) {
		for i := range organizations * departmentsPerOrg {
			row(i/departmentsPerOrg+1, i%departmentsPerOrg+1, pick(departmentNames, i%departmentsPerOrg))
		}
	})
	if err != nil {
		return err
	}
	const statement = `INSERT INTO employees (org_id, dept_id, user_id, role) VALUES (?, ?, ?, ?)`
	return insert(ctx, tx, statement, func(row func(...any)) {
		for i := range users {
			department := i / usersPerDepartment
			row(department/departmentsPerOrg+1, department%departmentsPerOrg+1, i+1, pick(roles, i%usersPerDepartment))
		}
	})
}

func fillPosts(ctx context.Context, tx *sql.Tx, count int) error {
	const statement = `INSERT INTO posts (id, user_id, title, body, created_at) VALUES (?, ?, ?, ?, ?)`
	w := newWriter()
	return insert(ctx, tx, statement, func(row func(...any)) {
		for id := 1; id <= count; id++ {
			author, title, body := w.post(id)
			row(id, author, title, body, w.clock.Format(time.RFC3339))
		}
	})
}

// writer makes up posts from a fixed seed.
type writer struct {
	random *rand.Rand
	clock  time.Time // when the newest post was written
	common []string
}

func newWriter() *writer {
	return &writer{
		random: rand.New(rand.NewPCG(2020, 11)),
		clock:  time.Date(2020, 1, 1, 8, 0, 0, 0, time.UTC),
		common: strings.Fields(words),
	}
}

// post writes the next post, half an hour after the one before on average.
func (w *writer) post(id int) (author int, title, body string) {
	w.clock = w.clock.Add(time.Duration(w.random.IntN(3600)) * time.Second)
	// The smaller of two draws: early users write more than late ones, so that
	// ranks differ by more than chance.
	author = 1 + min(w.random.IntN(users), w.random.IntN(users))
	if isExample(id) {
		author = johndoe
	}
	title = w.sentence(3 + w.random.IntN(5))
	return author, strings.TrimSuffix(title, "."), w.body(20 + w.random.IntN(61))
}

// body writes sentences of 5 to 14 words, length words in all.
func (w *writer) body(length int) string {
	var text strings.Builder
	for length > 0 {
		n := 5 + w.random.IntN(10)
		if n > length || length-n < 5 {
			n = length
		}
		if text.Len() > 0 {
			text.WriteByte(' ')
		}
		text.WriteString(w.sentence(n))
		length -= n
	}
	return text.String()
}

func (w *writer) sentence(length int) string {
	var text strings.Builder
	for i := range length {
		word := w.common[w.index()]
		if i == 0 {
			word = strings.ToUpper(word[:1]) + word[1:]
		} else {
			text.WriteByte(' ')
		}
		text.WriteString(word)
	}
	text.WriteByte('.')
	return text.String()
}

// index draws a word: the product of two uniform draws favours the front of the
// list, as language favours few words.
func (w *writer) index() int {
	return int(w.random.Float64() * w.random.Float64() * float64(len(w.common)))
}

// pick returns the i-th name of a list separated by commas, starting again at
// its end.
func pick(list string, i int) string {
	names := strings.Split(list, ",")
	return names[i%len(names)]
}
