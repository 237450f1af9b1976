package blogdb

import (
	"context"
	"database/sql"
)

// Post is one post with its text.
type Post struct {
	ID        int64  `json:"id"`
	UserID    int64  `json:"user_id"`
	Username  string `json:"username"`
	Title     string `json:"title"`
	Body      string `json:"body"`
	CreatedAt string `json:"created_at"` // RFC 3339, UTC
}

// PostChange says what to change about a post; nil leaves a field as it is.
type PostChange struct {
	Title *string `json:"title"`
	Body  *string `json:"body"`
}

// Summary is one post in a list.
type Summary struct {
	ID        int64  `json:"id"`
	Title     string `json:"title"`
	CreatedAt string `json:"created_at"`
}

// Latest is one post among the newest of all authors.
type Latest struct {
	Summary
	UserID   int64  `json:"user_id"`
	Username string `json:"username"`
	Author   string `json:"author"` // the name in the author's profile
}

// AuthorPosts is one page of an author's posts, newest first.
type AuthorPosts struct {
	UserID   int64     `json:"user_id"`
	Username string    `json:"username"`
	Total    int       `json:"total"` // posts on all pages
	Posts    []Summary `json:"posts"`
}

const selectPost = `SELECT p.id, p.user_id, u.username, p.title, p.body, p.created_at
	FROM posts p JOIN users u ON u.id = p.user_id WHERE p.id = ?`

// Post returns post id.
func (d *DB) Post(ctx context.Context, id int64) (p Post, err error) {
	err = d.reading(ctx, func(tx *sql.Tx) error {
		p, err = post(ctx, tx, id)
		return err
	})
	return p, err
}

func post(ctx context.Context, tx *sql.Tx, id int64) (p Post, err error) {
	row := tx.QueryRowContext(ctx, selectPost, id)
	err = row.Scan(&p.ID, &p.UserID, &p.Username, &p.Title, &p.Body, &p.CreatedAt)
	return p, found(err, "post")
}

// CreatePost adds a post of user userID and returns it.
func (d *DB) CreatePost(ctx context.Context, userID int64, title, body string) (p Post, err error) {
	err = d.writing(ctx, func(tx *sql.Tx) error {
		const statement = `INSERT INTO posts (user_id, title, body) VALUES (?, ?, ?)`
		result, err := tx.ExecContext(ctx, statement, userID, title, body)
		if err != nil {
			return err
		}
		id, err := result.LastInsertId()
		if err != nil {
			return err
		}
		p, err = post(ctx, tx, id)
		return err
	})
	return p, err
}

// ChangePost changes post id and returns it as it is afterwards.
func (d *DB) ChangePost(ctx context.Context, id int64, c PostChange) (p Post, err error) {
	err = d.writing(ctx, func(tx *sql.Tx) error {
		const statement = `UPDATE posts SET title = coalesce(?, title), body = coalesce(?, body) WHERE id = ?`
		if _, err := tx.ExecContext(ctx, statement, c.Title, c.Body, id); err != nil {
			return err
		}
		p, err = post(ctx, tx, id)
		return err
	})
	return p, err
}

// DeletePost deletes post id.
func (d *DB) DeletePost(ctx context.Context, id int64) error {
	return d.writing(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM posts WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return found(sql.ErrNoRows, "post")
	})
}

// LatestPosts returns the newest limit posts of all authors.
func (d *DB) LatestPosts(ctx context.Context, limit int) (list []Latest, err error) {
	const query = `SELECT p.id, p.title, p.created_at, u.id, u.username, u.name
		FROM posts p JOIN users u ON u.id = p.user_id ORDER BY p.id DESC LIMIT ?`
	err = d.reading(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, query, limit)
		list, err = collect(rows, err, func(r *sql.Rows, l *Latest) error {
			return r.Scan(&l.ID, &l.Title, &l.CreatedAt, &l.UserID, &l.Username, &l.Author)
		})
		return err
	})
	return list, err
}

// PostsByUser returns limit posts of user id, newest first, after offset of
// them.
func (d *DB) PostsByUser(ctx context.Context, id int64, limit, offset int) (AuthorPosts, error) {
	return d.page(ctx, `SELECT id, username FROM users WHERE id = ?`, id, limit, offset)
}

// PostsByUsername is PostsByUser for the user called username.
func (d *DB) PostsByUsername(ctx context.Context, username string, limit, offset int) (AuthorPosts, error) {
	return d.page(ctx, `SELECT id, username FROM users WHERE username = ?`, username, limit, offset)
}

func (d *DB) page(ctx context.Context, selectUser string, user any, limit, offset int) (p AuthorPosts, err error) {
	const selectPosts = `SELECT id, title, created_at FROM posts WHERE user_id = ? ORDER BY id DESC LIMIT ? OFFSET ?`
	err = d.reading(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, selectUser, user).Scan(&p.UserID, &p.Username); err != nil {
			return found(err, "user")
		}
		row := tx.QueryRowContext(ctx, `SELECT count(*) FROM posts WHERE user_id = ?`, p.UserID)
		if err := row.Scan(&p.Total); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, selectPosts, p.UserID, limit, offset)
		p.Posts, err = collect(rows, err, func(r *sql.Rows, s *Summary) error {
			return r.Scan(&s.ID, &s.Title, &s.CreatedAt)
		})
		return err
	})
	return p, err
}
