package catalog

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
)

var errForeign = errors.New("it belongs to another model than the catalog says")

// settle counts what a process that was killed had written but not counted:
// records of segments and answers. If the database is new that is all of them.
func (c *Catalog) settle(ctx context.Context) error {
	ledger, err := readLedger(ctx, c.db)
	if err != nil {
		return explain(err)
	}
	open, err := c.unsettled(ledger)
	if err != nil {
		return err
	}
	behind, err := c.logBehind(ctx)
	if err != nil {
		return explain(err)
	}
	if len(open) == 0 && !behind {
		return nil
	}
	err = inTransaction(ctx, c.one, func(tx *sql.Tx) error {
		// Another process may have been in the middle of it: look again.
		ledger, err := readLedger(ctx, tx)
		if err != nil {
			return err
		}
		open, err := c.unsettled(ledger)
		if err != nil {
			return err
		}
		for _, s := range open {
			if err := c.settleSegment(ctx, tx, s); err != nil {
				return err
			}
		}
		return c.replay(ctx, tx)
	})
	return explain(err)
}

// unsettled returns the segments whose file has more than the ledger says, as
// the ledger has them (model 0: not at all; Dim 0: its header was never
// finished), and those that are dropped.
func (c *Catalog) unsettled(ledger []segment) ([]segment, error) {
	files, err := c.segmentFiles()
	if err != nil {
		return nil, err
	}
	var open []segment
	for _, s := range ledger {
		size := files[s.place()]
		delete(files, s.place())
		if s.dropped || size > layoutOf(s.Model).offset(s.rows) {
			open = append(open, s)
		}
	}
	for p := range files {
		f, err := os.Open(c.segmentPath(p))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		m, size, err := readHeader(f)
		f.Close()
		switch {
		case err != nil && size < headerSize: // it was never finished
			m.Digest = p.digest
		case err != nil || m.Digest != p.digest:
			continue // it is for Verify to tell
		}
		open = append(open, segment{Model: m, number: p.number})
	}
	return open, nil
}

// settleSegment brings the ledger and the file of a segment together.
func (c *Catalog) settleSegment(ctx context.Context, tx *sql.Tx, s segment) error {
	path := c.segmentPath(s.place())
	if s.dropped {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil // it is mapped, on Windows: another time
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM segments WHERE model = ? AND number = ?", s.model, s.number)
		return err
	}
	if s.Model.Dim == 0 {
		return os.Remove(path)
	}
	l := layoutOf(s.Model)
	f, size, err := l.openSegment(path, os.O_RDWR)
	if err != nil {
		return nil // it is for Verify to tell
	}
	defer f.Close()
	if s.model == 0 {
		s.model, err = modelID(ctx, tx, s.Model)
		if errors.Is(err, errUnlike) {
			return nil // likewise
		} else if err != nil {
			return err
		}
	}
	s, hashes, err := l.gather(s, f, size)
	if err != nil {
		return nil // likewise
	}
	return count(ctx, tx, s, hashes)
}
