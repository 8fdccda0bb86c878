package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// A Root is a folder whose files are catalogued.
type Root struct {
	ID      int64
	Path    string    // absolute
	Scanned time.Time // when a scan last came to its end; zero: never
}

// A File is a file below a root, as the last scan saw it.
type File struct {
	ID       int64  // never used again; 0: not in the catalog yet
	Path     string // below the root, with slashes; any bytes but NUL
	Size     int64  // bytes
	Modified int64  // ns since 1970, as time.Time.UnixNano returns it
	Device   uint64 // with Inode what the file system calls the file, 0 if unknown
	Inode    uint64
	Hash     Hash      // zero: not read yet, or it failed
	Error    string    // why there is no photo in it, as long as it stays as it is
	Missing  time.Time // since when it is gone; zero: it is there
}

// Root returns the root of that path, made absolute; it becomes one if it is
// not one yet.
func (c *Catalog) Root(ctx context.Context, path string) (Root, error) {
	doing := fmt.Sprintf("look up folder %q", path)
	path, err := filepath.Abs(path)
	if err != nil {
		return Root{}, c.wrap(doing, err)
	}
	r, err := c.root(ctx, path)
	if errors.Is(err, sql.ErrNoRows) {
		err = c.write(ctx, doing, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO roots (path) VALUES (?)", []byte(path))
			return err
		})
		if err != nil {
			return Root{}, err
		}
		r, err = c.root(ctx, path)
	}
	return r, c.wrap(doing, err)
}

func (c *Catalog) root(ctx context.Context, path string) (Root, error) {
	r := Root{Path: path}
	var scanned sql.NullInt64
	err := c.db.QueryRowContext(ctx, "SELECT id, scanned FROM roots WHERE path = ?", []byte(path)).Scan(&r.ID, &scanned)
	r.Scanned = timeOf(scanned)
	return r, err
}

// Roots returns all roots, in the order of their paths.
func (c *Catalog) Roots(ctx context.Context) ([]Root, error) {
	var roots []Root
	err := c.query(ctx, "SELECT id, path, scanned FROM roots ORDER BY path", nil, func(scan func(...any) error) error {
		var r Root
		var path []byte
		var scanned sql.NullInt64
		err := scan(&r.ID, &path, &scanned)
		r.Path, r.Scanned = string(path), timeOf(scanned)
		roots = append(roots, r)
		return err
	})
	return roots, c.wrap("list roots", err)
}

// Files returns the files of a root, missing ones too, in the order of their
// IDs: that in which they were found.
func (c *Catalog) Files(ctx context.Context, root Root) ([]File, error) {
	var files []File
	err := c.EachFile(ctx, root, func(f File) error {
		files = append(files, f)
		return nil
	})
	return files, err
}

// CountFiles returns how many files Files returns.
func (c *Catalog) CountFiles(ctx context.Context, root Root) (n int, err error) {
	err = c.db.QueryRowContext(ctx, "SELECT count(*) FROM files WHERE root = ?", root.ID).Scan(&n)
	return n, c.wrap("list files of "+root.Path, err)
}

// EachFile calls fn for each file that Files returns, as it is read, until fn
// returns an error.
func (c *Catalog) EachFile(ctx context.Context, root Root, fn func(File) error) error {
	const query = `SELECT id, path, size, modified, device, inode, hash, error, missing
		FROM files WHERE root = ? ORDER BY id`
	var path, hash sql.RawBytes
	err := c.query(ctx, query, []any{root.ID}, func(scan func(...any) error) error {
		var f File
		var device, inode int64
		var reason sql.NullString
		var missing sql.NullInt64
		if err := scan(&f.ID, &path, &f.Size, &f.Modified, &device, &inode, &hash, &reason, &missing); err != nil {
			return err
		}
		f.Path, f.Hash = string(path), hashOf(hash)
		f.Device, f.Inode = uint64(device), uint64(inode)
		f.Error, f.Missing = reason.String, timeOf(missing)
		return fn(f)
	})
	return c.wrap("list files of "+root.Path, err)
}

// Changes is how a root differs from what Files said.
type Changes struct {
	At time.Time // when the scan came to its end
	// Found are files that are new (ID 0), or whose row becomes this one: they
	// have changed, are back, or were recognised under another path, also one
	// of another root. Hash and Error are taken as they are.
	Found []File
	// Missing are the IDs of files that are no longer there.
	Missing []int64
}

// Sync writes down what a scan found, all of it or nothing, and sets the IDs
// of new files in ch.Found.
func (c *Catalog) Sync(ctx context.Context, root Root, ch Changes) error {
	return c.write(ctx, "store files of "+root.Path, func(tx *sql.Tx) error {
		if err := markMissing(ctx, tx, ch); err != nil {
			return err
		}
		if err := vacatePaths(ctx, tx, root, ch.Found); err != nil {
			return err
		}
		if err := storeFiles(ctx, tx, root, ch.Found); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE roots SET scanned = ? WHERE id = ?", stamp(ch.At), root.ID)
		return err
	})
}

func markMissing(ctx context.Context, tx *sql.Tx, ch Changes) error {
	s, err := prepare(ctx, tx, "UPDATE files SET missing = ? WHERE id = ? AND missing IS NULL")
	if err != nil {
		return err
	}
	for _, id := range ch.Missing {
		if _, err := s[0].ExecContext(ctx, stamp(ch.At), id); err != nil {
			return err
		}
	}
	return nil
}

// vacatePaths takes away the paths of files that have another now, so that two
// files may have changed places. A path never begins with a slash otherwise.
// The sidecars of a file are those of its name.
func vacatePaths(ctx context.Context, tx *sql.Tx, root Root, files []File) error {
	s, err := prepare(ctx, tx, `UPDATE files SET path = CAST('/' || id AS BLOB)
		WHERE id = ? AND (root != ? OR path != ?)`,
		"DELETE FROM sources WHERE file = ? AND name != x''")
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.ID == 0 {
			continue
		}
		result, err := s[0].ExecContext(ctx, f.ID, root.ID, []byte(f.Path))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); n == 0 || err != nil {
			continue
		}
		if _, err := s[1].ExecContext(ctx, f.ID); err != nil {
			return err
		}
	}
	return nil
}

const (
	// A path may be known after all: another process has seen it first. If that
	// has read it already, what it read remains.
	insertFile = `INSERT INTO files (root, path, size, modified, device, inode, hash, error)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (root, path) DO UPDATE SET
			hash = CASE WHEN ?7 IS NOT NULL THEN ?7
				WHEN (size, modified) = (?3, ?4) THEN hash END,
			error = CASE WHEN ?8 IS NOT NULL THEN ?8
				WHEN (size, modified) = (?3, ?4) THEN error END,
			size = ?3, modified = ?4, device = ?5, inode = ?6, missing = NULL
		RETURNING id`
	updateFile = `UPDATE files SET root = ?1, path = ?2, size = ?3, modified = ?4,
		device = ?5, inode = ?6, hash = ?7, error = ?8, missing = NULL WHERE id = ?9`
	// Whoever else was known under the path of a file is no more.
	evictFile   = "DELETE FROM files WHERE root = ? AND path = ? AND id != ?"
	insertPhoto = "INSERT OR IGNORE INTO photos (hash) VALUES (?)"
)

func storeFiles(ctx context.Context, tx *sql.Tx, root Root, files []File) error {
	s, err := prepare(ctx, tx, insertFile, updateFile, evictFile, insertPhoto)
	if err != nil {
		return err
	}
	insert, update, evict, photo := s[0], s[1], s[2], s[3]
	for i := range files {
		f := &files[i]
		if f.Path == "" || f.Path[0] == '/' {
			return fmt.Errorf("the path %q is not below a root", f.Path)
		}
		if f.Hash != (Hash{}) {
			if _, err := photo.ExecContext(ctx, f.Hash[:]); err != nil {
				return err
			}
		}
		row := []any{root.ID, []byte(f.Path), f.Size, f.Modified, int64(f.Device), int64(f.Inode), f.Hash.column(), text(f.Error)}
		if f.ID != 0 {
			if _, err := evict.ExecContext(ctx, root.ID, []byte(f.Path), f.ID); err != nil {
				return err
			}
			result, err := update.ExecContext(ctx, append(row, f.ID)...)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); n > 0 || err != nil {
				continue
			}
			// It was forgotten meanwhile, and is a new file then.
		}
		if err := insert.QueryRowContext(ctx, row...).Scan(&f.ID); err != nil {
			return err
		}
	}
	return nil
}

// text is a text as a value of the database: nil for none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// A Failure is a file in which there is no photo.
type Failure struct {
	Path   string // absolute
	Reason string
}

// Failures returns the files that are there and failed, in the order of their
// paths.
func (c *Catalog) Failures(ctx context.Context) ([]Failure, error) {
	const query = `SELECT roots.path, files.path, error FROM files JOIN roots ON roots.id = root
		WHERE error IS NOT NULL AND missing IS NULL ORDER BY roots.path, files.path`
	var list []Failure
	err := c.query(ctx, query, nil, func(scan func(...any) error) error {
		var root, path []byte
		var f Failure
		err := scan(&root, &path, &f.Reason)
		f.Path = filepath.Join(string(root), filepath.FromSlash(string(path)))
		list = append(list, f)
		return err
	})
	return list, c.wrap("list failures", err)
}
