package gallery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"sigla/gallery/photo"
)

// pace is how long Watch waits.
type pace struct {
	quiet time.Duration // after the last event, before it is looked at;
	most  time.Duration // after the first one, however many follow
	poll  time.Duration // between two scans where events do not tell
	away  time.Duration // between two looks for a folder that is not there
}

var watchPace = pace{300 * time.Millisecond, 2 * time.Second, 30 * time.Second, 2 * time.Second}

// A watcher has the folders of a gallery watched and gathers what has happened.
type watcher struct {
	g    *Gallery
	pace pace
	fs   *fsnotify.Watcher // nil: there are no events
	wake chan struct{}     // of one: the state below has changed

	mu     sync.Mutex
	spots  map[string]bool      // see spots
	writes map[string]time.Time // when a photo was last written to
	first  time.Time            // of the events that are not looked at yet
	last   time.Time
	full   bool  // events were lost
	polls  error // why there must be scans without events
}

// Notices returns what Watch has to say: why it cannot follow a folder by events.
func (g *Gallery) Notices() []error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return slices.Clone(g.notices)
}

// Watch keeps the photos of paths that Scan was given as they are on disk, until
// ctx ends; the error is that of ctx. It may begin before Scan, beside it or
// after it. It looks at a folder when nothing has happened there for a moment,
// so that a file which is being copied is not read half, and does nothing while
// nothing happens. Where the system tells nothing, because it watches no more
// folders or because the file system is a network's, Watch scans again from time
// to time, and Notices says so. A named folder that is not there is looked for
// until it is back.
func (g *Gallery) Watch(ctx context.Context, paths ...string) error {
	w := &watcher{g: g, pace: watchPace, wake: make(chan struct{}, 1), spots: map[string]bool{}, writes: map[string]time.Time{}}
	var err error
	if w.fs, err = newNotifier(); err != nil {
		w.fs = nil
		w.fallBack("watch folders", err)
	} else {
		defer w.fs.Close()
	}
	g.mu.Lock()
	g.watcher = w
	var entered, files []place
	for _, f := range g.folders {
		entered = append(entered, f.place)
	}
	for _, n := range g.named {
		if !n.isFolder() {
			files = append(files, n.place)
		}
	}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.watcher = nil
	}()
	for _, at := range entered { // listed before they were watched
		w.add(at)
		w.gather(at.at, false)
	}
	for _, at := range files {
		w.addAbove(at)
		w.gather(filepath.Dir(at.at), false)
	}
	return w.run(ctx, paths)
}

var newNotifier = fsnotify.NewWatcher

// run waits for events and has looked at what they tell, until ctx ends.
func (w *watcher) run(ctx context.Context, paths []string) error {
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w.fs != nil {
		events, failures = w.fs.Events, w.fs.Errors
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	done := make(chan time.Duration)
	working := false
	polled := time.Now() // or later, if the last look took long
	for {
		timer.Stop()
		if at, ok := w.due(polled); ok && !working {
			timer.Reset(time.Until(at))
		}
		select {
		case <-ctx.Done():
			if working {
				<-done
			}
			return ctx.Err()
		case e, ok := <-events:
			if w.note(e); !ok {
				events = nil // it was closed
			}
		case err, ok := <-failures:
			if w.failed(err); !ok {
				failures = nil
			}
		case <-w.wake:
		case took := <-done:
			// Scans of a slow drive are not to be all that happens.
			working, polled = false, time.Now().Add(10*took)
		case start := <-timer.C:
			working = true
			go func() {
				w.work(ctx, paths, !start.Before(polled.Add(w.pace.poll)))
				done <- time.Since(start)
			}()
		}
	}
}

// due returns when there is something to do next; false if there is nothing.
func (w *watcher) due(polled time.Time) (at time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sooner := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if w.full || len(w.spots) > 0 {
		quiet, most := w.last.Add(w.pace.quiet), w.first.Add(w.pace.most)
		if most.Before(quiet) {
			quiet = most
		}
		sooner(quiet)
	}
	if w.polls != nil {
		sooner(polled.Add(w.pace.poll))
	}
	if len(w.g.awayRoots()) > 0 {
		sooner(polled.Add(w.pace.away))
	}
	return at, ok
}

// work looks at what has happened. poll says that it is time for a scan where
// events do not tell.
func (w *watcher) work(ctx context.Context, paths []string, poll bool) {
	now := time.Now()
	w.mu.Lock()
	full := w.full || w.polls != nil && poll
	folders := w.spots
	w.full, w.spots = false, map[string]bool{}
	w.first = now
	for path, at := range w.writes {
		if now.Sub(at) >= w.pace.quiet {
			delete(w.writes, path)
		} else {
			w.spots[filepath.Dir(path)] = false // it is looked at when it is whole
		}
	}
	w.mu.Unlock()
	for _, at := range w.g.awayRoots() {
		if _, err := os.Stat(at); err == nil {
			folders[at] = true
		}
	}
	switch {
	case full:
		w.g.scanAgain(ctx, paths)
	case len(folders) > 0:
		w.g.lookAgain(ctx, folders)
	}
}

// scanAgain is a Scan whose errors are among what was skipped.
func (g *Gallery) scanAgain(ctx context.Context, paths []string) {
	g.walk(ctx, func(w *walk) error {
		for _, p := range paths {
			at := rootPlace(p)
			if err := w.root(p); err != nil && ctx.Err() == nil {
				w.skip(at, err)
			}
		}
		return nil
	})
}

// awayRoots returns the named folders that are not there.
func (g *Gallery) awayRoots() (list []string) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for at, n := range g.named {
		if n.away {
			list = append(list, at)
		}
	}
	return list
}

// note takes an event.
func (w *watcher) note(e fsnotify.Event) {
	if e.Name == "" || e.Op == 0 {
		return
	}
	folder, name := filepath.Dir(e.Name), filepath.Base(e.Name)
	g := w.g
	g.mu.RLock()
	_, isFolder := g.folders[e.Name]
	_, inFolder := g.folders[folder]
	_, isNamed := g.named[e.Name]
	g.mu.RUnlock()
	written := e.Has(fsnotify.Write) || e.Has(fsnotify.Create)
	isPhoto := photo.IsPhoto(name) || isNamed && !isFolder
	switch {
	case isNamed && isFolder:
		w.gather(e.Name, e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) || e.Has(fsnotify.Create))
	case isFolder && e.Op == fsnotify.Chmod:
		w.gather(e.Name, true) // it may be open by now
	case !inFolder && !isNamed:
		// The folder above a named one has other files.
	case name == ignoreName:
		w.gather(folder, true)
	case name[0] == '.' && !isNamed:
	case strings.EqualFold(filepath.Ext(name), ".xmp"):
		w.gather(folder, false)
	case isPhoto && written:
		w.gatherWrite(e.Name)
	case isPhoto || isFolder || unreadable(name) != "" || e.Has(fsnotify.Create) || e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename):
		w.gather(folder, false)
	}
}

// gather says that a folder is to be looked at.
func (w *watcher) gather(folder string, deep bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happen()
	w.spots[folder] = w.spots[folder] || deep
}

func (w *watcher) gatherWrite(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happen()
	w.writes[path] = w.last
	if folder := filepath.Dir(path); !w.spots[folder] {
		w.spots[folder] = false
	}
}

// happen notes, with mu held, that something has happened.
func (w *watcher) happen() {
	w.last = time.Now()
	if !w.full && len(w.spots) == 0 {
		w.first = w.last
	}
	w.poke()
}

// poke makes run look at what there is to do.
func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// failed takes an error of the events.
func (w *watcher) failed(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	w.happen()
	w.full = true // whatever it was, something may have been missed
	w.mu.Unlock()
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		w.fallBack("watch folders", err)
	}
}

// add has a folder watched, before it is listed, and the one above a named one,
// where it may vanish. Nobody need watch: w may be nil.
func (w *watcher) add(at place) {
	if w == nil || w.fs == nil {
		return
	}
	err := w.fs.Add(at.at)
	if err == nil {
		err = remote(at.at)
	}
	switch {
	case err == nil, errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission), errors.Is(err, fsnotify.ErrClosed):
		// Whoever lists it says what is wrong.
	default:
		w.fallBack("watch "+at.path, err)
		if errors.Is(err, syscall.EMFILE) {
			_ = w.fs.Close() // the files that it holds open are needed for photos
		}
	}
	if at.name == "" {
		w.addAbove(at)
	}
}

// addAbove has the folder watched that a named file or folder is in. What cannot
// be seen there is missed until the next scan.
func (w *watcher) addAbove(at place) {
	if w != nil && w.fs != nil {
		_ = w.fs.Add(filepath.Dir(at.at))
	}
}

// remove ends the watch of folders. That of one which is gone has ended by
// itself.
func (w *watcher) remove(folders ...string) {
	if w == nil || w.fs == nil {
		return
	}
	for _, at := range folders {
		_ = w.fs.Remove(at)
	}
}

// watching returns the watcher, nil if nobody watches.
func (g *Gallery) watching() *watcher {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.watcher
}

// unwatch ends the watch of a named folder that is out of reach, and of those in
// it.
func (g *Gallery) unwatch(root string) {
	var folders []string
	g.mu.RLock()
	for at := range g.folders {
		if _, ok := below(root, at); ok {
			folders = append(folders, at)
		}
	}
	g.mu.RUnlock()
	g.watching().remove(folders...)
}

// fallBack makes Watch scan from time to time, and says so once.
func (w *watcher) fallBack(doing string, err error) {
	w.mu.Lock()
	first := w.polls == nil
	w.polls = err
	w.mu.Unlock()
	if !first {
		return
	}
	g := w.g
	g.mu.Lock()
	g.notices = append(g.notices, fmt.Errorf("%s: %w; all folders are scanned every %v instead", doing, explain(err), w.pace.poll))
	g.changed()
	g.mu.Unlock()
	w.poke()
}

// busy reports whether a file is being written.
func (g *Gallery) busy(path string) bool {
	w := g.watching()
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.writes[path]
	return ok && time.Since(at) < w.pace.quiet
}
