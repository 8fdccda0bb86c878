package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"strings"
	"testing"
	"time"
)

// TestReadRaw: of every format the largest preview, turned once, and the
// smallest as the thumbnail.
func TestReadRaw(t *testing.T) {
	want := upright(ramp(120, 80), int(shotTurn))
	taken := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for name, file := range rawFiles(t) {
		path := write(t, "a.raw", file)
		img, info, err := Read(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		format, _, _ := strings.Cut(name, " ")
		if info.Format != format || info.Width != 80 || info.Height != 120 || info.Orientation != int(shotTurn) || info.Memory < 80*120 {
			t.Errorf("%s: %+v", name, info)
		}
		if !info.Taken.Equal(taken) {
			t.Errorf("%s: taken %v", name, info.Taken)
		}
		if d := apart(t, img, want); d > 6 {
			t.Errorf("%s: %d levels apart", name, d)
		}
		if stat, err := Stat(path); err != nil || stat != info {
			t.Errorf("%s: stat %+v, %v, want %+v", name, stat, err, info)
		}
		small, ok := Thumbnail(path)
		if alone := strings.Contains(name, "NEF with") || strings.Contains(name, "old"); ok == alone {
			t.Errorf("%s: thumbnail %v, but only one picture %v", name, ok, alone)
		}
		if ok && name != "NEF" && small.Bounds() != image.Rect(0, 0, 11, 16) { // of 12×16, cut to the aspect
			t.Errorf("%s: thumbnail %v", name, small.Bounds())
		}
	}
}

// TestReadRawOwn: where the file does not say, the preview's EXIF block does.
func TestReadRawOwn(t *testing.T) {
	p := newParts(t)
	f := newTIFF("IIU\x00")
	file := f.file(f.directory(0, tag{tagPanasonicJPEG, p.turned(p.full)}))
	if info, err := Stat(write(t, "a.rw2", file)); err != nil || info.Orientation != 6 || info.Taken.IsZero() {
		t.Errorf("%+v, %v", info, err)
	}
	// An orientation of the file counts even where it says upright.
	f = newTIFF("IIU\x00")
	file = f.file(f.directory(0, tag{tagPanasonicJPEG, p.turned(p.full)}, tag{tagOrientation, uint16(1)}))
	if info, err := Stat(write(t, "a.rw2", file)); err != nil || info.Orientation != 1 || info.Width != 120 {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestReadRawNames: a TIFF file is a picture unless it has a sensor's data.
func TestReadRawNames(t *testing.T) {
	p := newParts(t)
	build := func(tags ...tag) []byte {
		f := newTIFF("II*\x00")
		return f.file(f.directory(0, join(tags, f.picture(tagThumbnail, tagThumbnailLength, p.full))...))
	}
	for name, file := range map[string][]byte{
		"RAW": build(tag{tagPhotometric, uint16(32803)}),
		"PEF": build(tag{tagPhotometric, uint16(34892)}, tag{tagMake, "PENTAX"}),
		"ARW": build(tag{tagCompression, uint16(32767)}, tag{tagMake, "Sony"}),
		"DNG": build(tag{tagDNGVersion, uint32(1)}, tag{tagMake, "SONY"}),
	} {
		if info, err := Stat(write(t, "a.tif", file)); err != nil || info.Format != name {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	picture := asTIFF(t, ramp(9, 7))
	if info, err := Stat(write(t, "a.nef", picture)); err != nil || info.Format != "TIFF" {
		t.Errorf("a TIFF picture: %+v, %v", info, err)
	}
	if _, err := Stat(write(t, "a.tif", build(tag{tagMake, "NIKON CORPORATION"}, tag{tagPhotometric, uint16(2)}))); err == nil {
		t.Error("a TIFF file without a picture was taken for a raw file")
	}
}

// TestReadRawBroken has raw files that lie. Every one ends at once, with the
// next best preview or one line.
func TestReadRawBroken(t *testing.T) {
	p := newParts(t)
	for name, c := range map[string]struct {
		file  []byte
		width int // of the preview that is left
		is    error
		text  string
	}{
		"no preview":            {rawWith(), 0, ErrUnsupported, "NEF without a JPEG preview is not supported; convert it to JPEG"},
		"only sensor data":      {rawWith(tag{tagThumbnail, sensorJPEG}), 0, ErrUnsupported, ""},
		"no JPEG":               {rawWith(tag{tagThumbnail, bytes.Repeat([]byte("text"), 99)}), 0, ErrUnsupported, ""},
		"beyond the end":        {rawWith(tag{tagThumbnail, uint32(1 << 31)}, tag{tagThumbnailLength, uint32(5000)}), 0, ErrTruncated, "truncated: the preview of this NEF is missing"},
		"4 GB":                  {rawWith(tag{tagThumbnail, uint32(8)}, tag{tagThumbnailLength, uint32(1<<32 - 1)}), 0, ErrTruncated, ""},
		"of nothing":            {rawWith(tag{tagThumbnail, uint32(8)}, tag{tagThumbnailLength, uint32(0)}), 0, ErrUnsupported, ""},
		"next is itself":        {loop(p, 1), 60, nil, ""},
		"1000 directories":      {loop(p, 1000), 60, nil, ""},
		"SubIFD is its parent":  {subLoop(p), 60, nil, ""},
		"RAF without the JPEG":  {p.raf()[:0x90], 0, ErrTruncated, ""},
		"RAF header":            {p.raf()[:0x40], 0, ErrUnsupported, "RAF without"},
		"CR3 without moov":      {p.cr3()[:24], 0, ErrUnsupported, "CR3 without"},
		"CR3 cut in the sample": {p.cr3()[:len(p.cr3())-2000], 60, nil, ""},
		"CR3 box of 4 GB":       {lie(p.cr3(), "moov", -4, 0xff), 0, ErrTruncated, "truncated: the preview of this CR3 is missing"},
		"CR3 box of no size":    {lie(p.cr3(), "moov", -4, 0), 0, ErrUnsupported, ""},
		"endless boxes":         {append(p.cr3()[:24], bytes.Repeat([]byte("\x00\x00\x00\x08free"), 1<<17)...), 0, ErrUnsupported, ""},
		"too large":             {large(), 0, ErrUnsupported, ""},
	} {
		img, info, err := Read(write(t, "a.nef", c.file))
		if c.is == nil {
			if err != nil || min(info.Width, info.Height) != c.width*2/3 || img == nil {
				t.Errorf("%s: %+v, %v, want %d pixels across", name, info, err, c.width)
			}
			continue
		}
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %+v, %v, want %v", name, info, err, c.is)
		}
	}
}

// rawWith returns a NEF with the given tags in its first directory; a preview
// that is a value becomes a pair of tags.
func rawWith(tags ...tag) []byte {
	f := newTIFF("MM\x00*")
	all := join([]tag{{tagMake, "NIKON CORPORATION"}}, f.sensorTags())
	for _, v := range tags {
		if b, ok := v.value.([]byte); ok {
			all = append(all, f.picture(tagThumbnail, tagThumbnailLength, b)...)
			continue
		}
		all = append(all, v)
	}
	return f.file(f.directory(0, all...))
}

// loop returns a NEF with n directories in a chain whose last one points to the
// first. The preview is in that.
func loop(p parts, n int) []byte {
	f := newTIFF("MM\x00*")
	tags := join([]tag{{tagMake, "NIKON CORPORATION"}}, f.sensorTags(), f.picture(tagThumbnail, tagThumbnailLength, p.middle))
	first := f.reserve(len(tags))
	next := first
	for range n - 1 {
		next = f.directory(next)
	}
	d := f.encode(next, tags)
	copy(f.b[first:], d)
	return f.file(first)
}

// subLoop returns a NEF whose first directory is its own SubIFD, and the next.
func subLoop(p parts) []byte {
	f := newTIFF("MM\x00*")
	tags := join([]tag{{tagMake, "NIKON CORPORATION"}}, f.sensorTags(), f.picture(tagThumbnail, tagThumbnailLength, p.middle))
	first := f.reserve(len(tags) + 1)
	f.fill(first, append(tags, tag{tagSubIFDs, []uint32{first, first, first}})...)
	return f.file(first)
}

// large returns a NEF whose preview has more pixels than are opened.
func large() []byte {
	b := bytes.Clone(sensorJPEG)
	at := bytes.Index(b, []byte{0xff, 0xc3})
	b[at+1] = 0xc0
	b[at+4] = 8 // bits
	binary.BigEndian.PutUint16(b[at+5:], 60_000)
	binary.BigEndian.PutUint16(b[at+7:], 60_000)
	return rawWith(tag{tagThumbnail, b})
}

// lie changes the first byte at an offset from the first occurrence of a text.
func lie(file []byte, text string, offset int, value byte) []byte {
	at := bytes.Index(file, []byte(text)) + offset
	if value == 0 {
		copy(file[at:at+4], "\x00\x00\x00\x00")
		file[at+3] = 4 // smaller than its own head
	} else {
		file[at] = value
	}
	return file
}

// TestReadRawCut cuts raw files anywhere: a picture that is whole, or an error.
func TestReadRawCut(t *testing.T) {
	for name, file := range rawFiles(t) {
		for n := 0; n < len(file); n += 1 + len(file)/100 {
			img, info, err := decode(section(file[:n]), nil)
			if (err == nil) != (img != nil) {
				t.Fatalf("%s cut at %d: %v, %v", name, n, img != nil, err)
			}
			if err == nil && img.Bounds() != image.Rect(0, 0, info.Width, info.Height) {
				t.Errorf("%s cut at %d: %v, %+v", name, n, img.Bounds(), info)
			}
		}
	}
}

func TestIsRaw(t *testing.T) {
	for name, want := range map[string]bool{
		"a.cr2": true, "b.CR3": true, "c.nef": true, "d.nrw": true, "e.ARW": true, "f.dng": true, "g.orf": true, "h.rw2": true,
		"i.raf": true, "j.Pef": true, "k.srw": true, "a.jpg": false, "a.nef.xmp": false, "nef": false, "": false,
	} {
		if IsRaw(name) != want || want && !IsPhoto(name) {
			t.Errorf("%q: %v, photo %v", name, IsRaw(name), IsPhoto(name))
		}
	}
}
