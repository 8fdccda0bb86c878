package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Repair makes a catalog whole again and returns what it did. A file that is
// damaged is moved aside, to its name with .damaged-1, never overwritten. A
// database that is damaged is built anew from the vectors and the answers: the
// folders of photos have to be scanned again, which finds every photo's vector
// by its content. Of a segment that is damaged the good records are kept.
//
// It needs the catalog alone: no other process may have it open.
func Repair(ctx context.Context, dir string) (done []Problem, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("repair catalog: %w", err)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("repair catalog %s: %w", dir, err)
	}
	r := repair{Catalog: &Catalog{dir: dir, segmentRows: segmentRows}}
	err = r.run(ctx)
	if err := errors.Join(err, r.Close()); err != nil {
		return r.done, fmt.Errorf("repair catalog %s: %w", dir, err)
	}
	return r.done, nil
}

// A repair is one call of Repair.
type repair struct {
	*Catalog
	done []Problem
}

func (r *repair) note(path, format string, args ...any) {
	r.done = append(r.done, Problem{path, fmt.Sprintf(format, args...)})
}

func (r *repair) run(ctx context.Context) (err error) {
	if r.lock, err = openLock(r.dir); err != nil {
		return err
	}
	if err := waitLock(ctx, r.lock, true); err != nil {
		return err
	}
	if err := r.database(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, r.path(databaseName)); err != nil {
		return err
	}
	if err := r.connect(); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.answers(ctx); err != nil {
		return err
	}
	return r.segments(ctx)
}

// database moves the database aside if it is damaged.
func (r *repair) database(ctx context.Context) error {
	path := r.path(databaseName)
	reason, err := r.checkDatabase(ctx, path)
	if err != nil || reason == "" {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		to, err := moveAside(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if suffix == "" {
			r.note(path, "moved to %s and built anew, for %s; scan the folders of photos again", filepath.Base(to), reason)
		}
	}
	return nil
}

// checkDatabase returns why the database has to go, "" if it may stay.
func (r *repair) checkDatabase(ctx context.Context, path string) (reason string, err error) {
	number, err := schemaOf(ctx, path)
	if errors.Is(err, ErrDamaged) {
		return "it could not be read", nil
	}
	if err != nil || number == 0 {
		return "", err
	}
	c := &Catalog{dir: r.dir}
	if c.db, err = connect(path, "ro"); err != nil {
		return "", err
	}
	defer c.Close()
	problems, err := c.verifyDatabase(ctx)
	if err != nil || len(problems) == 0 {
		return "", err
	}
	return problems[0].Text, nil
}

// answers rewrites the log without the lines that are none, and with what they
// may have said.
func (r *repair) answers(ctx context.Context) error {
	path := r.path(logName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	good, bad := decodeLines(data)
	if len(bad) == 0 {
		return nil
	}
	stored, err := listDecisions(ctx, r.db)
	if err != nil {
		return err
	}
	lines, err := encodeLines(append(good, lost(good, stored)...))
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := appendLog(fresh, lines); err != nil {
		return err
	}
	to, err := copyAside(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	syncFolder(r.dir)
	r.note(path, "%d lines that were no answers removed; the file as it was is %s", len(bad), filepath.Base(to))
	_, err = r.one.ExecContext(ctx, "UPDATE replayed SET bytes = ?", len(lines))
	return err
}

// segments rewrites the segments that are damaged.
func (r *repair) segments(ctx context.Context) error {
	ledger, err := readLedger(ctx, r.db)
	if err != nil {
		return err
	}
	files, err := r.segmentFiles()
	if err != nil {
		return err
	}
	known := make(map[place]segment)
	for _, s := range ledger {
		known[s.place()] = s
		if _, ok := files[s.place()]; !ok && !s.dropped {
			if err := r.strike(ctx, r.one, s); err != nil {
				return err
			}
			r.note(r.segmentPath(s.place()), "missing: its %d vectors have to be computed again", s.rows)
		}
	}
	for p := range files {
		s, counted := known[p]
		l, reason := inspect(r.segmentPath(p), p, s, counted)
		if reason == nil || s.dropped {
			continue
		}
		if errors.Is(reason, ErrNewer) {
			return fmt.Errorf("%s: %w", r.segmentPath(p), reason)
		}
		if l.stride == 0 {
			l = r.guess(ledger, p)
		}
		if err := r.salvage(ctx, p, s, l, describe(reason)); err != nil {
			return err
		}
	}
	return nil
}

// strike takes a segment out of the ledger.
func (r *repair) strike(ctx context.Context, db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, s segment) error {
	_, err := db.ExecContext(ctx, "DELETE FROM segments WHERE model = ? AND number = ?", s.model, s.number)
	return err
}

// guess returns a layout of the same digest that the records of a segment
// without a header have, if there is one: they do not pass with a wrong one.
func (r *repair) guess(ledger []segment, p place) (l layout) {
	for _, s := range ledger {
		if s.Model.Digest != p.digest {
			continue
		}
		f, err := os.Open(r.segmentPath(p))
		if err != nil {
			return l
		}
		try := layoutOf(s.Model)
		if info, err := f.Stat(); err == nil {
			hashes, _ := try.readRecords(f, 0, try.rows(info.Size()))
			if endOfGood(hashes) > 0 {
				l = try
			}
		}
		f.Close()
	}
	return l
}

// salvage puts the good records of a segment into a new one and moves the file
// aside.
func (r *repair) salvage(ctx context.Context, p place, s segment, l layout, text string) error {
	path := r.segmentPath(p)
	kept := 0
	err := inTransaction(ctx, r.one, func(tx *sql.Tx) (err error) {
		if l.stride != 0 {
			s.Model, s.number = l.Model, p.number
			if s.model, err = modelID(ctx, tx, l.Model); err != nil {
				return err
			}
			if kept, err = r.rewrite(ctx, tx, s, func(Hash) bool { return true }); err != nil {
				return err
			}
		}
		return r.strike(ctx, tx, s)
	})
	if err != nil {
		return err
	}
	to, err := moveAside(path)
	if err != nil {
		return err
	}
	r.note(path, "moved to %s, for %s; %d good records kept", filepath.Base(to), text, kept)
	return nil
}

// moveAside renames a file to a name that is free and returns it.
func moveAside(path string) (string, error) {
	if _, err := os.Lstat(path); err != nil {
		return "", err
	}
	to, err := freeName(path)
	if err != nil {
		return "", err
	}
	if err := os.Rename(path, to); err != nil {
		return "", err
	}
	syncFolder(filepath.Dir(path))
	return to, nil
}

// copyAside writes what a file holds under a name that is free.
func copyAside(path string, data []byte) (string, error) {
	to, err := freeName(path)
	if err != nil {
		return "", err
	}
	if _, err := appendLog(to, data); err != nil {
		return "", err
	}
	return to, nil
}

func freeName(path string) (string, error) {
	for n := 1; ; n++ {
		to := fmt.Sprintf("%s.damaged-%d", path, n)
		_, err := os.Lstat(to)
		if errors.Is(err, fs.ErrNotExist) {
			return to, nil
		}
		if err != nil {
			return "", err
		}
	}
}
