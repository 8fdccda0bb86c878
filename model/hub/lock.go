package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// errNoLocks says that the file system has none.
var errNoLocks = errors.New("the file system has no locks")

// Another download is looked at this often: at first, and later.
const (
	firstPoll = 10 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// lock takes the lock that huggingface_hub takes for a blob, so that of two
// downloads, of any two programs, the second waits and finds it done. waiting is
// called every now and then until the lock is held or ctx ends. The lock saves
// work; that no wrong bytes get a name is ensured without it, so where the file
// system has no locks the error is errNoLocks and the caller can go on.
func lock(ctx context.Context, path string, try func(*os.File) (held bool, err error), waiting func()) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		held, err := try(f)
		if err == nil && held && isAt(f, path) {
			return func() { f.Close() }, nil // closing unlocks
		}
		f.Close()
		if err != nil {
			return nil, err
		}
		waiting()
		if err := sleep(ctx, poll); err != nil {
			return nil, err
		}
	}
}

// isAt reports whether path still names f: the holder before may have removed
// the file while we waited, and then the lock is on nothing.
func isAt(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
