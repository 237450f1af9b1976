package blogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// formatVersion is kept in the file's user_version, inside the transaction that
// fills it: a file has it if and only if it is complete.
const formatVersion = 1

// schema has no column that is derived from another row, so that a change made
// with any other SQLite client is complete as well. AUTOINCREMENT keeps the id
// of a deleted post from coming back as another post.
const schema = `
CREATE TABLE users (
	id INTEGER PRIMARY KEY,
	username TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	email TEXT NOT NULL,
	bio TEXT NOT NULL DEFAULT '',
	location TEXT NOT NULL DEFAULT '',
	website TEXT NOT NULL DEFAULT ''
);
CREATE TABLE posts (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	user_id INTEGER NOT NULL REFERENCES users (id),
	title TEXT NOT NULL,
	body TEXT NOT NULL,
	created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
CREATE INDEX posts_by_user ON posts (user_id);
CREATE TABLE organizations (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL
);
CREATE TABLE departments (
	org_id INTEGER NOT NULL REFERENCES organizations (id),
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	PRIMARY KEY (org_id, id)
);
CREATE TABLE employees (
	org_id INTEGER NOT NULL,
	dept_id INTEGER NOT NULL,
	user_id INTEGER NOT NULL REFERENCES users (id),
	role TEXT NOT NULL,
	PRIMARY KEY (org_id, dept_id, user_id),
	FOREIGN KEY (org_id, dept_id) REFERENCES departments (org_id, id)
);
CREATE INDEX employees_by_user ON employees (user_id);
CREATE TABLE countries (
	code TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	capital TEXT NOT NULL,
	region TEXT NOT NULL
);`

// errForeign refuses a file that somebody else keeps data in.
var errForeign = errors.New("the file is not a freshet demo database")

// prepare makes the file complete. The transaction takes the write lock before
// it looks: of two processes that start at once, the second waits here and then
// finds the version set. Looking first and locking later would fill twice.
func (d *DB) prepare(ctx context.Context, o Options) error {
	err := transact(ctx, d.write, nil, func(tx *sql.Tx) error {
		var version, tables int
		err := tx.QueryRowContext(ctx,
			`SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`,
		).Scan(&version, &tables)
		switch {
		case err != nil:
			return err
		case version == formatVersion:
			return nil
		case version != 0 || tables != 0:
			return errForeign
		}
		return create(ctx, tx, o)
	})
	if err != nil {
		return err
	}
	return d.writeAhead(ctx)
}

// writeAhead puts the file into write-ahead mode, where the readers and the
// writer of all processes work side by side. It is kept in the file. SQLite
// does not wait for the lock that the change needs, whatever its busy timeout
// is, lest two connections wait for each other; so the waiting is done here,
// where nothing is locked meanwhile.
func (d *DB) writeAhead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var busy *sqlite.Error
		_, err := d.write.ExecContext(ctx, `PRAGMA journal_mode = WAL`)
		if !errors.As(err, &busy) || busy.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func create(ctx context.Context, tx *sql.Tx, o Options) error {
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	if err := fill(ctx, tx, o.Posts); err != nil {
		return err
	}
	if o.OnFill != nil {
		if err := o.OnFill(ctx); err != nil {
			return err
		}
	}
	// PRAGMA takes no bound parameters.
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", formatVersion))
	return err
}
