// Package catalog keeps on disk what is known of photos, in one folder:
//
//	catalog.db                 SQLite: roots, files, photos, tags, answers, runs,
//	                           and how many records of each segment count
//	vectors/<digest>/NNNN.f16  vectors of one model, append only, memory-mapped
//	decisions.jsonl            a person's answers, append only
//	lock                       who has the catalog open
//
// A photo is its content: everything that is computed of it belongs to its
// Hash, so a file that is moved, renamed or copied costs nothing, and one that
// is overwritten gets nothing of another's.
//
// Vectors and answers are the truth and the database is an index of them. Both
// are appended and synced to the disk before the transaction that counts them
// is committed. What a crash leaves behind that commit is counted by the next
// Open, after a torn end has been cut off; and so a database that is lost is
// filled again from them, while files and tags are read again from the photos.
// Every record carries the hash of its photo under a checksum, and no record is
// handed out that has not passed it.
//
// Any number of processes may have a catalog open. They read side by side and
// write one after the other, transaction by transaction.
package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sigla/internal/filelock"
)

var (
	// ErrBusy says that another process kept the catalog to itself for longer
	// than one waits.
	ErrBusy = errors.New("another program is using the catalog; try again when it has ended")
	// ErrDamaged says that the database, or a segment, is not as it was written.
	ErrDamaged = errors.New(`it is damaged; run "sigla index --repair"`)
	// ErrNewer says that a later version of this program wrote the catalog.
	ErrNewer = errors.New("a newer version of this program wrote it; update this one")
)

// busyWait is how long to wait for another process. A transaction takes
// milliseconds, rewriting a segment a second.
var busyWait = 10 * time.Second

// segmentRows is how many records a segment may have: 100 MB of 768 values.
const segmentRows = 1 << 16

// A Catalog is an open catalog. Its methods may be called from any goroutine.
type Catalog struct {
	dir  string
	lock *os.File
	db   *sql.DB // reads
	one  *sql.DB // writes: one connection, so that goroutines queue for it

	segmentRows int
}

// Open opens the catalog in folder dir, which it makes if there is none. It
// waits while another process repairs it or brings it up to date.
func Open(ctx context.Context, dir string) (*Catalog, error) {
	return open(ctx, dir, segmentRows)
}

func open(ctx context.Context, dir string, segmentRows int) (*Catalog, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", dir, err)
	}
	c := &Catalog{dir: dir, segmentRows: segmentRows}
	if err := c.open(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("open catalog %s: %w", dir, err)
	}
	return c, nil
}

func (c *Catalog) open(ctx context.Context) error {
	var err error
	if c.lock, err = openLock(c.dir); err != nil {
		return err
	}
	if err := c.upToDate(ctx); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	return c.settle(ctx)
}

func (c *Catalog) connect() (err error) {
	if c.db, err = connect(c.path(databaseName), ""); err != nil {
		return err
	}
	if c.one, err = connect(c.path(databaseName), ""); err != nil {
		return err
	}
	c.one.SetMaxOpenConns(1)
	return nil
}

// upToDate returns with a shared lock on a catalog of the present schema.
// Only whoever has it alone may change the schema.
func (c *Catalog) upToDate(ctx context.Context) error {
	path := c.path(databaseName)
	for {
		if err := waitLock(ctx, c.lock, false); err != nil {
			return err
		}
		found, err := schemaOf(ctx, path)
		if err != nil || found == len(schema) {
			return err
		}
		if err := filelock.Unlock(c.lock); err != nil {
			return err
		}
		if err := waitLock(ctx, c.lock, true); err != nil {
			return err
		}
		if err := migrate(ctx, path); err != nil {
			return err
		}
		if err := filelock.Unlock(c.lock); err != nil {
			return err
		}
	}
}

// Close closes the catalog. What an Index handed out remains until that is
// closed.
func (c *Catalog) Close() error {
	var errs []error
	for _, db := range []*sql.DB{c.db, c.one} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if c.lock != nil {
		errs = append(errs, c.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close catalog %s: %w", c.dir, err)
	}
	return nil
}

// Dir returns the folder of the catalog.
func (c *Catalog) Dir() string { return c.dir }

func (c *Catalog) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// openLock makes the folder and opens its lock file. That is where a folder
// that cannot be written shows.
func openLock(dir string) (*os.File, error) {
	err := os.MkdirAll(dir, 0o700)
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err == nil {
		// An old lock file may be writable in a folder that no longer is.
		err = writable(dir)
	}
	if err == nil {
		return f, nil
	}
	if f != nil {
		f.Close()
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return nil, fmt.Errorf("its folder cannot be written: %w; XDG_DATA_HOME may name another", err)
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".write-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// waitLock waits for the lock: alone, or together with others.
func waitLock(ctx context.Context, f *os.File, alone bool) error {
	start := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		ok, err := filelock.TryLock(f, alone)
		if ok || err != nil {
			return err
		}
		if time.Since(start) > busyWait {
			return ErrBusy
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("wait for another program that uses it: %w", ctx.Err())
		}
	}
}

// syncFolder makes the names in a folder last through a power cut. Not every
// system can sync a folder, so failing is no error.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
