package blogdb

import (
	"context"
	"database/sql"
)

// AuthorStats sums up one author's writing. Words are counted by the spaces
// between them. Rank compares the author with all others: it changes with every
// post that anybody writes, changes or deletes.
type AuthorStats struct {
	UserID       int64       `json:"user_id"`
	Username     string      `json:"username"`
	Posts        int         `json:"posts"`
	Words        int         `json:"words"`
	AverageWords float64     `json:"average_words"`
	LongestPost  int         `json:"longest_post"` // words
	Rank         int         `json:"rank"`         // by words; 1 writes most
	Authors      int         `json:"authors"`
	BusiestMonth string      `json:"busiest_month"` // YYYY-MM, empty without posts
	TopWords     []WordCount `json:"top_words"`
}

// WordCount says how often an author uses a word.
type WordCount struct {
	Word  string `json:"word"`
	Count int    `json:"count"`
}

// LiveStats sums up the whole blog.
type LiveStats struct {
	Users         int     `json:"users"`
	Authors       int     `json:"authors"` // users who have a post
	Posts         int     `json:"posts"`
	AverageLength float64 `json:"average_length"` // characters of a body
	LastPostID    int64   `json:"last_post_id"`   // 0 without posts
}

// authorStats reads every post, because a rank is about everybody's words. A
// user without posts is an author with none, ranked last.
const authorStats = `
WITH counted AS (
	SELECT user_id, length(body) - length(replace(body, ' ', '')) + 1 AS words FROM posts
), totals AS (
	SELECT u.id, u.username, count(c.user_id) AS posts, total(c.words) AS words,
		coalesce(avg(c.words), 0) AS average, coalesce(max(c.words), 0) AS longest
	FROM users u LEFT JOIN counted c ON c.user_id = u.id GROUP BY u.id
), ranked AS (
	SELECT *, rank() OVER (ORDER BY words DESC) AS place, count(*) OVER () AS authors FROM totals
)
SELECT id, username, posts, CAST(words AS INTEGER), round(average, 2), longest, place, authors,
	coalesce((SELECT substr(created_at, 1, 7) AS month FROM posts WHERE user_id = ranked.id
		GROUP BY month ORDER BY count(*) DESC, month DESC LIMIT 1), '')
FROM ranked WHERE id = ?`

// topWords splits the author's bodies at their spaces: a body quoted as a JSON
// string becomes a JSON array when every space becomes "," (a space is never
// part of an escape). Short words say little about an author.
const topWords = `
SELECT rtrim(lower(w.value), '.') AS word, count(*) AS uses
FROM posts p, json_each('[' || replace(json_quote(p.body), ' ', '","') || ']') w
WHERE p.user_id = ? AND length(word) > 4
GROUP BY word ORDER BY uses DESC, word LIMIT 10`

// AuthorStats computes the statistics of user id: a full scan with an aggregate
// over all authors, and the vocabulary of this one.
func (d *DB) AuthorStats(ctx context.Context, id int64) (s AuthorStats, err error) {
	err = d.reading(ctx, func(tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, authorStats, id)
		err := row.Scan(&s.UserID, &s.Username, &s.Posts, &s.Words, &s.AverageWords, &s.LongestPost,
			&s.Rank, &s.Authors, &s.BusiestMonth)
		if err != nil {
			return found(err, "user")
		}
		rows, err := tx.QueryContext(ctx, topWords, id)
		s.TopWords, err = collect(rows, err, func(r *sql.Rows, w *WordCount) error {
			return r.Scan(&w.Word, &w.Count)
		})
		return err
	})
	return s, err
}

// LiveStats counts users and posts.
func (d *DB) LiveStats(ctx context.Context) (s LiveStats, err error) {
	const query = `SELECT (SELECT count(*) FROM users), count(DISTINCT user_id), count(*),
		round(coalesce(avg(length(body)), 0), 2), coalesce(max(id), 0) FROM posts`
	err = d.reading(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, query).Scan(&s.Users, &s.Authors, &s.Posts, &s.AverageLength, &s.LastPostID)
	})
	return s, err
}
