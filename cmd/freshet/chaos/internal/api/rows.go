package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// DB holds the rows. Its methods may be called concurrently, by any number of
// processes on one file. What has been committed is seen by every read that
// begins later, in whatever process: the source is linearisable, so that what is
// stale is the cache's fault.
type DB struct {
	read, write *sql.DB
}

// Create makes the file at path with all rows at version 1.
func Create(ctx context.Context, path string, l Layout) (*DB, error) {
	d, err := Open(path)
	if err != nil {
		return nil, err
	}
	if err := d.fill(ctx, l); err != nil {
		return nil, errors.Join(fmt.Errorf("create %s: %w", path, err), d.Close())
	}
	return d, nil
}

// Open opens a file that [Create] has made.
func Open(path string) (*DB, error) {
	// Nothing has to survive a crash of the machine, so nothing is synchronised.
	// A process may be frozen while it holds the lock: the others wait for it.
	query := url.Values{
		"_pragma": {"busy_timeout(60000)", "journal_mode(WAL)", "synchronous(OFF)"},
		"_txlock": {"immediate"},
	}
	name := (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
	d := new(DB)
	var err error
	if d.write, err = sql.Open("sqlite", name); err != nil {
		return nil, err
	}
	d.write.SetMaxOpenConns(1)
	if d.read, err = sql.Open("sqlite", name); err != nil {
		return nil, errors.Join(err, d.write.Close())
	}
	d.read.SetMaxOpenConns(8)
	d.read.SetMaxIdleConns(8)
	return d, nil
}

// Close closes the file.
func (d *DB) Close() error { return errors.Join(d.read.Close(), d.write.Close()) }

func (d *DB) fill(ctx context.Context, l Layout) error {
	_, err := d.write.ExecContext(ctx, `CREATE TABLE items (
		id INTEGER PRIMARY KEY, org INTEGER, owner INTEGER, version INTEGER, gone BOOLEAN)`)
	if err != nil {
		return err
	}
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for id := 1; id <= l.Rows; id++ {
		_, err := tx.ExecContext(ctx, `INSERT INTO items VALUES (?, ?, ?, 1, FALSE)`, id, l.Org(id), l.Owner(id))
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// All returns all rows.
func (d *DB) All(ctx context.Context) ([]Row, error) { return d.rows(ctx, "TRUE") }

// item, ofOrg and ofOwner read in one statement, which is one snapshot.
func (d *DB) item(ctx context.Context, id int) ([]Row, error) { return d.rows(ctx, "id = ?", id) }

func (d *DB) ofOrg(ctx context.Context, org int) ([]Row, error) { return d.rows(ctx, "org = ?", org) }

func (d *DB) ofOwner(ctx context.Context, owner string) ([]Row, error) {
	return d.rows(ctx, "owner = ?", owner)
}

func (d *DB) rows(ctx context.Context, where string, args ...any) ([]Row, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT id, version, gone FROM items WHERE "+where+" ORDER BY id", args...)
	return scan(rows, err)
}

func scan(rows *sql.Rows, err error) ([]Row, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Row
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.ID, &r.Version, &r.Gone); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// set changes row id: its version goes up by one. It returns the new state.
func (d *DB) set(ctx context.Context, id int, gone bool) ([]Row, error) {
	return d.change(ctx, "gone = ? WHERE id = ?", gone, id)
}

// touchOrg raises the versions of all rows of an organisation.
func (d *DB) touchOrg(ctx context.Context, org int) ([]Row, error) {
	return d.change(ctx, "gone = gone WHERE org = ?", org)
}

func (d *DB) change(ctx context.Context, what string, args ...any) ([]Row, error) {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, "UPDATE items SET version = version + 1, "+what+" RETURNING id, version, gone", args...)
	changed, err := scan(rows, err)
	if err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return sorted(changed), tx.Commit()
}
