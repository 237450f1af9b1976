// Package blogdb is the demo's database: a blog and a staff directory in one
// SQLite file. It knows nothing of caching or HTTP.
package blogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// DefaultPosts is how many posts a new file is filled with: enough for the
// aggregate and search queries to take a hundred milliseconds or more.
const DefaultPosts = 100_000

// readers is how many queries of one process run at once; more wait. SQLite
// works on the caller's core, so more readers than a few only slow each other.
const readers = 8

// ErrNotFound is wrapped by the error of every query for a row that does not
// exist.
var ErrNotFound = errors.New("not found")

// Options of [Open]. The zero value, and nil, are the defaults.
type Options struct {
	// Posts to fill a new file with; 0 means [DefaultPosts].
	Posts int
	// Delay is added to every query, between the database's work and the
	// result, as the way back from a distant database adds it.
	Delay time.Duration
	// OnFill is called when this process has filled a new file, before any
	// process can see the rows. An error from it undoes the filling.
	OnFill func(context.Context) error
}

// DB is an open database. Its methods may be called concurrently, by any number
// of processes on one file. Each read is one snapshot; each write is one
// transaction, committed before the method returns nil. When a write returns
// an error other than [ErrNotFound] it may have been committed or not.
type DB struct {
	read, write *sql.DB
	delay       time.Duration
}

// Open opens the file at path, and creates and fills it when it is missing or
// empty. When several processes do so at once, one fills it and the others
// wait. A file that holds something else is refused and left as it is.
func Open(ctx context.Context, path string, opts *Options) (*DB, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Posts == 0 {
		o.Posts = DefaultPosts
	}
	name, err := dataSource(path)
	if err != nil {
		return nil, err
	}
	d := &DB{delay: o.Delay}
	if d.write, err = sql.Open("sqlite", name); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	// One writer per process: the next one queues in database/sql, in order,
	// and not in SQLite's busy handler, which sleeps and guesses.
	d.write.SetMaxOpenConns(1)
	if d.read, err = sql.Open("sqlite", name); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), d.Close())
	}
	d.read.SetMaxOpenConns(readers)
	d.read.SetMaxIdleConns(readers)
	if err := d.prepare(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), d.Close())
	}
	return d, nil
}

// patience is how long a file that another process has locked is waited for. It
// covers the filling of a new file.
const patience = time.Minute

// dataSource returns the URI of the file with the settings of a connection.
func dataSource(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open database %s: %w", path, err)
	}
	query := url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "synchronous(NORMAL)", "foreign_keys(1)",
		},
		"_txlock":   {"immediate"},
		"_error_rc": {"1"},
	}
	file := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: query.Encode()}
	return file.String(), nil
}

// Close closes the file. No other method may be called afterwards.
func (d *DB) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{d.read, d.write} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// reading runs query on one snapshot of the database. The delay comes after the
// snapshot has been read: what the caller gets is as old as the delay is long,
// which is what makes a cache without a fence store answers that are stale.
func (d *DB) reading(ctx context.Context, query func(*sql.Tx) error) error {
	if err := transact(ctx, d.read, &sql.TxOptions{ReadOnly: true}, query); err != nil {
		return err
	}
	return d.travel(ctx)
}

// writing runs change in one transaction that holds the write lock from its
// beginning, so that what change reads cannot be overtaken.
func (d *DB) writing(ctx context.Context, change func(*sql.Tx) error) error {
	if err := transact(ctx, d.write, nil, change); err != nil {
		return err
	}
	return d.travel(ctx)
}

func transact(ctx context.Context, pool *sql.DB, o *sql.TxOptions, do func(*sql.Tx) error) error {
	tx, err := pool.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// travel takes as long as a result needs from a distant database.
func (d *DB) travel(ctx context.Context) error {
	if d.delay <= 0 {
		return nil
	}
	timer := time.NewTimer(d.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// found turns database/sql's word for no row into this package's. The text does
// not repeat what was asked for, which may be of any length.
func found(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s %w", what, ErrNotFound)
	}
	return err
}

// collect reads every row of a query with scan.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows, *T) error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []T{} // an empty list is [] in JSON, not null
	for rows.Next() {
		var item T
		if err := scan(rows, &item); err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}
