package photo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"image"
	"os"
	"strings"
	"testing"
	"time"
)

// manyScans is a grey progressive JPEG of w×h pixels in so many scans, all but
// the first of which change nothing: a code of 15 bits skips 16384 to 32767
// blocks.
func manyScans(w, h, scans int) []byte {
	b := []byte("\xff\xd8\xff\xdb\x00\x43\x00" + strings.Repeat("\x01", 64) + "\xff\xc2\x00\x0b\x08")
	b = binary.BigEndian.AppendUint16(b, uint16(h))
	b = binary.BigEndian.AppendUint16(b, uint16(w))
	b = append(b, "\x01\x01\x11\x00"...)
	for class, symbol := range []byte{0, 0xe0} { // DC: no difference; AC: a run of 2^14 blocks and 14 bits more
		b = append(b, 0xff, 0xc4, 0, 20, byte(class<<4), 1)
		b = append(append(b, make([]byte, 15)...), symbol)
	}
	blocks := (w + 7) / 8 * ((h + 7) / 8)
	b = append(b, "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"...)
	b = append(b, make([]byte, (blocks+7)/8)...)
	runs := (blocks + 1<<14 - 1) >> 14 // of the shortest length, code and bits all zero
	scan := append([]byte("\xff\xda\x00\x08\x01\x01\x00\x01\x01\x00"), make([]byte, (15*runs+7)/8)...)
	for range scans - 1 {
		b = append(b, scan...)
	}
	return append(b, 0xff, 0xd9)
}

func TestScans(t *testing.T) {
	for scans, want := range map[int]error{1: nil, 20: nil, maxScans - 1: nil, maxScans + 1000: ErrTooLarge, 100_000: ErrTooLarge} {
		img, _, err := Read(write(t, "a.jpg", manyScans(64, 48, scans)))
		if !errors.Is(err, want) || (err == nil) != (img != nil) {
			t.Errorf("%d scans: %v, want %v", scans, err, want)
		}
		if err != nil && !strings.HasSuffix(err.Error(), ": too large: a JPEG of more than 100 scans") {
			t.Error(err)
		}
	}
}

// TestScansAround: what looks like the beginning of a scan behind the picture,
// in a film that a telephone appends, is not one.
func TestScansAround(t *testing.T) {
	file := append(asJPEG(t, ramp(40, 30)), bytes.Repeat([]byte(startOfScan), 99_999)...)
	if _, _, err := Read(write(t, "a.jpg", file)); err != nil {
		t.Error(err)
	}
}

// TestTime has decoders read until their time is over.
func TestTime(t *testing.T) {
	m := noisy(300, 200)
	webp, err := os.ReadFile("testdata/levels.webp")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { now = time.Now }()
	withoutLibrary(func() {
		for name, file := range map[string][]byte{
			"JPEG": asJPEG(t, m), "PNG": asPNG(t, m), "BMP": asBMP(t, m), "TIFF": asTIFF(t, m),
			"GIF": asGIF(t, m, image.Pt(300, 200)), "WebP": webp,
		} {
			now = time.Now
			if _, _, err := decode(section(file), nil); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			passed := time.Duration(0)
			now = func() time.Time { // 4 s for every read
				passed += 4 * time.Second
				return time.Unix(0, 0).Add(passed)
			}
			if name == "WebP" || name == "TIFF" { // are read in few pieces
				now = func() time.Time {
					passed += maxTime / 2
					return time.Unix(0, 0).Add(passed)
				}
			}
			img, _, err := decode(section(file), nil)
			if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "took longer than 60 seconds") || img != nil {
				t.Errorf("%s: %v, %v", name, img != nil, err)
			}
		}
	})
}

// A process may be stopped for longer than a photo may take, whenever.
func TestStopped(t *testing.T) {
	defer func() { now = time.Now }()
	file := asJPEG(t, noisy(300, 200))
	withoutLibrary(func() {
		for at, calls := 1, 1; at <= calls; at++ {
			calls = 0
			now = func() time.Time {
				if calls++; calls < at {
					return time.Unix(0, 0)
				}
				return time.Unix(3600, 0)
			}
			if img, _, err := decode(section(file), nil); err != nil || img == nil || calls < 3 {
				t.Errorf("an hour before call %d of %d: %v", at, calls, err)
			}
		}
	})
}

// noisy is a picture that no format makes small.
func noisy(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	state := uint32(1)
	for i := range m.Pix {
		state = state*1664525 + 1013904223
		m.Pix[i] = uint8(state>>24) | uint8(i%4/3*255)
	}
	return m
}

// TestBombs has small files that stand for many pixels: those that the format
// cannot hold are refused unread, and a frame must lie on its canvas.
func TestBombs(t *testing.T) {
	gif := asGIF(t, ramp(40, 30), image.Pt(40, 30))
	binary.LittleEndian.PutUint16(gif[6:], 40_000)
	binary.LittleEndian.PutUint16(gif[8:], 5_000)
	animated, err := os.ReadFile("testdata/animated.webp")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(animated, []byte("ANMF")) + 8
	copy(animated[at+6:], "\xff\x3f\x00\xff\x3f\x00") // a frame of 16384×16384 pixels
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"GIF":  {gif, "truncated"},
		"WebP": {animated, "broken file: WebP animation"},
		"PNG":  {append(pngHeader(10_000, 10_000), make([]byte, 1000)...), "truncated"},
	} {
		took := allocated(func() { _, _, err = decode(section(c.file), nil) })
		if err == nil || !strings.Contains(err.Error(), c.want) || took > 1<<20 {
			t.Errorf("%s: %v, %d bytes taken", name, err, took)
		}
	}
}

// BenchmarkHostile decodes what takes longest for its size within the limits on
// pixels and scans.
func BenchmarkHostile(b *testing.B) {
	const w, h = 40_000, 5_000
	for name, file := range map[string]func() []byte{
		"scans": func() []byte { return manyScans(w, h, maxScans) },
		"PNG":   func() []byte { return solidPNG(w, h) },
	} {
		b.Run(name, func(b *testing.B) {
			file := file()
			b.ReportMetric(float64(len(file)), "bytes")
			for b.Loop() {
				if _, _, err := decode(section(file), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// solidPNG is a black PNG in colour.
func solidPNG(w, h int) []byte {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	row := make([]byte, 1+3*w)
	for range h {
		_, _ = z.Write(row)
	}
	_ = z.Close()
	b := append(pngHeader(uint32(w), uint32(h)), pngChunk("IDAT", packed.Bytes())...)
	return append(b, pngChunk("IEND", nil)...)
}
