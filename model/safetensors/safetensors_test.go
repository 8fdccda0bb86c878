package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// file builds a file of a header and n zero bytes of data.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

// floats makes an F32 tensor.
func floats(name string, shape []int, values ...float32) Tensor {
	t := Tensor{Name: name, Type: F32, Shape: shape}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
	return t
}

var badFiles = []struct {
	name string
	data []byte
	want string // part of the message
}{
	{"empty", nil, "0 bytes are too few"},
	{"short", make([]byte, 7), "7 bytes are too few"},
	{"no header", make([]byte, 8), "the header ends too early"},
	{"header length 2^64-1", bytes.Repeat([]byte{255}, 64), "above the limit"},
	{"header above the limit", binary.LittleEndian.AppendUint64(nil, maxHeader+1), "above the limit"},
	{"header beyond the end", binary.LittleEndian.AppendUint64(nil, 99), "only 0 follow"},
	{"text", []byte("version https://git-lfs.github.com/spec/v1"), "not a safetensors file"},
	{"no JSON", file(`{"a" 1}`, 0), "header is no JSON"},
	{"array", file(`[1]`, 0), `"[" where {`},
	{"number", file(`5`, 0), `"5" where {`},
	{"deep", file(strings.Repeat("[", 1<<16), 0), `"[" where {`},
	{"open", file(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}`, 4), "ends too early"},
	{"two objects", file(`{}{}`, 0), "goes on after its end"},
	{"junk after", file(`{} x`, 0), "goes on after its end"},
	{"comma", file(`{"a":{"dtype":"F32","shape":[1,],"data_offsets":[0,4]}}`, 4), "no JSON"},
	{"entry is a string", file(`{"a":"F32"}`, 4), `tensor "a": the header has "F32" where {`},
	{"entry is null", file(`{"a":null}`, 4), `tensor "a": `},
	{"no dtype", file(`{"a":{"shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "a": dtype is missing`},
	{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), `tensor "a": shape is missing`},
	{"no range", file(`{"a":{"dtype":"F32","shape":[1]}}`, 4), `tensor "a": data_offsets is missing`},
	{"unknown dtype", file(`{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "a": dtype: unknown type "F4"`},
	{"dtype is a number", file(`{"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "a": dtype: unknown type "4"`},
	{"unknown field", file(`{"a":{"dtype":"F32","x":1}}`, 4), `tensor "a": x: unknown field`},
	{"field twice", file(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `field "dtype" stands there twice`},
	{"shape is a number", file(`{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}`, 4), `tensor "a": shape: `},
	{"negative shape", file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), `tensor "a": shape: -1 is no whole number`},
	{"fraction", file(`{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4), `tensor "a": shape: 1.0 is no whole number`},
	{"shape 2^63", file(`{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}`, 4), `tensor "a": shape: 9223372036854775808 is no whole number`},
	{"shape overflow", file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}`, 4), `tensor "a": shape [4294967296 4294967296 4] is too large`},
	{"shape overflow to 0", file(`{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}`, 0), "is too large"},
	{"shape of 2^63 bytes", file(`{"a":{"dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,4]}}`, 4), "is too large"},
	{"negative begin", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4), `tensor "a": data_offsets: -4 is no whole number`},
	{"end 2^64", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551620]}}`, 4), `18446744073709551620 is no whole number`},
	{"one offset", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, 4), "1 numbers instead of begin and end"},
	{"end before begin", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), `tensor "a": its data ends at byte 0, before`},
	{"beyond the end", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), `tensor "a": its data ends at byte 8 of 4`},
	{"too few bytes", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), `tensor "a": 4 bytes of data for F32 [2], which takes 8`},
	{"overlap", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `tensor "b": its data overlaps that of another tensor by 4 bytes`},
	{"overlap of a byte", file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), `tensor "b": its data overlaps that of another tensor by 1 bytes`},
	{"gap", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12), `tensor "b": 4 bytes before its data`},
	{"gap at the front", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `tensor "a": 4 bytes before its data`},
	{"trailing data", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 5), "1 bytes after the last tensor"},
	{"name twice", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `tensor "a": its name stands in the header twice`},
	{"same name escaped", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `tensor "a": its name stands in the header twice`},
	{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
	{"metadata is a list", file(`{"__metadata__":[]}`, 0), "__metadata__: "},
	{"metadata number", file(`{"__metadata__":{"a":1}}`, 0), `__metadata__: "a" is no string`},
	{"line break in a name", file(`{"a\nb":{"dtype":"F32"}}`, 0), `tensor "a\nb": shape is missing`},
	{"endless name", file(`{"`+strings.Repeat("a", 1<<20)+`":{}}`, 0), `aaa…": dtype is missing`},
}

func TestBadFile(t *testing.T) {
	for _, c := range badFiles {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse("model.safetensors", c.data)
			if err == nil {
				t.Fatalf("accepted with tensors %q", f.Names())
			}
			msg := err.Error()
			if !strings.HasPrefix(msg, "read weights model.safetensors: ") || !strings.Contains(msg, c.want) {
				t.Errorf("message %q does not say %q", msg, c.want)
			}
			if strings.ContainsAny(msg, "\n\r") || len(msg) > 400 {
				t.Errorf("message is no single line of sensible length: %q", msg)
			}
		})
	}
}

// Sizes that a header only claims must not be allocated.
func TestBadFileTakesNoMemory(t *testing.T) {
	for _, c := range badFiles {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Parse("x", c.data)
		runtime.ReadMemStats(&after)
		if took, limit := after.TotalAlloc-before.TotalAlloc, uint64(64<<10+32*len(c.data)); took > limit {
			t.Errorf("%s: %d bytes allocated for a file of %d", c.name, took, len(c.data))
		}
	}
}

func TestParse(t *testing.T) {
	header := ` {"x":{"dtype":"I64","shape":[1],"data_offsets":[6,14]},"__metadata__":{"format":"pt"},` +
		`"s":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},"e":{"dtype":"F32","shape":[3,0],"data_offsets":[2,2]},"h":{"dtype":"F16","shape":[2,1],"data_offsets":[2,6]}} `
	data := file(header, 14)
	copy(data[8+len(header):], "\x80\x3f\x00\x3c\x00\xc0")
	f, err := Parse("m", data)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Names(), []string{"s", "e", "h", "x"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if got := f.Metadata(); !maps.Equal(got, map[string]string{"format": "pt"}) {
		t.Errorf("metadata %v", got)
	}
	for name, want := range map[string][]float32{"s": {1}, "e": {}, "h": {1, -2}} {
		tensor, ok := f.Tensor(name)
		got, err := tensor.Floats(nil)
		if !ok || err != nil || !slices.Equal(got, want) || tensor.Len() != len(want) {
			t.Errorf("%s: %v, %v, length %d; want %v", name, got, err, tensor.Len(), want)
		}
	}
	h, _ := f.Tensor("h")
	row := []float32{0}
	if err := h.Row(row, 1); err != nil || row[0] != -2 {
		t.Errorf("row 1: %v, %v", row, err)
	}
	if _, ok := f.Tensor("y"); ok {
		t.Error("an absent tensor was found")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestNotNumbers(t *testing.T) {
	f, err := Parse("m.safetensors", file(`{"i":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]},"v":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16))
	if err != nil {
		t.Fatal(err)
	}
	i, _ := f.Tensor("i")
	v, _ := f.Tensor("v")
	_, floats := i.Floats(nil)
	for what, err := range map[string]error{
		"i: type I64 is not read as numbers":          floats,
		"i: type I64 is not read":                     i.Row(make([]float32, 1), 0),
		"v: no row 0 of 2 values in shape [2]":        v.Row(make([]float32, 2), 0),
		"x: no row 3 of 1 values in shape [3 1]":      Tensor{Name: "x", Type: F32, Shape: []int{3, 1}, Data: make([]byte, 12)}.Row(make([]float32, 1), 3),
		"x: no row -1 of 1 values in shape [3 1]":     Tensor{Name: "x", Type: F32, Shape: []int{3, 1}, Data: make([]byte, 12)}.Row(make([]float32, 1), -1),
		"x: no row 0 of 2 values in shape [3 1]":      Tensor{Name: "x", Type: F32, Shape: []int{3, 1}, Data: make([]byte, 12)}.Row(make([]float32, 2), 0),
		"x: 4 bytes of data for shape [3 1]":          Tensor{Name: "x", Type: F32, Shape: []int{3, 1}, Data: make([]byte, 4)}.Row(make([]float32, 1), 0),
		"x: no row 0 of 0 values in shape [3 1]":      Tensor{Name: "x", Type: F32, Shape: []int{3, 1}, Data: make([]byte, 12)}.Row(nil, 0),
		"x: type  is not read as numbers; it must be": Tensor{Name: "x"}.Row(nil, 0),
	} {
		name, rest, _ := strings.Cut(what, ": ")
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("tensor %q: %s", name, rest)) {
			t.Errorf("error %v, want %s", err, what)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	want := []Tensor{
		floats("w", []int{2, 3}, 1, -2, 3.5, float32(math.Inf(1)), 0, 1e-40),
		floats("scale", nil, 4.76),
		floats("empty", []int{0, 7}),
		{Name: "odd \"name\"\n<&>é", Type: "U8", Shape: []int{3}, Data: []byte{1, 2, 3}},
		{Name: "half", Type: F16, Shape: []int{1}, Data: []byte{0, 0x3c}},
		{Name: "ids", Type: "I64", Shape: []int{1}, Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
	}
	metadata := map[string]string{"format": "pt", "a\nb": "ü"}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	for range 2 { // the second time over the first file
		if err := Write(path, want, metadata); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Names()) != len(want) || !maps.Equal(f.Metadata(), metadata) {
		t.Errorf("names %q, metadata %q", f.Names(), f.Metadata())
	}
	for _, w := range want {
		g, ok := f.Tensor(w.Name)
		if !ok || g.Type != w.Type || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(g.Data, w.Data) {
			t.Errorf("%q: %s %v %v, want %s %v %v", w.Name, g.Type, g.Shape, g.Data, w.Type, w.Shape, w.Data)
		}
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("temporary files are left: %v", files)
	}
}

// The reference writer's own files come out the same, byte for byte. Its metadata
// have no order of their own: files with several entries are left out.
func TestWriteAsReference(t *testing.T) {
	for _, path := range golden(t) {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Metadata()) > 1 {
			f.Close()
			continue
		}
		var tensors []Tensor
		for _, name := range f.Names() {
			tensor, _ := f.Tensor(name)
			tensors = append(tensors, tensor)
		}
		slices.Reverse(tensors)
		copied := filepath.Join(t.TempDir(), "copy")
		if err := Write(copied, tensors, f.Metadata()); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(copied); !bytes.Equal(got, want) {
			t.Errorf("%s: the copy differs", path)
		}
		f.Close()
	}
}

func golden(t testing.TB) []string {
	paths, err := filepath.Glob("../testdata/golden/hf/*/*.safetensors")
	if err != nil || len(paths) < 10 {
		t.Fatalf("golden files: %q, %v", paths, err)
	}
	return paths
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m")
	for want, tensors := range map[string][]Tensor{
		`tensor "a": its name is taken`:            {floats("a", []int{1}, 1), floats("a", []int{1}, 1)},
		`tensor "__metadata__": its name is taken`: {floats("__metadata__", []int{1}, 1)},
		`unknown type "F99"`:                       {{Name: "a", Type: "F99"}},
		`4 bytes of data for F32 [2]`:              {floats("a", []int{2}, 1)},
		`is too large`:                             {floats("a", []int{-1}, 1)},
		`its name is no UTF-8`:                     {floats("a\xff", []int{1}, 1)},
	} {
		if err := Write(path, tensors, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if err := Write(filepath.Join(dir, "absent", "m"), nil, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder absent: %v", err)
	}
	if err := Write(dir, nil, nil); err == nil { // rename over a folder fails
		t.Error("a folder was replaced")
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("temporary files are left: %v", files)
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "absent.safetensors"))
	if !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), "absent.safetensors") != 1 {
		t.Errorf("absent: %v", err)
	}
	if _, err = Open(dir); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("folder: %v", err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(empty); err == nil || !strings.Contains(err.Error(), "it has 0 bytes") {
		t.Errorf("empty: %v", err)
	}
}

// A file cut by another program while it is mapped gives an error, not a crash.
func TestTruncatedWhileMapped(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let a mapped file be shortened")
	}
	const rows, cols = 64, 4096
	path := filepath.Join(t.TempDir(), "m")
	if err := Write(path, []Tensor{{Name: "w", Type: F16, Shape: []int{rows, cols}, Data: make([]byte, 2*rows*cols)}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, _ := f.Tensor("w")
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	_, all := w.Floats(nil)
	w.Type = F32 // the other copy loop
	w.Shape = []int{rows, cols / 2}
	for _, err := range []error{
		all,
		w.Row(make([]float32, cols/2), rows-1),
		Write(path+"2", []Tensor{w}, nil),
	} {
		if err == nil || !strings.Contains(err.Error(), `tensor "w": its data is gone`) {
			t.Errorf("error %v", err)
		}
	}
	defer func() {
		if recover() != "bug" {
			t.Error("guard swallowed a panic that is no fault")
		}
	}()
	guard(func() { panic("bug") })
}

func TestSample(t *testing.T) {
	x := Tensor{Type: "U8", Shape: []int{10}, Data: []byte("abcdefghij")}
	var got []string
	if err := x.Sample(2, func(part []byte) { got = append(got, string(part)) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"ab", "ef", "ij"}; !slices.Equal(got, want) {
		t.Errorf("samples %q, want %q", got, want)
	}
	got = nil
	if err := x.Sample(99, func(part []byte) { got = append(got, string(part)) }); err != nil || got[0] != "abcdefghij" {
		t.Errorf("samples beyond the data: %q, %v", got, err)
	}
}
