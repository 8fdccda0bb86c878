package gallery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
)

const (
	// tagReaders is how many workers read tags. They wait for the disk more than
	// they compute, and next to them photos are decoded.
	tagReaders = 4
	// tagPart is how many photos a worker reads at once.
	tagPart = 16
)

// A tagRun is one call of ReadTags.
type tagRun struct {
	g       *Gallery
	ctx     context.Context
	catalog *catalog.Catalog // nil: none
	over    bool             // the workers are to end; guarded by g.mu
	done    chan struct{}    // closed with it
}

// ReadTags reads what every photo is tagged with, from its sidecars and from
// itself, also of those that a Scan running beside it still finds, and returns
// when none is left. Photos on the screen (Want) come first, and others wait
// while one on the screen is still to be embedded. Files that could not be read
// are in TagProblems; the error is that of ctx, and another call goes on from
// there. A second call waits for the first. Begin Scan before.
//
// With a catalog, files that are as they were when they were read last are not
// opened, broken ones too; a sidecar that could not be opened at all is tried
// again. After another Scan, ReadTags reads what has changed.
func (g *Gallery) ReadTags(ctx context.Context) error {
	select {
	case g.tags.turn <- struct{}{}:
		defer func() { <-g.tags.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r := &tagRun{g: g, ctx: ctx, catalog: g.openCatalog(ctx), done: make(chan struct{})}
	woken := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(woken)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.moved.Broadcast()
	})
	var workers sync.WaitGroup
	for range min(tagReaders, runtime.GOMAXPROCS(0)) {
		workers.Go(r.work)
	}
	if r.catalog != nil {
		workers.Go(r.recall)
		workers.Go(r.store)
	}
	r.wait()
	if !unwatch() {
		<-woken
	}
	close(r.done)
	workers.Wait()
	r.finish()
	return ctx.Err()
}

// wait waits until all is read and lets the workers end.
func (r *tagRun) wait() {
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	b := &g.tags
	for r.ctx.Err() == nil && (g.scans > 0 || b.held > 0 || b.next < len(g.slots)) {
		g.moved.Wait()
	}
	r.over = true
	g.moved.Broadcast()
}

// finish stores what is left, and lets go of what nobody has asked for.
func (r *tagRun) finish() {
	for r.catalog != nil {
		more, err := r.put()
		if err != nil {
			r.g.dropCatalog(err)
		}
		if err != nil || !more {
			break
		}
	}
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if b := &g.tags; g.scans == 0 && b.next == len(g.slots) {
		b.roots, b.loaded, b.asked, b.stored = nil, 0, false, nil
	}
	g.changed()
}

func (r *tagRun) ended() bool { return r.over || r.ctx.Err() != nil }

// A tagJob is a photo whose tags are to be read, and what is known of it.
type tagJob struct {
	id             int
	files          []string // the photo and its twins
	size, modified int64
	sidecars       uint32
	known          []storedTags
	again          bool // its names are known
	all            []sidecar.Value

	// What came of it.
	done   bool
	found  []tagReading // in the order in which they count
	fresh  bool         // a file was read, or is no more
	merged sidecar.Tags
}

// A tagReading is what was read of a file now, or is known of it.
type tagReading struct {
	storedTags
	file    sidecar.File
	fresh   bool // it was read now
	passing bool // the reason may pass without the file's changing
}

// work is a worker: it reads tags until there are none left.
func (r *tagRun) work() {
	for {
		jobs := r.take()
		if len(jobs) == 0 {
			return
		}
		for i := range jobs {
			if r.ctx.Err() == nil {
				jobs[i].read()
			}
		}
		r.deliver(jobs)
	}
}

// take waits for photos whose tags are to be read: those on the screen, or the
// next in order. It returns none when the run has ended.
func (r *tagRun) take() (jobs []tagJob) {
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	b := &g.tags
	for !r.ended() {
		before := b.next
		for _, id := range g.order.wanted {
			if len(jobs) < tagPart && r.ready(id) {
				jobs = append(jobs, r.job(id))
			}
		}
		busy := g.embedding && g.order.left > 0
		for ; !busy && len(jobs) < tagPart && b.next < len(g.slots); b.next++ {
			s := &g.slots[b.next]
			if s.State == Gone || s.tags.state == tagsRead || s.tags.state == tagsInHand {
				continue
			}
			if !r.ready(b.next) {
				break
			}
			jobs = append(jobs, r.job(b.next))
		}
		if len(jobs) > 0 {
			b.held += len(jobs)
			return jobs
		}
		if b.next != before {
			g.moved.Broadcast() // there may have been nothing to read
		}
		g.moved.Wait()
	}
	return nil
}

// ready reports, with mu held, whether the tags of a photo may be read now:
// first the catalog is asked for those that it knows.
func (r *tagRun) ready(id int) bool {
	s, b := &r.g.slots[id], &r.g.tags
	if s.pending {
		return false // Scan has yet to see which sidecars there are
	}
	switch s.tags.state {
	case tagsRecheck:
		return true
	case tagsUnread:
		if s.file == 0 || r.catalog == nil || b.loaded == len(b.roots) {
			return true
		}
		if !b.asked {
			b.asked = true
			r.g.moved.Broadcast()
		}
	}
	return false
}

// job takes a photo, with mu held.
func (r *tagRun) job(id int) tagJob {
	s, b := &r.g.slots[id], &r.g.tags
	j := tagJob{
		id: id, files: s.Files(), size: s.Size, modified: s.Modified.UnixNano(),
		sidecars: s.tags.sidecars, again: s.tags.state == tagsRecheck, all: b.table.values,
	}
	j.fresh, s.tags.doubt = s.tags.doubt, false
	for _, f := range s.tags.files {
		j.known = append(j.known, storedTags{f, b.reason(id, f.name)})
	}
	if !j.again && s.file != 0 {
		j.known = b.stored[s.file]
		delete(b.stored, s.file)
	}
	s.tags.state = tagsInHand
	return j
}

// read reads the files of a photo that are not as they are known. A file that
// makes the parser panic is one that cannot be read.
func (j *tagJob) read() {
	j.done = true
	photo, twins := j.files[0], j.files[1:]
	for i, path := range sidecar.Names(photo, twins...) {
		if j.sidecars>>i&1 != 0 {
			j.readBeside(path)
		}
	}
	j.readFile(photo, tagFile{size: j.size, modified: j.modified})
	for _, path := range twins {
		j.readBeside(path)
	}
	for _, k := range j.known {
		if !slices.ContainsFunc(j.found, func(f tagReading) bool { return f.name == k.name }) {
			j.fresh = true
		}
	}
	if j.again && !j.fresh {
		return
	}
	files := make([]sidecar.File, len(j.found))
	for i, f := range j.found {
		files[i] = f.file
	}
	j.merged = mergeTags(j.files, files)
}

// readBeside reads a sidecar or a twin, unless it has gone since the scan.
func (j *tagJob) readBeside(path string) {
	info, err := os.Stat(path)
	if err != nil && errors.Is(err, os.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return
	}
	file := tagFile{name: filepath.Base(path)}
	if err == nil {
		file.size, file.modified = info.Size(), info.ModTime().UnixNano()
	}
	j.readFile(path, file)
}

func (j *tagJob) readFile(path string, now tagFile) {
	j.found = append(j.found, tagReading{storedTags: storedTags{tagFile: now}})
	f := &j.found[len(j.found)-1]
	for _, k := range j.known {
		if k.name == now.name && k.size == now.size && k.modified == now.modified {
			f.storedTags = k
			f.file = sidecar.File{Path: path, Values: k.values.of(j.all)}
			return
		}
	}
	j.fresh, f.fresh = true, true
	f.file.Path = path
	defer func() {
		if v := recover(); v != nil {
			f.reason = fmt.Sprintf("panic: %v", v)
		}
	}()
	values, err := sidecar.ReadFile(path)
	f.file = sidecar.File{Path: path, Values: values}
	f.reason, f.passing = reasonOf(err)
}

// reasonOf says what is wrong without the name of the file, which may change,
// and whether it may pass without the file's changing.
func reasonOf(err error) (reason string, passing bool) {
	if err == nil {
		return "", false
	}
	var parts []string
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range list {
		text := err.Error()
		if e, ok := errors.AsType[*sidecar.Error](err); ok {
			if text = e.Err.Error(); e.Offset >= 0 {
				text = fmt.Sprintf("byte %d: %s", e.Offset, text)
			}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; "), errors.As(err, new(syscall.Errno))
}

// deliver notes what was read.
func (r *tagRun) deliver(jobs []tagJob) {
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tags.held -= len(jobs)
	for i := range jobs {
		if r.ctx.Err() != nil && !jobs[i].done {
			r.untake(&jobs[i]) // it was not read
			continue
		}
		g.noteTags(&jobs[i])
	}
	g.changed()
}

// untake lets go, with mu held, of a photo that was not read.
func (r *tagRun) untake(j *tagJob) {
	s, b := &r.g.slots[j.id], &r.g.tags
	s.tags.state = tagsUnread
	if j.again {
		s.tags.state = tagsRecheck
	} else if len(j.known) > 0 {
		b.stored[s.file] = j.known
	}
	b.next = min(b.next, j.id)
}

// noteTags takes over, with mu held, what was read of a photo.
func (g *Gallery) noteTags(j *tagJob) {
	s, b := &g.slots[j.id], &g.tags
	t := &s.tags
	if t.state == tagsInHand { // and not met again by Scan
		t.state = tagsRead
	}
	if s.State == Gone {
		t.state = tagsRecheck // should it come back
		return
	}
	if j.again && !j.fresh {
		return
	}
	t.files = nil
	delete(b.reasons, j.id)
	for _, f := range j.found {
		if f.reason != "" {
			b.reasons[j.id] = append(b.reasons[j.id], tagReason{f.name, f.reason})
		}
		if f.passing {
			continue // another time
		}
		if f.fresh {
			f.values = b.table.list(f.file.Values)
		}
		t.files = append(t.files, f.tagFile)
	}
	t.names = b.table.move(t.names, namesOf(j.merged))
	t.rating, t.rated = int8(j.merged.Rating), j.merged.Rated
	s.Tagged = len(t.names) > 0
	if !t.unsaved && j.fresh && s.book != nil && !g.keep.off {
		b.unsaved = append(b.unsaved, j.id)
	}
	t.unsaved = t.unsaved || j.fresh
}

// reason returns, with mu held, what is wrong with a file; "" if nothing is.
func (b *tagBook) reason(photo int, file string) string {
	for _, r := range b.reasons[photo] {
		if r.file == file {
			return r.reason
		}
	}
	return ""
}
