package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

const (
	headerStart = 8         // the u64 before the header
	maxHeader   = 100 << 20 // as the reference reader's bound, in bytes
	metadataKey = "__metadata__"
)

// parse checks the whole header and returns a file whose tensors alias data.
func parse(name string, data []byte) (*File, error) {
	if len(data) < headerStart {
		return nil, fmt.Errorf("%d bytes are too few for a header length", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	switch rest := uint64(len(data) - headerStart); {
	case n > maxHeader:
		return nil, fmt.Errorf("a header of %d bytes, above the limit of %d; this is not a safetensors file", n, maxHeader)
	case n > rest:
		return nil, fmt.Errorf("a header of %d bytes, but only %d follow; the file is cut off or is no safetensors file", n, rest)
	}
	header, body := data[headerStart:headerStart+n], data[headerStart+n:]

	h := &headerReader{dec: json.NewDecoder(bytes.NewReader(header)), seen: map[string]bool{}}
	h.dec.UseNumber()
	if err := h.read(); err != nil {
		return nil, err
	}
	slices.SortFunc(h.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	f := &File{
		tensors:  make([]Tensor, len(h.entries)),
		index:    make(map[string]int, len(h.entries)),
		metadata: h.metadata,
	}
	at := uint64(0)
	for i, e := range h.entries {
		if err := e.check(at, uint64(len(body))); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", quote(e.name), err)
		}
		f.tensors[i] = Tensor{Name: e.name, Type: e.dtype, Shape: e.shape, Data: body[e.begin:e.end:e.end], file: name}
		f.index[e.name] = i
		at = e.end
	}
	if at != uint64(len(body)) {
		return nil, fmt.Errorf("%d bytes after the last tensor belong to nothing", uint64(len(body))-at)
	}
	return f, nil
}

// An entry is what the header says of one tensor.
type entry struct {
	name       string
	dtype      DType
	shape      []int
	size       uint64 // bytes that dtype and shape ask for
	begin, end uint64 // byte range after the header
}

// check compares the range of e with its shape, with the end of the tensor
// before it and with the bytes there are.
func (e entry) check(before, total uint64) error {
	switch {
	case e.begin > e.end:
		return fmt.Errorf("its data ends at byte %d, before it begins at %d", e.end, e.begin)
	case e.end > total:
		return fmt.Errorf("its data ends at byte %d of %d; the file is cut off or its header is wrong", e.end, total)
	case e.end-e.begin != e.size:
		return fmt.Errorf("%d bytes of data for %s %v, which takes %d", e.end-e.begin, e.dtype, e.shape, e.size)
	case e.begin < before:
		return fmt.Errorf("its data overlaps that of another tensor by %d bytes", before-e.begin)
	case e.begin > before:
		return fmt.Errorf("%d bytes before its data belong to nothing", e.begin-before)
	}
	return nil
}

// headerReader walks the JSON token by token: decoding into a map would keep
// only the last of two tensors of one name.
type headerReader struct {
	dec      *json.Decoder
	entries  []entry
	seen     map[string]bool
	metadata map[string]string
}

func (h *headerReader) read() error {
	err := h.object(func(key string) error {
		if h.seen[key] {
			return fmt.Errorf("tensor %s: its name stands in the header twice", quote(key))
		}
		h.seen[key] = true
		if key == metadataKey {
			return h.readMetadata()
		}
		if err := h.readEntry(key); err != nil {
			return fmt.Errorf("tensor %s: %w", quote(key), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch tok, err := h.dec.Token(); {
	case err == nil:
		return fmt.Errorf("the header goes on after its end, with %v", tok)
	case err != io.EOF:
		return fmt.Errorf("the header goes on after its end: %w", err)
	}
	return nil
}

func (h *headerReader) readMetadata() error {
	h.metadata = map[string]string{}
	err := h.object(func(key string) error {
		tok, err := h.token()
		if err != nil {
			return err
		}
		value, ok := tok.(string)
		if !ok {
			return fmt.Errorf("%s is no string", quote(key))
		}
		h.metadata[key] = value
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", metadataKey, err)
	}
	return nil
}

func (h *headerReader) readEntry(name string) error {
	e := entry{name: name}
	var shape, offsets []uint64
	fields := map[string]bool{}
	err := h.object(func(key string) (err error) {
		if fields[key] {
			return fmt.Errorf("field %s stands there twice", quote(key))
		}
		fields[key] = true
		switch key {
		case "dtype":
			e.dtype, err = h.readDType()
		case "shape":
			shape, err = h.numbers()
		case "data_offsets":
			if offsets, err = h.numbers(); err == nil && len(offsets) != 2 {
				err = fmt.Errorf("%d numbers instead of begin and end", len(offsets))
			}
		default:
			err = errors.New("unknown field")
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", clip(key), err)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !fields[key] {
			return fmt.Errorf("%s is missing", key)
		}
	}
	e.begin, e.end = offsets[0], offsets[1]
	if e.shape, e.size, err = byteSize(e.dtype, shape); err != nil {
		return err
	}
	h.entries = append(h.entries, e)
	return nil
}

// byteSize multiplies a shape out, refusing what does not fit an int.
func byteSize(t DType, shape []uint64) ([]int, uint64, error) {
	dims := make([]int, len(shape))
	size := uint64(t.Size())
	for i, d := range shape {
		hi, lo := bits.Mul64(size, d)
		if hi != 0 || lo > math.MaxInt || d > math.MaxInt {
			return nil, 0, fmt.Errorf("shape %s is too large to count", clip(fmt.Sprint(shape)))
		}
		dims[i], size = int(d), lo
	}
	return dims, size, nil
}

func (h *headerReader) readDType() (DType, error) {
	tok, err := h.token()
	if err != nil {
		return "", err
	}
	name, ok := tok.(string)
	if !ok || DType(name).Size() == 0 {
		return "", fmt.Errorf("unknown type %s", quote(fmt.Sprint(tok)))
	}
	return DType(name), nil
}

// numbers reads an array of whole numbers in [0, 2^63).
func (h *headerReader) numbers() ([]uint64, error) {
	if err := h.delim('['); err != nil {
		return nil, err
	}
	var list []uint64
	for h.dec.More() {
		tok, err := h.token()
		if err != nil {
			return nil, err
		}
		text, ok := tok.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%s is no number", quote(fmt.Sprint(tok)))
		}
		n, err := strconv.ParseUint(text.String(), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%s is no whole number from 0 to 2^63-1", clip(text.String()))
		}
		list = append(list, n)
	}
	return list, h.delim(']')
}

// object calls field at every key of an object; field reads the value.
func (h *headerReader) object(field func(key string) error) error {
	if err := h.delim('{'); err != nil {
		return err
	}
	for h.dec.More() {
		key, err := h.token()
		if err != nil {
			return err
		}
		if err := field(key.(string)); err != nil { // the decoder lets only strings be keys
			return err
		}
	}
	return h.delim('}')
}

func (h *headerReader) delim(want json.Delim) error {
	tok, err := h.token()
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("the header has %s where %s belongs", quote(fmt.Sprint(tok)), want)
	}
	return nil
}

func (h *headerReader) token() (json.Token, error) {
	tok, err := h.dec.Token()
	switch {
	case err == io.EOF:
		return nil, errors.New("the header ends too early")
	case err != nil:
		return nil, fmt.Errorf("the header is no JSON: %w", err)
	}
	return tok, nil
}

// quote and clip keep names of hostile length out of messages.
func quote(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
