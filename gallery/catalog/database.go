package catalog

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	databaseName = "catalog.db"
	// applicationID marks the database file as ours: "sigl".
	applicationID = 0x7369676c
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// schema is what leads from each schema number to the next, from 0: nothing.
// A file in it that was ever released never changes.
var schema = func() (steps []string) {
	entries, err := schemaFiles.ReadDir("schema")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		text, err := schemaFiles.ReadFile("schema/" + e.Name())
		if err != nil {
			panic(err)
		}
		steps = append(steps, string(text))
	}
	return steps
}()

// connect opens the database file; mode is that of SQLite's URI, "ro" or "".
//
// Every transaction takes the write lock as it begins. A wait for it, or for
// any lock, ends with the context.
func connect(path, mode string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(path), "/")}
	q := url.Values{
		"_busy_timeout": {strconv.FormatInt(busyWait.Milliseconds(), 10)},
		"_foreign_keys": {"1"},
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"},
		"_dqs":          {"0"},
		"_error_rc":     {"1"},
	}
	if mode != "" {
		q.Set("mode", mode)
	}
	u.RawQuery = q.Encode()
	return sql.Open("sqlite", u.String())
}

// schemaOf returns the schema number of a database file, 0 if there is none,
// and ErrNewer for one of a later version. It writes nothing.
func schemaOf(ctx context.Context, path string) (number int, err error) {
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	db, err := connect(path, "ro")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	return schemaIn(ctx, db)
}

func schemaIn(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (number int, err error) {
	var id, tables int
	const query = `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`
	if err := db.QueryRowContext(ctx, query).Scan(&id, &number, &tables); err != nil {
		return 0, explain(err)
	}
	switch {
	case id == 0 && number == 0 && tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, fmt.Errorf("its %s is the database of another program", databaseName)
	case number > len(schema):
		return 0, fmt.Errorf("%w (its schema is %d, this program knows %d)", ErrNewer, number, len(schema))
	}
	return number, nil
}

// migrate brings the database to the present schema, in one transaction. The
// caller has the catalog alone.
func migrate(ctx context.Context, path string) error {
	db, err := connect(path, "")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = wal").Scan(&mode); err != nil {
		return explain(err)
	}
	if mode != "wal" {
		return errors.New("its folder is on a file system without shared memory, which SQLite's log needs; XDG_DATA_HOME may name another")
	}
	err = inTransaction(ctx, db, func(tx *sql.Tx) error {
		number, err := schemaIn(ctx, tx)
		if err != nil {
			return err
		}
		for _, step := range schema[number:] {
			if _, err := tx.ExecContext(ctx, step); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(schema)))
		return err
	})
	return explain(err)
}

// inTransaction commits what fn did if it returns no error.
func inTransaction(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

// write runs a transaction, alone among all processes.
func (c *Catalog) write(ctx context.Context, doing string, fn func(tx *sql.Tx) error) error {
	return c.wrap(doing, inTransaction(ctx, c.one, fn))
}

// wrap says of an error what was being done and to which catalog.
func (c *Catalog) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s in catalog %s: %w", doing, c.dir, explain(err))
}

// explain makes the three errors of this package of those of the database.
func explain(err error) error {
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch failure.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrBusy
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s: %w (%v)", databaseName, ErrDamaged, failure)
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR: // the latter says no more than a number
		return fmt.Errorf("the disk is full or fails (%w); make room, or XDG_DATA_HOME may name another", err)
	}
	return err
}

// query calls row for each row of a query that reads.
func (c *Catalog) query(ctx context.Context, query string, args []any, row func(scan func(dest ...any) error) error) error {
	return eachRow(ctx, c.db, query, args, row)
}

// eachRow calls row for each row of a query.
func eachRow(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, query string, args []any, row func(scan func(dest ...any) error) error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// prepare prepares statements, which end with the transaction.
func prepare(ctx context.Context, tx *sql.Tx, queries ...string) ([]*sql.Stmt, error) {
	var list []*sql.Stmt
	for _, q := range queries {
		s, err := tx.PrepareContext(ctx, q)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// stamp is a time as a value of the database: nil for the zero time.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

// timeOf reads a column that stamp has written.
func timeOf(column sql.NullInt64) time.Time {
	if !column.Valid {
		return time.Time{}
	}
	return time.Unix(0, column.Int64)
}
