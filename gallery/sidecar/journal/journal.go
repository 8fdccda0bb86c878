// Package journal changes many small files so that all of it can be taken back.
//
// A run is a file in the journal's folder. It says what each file was and what
// it is to be before the first one is touched, so that a run that was killed is
// finished when the journal is opened the next time, and so that every byte can
// be restored later. A file is written beside the old one and renamed: at any
// moment it is old or new. A file that is neither as the run expects it was
// changed by someone else and is left alone.
package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigla/internal/filelock"
)

// ErrLocked: another process has the journal open.
var ErrLocked = errors.New("another sigla is writing; try again when it is done")

// A Journal is a folder of runs. One process has it open at a time.
type Journal struct {
	dir  string
	lock *os.File
	// Recovered is what was left undone by a process that was killed, and done
	// when the journal was opened.
	Recovered []Result

	free func(dir string) (bytes uint64, ok bool) // freeSpace, but for tests
}

// A Run is one application of changes.
type Run struct {
	ID     string
	At     time.Time
	Files  []string // that it was to change
	Undone bool     // all of it
}

// A Result says what came of a run, or of undoing one.
type Result struct {
	Run       string // "" if there was nothing to write
	Written   int    // files that were changed, made or removed
	Unchanged int    // files that were as they should be
	Failed    []Failure
}

// A Failure is a file that was left alone, and why.
type Failure struct {
	Path string
	Err  error
}

// Options of writing.
type Options struct {
	// NoSync leaves it to the system when files reach the disk: several times as
	// fast, but a power cut may leave files empty. A process that is killed
	// leaves them whole.
	NoSync bool
	// Begin is told, before a file is touched, what photos become; if it fails,
	// none is. A run that was killed and is finished later has been told.
	Begin func([]Replacement) error
	// Progress, if not nil, hears how far it is, from one goroutine at a time.
	Progress func(s Stage, done, of int)
}

// A Stage is a part of an application or an undoing.
type Stage uint8

const (
	Reading Stage = iota // files as they are, and what becomes of them
	Writing              // files; before the first of them a run can be stopped without a trace
)

func (o Options) progress(s Stage, done, of int) {
	if o.Progress != nil {
		o.Progress(s, done, of)
	}
}

// A Replacement is the content of a photo that takes another's place. Both are
// SHA-256 in hexadecimal.
type Replacement struct{ Path, Before, After string }

// begin tells what happens to photos.
func (o Options) begin(entries []entry, back bool) error {
	if o.Begin == nil {
		return nil
	}
	var list []Replacement
	for _, e := range entries {
		switch {
		case !e.Photo:
		case back:
			list = append(list, Replacement{string(e.Path), e.After, e.Before})
		default:
			list = append(list, Replacement{string(e.Path), e.Before, e.After})
		}
	}
	if len(list) == 0 {
		return nil
	}
	return o.Begin(list)
}

// Open opens the journal in a folder, which is made, and finishes what a
// process that was killed has left: applications as well as undoings.
func Open(ctx context.Context, dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	ok, err := filelock.TryLock(lock, true)
	if err == nil && !ok {
		err = ErrLocked
	}
	j := &Journal{dir: dir, lock: lock, free: freeSpace}
	if err == nil {
		err = j.recover(ctx)
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("open the journal %s: %w", dir, err)
	}
	return j, nil
}

// Close lets other processes open the journal.
func (j *Journal) Close() error { return j.lock.Close() }

// Runs returns the runs of the journal, the last one first. Those that cannot
// be read are left out and reported.
func (j *Journal) Runs() ([]Run, error) {
	ids, err := j.ids()
	if err != nil {
		return nil, err
	}
	var runs []Run
	var errs []error
	for _, id := range slices.Backward(ids) {
		r, err := j.read(id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		runs = append(runs, r.summary())
	}
	return runs, errors.Join(errs...)
}

// Wrote returns the run in a journal's folder that wrote a file within a day
// after a moment, the first if there are several. It only reads, whoever has
// the journal open; a run that is forgotten, or damaged, is not found.
func Wrote(dir, path string, after time.Time) (Run, bool) {
	j := &Journal{dir: dir}
	ids, err := j.ids()
	if err != nil {
		return Run{}, false
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for _, id := range ids {
		at, err := time.Parse(idLayout, id)
		if err != nil || at.Before(after) || at.Sub(after) > 24*time.Hour {
			continue
		}
		r, err := j.read(id)
		if err == nil && slices.ContainsFunc(r.entries, func(e entry) bool { return string(e.Target) == path }) {
			return r.summary(), true
		}
	}
	return Run{}, false
}

// summary is what others know of a run.
func (r *run) summary() Run {
	s := Run{ID: r.id, At: r.at, Undone: r.state == undone && len(r.failed) == 0}
	for _, e := range r.entries {
		s.Files = append(s.Files, string(e.Path))
	}
	return s
}

func (j *Journal) ids() ([]string, error) {
	list, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var ids []string
	for _, f := range list {
		if id, ok := strings.CutSuffix(f.Name(), suffix); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Undo restores what the files of a run were. Files that were changed since are
// left alone and reported; Undo may be tried again.
func (j *Journal) Undo(ctx context.Context, id string, o Options) (Result, error) {
	if id != filepath.Base(id) {
		return Result{}, fmt.Errorf("there is no run %q", id)
	}
	r, err := j.read(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Result{}, fmt.Errorf("there is no run %q", id)
	case err != nil:
		return Result{}, err
	case r.state == undone && len(r.failed) == 0:
		return Result{}, fmt.Errorf("the run %s has been undone already", id)
	}
	if err := o.begin(r.entries, true); err != nil {
		return Result{}, err
	}
	if err := r.append(record{State: undoing}, o); err != nil {
		return Result{}, err
	}
	return r.finish(ctx, undone, o)
}

// recover finishes runs that have not come to their end.
func (j *Journal) recover(ctx context.Context) error {
	ids, err := j.ids()
	if err != nil {
		return err
	}
	for _, id := range ids {
		r, err := j.read(id)
		if err != nil { // it is no reason to keep from writing what is not in it
			j.Recovered = append(j.Recovered, Result{Run: id, Failed: []Failure{{filepath.Join(j.dir, id+suffix), err}}})
			continue
		}
		end := map[state]state{ready: applied, undoing: undone}[r.state]
		switch {
		case r.state == "": // no file was touched
			err = os.Remove(r.path)
		case end != "":
			r.removeTemporary()
			var result Result
			if result, err = r.finish(ctx, end, Options{}); err == nil {
				j.Recovered = append(j.Recovered, result)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
