package catalog

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"strconv"
)

// A Tag is a value of a metadata field, such as dc:subject and "beach".
type Tag struct{ Field, Value string }

// A Source is where tags of a file were read: in the file itself, or in one
// beside it as it was with that Size and Modified.
type Source struct {
	File           int64  // ID
	Name           string // of the sidecar or twin, in the file's folder; "" for the file itself
	Size, Modified int64
	Tags           []Tag  // in the order of the source; each counts once
	Error          string // why the source, or a part of it, could not be read; "" if it was
	None           bool   // for Batch: the file has no sources any more
}

// putSources replaces the sources of each file. Files that were forgotten
// meanwhile are passed by.
func putSources(ctx context.Context, tx *sql.Tx, sources []Source) error {
	if len(sources) == 0 {
		return nil
	}
	s, err := prepare(ctx, tx,
		"DELETE FROM sources WHERE file = ?",
		`INSERT INTO sources (file, name, size, modified, error)
			SELECT id, ?2, ?3, ?4, ?5 FROM files WHERE id = ?1 RETURNING id`)
	if err != nil {
		return err
	}
	remove, insert := s[0], s[1]
	tags, err := newTagWriter(ctx, tx)
	if err != nil {
		return err
	}
	replaced := make(map[int64]bool)
	for _, source := range sources {
		if !replaced[source.File] {
			replaced[source.File] = true
			if _, err := remove.ExecContext(ctx, source.File); err != nil {
				return err
			}
		}
		if source.None {
			continue
		}
		var id int64
		switch err := insert.QueryRowContext(ctx, source.File, []byte(source.Name), source.Size, source.Modified, text(source.Error)).Scan(&id); {
		case err == sql.ErrNoRows:
			continue
		case err != nil:
			return err
		}
		if err := tags.write(ctx, id, source.Tags); err != nil {
			return err
		}
	}
	return nil
}

// A tagWriter writes the tags of sources in one transaction.
type tagWriter struct {
	find, term, tag *sql.Stmt
	known           map[Tag]int64 // ID of its term
}

func newTagWriter(ctx context.Context, tx *sql.Tx) (*tagWriter, error) {
	s, err := prepare(ctx, tx,
		"SELECT id FROM terms WHERE field = ? AND value = ?",
		"INSERT INTO terms (field, value) VALUES (?, ?) RETURNING id",
		"INSERT INTO tags (source, place, term) VALUES (?, ?, ?)")
	if err != nil {
		return nil, err
	}
	return &tagWriter{s[0], s[1], s[2], make(map[Tag]int64)}, nil
}

// write adds the tags of a source that has none.
func (w *tagWriter) write(ctx context.Context, source int64, tags []Tag) error {
	seen := make(map[Tag]bool, len(tags))
	for _, t := range tags {
		if seen[t] {
			continue
		}
		seen[t] = true
		id, err := w.id(ctx, t)
		if err != nil {
			return err
		}
		if _, err := w.tag.ExecContext(ctx, source, len(seen), id); err != nil {
			return err
		}
	}
	return nil
}

// id returns the ID of a tag's term.
func (w *tagWriter) id(ctx context.Context, t Tag) (int64, error) {
	if id, ok := w.known[t]; ok {
		return id, nil
	}
	var id int64
	err := w.find.QueryRowContext(ctx, t.Field, []byte(t.Value)).Scan(&id)
	if err == sql.ErrNoRows {
		err = w.term.QueryRowContext(ctx, t.Field, []byte(t.Value)).Scan(&id)
	}
	w.known[t] = id
	return id, err
}

// Sources returns where the tags of a root's files were read, and the tags, in
// the order of the files' IDs. Equal texts share their memory.
func (c *Catalog) Sources(ctx context.Context, root Root) ([]Source, error) {
	var list []Source
	err := c.EachSource(ctx, root, func(_ File, s Source) error {
		s.Tags = append([]Tag(nil), s.Tags...)
		list = append(list, s)
		return nil
	})
	return list, err
}

// EachSource calls fn for each source that Sources returns, as it is read, with
// the file's Path, Error and Missing, until fn returns an error. The memory of
// Tags is used again for the next source.
func (c *Catalog) EachSource(ctx context.Context, root Root, fn func(File, Source) error) error {
	// The tags of a source in one row: to step through them costs more than to
	// take the numbers apart.
	const query = `SELECT file, path, files.error, missing, sources.name, sources.size, sources.modified, sources.error,
			(SELECT group_concat(term, ' ' ORDER BY place) FROM tags WHERE source = sources.id)
		FROM files JOIN sources ON file = files.id WHERE root = ? ORDER BY file, sources.id`
	doing := "list tags of " + root.Path
	// Terms are only ever added, and before the tags that use them: those of a
	// source that is newer than this list are asked for one by one.
	terms, err := c.terms(ctx)
	if err != nil {
		return c.wrap(doing, err)
	}
	var path, name, numbers sql.RawBytes
	var tags []Tag
	err = c.query(ctx, query, []any{root.ID}, func(scan func(...any) error) error {
		var f File
		var s Source
		var fault, reason sql.NullString
		var missing sql.NullInt64
		if err := scan(&f.ID, &path, &fault, &missing, &name, &s.Size, &s.Modified, &reason, &numbers); err != nil {
			return err
		}
		f.Path, f.Error, f.Missing = string(path), fault.String, timeOf(missing)
		s.File, s.Name, s.Error = f.ID, string(name), reason.String
		tags = tags[:0]
		for number := range bytes.FieldsSeq(numbers) {
			t, err := c.termOf(ctx, terms, number)
			if err != nil {
				return err
			}
			tags = append(tags, t)
		}
		s.Tags = tags
		return fn(f, s)
	})
	return c.wrap(doing, err)
}

// terms returns all terms by their IDs.
func (c *Catalog) terms(ctx context.Context) (map[int64]Tag, error) {
	terms := make(map[int64]Tag)
	fields := make(map[string]string)
	var field, value sql.RawBytes
	err := c.query(ctx, "SELECT id, field, value FROM terms", nil, func(scan func(...any) error) error {
		var id int64
		if err := scan(&id, &field, &value); err != nil {
			return err
		}
		shared, ok := fields[string(field)]
		if !ok {
			shared = string(field)
			fields[shared] = shared
		}
		terms[id] = Tag{shared, string(value)}
		return nil
	})
	return terms, err
}

// termOf returns the term of an ID in digits.
func (c *Catalog) termOf(ctx context.Context, terms map[int64]Tag, digits []byte) (Tag, error) {
	id, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return Tag{}, err
	}
	t, ok := terms[id]
	if ok {
		return t, nil
	}
	var value []byte
	err = c.db.QueryRowContext(ctx, "SELECT field, value FROM terms WHERE id = ?", id).Scan(&t.Field, &value)
	t.Value = string(value)
	terms[id] = t
	return t, err
}

// TagFailures returns the sidecars and photos whose tags could not be read, or
// not all of them, in the order of their paths; a sidecar of several photos
// once. Photos that failed are in Failures, and not here.
func (c *Catalog) TagFailures(ctx context.Context) ([]Failure, error) {
	const query = `SELECT roots.path, files.path, name, sources.error
		FROM sources JOIN files ON files.id = file JOIN roots ON roots.id = root
		WHERE sources.error IS NOT NULL AND missing IS NULL AND (name != x'' OR files.error IS NULL)`
	var list []Failure
	err := c.query(ctx, query, nil, func(scan func(...any) error) error {
		var root, file, name []byte
		var f Failure
		err := scan(&root, &file, &name, &f.Reason)
		f.Path = filepath.Join(string(root), filepath.FromSlash(string(file)))
		if len(name) > 0 {
			f.Path = filepath.Join(filepath.Dir(f.Path), string(name))
		}
		list = append(list, f)
		return err
	})
	slices.SortFunc(list, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	return slices.Compact(list), c.wrap("list tags that could not be read", err)
}
