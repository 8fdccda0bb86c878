package sidecar

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"
)

var errNotRegular = errors.New("not a regular file")

// open opens a file for reading. What is not a regular file is refused
// unopened: a pipe could block for ever.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return os.Open(path)
}

// cause returns an error without the path that Error names already.
func cause(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// load returns the text of a sidecar.
func load(path string, f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", &Error{path, -1, cause(err)}
	}
	if info.Size() > maxFile {
		return "", &Error{path, -1, fmt.Errorf("larger than %d MB", maxFile>>20)}
	}
	var b strings.Builder
	b.Grow(int(info.Size()))
	n, err := io.Copy(&b, io.LimitReader(f, maxFile)) // it may be growing
	switch {
	case err != nil:
		return "", &Error{path, -1, cause(err)}
	case n == 0:
		return "", &Error{path, 0, errors.New("the file is empty")}
	}
	return b.String(), nil
}

// readSidecar returns the values of a sidecar with this text.
func readSidecar(path, text string) ([]Value, error) {
	values, err := valuesOf(text)
	if err != nil {
		return nil, &Error{path, int64(err.(*fault).at), err}
	}
	return values, nil
}

// readPhoto reads what is embedded in a photo.
func (k *Known) readPhoto(f *os.File) {
	info, err := f.Stat()
	if err != nil {
		k.Err = &Error{k.Path, -1, cause(err)}
		return
	}
	var m metadata
	m.read(io.NewSectionReader(f, 0, info.Size()))
	errs := make([]error, len(m.errs))
	for i, e := range m.errs {
		e.File = k.Path
		errs[i] = e
	}
	k.Values, k.Err = m.values, errors.Join(errs...)
	k.JPEG, k.coding = m.isJPEG, m.coding
}

// A block is metadata taken out of a photo, in one piece, and its place there.
type block struct {
	data   string
	pieces []piece
	packed bool // is compressed, or was: places in it are nowhere in the file
}

// A piece says that the bytes of a block from at on lie at offset in the file.
type piece struct {
	at     int
	offset int64
}

// offset returns where byte at lies in the file.
func (b block) offset(at int) int64 {
	if b.packed {
		return b.pieces[0].offset
	}
	i := sort.Search(len(b.pieces), func(i int) bool { return b.pieces[i].at > at }) - 1
	return b.pieces[i].offset + int64(at-b.pieces[i].at)
}

// cut returns the bytes [from, to) as a block.
func (b block) cut(from, to int) block {
	c := block{b.data[from:to], []piece{{0, b.offset(from)}}, b.packed}
	for _, p := range b.pieces {
		if p.at > from && p.at < to {
			c.pieces = append(c.pieces, piece{p.at - from, p.offset})
		}
	}
	return c
}

// metadata collects what is embedded in a photo.
type metadata struct {
	file     *io.SectionReader
	unpacked int // bytes that were compressed; together no more than maxFile
	values   []Value
	coding   coding // of IPTC
	isJPEG   bool
	errs     []*Error
}

// containers are the kinds of files that are read, known by their first bytes;
// '?' stands for any.
var containers = []struct {
	magic string
	read  func(*metadata)
}{
	{"\xff\xd8\xff", (*metadata).jpeg},
	{"\x89PNG\r\n\x1a\n", (*metadata).png},
	{"GIF8?a", (*metadata).gif},
	{"RIFF????WEBP", (*metadata).webp},
	{"II*\x00", (*metadata).tiffFile}, // and DNG, CR2, NEF, ARW, PEF
	{"MM\x00*", (*metadata).tiffFile},
	{"IIRO", (*metadata).tiffFile}, // ORF
	{"IIRS", (*metadata).tiffFile},
	{"IIU\x00", (*metadata).tiffFile}, // RW2
}

// read finds the metadata of a photo of any kind; other files have none. It
// never fails as a whole: what is wrong is in errs.
func (m *metadata) read(file *io.SectionReader) {
	m.file = file
	head := make([]byte, 16)
	n, _ := file.ReadAt(head, 0)
	for _, c := range containers {
		if matches(head[:n], c.magic) {
			c.read(m)
			return
		}
	}
}

func matches(head []byte, magic string) bool {
	if len(head) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != head[i] {
			return false
		}
	}
	return true
}

// fail notes what is wrong at a place of the file, or at its end if the place
// would be behind that.
func (m *metadata) fail(offset int64, format string, args ...any) {
	m.errs = append(m.errs, &Error{Offset: min(offset, m.file.Size()), Err: fmt.Errorf(format, args...)})
}

// A region is a part of the file.
type region struct{ offset, size int64 }

// behind returns the region without its first n bytes.
func (r region) behind(n int) region { return region{r.offset + int64(n), r.size - int64(n)} }

// take returns a region of the file, and notes it if that is not there.
func (m *metadata) take(what string, r region) (block, bool) {
	if r.size > maxFile {
		m.fail(r.offset, "%s is larger than %d MB", what, maxFile>>20)
		return block{}, false
	}
	if r.size < 0 {
		m.fail(r.offset, "%s: what should hold it is too short", what)
		return block{}, false
	}
	if r.offset+r.size > m.file.Size() {
		m.fail(r.offset, "%s goes on beyond the end of the file", what)
		return block{}, false
	}
	var b strings.Builder
	b.Grow(int(r.size))
	if _, err := io.CopyN(&b, io.NewSectionReader(m.file, r.offset, r.size), r.size); err != nil {
		m.fail(r.offset, "%s: %w", what, cause(err))
		return block{}, false
	}
	return block{data: b.String(), pieces: []piece{{0, r.offset}}}, true
}

// xmp reads a packet, and returns the name of the extension that it refers to,
// if any.
func (m *metadata) xmp(b block) (extension string) {
	if b.packed {
		text, err := m.inflate(b.data)
		if err != nil {
			m.fail(b.offset(0), "XMP: %w", err)
			return ""
		}
		b.data = text
	}
	d, err := parse(b.data)
	var values []Value
	if err == nil {
		values, err = d.values()
	}
	if err != nil {
		m.fail(b.offset(err.(*fault).at), "XMP: %w", err)
		return ""
	}
	m.values = append(m.values, values...)
	for i := range d.properties {
		if p := &d.properties[i]; p.space == "http://ns.adobe.com/xmp/note" && p.local == "HasExtendedXMP" {
			extension, _ = d.value(p.value)
		}
	}
	return extension
}
