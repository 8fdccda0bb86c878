package catalog

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
)

// Status is what a catalog holds.
type Status struct {
	Dir       string
	Schema    int
	Bytes     int64 // of the database and its log
	Photos    int   // by content
	Decisions int
	Roots     []RootStatus
	Models    []ModelStatus
}

// RootStatus is what a catalog holds of a root.
type RootStatus struct {
	Root
	Files   int   // that are there
	Bytes   int64 // of those
	Waiting int   // of those: not read yet
	Failed  int   // of those: Failures has the reasons
	Missing int   // not there any more, not yet forgotten
}

// ModelStatus is what a catalog holds of a model.
type ModelStatus struct {
	Model
	Segments int
	Vectors  int
	Bytes    int64
}

// Status returns what the catalog holds.
func (c *Catalog) Status(ctx context.Context) (Status, error) {
	st := Status{Dir: c.dir, Schema: len(schema)}
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(c.path(databaseName + suffix))
		if err == nil {
			st.Bytes += info.Size()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return st, c.wrap("measure database", err)
		}
	}
	const counts = "SELECT (SELECT count(*) FROM photos), (SELECT count(*) FROM decisions)"
	err := c.db.QueryRowContext(ctx, counts).Scan(&st.Photos, &st.Decisions)
	if err == nil {
		st.Roots, err = c.rootStatus(ctx)
	}
	if err == nil {
		st.Models, err = c.modelStatus(ctx)
	}
	return st, c.wrap("count photos", err)
}

func (c *Catalog) rootStatus(ctx context.Context) ([]RootStatus, error) {
	const query = `SELECT roots.id, roots.path, scanned,
			count(files.id) FILTER (WHERE missing IS NULL),
			coalesce(sum(size) FILTER (WHERE missing IS NULL), 0),
			count(*) FILTER (WHERE missing IS NULL AND files.id IS NOT NULL AND hash IS NULL AND error IS NULL),
			count(error) FILTER (WHERE missing IS NULL),
			count(missing)
		FROM roots LEFT JOIN files ON root = roots.id GROUP BY roots.id ORDER BY roots.path`
	var list []RootStatus
	err := c.query(ctx, query, nil, func(scan func(...any) error) error {
		var r RootStatus
		var path []byte
		var scanned sql.NullInt64
		err := scan(&r.ID, &path, &scanned, &r.Files, &r.Bytes, &r.Waiting, &r.Failed, &r.Missing)
		r.Path, r.Scanned = string(path), timeOf(scanned)
		list = append(list, r)
		return err
	})
	return list, err
}

// Models returns the models that the catalog has vectors of.
func (c *Catalog) Models(ctx context.Context) ([]Model, error) {
	status, err := c.modelStatus(ctx)
	var list []Model
	for _, m := range status {
		list = append(list, m.Model)
	}
	return list, c.wrap("list models", err)
}

func (c *Catalog) modelStatus(ctx context.Context) ([]ModelStatus, error) {
	ledger, err := readLedger(ctx, c.db)
	if err != nil {
		return nil, err
	}
	var list []ModelStatus
	at := make(map[int64]int)
	for _, s := range ledger {
		if s.dropped {
			continue
		}
		i, ok := at[s.model]
		if !ok {
			i = len(list)
			at[s.model] = i
			list = append(list, ModelStatus{Model: s.Model})
		}
		list[i].Segments++
		list[i].Vectors += s.rows
		list[i].Bytes += layoutOf(s.Model).offset(s.rows)
	}
	return list, nil
}
