package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sigla/internal/atomicfile"
)

func exportError(e exported, why string) error {
	return fmt.Errorf("export %s: %s", e.Path, why)
}

// textFiles is --as txt: below the folder --output the photos' folders, and in
// them a text for each photo.
type textFiles struct {
	x       *exportRun
	written map[string]string // text file → the photo it is of
}

func newTextFiles(x *exportRun) (exporter, error) {
	return &textFiles{x, make(map[string]string)}, nil
}

func (t *textFiles) photo(e exported) error {
	file, between := e.name+".txt", "\n"
	if !t.x.lines {
		if err := separable(e); err != nil {
			t.x.fail(fmt.Errorf("%w; use --lines", err))
			return nil
		}
		file, between = strings.TrimSuffix(e.name, filepath.Ext(e.name))+".txt", separator
	}
	path := filepath.Join(t.x.output, filepath.FromSlash(file))
	key := strings.ToLower(path)
	if other, twice := t.written[key]; twice {
		t.x.fail(exportError(e, fmt.Sprintf("%s is that of %s already; use --lines", path, other)))
		return nil
	}
	if _, err := os.Lstat(path); err == nil && !t.x.force {
		t.x.fail(exportError(e, path+" is there already; use --force to overwrite it"))
		return nil
	}
	t.written[key] = e.Path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("export %s: %w", e.Path, err)
	}
	if err := atomicfile.Write(path, []byte(strings.Join(e.leaves(), between)+"\n"), 0o644); err != nil {
		return fmt.Errorf("export %s: %w", e.Path, err)
	}
	return nil
}

func (t *textFiles) end(bool) error { return nil }

// links is --as links. The folder gets its name when it is whole, so that one
// that is there holds all photos.
type links struct {
	x    *exportRun
	part string // name of the folder while it is filled
}

func newLinks(x *exportRun) (exporter, error) {
	out := filepath.Clean(x.output)
	if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("export links to %s: the folder is not empty; name a new one", out)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("export links: %w", err)
	}
	part, err := os.MkdirTemp(filepath.Dir(out), ".sigla-links-*")
	if err != nil {
		return nil, fmt.Errorf("export links to %s: %w", out, err)
	}
	return &links{x, part}, os.Chmod(part, 0o755)
}

func (l *links) photo(e exported) error {
	for _, name := range e.paths() {
		folder := l.part
		for part := range strings.SplitSeq(name, "|") {
			folder = filepath.Join(folder, folderName(part))
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("export %s: %w", e.Path, err)
		}
		if err := l.link(e.file, folder); err != nil {
			l.x.fail(exportError(e, fmt.Sprintf("link it in the folder of %s: %v", name, err)))
		}
	}
	return nil
}

// link makes a link to a file in a folder, under the file's name or, if another
// photo has that, one with a number.
func (l *links) link(file, folder string) error {
	make := os.Symlink
	if l.x.hard {
		make = os.Link
	}
	base := filepath.Base(file)
	ext := filepath.Ext(base)
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = strings.TrimSuffix(base, ext) + "-" + strconv.Itoa(n) + ext
		}
		err := make(file, filepath.Join(folder, name))
		if !errors.Is(err, fs.ErrExist) {
			return cause(err)
		}
	}
}

// cause is what went wrong, without the names that the caller says better.
func cause(err error) error {
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}

func (l *links) end(whole bool) error {
	if !whole {
		return os.RemoveAll(l.part)
	}
	if err := os.Remove(l.x.output); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("export links: %w", err)
	}
	if err := os.Rename(l.part, l.x.output); err != nil {
		return fmt.Errorf("export links: %w", err)
	}
	return nil
}

// folderName makes a folder's name of a label's: no separators, no signs that a
// file system refuses, not "." or "..".
func folderName(label string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, label)
	if name = strings.TrimRight(name, ". "); name == "" {
		return "_"
	}
	return name
}
