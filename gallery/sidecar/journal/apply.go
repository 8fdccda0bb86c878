package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An Edit is a change of one file.
type Edit struct {
	Path string
	// Beside is a file that must be there, the photo of a sidecar; or "".
	Beside string
	// New: there is no such file yet. Else it is as it was with this size, time
	// and hash; what is zero is not looked at.
	New      bool
	Size     int64
	Modified time.Time
	Hash     string // SHA-256 in hexadecimal
	// Photo: it cannot be made again from anything else. It is read back before it
	// takes the old one's place, and no link is followed to it.
	Photo bool
	// Make returns the new content. It gets nil for a new file, and returns nil
	// for one that is to go. It is called by several goroutines.
	Make func(before []byte) (after []byte, err error)
}

// maxFile is the size of files that are changed, in bytes.
const maxFile = 64 << 20

var errChanged = errors.New("it was changed by another program meanwhile")

// Apply changes files. Each that cannot be changed is reported and left alone;
// what can be known of that is found before the first file is touched. The error
// is that of the journal; if there is one, no file was changed or the journal
// finishes the run when it is opened the next time. A context that is cancelled
// ends the run early; the files that are left count as failed.
//
// Afterwards runs are forgotten that are older than a month, but for the last
// 20 and those that have not come to their end.
func (j *Journal) Apply(ctx context.Context, edits []Edit, o Options) (Result, error) {
	p := preparation{edits: edits, entries: make([]entry, len(edits)), errs: make([]error, len(edits)), free: j.free}
	p.run(ctx, o)
	var result Result
	var entries []entry
	for i, e := range p.entries {
		switch {
		case p.errs[i] != nil:
			result.Failed = append(result.Failed, Failure{edits[i].Path, p.errs[i]})
		case e.Path == "":
			result.Unchanged++
		default:
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 || ctx.Err() != nil {
		return result, ctx.Err()
	}
	if err := o.begin(entries, false); err != nil {
		return result, err
	}
	r, err := j.create(entries, o)
	if err != nil {
		return result, err
	}
	done, err := r.finish(ctx, applied, o)
	if err == nil {
		j.prune(time.Now()) // what cannot be removed is tried again after the next run
	}
	done.Unchanged += result.Unchanged
	done.Failed = append(result.Failed, done.Failed...)
	return done, err
}

// A preparation finds out what edits mean for their files.
type preparation struct {
	edits   []Edit
	entries []entry // without a path if nothing changes
	errs    []error
	grows   []int    // bytes by which files grow
	folders sync.Map // paths of folders and what they mean
	names   sync.Map // of files, by folder
	free    func(dir string) (bytes uint64, ok bool)
}

func (p *preparation) run(ctx context.Context, o Options) {
	p.grows = make([]int, len(p.edits))
	for from := 0; from < len(p.edits); from += batchFiles {
		o.progress(Reading, from, len(p.edits))
		parallel(min(batchFiles, len(p.edits)-from), runtime.GOMAXPROCS(0), func(i int) {
			i += from
			if p.errs[i] = ctx.Err(); p.errs[i] == nil {
				p.entries[i], p.errs[i] = p.entry(&p.edits[i], &p.grows[i])
			}
		})
	}
	first := make(map[string]int)
	folders := make(map[string][]int)
	for i, e := range p.entries {
		if p.errs[i] != nil || e.Path == "" {
			continue
		}
		if other, ok := first[string(e.Target)]; ok {
			p.errs[i] = fmt.Errorf("it is the same file as %s, which is changed already", p.entries[other].Path)
			continue
		}
		first[string(e.Target)] = i
		dir := filepath.Dir(string(e.Target))
		folders[dir] = append(folders[dir], i)
	}
	for dir, list := range folders {
		if err := p.check(dir, list); err != nil {
			for _, i := range list {
				p.errs[i] = err
			}
		}
	}
}

// check finds out whether a folder can be written to, and has the room.
func (p *preparation) check(dir string, list []int) error {
	if err := probe(dir); err != nil {
		return fmt.Errorf("its folder cannot be written to: %w", cause(err))
	}
	need, whole, largest := 0, 0, 0
	for _, i := range list {
		need += max(p.grows[i], 0)
		size := p.entries[i].Size + 4096 // it takes blocks
		whole, largest = whole+size, max(largest, size)
	}
	need += min(whole, batchBytes+largest) // is there twice for a moment
	if free, ok := p.free(dir); ok && free < uint64(need) {
		return fmt.Errorf("the disk is full: %d bytes are needed, %d are free", need, free)
	}
	return nil
}

// probeNamed makes a file in a folder and removes it.
func probeNamed(dir string) error {
	f, err := os.CreateTemp(dir, ".sigla-*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// entry reads the file of an edit and makes its new content.
func (p *preparation) entry(e *Edit, grows *int) (entry, error) {
	if e.Beside != "" {
		if _, err := os.Stat(e.Beside); err != nil {
			return entry{}, fmt.Errorf("its photo is not there: %w", cause(err))
		}
	}
	target, err := p.target(e)
	if err != nil {
		return entry{}, err
	}
	out := entry{Path: name(e.Path), Target: name(target), Photo: e.Photo}
	var before []byte
	if !e.New {
		var info fs.FileInfo
		if before, info, err = readChecked(target, e); err != nil {
			return entry{}, err
		}
		out.Mode = uint32(info.Mode().Perm())
		out.Before = hashOf(before)
		if e.Hash != "" && e.Hash != out.Before {
			return entry{}, errChanged
		}
	}
	after, err := e.Make(before)
	switch {
	case err != nil:
		return entry{}, err
	case e.New && after == nil, !e.New && after != nil && bytes.Equal(before, after):
		return entry{}, nil
	}
	if after != nil {
		out.After = hashOf(after)
	}
	*grows, out.Size = len(after)-len(before), len(after)
	out.From, out.Old, out.New = difference(before, after)
	return out, nil
}

// target returns the file that a path means: what a symbolic link points to,
// and by the name that its folder has.
func (p *preparation) target(e *Edit) (string, error) {
	path, err := filepath.Abs(e.Path)
	if err != nil {
		return "", err
	}
	dir, err := p.folder(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, filepath.Base(path))
	info, err := os.Lstat(target)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if e.Photo {
			return "", errors.New("it is a link to another file; only a photo itself is changed")
		}
		target, err = filepath.EvalSymlinks(target)
		if e.New && errors.Is(err, fs.ErrNotExist) {
			return "", errors.New("it is a link to a file that is not there")
		}
	}
	switch {
	case e.New && errors.Is(err, fs.ErrNotExist):
		return target, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("it is not there any more")
	case err != nil:
		return "", cause(err)
	case e.New:
		return "", errors.New("there is a file of that name meanwhile")
	}
	return p.spelled(target), nil
}

// folder returns the folder that a path means.
func (p *preparation) folder(path string) (string, error) {
	if dir, ok := p.folders.Load(path); ok {
		return dir.(string), nil
	}
	dir, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", cause(err)
	}
	p.folders.Store(path, dir)
	return dir, nil
}

// spelled returns a path with the name as its folder has it: where case does
// not count, a file may be called otherwise than it is asked for.
func (p *preparation) spelled(path string) string {
	dir, base := filepath.Split(path)
	list, ok := p.names.Load(dir)
	if !ok {
		folded := make(map[string][]string)
		entries, _ := os.ReadDir(dir)
		for _, f := range entries {
			key := strings.ToLower(f.Name())
			folded[key] = append(folded[key], f.Name())
		}
		list, _ = p.names.LoadOrStore(dir, folded)
	}
	names := list.(map[string][]string)[strings.ToLower(base)]
	if len(names) == 1 {
		return filepath.Join(dir, names[0])
	}
	return path
}

// readChecked reads a file that can be replaced by another and is as planned.
func readChecked(path string, e *Edit) ([]byte, fs.FileInfo, error) {
	content, info, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case e.Size != 0 && info.Size() != e.Size, !e.Modified.IsZero() && !info.ModTime().Equal(e.Modified):
		return nil, nil, errChanged
	case info.Mode().Perm()&0o222 == 0:
		return nil, nil, errors.New("it is read-only")
	}
	return content, info, nil
}

// readFile reads a file that can be replaced without breaking anything apart.
func readFile(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errors.New("it is not a regular file")
	}
	if n := links(f, info); n > 1 {
		return nil, nil, fmt.Errorf("it has %d names (hard links); writing would part them", n)
	}
	if err := replaceable(info); err != nil {
		return nil, nil, err
	}
	content, err := readAll(f, info.Size())
	if err != nil {
		return nil, nil, cause(err)
	}
	return content, info, nil
}

// readAll reads a file that should have so many bytes.
func readAll(f *os.File, size int64) ([]byte, error) {
	tooLarge := fmt.Errorf("it is larger than %d MB", maxFile>>20)
	if size > maxFile {
		return nil, tooLarge
	}
	content := make([]byte, size+1)
	switch n, err := io.ReadFull(f, content); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return content[:n], nil
	case err != nil:
		return nil, err
	}
	more, err := io.ReadAll(io.LimitReader(f, maxFile)) // it has grown
	if len(content)+len(more) > maxFile {
		return nil, tooLarge
	}
	return append(content, more...), err
}

// difference returns what has to take the place of what, and where.
func difference(before, after []byte) (from int, old, changed []byte) {
	most := min(len(before), len(after))
	for from < most && before[from] == after[from] {
		from++
	}
	same := 0
	for same < most-from && before[len(before)-1-same] == after[len(after)-1-same] {
		same++
	}
	return from, bytes.Clone(before[from : len(before)-same]), bytes.Clone(after[from : len(after)-same])
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// cause returns an error without the path, which a Failure has.
func cause(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// parallel calls f for 0 to n−1 from so many goroutines.
func parallel(n, workers int, f func(i int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(n, workers) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
