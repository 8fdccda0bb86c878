// Package safetensors reads and writes weights in the safetensors format.
//
// A file is a little-endian u64 header length H, H bytes of JSON that give
// every tensor's type, shape and byte range, and the tensors' data without
// gaps (https://github.com/huggingface/safetensors). Open maps the file, so a
// tensor costs memory only when its pages are touched. Nothing in a header is
// believed: a file whose ranges overlap, leave gaps, leave the file or disagree
// with their shapes is refused, and parsing takes memory in proportion to the
// bytes of the header that are really there, whatever numbers they hold.
package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"runtime/debug"
)

// DType is an element type by its name in the format.
type DType string

// The types that Floats and Row widen. Others are carried as bytes.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
)

// dtypeSize has every type whose elements are whole bytes.
var dtypeSize = map[DType]int{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1,
	"U16": 2, "I16": 2, F16: 2, BF16: 2,
	"U32": 4, "I32": 4, F32: 4,
	"U64": 8, "I64": 8, "F64": 8, "C64": 8,
}

// Size is the number of bytes of an element, 0 for an unknown type.
func (t DType) Size() int { return dtypeSize[t] }

// A Tensor is one named array of a file.
type Tensor struct {
	Name  string
	Type  DType
	Shape []int // row-major; empty for a scalar

	// Data holds the elements in little-endian order, at any alignment. In a
	// mapped file it is the file itself: it must not be written, nor touched
	// after Close, and it faults if another program truncates the file
	// meanwhile. Floats and Row turn that fault into an error; whoever reads
	// Data directly does without this protection.
	Data []byte

	file   string
	mapped bool
}

// Len is the number of elements: the product of Shape, 1 for a scalar.
func (t Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Floats widens the elements of an F32, F16 or BF16 tensor into dst, which is
// replaced if its capacity is below Len. Widening is exact, NaN bits included.
func (t Tensor) Floats(dst []float32) ([]float32, error) {
	if err := t.Numbers(); err != nil {
		return nil, err
	}
	n := len(t.Data) / t.Type.Size()
	if cap(dst) < n {
		dst = make([]float32, n)
	}
	dst = dst[:n]
	if err := guard(func() { widen(dst, t.Data, t.Type) }); err != nil {
		return nil, t.errorf("%v", err)
	}
	return dst, nil
}

// Row widens row i of a tensor [rows, cols] into dst, which holds cols values.
func (t Tensor) Row(dst []float32, i int) error {
	if err := t.Numbers(); err != nil {
		return err
	}
	if len(t.Shape) != 2 || i < 0 || i >= t.Shape[0] || len(dst) != t.Shape[1] {
		return t.errorf("no row %d of %d values in shape %v", i, len(dst), t.Shape)
	}
	stride := len(dst) * t.Type.Size()
	if len(t.Data) != t.Shape[0]*stride {
		return t.errorf("%d bytes of data for shape %v", len(t.Data), t.Shape)
	}
	row := t.Data[i*stride : (i+1)*stride]
	if err := guard(func() { widen(dst, row, t.Type) }); err != nil {
		return t.errorf("%v", err)
	}
	return nil
}

// Release lets the system take back the memory of the data, which is read from
// the file again when it is touched next: a model that copies its weights
// would otherwise hold them twice. Data that was not mapped stays.
func (t Tensor) Release() {
	if t.mapped {
		release(t.Data)
	}
}

// Rows is the part of a tensor from row i on, n rows of its first dimension.
func (t Tensor) Rows(i, n int) Tensor {
	size := len(t.Data) / t.Shape[0]
	t.Shape = append([]int{n}, t.Shape[1:]...)
	t.Data = t.Data[i*size : (i+n)*size : (i+n)*size]
	return t
}

// Join is the tensors one below the other, in memory of its own. They must be
// of one type and agree in all dimensions but the first.
func Join(parts ...Tensor) Tensor {
	t := parts[0]
	t.mapped = false
	t.Data, t.Shape = nil, append([]int(nil), t.Shape...)
	t.Shape[0] = 0
	for _, p := range parts {
		t.Shape[0] += p.Shape[0]
		t.Data = append(t.Data, p.Data...)
	}
	return t
}

// Sample calls visit with up to n bytes of the beginning, of the middle and of
// the end of the data: enough to tell two trainings of a tensor apart.
func (t Tensor) Sample(n int, visit func([]byte)) error {
	n = min(n, len(t.Data))
	err := guard(func() {
		for _, at := range []int{0, (len(t.Data) - n) / 2, len(t.Data) - n} {
			visit(t.Data[at : at+n])
		}
	})
	if err != nil {
		return t.errorf("%v", err)
	}
	return nil
}

// Numbers returns an error unless the elements can be widened to float32.
func (t Tensor) Numbers() error {
	switch t.Type {
	case F32, F16, BF16:
		return nil
	}
	return t.errorf("type %s is not read as numbers; it must be F32, F16 or BF16", t.Type)
}

func (t Tensor) errorf(format string, args ...any) error {
	where := "read weights"
	if t.file != "" {
		where += " " + t.file
	}
	return fmt.Errorf("%s: tensor %s: %s", where, quote(t.Name), fmt.Sprintf(format, args...))
}

var errGone = errors.New("its data is gone: another program has shortened the file, or the disk failed; load the model again")

// guard runs read and returns errGone for the fault of a page that is no
// longer there. The setting belongs to the goroutine; others do not notice.
func guard(read func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = errGone
		default:
			panic(fault)
		}
	}()
	read()
	return nil
}

// A File is a parsed safetensors file. It is safe for concurrent use until
// Close.
type File struct {
	tensors  []Tensor // by position of their data
	index    map[string]int
	metadata map[string]string
	unmap    func() error
}

// Open maps the file at path and checks its header. An absent file is
// fs.ErrNotExist.
func Open(path string) (*File, error) {
	f, err := open(path)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err // its path would stand in the message twice
		}
		return nil, fmt.Errorf("read weights %s: %w", path, err)
	}
	return f, nil
}

func open(path string) (*File, error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close() // a mapping outlives its descriptor
	info, err := src.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() < headerStart:
		return nil, fmt.Errorf("it has %d bytes; even an empty safetensors file has more", info.Size())
	case info.Size() > math.MaxInt:
		return nil, fmt.Errorf("its %d bytes are more than this machine can address", info.Size())
	}
	data, unmap, err := mapFile(src, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("map into memory: %w", err)
	}
	var f *File
	// The header is read under guard too: the file may shrink while it is.
	if fault := guard(func() { f, err = parse(path, data) }); fault != nil {
		err = fault
	}
	if err != nil {
		unmap()
		return nil, err
	}
	f.unmap = unmap
	for i := range f.tensors {
		f.tensors[i].mapped = true
	}
	return f, nil
}

// Parse reads a file that is in memory already; tensors alias data. The name
// is for messages.
func Parse(name string, data []byte) (*File, error) {
	f, err := parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("read weights %s: %w", name, err)
	}
	return f, nil
}

// Names returns the names of all tensors, in the order of their data.
func (f *File) Names() []string {
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.Name
	}
	return names
}

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

// Metadata returns a copy of the header's free-form strings.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Close unmaps the file. Its tensors must not be used afterwards.
func (f *File) Close() error {
	if f.unmap == nil {
		return nil
	}
	unmap := f.unmap
	f.unmap = nil
	return unmap()
}
