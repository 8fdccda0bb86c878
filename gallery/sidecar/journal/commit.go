package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"sigla/internal/filelock"
)

// A batch is files that are written before the first is renamed: so many, or as
// few as have together so many bytes.
const (
	batchFiles = 256
	batchBytes = 64 << 20
)

// syncers is the number of files that are synced at the same time: file systems
// write what several wait for in one go.
const syncers = 32

// A step takes a file of a run from one content to the other.
type step struct {
	*entry
	n      int    // of the entry in the run
	from   string // hashes; "" if there is no file
	to     string
	back   bool
	next   []byte // its new content
	temp   *os.File
	before fs.FileInfo
	done   bool // it was so already
	err    error
}

// finish takes all files of a run to a state, and says so in the journal.
func (r *run) finish(ctx context.Context, end state, o Options) (Result, error) {
	result := Result{Run: r.id}
	steps := make([]step, len(r.entries))
	folders := make(map[string][]*step)
	var order []string
	for i := range r.entries {
		e := &r.entries[i]
		steps[i] = step{entry: e, n: i, from: e.Before, to: e.After}
		if end == undone {
			steps[i].from, steps[i].to, steps[i].back = e.After, e.Before, true
		}
		dir := filepath.Dir(string(e.Target))
		if folders[dir] == nil {
			order = append(order, dir)
		}
		folders[dir] = append(folders[dir], &steps[i])
	}
	var mu sync.Mutex // guards done, and lets progress hear one thing at a time
	done := 0
	o.progress(Writing, done, len(steps))
	parallel(len(order), runtime.GOMAXPROCS(0), func(i int) {
		for rest := folders[order[i]]; len(rest) > 0; {
			n := batch(rest)
			r.commit(ctx, order[i], rest[:n], o)
			rest = rest[n:]
			mu.Lock()
			done += n
			o.progress(Writing, done, len(steps))
			mu.Unlock()
		}
	})
	line := record{State: end}
	for i := range steps {
		switch s := &steps[i]; {
		case s.err != nil:
			result.Failed = append(result.Failed, Failure{string(s.Path), s.err})
			line.Failed = append(line.Failed, fileErr{s.Path, s.err.Error()})
		case s.done:
			result.Unchanged++
		default:
			result.Written++
		}
	}
	return result, r.append(line, o)
}

// batch returns how many of the steps are a batch.
func batch(steps []*step) int {
	n, size := 0, 0
	for n < min(len(steps), batchFiles) && (n == 0 || size+steps[n].Size <= batchBytes) {
		size += steps[n].Size
		n++
	}
	return n
}

// commit takes a batch of files of one folder to their new content. All are
// written before the first is renamed, so that the disk is waited for once.
// Files are made by one goroutine: several that make files in one folder wait
// for each other, and Linux loses most of its speed that way.
func (r *run) commit(ctx context.Context, dir string, steps []*step, o Options) {
	unlock, err := lockFolder(ctx, dir)
	if err != nil {
		for _, s := range steps {
			s.err = err
		}
		return
	}
	defer unlock()
	ready := make(chan *step, len(steps))
	go func() {
		parallel(len(steps), runtime.GOMAXPROCS(0), func(i int) {
			if steps[i].err = ctx.Err(); steps[i].err == nil {
				steps[i].err = steps[i].read()
			}
			ready <- steps[i]
		})
		close(ready)
	}()
	for s := range ready {
		if s.err == nil && !s.done && s.to != "" {
			s.err = s.stage(r)
			s.next = nil
		}
	}
	if !o.NoSync {
		parallel(len(steps), syncers, func(i int) {
			if s := steps[i]; s.temp != nil && s.err == nil {
				s.err = cause(s.temp.Sync())
			}
		})
	}
	for _, s := range steps {
		if s.err == nil && !s.done {
			s.err = s.replace()
		}
		s.discard()
	}
	if !o.NoSync {
		syncFolder(dir)
	}
}

// lockFolder keeps other processes from changing files of a folder meanwhile.
// Where a folder cannot be locked, the lock of the journal has to do.
func lockFolder(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, cause(err)
	}
	const patience = 10 * time.Second
	for began := time.Now(); ; {
		switch ok, err := filelock.TryLock(f, true); {
		case ok || err != nil:
			return func() { f.Close() }, nil
		case time.Since(began) > patience:
			f.Close()
			return nil, errors.New("another sigla is writing to its folder")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// temporary returns the name under which a file is written.
func (r *run) temporary(n int, target string) string {
	return filepath.Join(filepath.Dir(target), fmt.Sprintf(".sigla-%s-%d.tmp", r.id, n))
}

// removeTemporary removes what a process that was killed has left.
func (r *run) removeTemporary() {
	for i, e := range r.entries {
		os.Remove(r.temporary(i, string(e.Target)))
	}
}

// read reads the file, sees whether it is as it should be, and makes its new
// content.
func (s *step) read() error {
	content, info, err := readFile(string(s.Target))
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	hash := ""
	if !missing {
		hash = hashOf(content)
	}
	switch {
	case hash == s.to:
		s.done = true
		return nil
	case hash != s.from && missing:
		return errors.New("it is not there any more")
	case hash != s.from:
		return errChanged
	}
	if s.before = info; s.to != "" {
		s.next, err = s.after(content)
	}
	return err
}

// stage writes the new content beside the file, with all that belongs to the
// old one.
func (s *step) stage(r *run) (err error) {
	path := r.temporary(s.n, string(s.Target))
	mode := fs.FileMode(0o666)
	switch {
	case s.before != nil:
		mode = s.before.Mode().Perm()
	case s.back:
		mode = fs.FileMode(s.Mode).Perm()
	}
	if s.temp, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode); err != nil {
		return cause(err)
	}
	if _, err = s.temp.Write(s.next); err == nil && s.before != nil {
		err = s.keep(s.before)
	}
	if err == nil && s.Photo {
		err = s.verify()
	}
	return cause(err)
}

// verify reads back what was written of a photo.
func (s *step) verify() error {
	written, err := os.ReadFile(s.temp.Name())
	if err == nil && hashOf(written) != s.to {
		err = errors.New("what was written of it reads back as something else")
	}
	return err
}

// keep gives the new file what belongs to the old one, but for its time, which
// goes forward, so that other programs notice.
func (s *step) keep(old fs.FileInfo) error {
	info, err := s.temp.Stat()
	if err != nil {
		return err
	}
	if err := keepOwner(s.temp, info, old); err != nil {
		return err
	}
	if info.Mode().Perm() != old.Mode().Perm() {
		if err := s.temp.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := keepAttributes(s.temp, string(s.Target)); err != nil {
		return err
	}
	if !info.ModTime().After(old.ModTime()) {
		then := old.ModTime().Add(2 * time.Second) // as FAT counts
		return os.Chtimes(s.temp.Name(), then, then)
	}
	return nil
}

// after returns the content of the file after the step.
func (s *step) after(content []byte) ([]byte, error) {
	old, text := s.Old, s.New
	if s.back {
		old, text = text, old
	}
	if s.From+len(old) > len(content) {
		return nil, errChanged
	}
	content = slices.Concat(content[:s.From], text, content[s.From+len(old):])
	if hashOf(content) != s.to {
		return nil, errors.New("the journal does not fit it")
	}
	return content, nil
}

// replace renames the new file over the old one, if that is as it was.
func (s *step) replace() error {
	target := string(s.Target)
	info, err := os.Lstat(target)
	switch {
	case s.before == nil && err == nil:
		return errors.New("there is a file of that name meanwhile")
	case s.before != nil && (err != nil || !os.SameFile(info, s.before) || info.Size() != s.before.Size() || !info.ModTime().Equal(s.before.ModTime())):
		return errChanged
	}
	if s.to == "" {
		return cause(os.Remove(target))
	}
	path := s.temp.Name()
	if err := closeBeforeRename(s.temp); err != nil {
		return cause(err)
	}
	if s.before == nil {
		err = renameNew(path, target)
	} else {
		err = os.Rename(path, target)
	}
	if err != nil {
		os.Remove(path)
		return cause(err)
	}
	s.temp.Close()
	s.temp = nil
	return nil
}

// discard removes what was written and not renamed.
func (s *step) discard() {
	if s.temp != nil {
		s.temp.Close()
		os.Remove(s.temp.Name())
		s.temp = nil
	}
}

// syncFolder makes renames last through a power cut. Not every system can sync
// a folder, and files are whole without it, so failing is no error.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
