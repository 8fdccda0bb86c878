package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	vectorsName   = "vectors"
	segmentSuffix = ".f16"
)

// A segment is what the ledger says of a segment file.
type segment struct {
	Model   Model
	model   int64 // ID
	number  int
	rows    int // records that count
	dropped bool
}

// A place is where a segment file lies, by which it is told apart.
type place struct {
	digest string
	number int
}

func (s segment) place() place { return place{s.Model.Digest, s.number} }

func (c *Catalog) segmentPath(p place) string {
	return c.path(vectorsName, p.digest, fmt.Sprintf("%04d%s", p.number, segmentSuffix))
}

// readLedger returns all segments in the order in which they were begun.
func readLedger(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) ([]segment, error) {
	const query = `SELECT digest, preprocess, dim, name, model, number, rows, dropped
		FROM segments JOIN models ON models.id = model ORDER BY digest, number`
	var ledger []segment
	err := eachRow(ctx, db, query, nil, func(scan func(...any) error) error {
		var s segment
		err := scan(&s.Model.Digest, &s.Model.Preprocess, &s.Model.Dim, &s.Model.Name, &s.model, &s.number, &s.rows, &s.dropped)
		ledger = append(ledger, s)
		return err
	})
	return ledger, err
}

// segmentFiles returns the segment files that are there and their sizes.
func (c *Catalog) segmentFiles() (map[place]int64, error) {
	files := make(map[place]int64)
	folders, err := os.ReadDir(c.path(vectorsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, folder := range folders {
		if (Model{Digest: folder.Name(), Dim: 1}).validate() != nil {
			continue
		}
		entries, err := os.ReadDir(c.path(vectorsName, folder.Name()))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
			number, err := strconv.Atoi(digits)
			p := place{folder.Name(), number}
			if !ok || err != nil || number < 1 || e.Name() != filepath.Base(c.segmentPath(p)) {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return nil, err
			}
			files[p] = info.Size()
		}
	}
	return files, nil
}

var errUnlike = errors.New("do not fit those it had before")

// modelID returns the number of a model, which is added if it is new.
func modelID(ctx context.Context, tx *sql.Tx, m Model) (id int64, err error) {
	var dim int
	const query = `INSERT INTO models (digest, preprocess, dim, name) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET name = iif(excluded.name = '', name, excluded.name) RETURNING id, dim`
	if err := tx.QueryRowContext(ctx, query, m.Digest, m.Preprocess, m.Dim, m.Name).Scan(&id, &dim); err != nil {
		return 0, err
	}
	if dim != m.Dim {
		return 0, fmt.Errorf("model %s: vectors of %d values %w", m.Digest, m.Dim, errUnlike)
	}
	return id, nil
}

// count writes down that the records of a segment count, and knows the photos
// that they belong to.
func count(ctx context.Context, tx *sql.Tx, s segment, hashes []Hash) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO segments (model, number, rows) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET rows = excluded.rows`, s.model, s.number, s.rows)
	if err != nil {
		return err
	}
	statements, err := prepare(ctx, tx, insertPhoto)
	if err != nil {
		return err
	}
	for _, h := range hashes {
		if h == (Hash{}) {
			continue
		}
		if _, err := statements[0].ExecContext(ctx, h[:]); err != nil {
			return err
		}
	}
	return nil
}

// putVectors appends vectors to the last segment of a model that has room, and
// to new ones.
func (c *Catalog) putVectors(ctx context.Context, tx *sql.Tx, m Model, records []Record) error {
	if err := m.validate(); err != nil {
		return err
	}
	id, err := modelID(ctx, tx, m)
	if err != nil {
		return err
	}
	l := layoutOf(m)
	ledger, err := readLedger(ctx, tx)
	if err != nil {
		return err
	}
	s, f := c.lastSegment(l, id, ledger)
	for len(records) > 0 {
		if f == nil {
			if s, f, err = c.newSegment(l, id, ledger); err != nil {
				return err
			}
			ledger = append(ledger, s)
		}
		n := min(len(records), c.segmentRows-s.rows)
		err := l.writeRecords(f, s.rows, records[:n])
		err = errors.Join(err, f.Close())
		f = nil
		if err != nil {
			return err
		}
		s.rows += n
		hashes := make([]Hash, n)
		for i, r := range records[:n] {
			hashes[i] = r.Hash
		}
		if err := count(ctx, tx, s, hashes); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// lastSegment opens the last segment of a model for appending. It returns no
// file if there is none that is full of what the ledger says and has room.
func (c *Catalog) lastSegment(l layout, model int64, ledger []segment) (segment, *os.File) {
	var last segment
	for _, s := range ledger {
		if s.model == model && !s.dropped {
			last = s
		}
	}
	if last.number == 0 || last.rows >= c.segmentRows {
		return last, nil
	}
	f, size, err := l.openSegment(c.segmentPath(last.place()), os.O_RDWR)
	if err != nil {
		return last, nil // for Verify to tell; a new segment does not touch it
	}
	end := l.offset(last.rows)
	if size > end { // another process was killed
		err = f.Truncate(end)
	}
	if size < end || err != nil {
		f.Close()
		return last, nil // likewise
	}
	return last, f
}

// newSegment makes the next segment of a model.
func (c *Catalog) newSegment(l layout, model int64, ledger []segment) (segment, *os.File, error) {
	files, err := c.segmentFiles()
	if err != nil {
		return segment{}, nil, err
	}
	for _, s := range ledger {
		files[s.place()] = 0
	}
	s := segment{Model: l.Model, model: model, number: 1}
	for p := range files {
		if p.digest == l.Digest {
			s.number = max(s.number, p.number+1)
		}
	}
	path := c.segmentPath(s.place())
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return segment{}, nil, err
	}
	f, err := l.createSegment(path)
	if err != nil {
		return segment{}, nil, err
	}
	syncFolder(filepath.Dir(path))
	syncFolder(c.path(vectorsName))
	syncFolder(c.dir)
	return s, f, nil
}

// gather returns a segment with the records that its file has beyond those of
// the ledger, up to the last good one, and cuts off the rest. They were written
// by a process that was killed before it could count them, or the database is
// new.
func (l layout) gather(s segment, f *os.File, size int64) (segment, []Hash, error) {
	hashes, err := l.readRecords(f, s.rows, l.rows(size))
	if err != nil {
		return s, nil, err
	}
	hashes = hashes[:endOfGood(hashes)]
	s.rows += len(hashes)
	if l.offset(s.rows) < size {
		if err := f.Truncate(l.offset(s.rows)); err != nil {
			return s, nil, err
		}
	}
	return s, hashes, f.Sync()
}
