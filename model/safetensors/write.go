package safetensors

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"unicode/utf8"
)

// Write stores tensors and metadata at path: under a temporary name beside it
// first, renamed when every byte is on the disk, so that path holds the old
// file or the new one and nothing between. Tensors are laid out as the
// reference writer does, widest type first and then by name.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	if err := write(path, tensors, metadata); err != nil {
		return fmt.Errorf("write weights %s: %w", path, err)
	}
	return nil
}

func write(path string, tensors []Tensor, metadata map[string]string) (err error) {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.Type.Size(), a.Type.Size()), cmp.Compare(a.Name, b.Name))
	})
	for _, t := range sorted {
		if err := t.consistent(); err != nil {
			return fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		}
	}
	header, err := Header(sorted, metadata)
	if err != nil {
		return err
	}
	tmp, err := createBeside(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	out := bufio.NewWriterSize(tmp, 1<<20)
	out.Write(header)
	for _, t := range sorted {
		// The data may be that of a mapped file.
		if err := guard(func() { out.Write(t.Data) }); err != nil {
			return t.errorf("%v", err)
		}
	}
	if err := out.Flush(); err != nil { // also the first error of the writes before
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// createBeside makes a new file in the folder of path. Unlike os.CreateTemp it
// leaves the access rights to the user's umask: the file is to stay.
func createBeside(path string) (*os.File, error) {
	for {
		name := fmt.Sprintf("%s.%08x.tmp", path, rand.Uint32())
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// Header returns what a file begins with, for those who write the data behind
// it one tensor after the other and never hold all: in the order of the list,
// without gaps. Names, types and shapes are looked at, Data is not. The data
// begins at a multiple of 8.
func Header(list []Tensor, metadata map[string]string) ([]byte, error) {
	type info struct {
		Type    DType  `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header := append(make([]byte, 8), '{')
	add := func(key string, value any) error {
		k, err := json.Marshal(key)
		if err != nil {
			return err
		}
		v, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if len(header) > 9 {
			header = append(header, ',')
		}
		header = append(append(append(header, k...), ':'), v...)
		return nil
	}
	if len(metadata) > 0 {
		if err := add(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	at := 0
	seen := map[string]bool{metadataKey: true}
	for _, t := range list {
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %s: its name is taken", quote(t.Name))
		}
		seen[t.Name] = true
		size, err := t.size()
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		}
		shape := append([]int{}, t.Shape...) // a scalar's is [], not null
		if err := add(t.Name, info{t.Type, shape, [2]int{at, at + size}}); err != nil {
			return nil, err
		}
		at += size
	}
	header = append(header, '}')
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	length := len(header) - 8
	if length > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes, above the limit of %d", length, maxHeader)
	}
	binary.LittleEndian.PutUint64(header, uint64(length))
	return header, nil
}

// size is the number of bytes that t takes in a file.
func (t Tensor) size() (int, error) {
	if !utf8.ValidString(t.Name) {
		return 0, errors.New("its name is no UTF-8")
	}
	if t.Type.Size() == 0 {
		return 0, fmt.Errorf("unknown type %q", t.Type)
	}
	shape := make([]uint64, len(t.Shape))
	for i, d := range t.Shape {
		shape[i] = uint64(d) // a negative one becomes too large
	}
	_, size, err := byteSize(t.Type, shape)
	return int(size), err
}

// consistent reports what keeps t from being written.
func (t Tensor) consistent() error {
	size, err := t.size()
	if err == nil && size != len(t.Data) {
		err = fmt.Errorf("%d bytes of data for %s %v, which takes %d", len(t.Data), t.Type, t.Shape, size)
	}
	return err
}
