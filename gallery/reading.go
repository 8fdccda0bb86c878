package gallery

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"sigla/gallery/catalog"
)

// A reading is what was read of a file, and what the file was then.
type reading struct {
	content catalog.Hash
	file    fs.FileInfo
	reason  string // why there is no photo in it, in whatever file
}

// read finds out what is in the file of a photo, if there is a catalog that
// wants to know. Errors are left to whoever decodes it.
func (r *run) read(path string) reading {
	if !r.keeps {
		return reading{}
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return reading{}
	}
	f, err := os.Open(path)
	if err != nil {
		return reading{}
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return reading{}
	}
	content, err := catalog.HashOf(f)
	if err != nil {
		return reading{}
	}
	return reading{content: content, file: info}
}

// failed notes why there is no photo in a file. That the file could not be read
// may pass without its changing.
func (r *reading) failed(err error) {
	if errors.As(err, new(syscall.Errno)) {
		return
	}
	if inner := errors.Unwrap(err); inner != nil {
		err = inner // the path may change
	}
	r.reason = err.Error()
}

// check forgets what was read if the file has changed since: what was decoded
// may be another photo.
func (r *reading) check(path string) {
	if r.file == nil {
		return
	}
	now, err := os.Stat(path)
	if err != nil || !os.SameFile(now, r.file) || now.Size() != r.file.Size() || !now.ModTime().Equal(r.file.ModTime()) {
		*r = reading{}
	}
}

// note queues, with mu held, what the catalog is to learn of a photo. The vector
// is nil if there is none or the catalog has it.
func (g *Gallery) note(p prepared, vector []uint16) {
	k := &g.keep
	if p.file == nil || k.off {
		return
	}
	s := &g.slots[p.id]
	// Only if the file is as Scan saw it does the reading belong to it.
	own := s.Size == p.file.Size() && s.Modified.Equal(p.file.ModTime())
	if own {
		s.Content, s.reason = p.content, p.reason
		if p.reason != "" {
			s.Content = catalog.Hash{}
		}
	}
	if p.reason == "" {
		if k.own == nil {
			k.own = make(map[catalog.Hash]int)
		}
		k.own[p.content] = p.id
		if _, known := k.facts.of(p.content); vector != nil || !known {
			k.fresh = append(k.fresh, kept{p.content, p.info, vector})
		}
	}
	if own && s.book != nil {
		k.read = append(k.read, p.id)
	}
}
