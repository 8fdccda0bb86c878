package catalog

import (
	"context"
	"database/sql"
)

// A Tag is a value of a metadata field, such as dc:subject and "beach".
type Tag struct{ Field, Value string }

// A Source is where tags of a file were read: in the file itself, or in a
// sidecar as it was with that Size and Modified.
type Source struct {
	File           int64  // ID
	Name           string // of the sidecar; "" for the file itself
	Size, Modified int64
	Tags           []Tag // in no order
	Gone           bool  // there is no such source any more
}

// putSources replaces what was read of each source before. Files that were
// forgotten meanwhile are passed by.
func putSources(ctx context.Context, tx *sql.Tx, sources []Source) error {
	if len(sources) == 0 {
		return nil
	}
	s, err := prepare(ctx, tx,
		"DELETE FROM sources WHERE file = ? AND name = ?",
		`INSERT INTO sources (file, name, size, modified)
			SELECT id, ?2, ?3, ?4 FROM files WHERE id = ?1 RETURNING id`,
		"INSERT OR IGNORE INTO terms (field, value) VALUES (?, ?)",
		"INSERT OR IGNORE INTO tags SELECT ?, id FROM terms WHERE field = ? AND value = ?")
	if err != nil {
		return err
	}
	remove, insert, term, tag := s[0], s[1], s[2], s[3]
	for _, source := range sources {
		name := []byte(source.Name)
		if _, err := remove.ExecContext(ctx, source.File, name); err != nil {
			return err
		}
		if source.Gone {
			continue
		}
		var id int64
		switch err := insert.QueryRowContext(ctx, source.File, name, source.Size, source.Modified).Scan(&id); {
		case err == sql.ErrNoRows:
			continue
		case err != nil:
			return err
		}
		for _, t := range source.Tags {
			if _, err := term.ExecContext(ctx, t.Field, []byte(t.Value)); err != nil {
				return err
			}
			if _, err := tag.ExecContext(ctx, id, t.Field, []byte(t.Value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Sources returns where the tags of a root's files were read, and the tags, in
// the order of the files' IDs. Equal texts share their memory.
func (c *Catalog) Sources(ctx context.Context, root Root) ([]Source, error) {
	const query = `SELECT sources.id, file, name, sources.size, sources.modified, term, field, value
		FROM files JOIN sources ON file = files.id
		LEFT JOIN tags ON source = sources.id LEFT JOIN terms ON term = terms.id
		WHERE root = ? ORDER BY file, sources.id`
	var list []Source
	var last int64
	terms := make(map[int64]Tag)
	var name, field, value sql.RawBytes
	err := c.query(ctx, query, []any{root.ID}, func(scan func(...any) error) error {
		var id int64
		var s Source
		var term sql.NullInt64
		if err := scan(&id, &s.File, &name, &s.Size, &s.Modified, &term, &field, &value); err != nil {
			return err
		}
		if id != last {
			s.Name = string(name)
			list, last = append(list, s), id
		}
		if !term.Valid {
			return nil
		}
		t, known := terms[term.Int64]
		if !known {
			t = Tag{string(field), string(value)}
			terms[term.Int64] = t
		}
		tags := &list[len(list)-1].Tags
		*tags = append(*tags, t)
		return nil
	})
	return list, c.wrap("list tags of "+root.Path, err)
}
