package catalog

import (
	"context"
	"database/sql"
	"time"
)

// A Run is one pass over photos, such as an index run.
type Run struct {
	ID                  int64
	Kind                string // "index", "train"
	Started, Ended      time.Time
	Model, Device       string
	Found, Done, Failed int    // photos
	Error               string // why it ended early
}

// PutRun stores a run and sets its ID if that is 0. It is stored as it begins
// and as it ends; one that has no end runs still, or was killed.
func (c *Catalog) PutRun(ctx context.Context, r *Run) error {
	return c.write(ctx, "store run", func(tx *sql.Tx) error {
		var id any
		if r.ID != 0 {
			id = r.ID
		}
		return tx.QueryRowContext(ctx, `INSERT OR REPLACE INTO runs
			(id, kind, started, ended, model, device, found, done, failed, error)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			id, r.Kind, r.Started.UnixNano(), stamp(r.Ended), r.Model, r.Device, r.Found, r.Done, r.Failed, r.Error).Scan(&r.ID)
	})
}

// Runs returns the last runs, at most limit, the latest first.
func (c *Catalog) Runs(ctx context.Context, limit int) ([]Run, error) {
	const query = `SELECT id, kind, started, ended, model, device, found, done, failed, error
		FROM runs ORDER BY id DESC LIMIT ?`
	var runs []Run
	err := c.query(ctx, query, []any{limit}, func(scan func(...any) error) error {
		var r Run
		var started, ended sql.NullInt64
		err := scan(&r.ID, &r.Kind, &started, &ended, &r.Model, &r.Device, &r.Found, &r.Done, &r.Failed, &r.Error)
		r.Started, r.Ended = timeOf(started), timeOf(ended)
		runs = append(runs, r)
		return err
	})
	return runs, c.wrap("list runs", err)
}
