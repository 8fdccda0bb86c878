package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// A Problem is something in a catalog that is not as it was written.
type Problem struct {
	Path string // of the file
	Text string
}

func (p Problem) String() string { return p.Path + ": " + p.Text }

// Verify reads all of the catalog in folder dir and returns what is wrong with
// it: checksums of every vector, the database's own check, what points to
// something that is not there. The error says why it could not be read at all.
func Verify(ctx context.Context, dir string) ([]Problem, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("verify catalog: %w", err)
	}
	c, err := Open(ctx, dir)
	if err == nil {
		defer c.Close()
		return c.verify(ctx)
	}
	if !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	c = &Catalog{dir: dir}
	segments, err := c.verifySegments(ctx, nil)
	if err != nil {
		return nil, c.wrap("verify vectors", err)
	}
	problems := append([]Problem{{c.path(databaseName), "it is no longer a database that can be read"}}, segments...)
	return append(problems, c.verifyLog()...), nil
}

func (c *Catalog) verify(ctx context.Context) ([]Problem, error) {
	problems, err := c.verifyDatabase(ctx)
	if err != nil {
		return nil, c.wrap("verify database", err)
	}
	// A ledger that cannot be read is among the problems already.
	ledger, _ := readLedger(ctx, c.db)
	for {
		segments, err := c.verifySegments(ctx, ledger)
		if err != nil {
			return nil, c.wrap("verify vectors", err)
		}
		// Another process may have rewritten a segment meanwhile.
		again, _ := readLedger(ctx, c.db)
		if len(segments) == 0 || slices.Equal(ledger, again) {
			return slices.Concat(problems, segments, c.verifyLog()), nil
		}
		ledger = again
	}
}

// verifyDatabase runs SQLite's checks. It knows a page that is out of order,
// not a changed letter in a text.
func (c *Catalog) verifyDatabase(ctx context.Context) ([]Problem, error) {
	var problems []Problem
	note := func(text string) {
		problems = append(problems, Problem{c.path(databaseName), text})
	}
	err := c.query(ctx, "PRAGMA integrity_check", nil, func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		if text != "ok" {
			note(text)
		}
		return err
	})
	if err == nil && len(problems) == 0 {
		err = c.query(ctx, "SELECT \"table\", parent FROM pragma_foreign_key_check", nil, func(scan func(...any) error) error {
			var table, parent string
			err := scan(&table, &parent)
			note(fmt.Sprintf("a row of %s points to none of %s", table, parent))
			return err
		})
	}
	if err = explain(err); errors.Is(err, ErrDamaged) {
		note(err.Error())
		err = nil
	}
	return problems, err
}

// verifySegments reads every segment there is, or should be.
func (c *Catalog) verifySegments(ctx context.Context, ledger []segment) ([]Problem, error) {
	files, err := c.segmentFiles()
	if err != nil {
		return nil, err
	}
	known := make(map[place]segment)
	for _, s := range ledger {
		known[s.place()] = s
		if !s.dropped {
			files[s.place()] += 0 // one that is missing, too
		}
	}
	var problems []Problem
	for p := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, counted := known[p]
		if s.dropped {
			continue
		}
		path := c.segmentPath(p)
		if _, err := inspect(path, p, s, counted); err != nil {
			problems = append(problems, Problem{path, describe(err)})
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
	return problems, nil
}

// inspect reads a segment and returns an error if something is wrong with it.
// If it is counted it must be as the ledger says. The layout is that of its
// records, as far as that is known.
func inspect(path string, p place, s segment, counted bool) (l layout, err error) {
	if counted {
		l = layoutOf(s.Model)
	}
	f, err := os.Open(path)
	if err != nil {
		return l, err
	}
	defer f.Close()
	m, size, err := readHeader(f)
	if err == nil && (m.Digest != p.digest || counted && !m.is(s.Model)) {
		err = errForeign
	}
	if err != nil {
		return l, err
	}
	l = layoutOf(m)
	rows := l.rows(size)
	if counted && rows < s.rows {
		return l, fmt.Errorf("it holds %d records instead of %d", rows, s.rows)
	}
	if counted {
		rows = s.rows // more may be on their way
	}
	hashes, err := l.readRecords(f, 0, rows)
	if err != nil {
		return l, err
	}
	if n := damaged(hashes); n > 0 {
		return l, fmt.Errorf("%d of its %d records do not match their checksums", n, rows)
	}
	return l, nil
}

// verifyLog reads the answers.
func (c *Catalog) verifyLog() []Problem {
	path := c.path(logName)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []Problem{{path, describe(err)}}
	}
	_, bad := decodeLines(data)
	var problems []Problem
	for _, line := range bad {
		problems = append(problems, Problem{path, fmt.Sprintf("line %d is not an answer", line)})
	}
	return problems
}
