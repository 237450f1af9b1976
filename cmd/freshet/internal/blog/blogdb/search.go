package blogdb

import (
	"context"
	"database/sql"
	"strings"
)

// Results is one page of what a search found, best first.
type Results struct {
	Total int     `json:"total"` // hits on all pages
	Hits  []Match `json:"hits"`
}

// Match is one post that a search found.
type Match struct {
	Latest
	Location string `json:"location"` // from the author's profile
	Excerpt  string `json:"excerpt"`
	Score    int    `json:"score"`
}

// countMatches reads every post: the text may stand inside a word, where no
// index helps.
const countMatches = `SELECT count(*) FROM posts WHERE title LIKE ?1 ESCAPE '\' OR body LIKE ?1 ESCAPE '\'`

// selectMatches scores every post: an occurrence of ?1 (in lower case) in the
// body counts one, in the title three.
const selectMatches = `
WITH scored AS (
	SELECT id,
		(length(body) - length(replace(lower(body), ?1, ''))) / length(?1) +
		(length(title) - length(replace(lower(title), ?1, ''))) / length(?1) * 3 AS score
	FROM posts
), hits AS MATERIALIZED (
	SELECT id, score FROM scored WHERE score > 0 ORDER BY score DESC, id DESC LIMIT ?2 OFFSET ?3
)
SELECT p.id, p.title, p.created_at, u.id, u.username, u.name, u.location, substr(p.body, 1, 120), h.score
FROM hits h JOIN posts p ON p.id = h.id JOIN users u ON u.id = p.user_id ORDER BY h.score DESC, h.id DESC`

// Search finds the posts whose title or body contains text, ASCII letters in
// either case, and returns limit of them after offset. Text is not empty and
// holds no NUL, where SQLite would end it.
func (d *DB) Search(ctx context.Context, text string, limit, offset int) (r Results, err error) {
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	err = d.reading(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, countMatches, pattern).Scan(&r.Total); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, selectMatches, lower(text), limit, offset)
		r.Hits, err = collect(rows, err, func(r *sql.Rows, m *Match) error {
			return r.Scan(&m.ID, &m.Title, &m.CreatedAt, &m.UserID, &m.Username, &m.Author,
				&m.Location, &m.Excerpt, &m.Score)
		})
		return err
	})
	return r, err
}

// lower does what SQLite's lower and LIKE do: ASCII only, so that the count and
// the page agree on what matches.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, text)
}
