package catalog

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"time"
)

// Forgotten is what Forget has removed.
type Forgotten struct {
	Files, Photos int
	Bytes         int64 // of vectors; they go when most of a segment is of no use
}

// Forget removes files that were missing for longer than keep, and photos that
// no file has held for so long, with their vectors. Answers remain: a photo may
// come back.
func (c *Catalog) Forget(ctx context.Context, now time.Time, keep time.Duration) (Forgotten, error) {
	const doing = "forget photos"
	var gone Forgotten
	before := stamp(now.Add(-keep))
	const heldNow = "EXISTS (SELECT 1 FROM files WHERE files.hash = photos.hash AND missing IS NULL)"
	err := c.write(ctx, doing, func(tx *sql.Tx) error {
		for _, step := range []struct {
			query string
			arg   any
			n     *int
		}{
			{"UPDATE photos SET unused = NULL WHERE unused IS NOT ?1 AND " + heldNow, nil, nil},
			{"UPDATE photos SET unused = coalesce((SELECT max(missing) FROM files WHERE files.hash = photos.hash), ?1) " +
				"WHERE unused IS NULL AND NOT " + heldNow, stamp(now), nil},
			{"DELETE FROM files WHERE missing <= ?1", before, &gone.Files},
			{"DELETE FROM photos WHERE unused <= ?1 AND NOT EXISTS (SELECT 1 FROM files WHERE files.hash = photos.hash)", before, &gone.Photos},
		} {
			result, err := tx.ExecContext(ctx, step.query, step.arg)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err == nil && step.n != nil {
				*step.n = int(n)
			}
		}
		return nil
	})
	if err != nil || gone.Photos == 0 {
		return gone, err
	}
	gone.Bytes, err = c.compact(ctx)
	return gone, c.wrap(doing, err)
}

// compact rewrites the segments most of whose records are of photos that are
// not known any more, and returns how many bytes that saves.
func (c *Catalog) compact(ctx context.Context) (saved int64, err error) {
	known := make(map[Hash]struct{})
	var hash sql.RawBytes
	err = c.query(ctx, "SELECT hash FROM photos", nil, func(scan func(...any) error) error {
		err := scan(&hash)
		known[hashOf(hash)] = struct{}{}
		return err
	})
	if err != nil {
		return 0, err
	}
	keep := func(h Hash) bool {
		_, ok := known[h]
		return ok
	}
	ledger, err := readLedger(ctx, c.db)
	if err != nil {
		return 0, err
	}
	for _, s := range ledger {
		l := layoutOf(s.Model)
		if s.dropped || s.rows == 0 || l.keeps(c.segmentPath(s.place()), s.rows, keep) > s.rows/2 {
			continue
		}
		kept := 0
		err := inTransaction(ctx, c.one, func(tx *sql.Tx) (err error) {
			kept, err = c.rewrite(ctx, tx, s, keep)
			return err
		})
		if err != nil {
			return saved, err
		}
		saved += int64(s.rows-kept) * int64(l.stride)
		// On Windows a file that is mapped stays; settle removes it then.
		os.Remove(c.segmentPath(s.place()))
	}
	return saved, nil
}

// keeps returns how many records of a segment are to be kept; all of them if
// that cannot be told, for then the segment is for Verify.
func (l layout) keeps(path string, rows int, keep func(Hash) bool) int {
	f, size, err := l.openSegment(path, os.O_RDONLY)
	if err != nil {
		return rows
	}
	defer f.Close()
	hashes, err := l.readRecords(f, 0, min(rows, l.rows(size)))
	if err != nil {
		return rows
	}
	n := rows - len(hashes)
	for _, h := range hashes {
		if keep(h) {
			n++
		}
	}
	return n
}

// rewrite drops a segment and puts those of its good records that are to be
// kept into a new one. It returns how many there are. The old file is left.
func (c *Catalog) rewrite(ctx context.Context, tx *sql.Tx, s segment, keep func(Hash) bool) (kept int, err error) {
	l := layoutOf(s.Model)
	src, err := os.Open(c.segmentPath(s.place()))
	if err != nil {
		return 0, err
	}
	defer src.Close()
	_, err = tx.ExecContext(ctx, `INSERT INTO segments (model, number, rows, dropped) VALUES (?, ?, 0, 1)
		ON CONFLICT DO UPDATE SET dropped = 1`, s.model, s.number)
	if err != nil {
		return 0, err
	}
	ledger, err := readLedger(ctx, tx)
	if err != nil {
		return 0, err
	}
	next, dst, err := c.newSegment(l, s.model, ledger)
	if err != nil {
		return 0, err
	}
	hashes, err := l.copyRecords(dst, src, keep)
	err = errors.Join(err, dst.Close())
	if err == nil && len(hashes) > 0 {
		next.rows = len(hashes)
		err = count(ctx, tx, next, hashes)
	}
	if err != nil || len(hashes) == 0 {
		os.Remove(c.segmentPath(next.place()))
	}
	return len(hashes), err
}

// copyRecords appends the good records of src that are to be kept to dst, a
// segment without records of the same model, and syncs it.
func (l layout) copyRecords(dst, src *os.File, keep func(Hash) bool) ([]Hash, error) {
	info, err := src.Stat()
	if err != nil {
		return nil, err
	}
	var kept []Hash
	each := max(1, portion/l.stride)
	in, out := make([]byte, each*l.stride), make([]byte, 0, each*l.stride)
	for row, rows := 0, l.rows(info.Size()); row < rows; row += each {
		n, err := src.ReadAt(in[:min(each, rows-row)*l.stride], l.offset(row))
		if err != nil && err != io.EOF {
			return nil, err
		}
		out = out[:0]
		at := len(kept)
		for b := in[:n]; len(b) >= l.stride; b = b[l.stride:] {
			if h := l.decode(b[:l.stride]); h != (Hash{}) && keep(h) {
				kept, out = append(kept, h), append(out, b[:l.stride]...)
			}
		}
		if _, err := dst.WriteAt(out, l.offset(at)); err != nil {
			return nil, err
		}
	}
	return kept, dst.Sync()
}
