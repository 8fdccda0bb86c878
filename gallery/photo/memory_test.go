package photo

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigla/internal/require"
)

// checkMemory reads a file and compares what it takes with what was said.
func checkMemory(t *testing.T, name string, file []byte) {
	t.Helper()
	path := write(t, "a.jpg", file)
	var info Info
	var err error
	taken := allocated(func() { _, info, err = Read(path) })
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	const spare = 1 << 18 // buffers and tables of decoders
	if taken > info.Memory+info.Memory/8+spare || info.Memory > 5*taken/2 {
		t.Errorf("%s: takes %d bytes, estimated %d", name, taken, info.Memory)
	}
}

func TestMemory(t *testing.T) {
	m, small := ramp(803, 601), ramp(401, 301)
	grey, solid := image.NewGray(m.Rect), image.NewRGBA64(m.Rect)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			grey.Set(x, y, m.At(x, y))
			solid.SetRGBA64(x, y, color.RGBA64{uint16(x), uint16(y), 999, 65535})
		}
	}
	turned := exifFile{binary.LittleEndian, 6, "", "", nil}.block()
	for name, file := range map[string][]byte{
		"JPEG": asJPEG(t, m), "grey JPEG": asJPEG(t, grey), "turned JPEG": withSegment(asJPEG(t, m), turned), "even turned JPEG": withSegment(asJPEG(t, ramp(800, 600)), turned),
		"PNG": asPNG(t, m), "grey PNG": asPNG(t, grey), "PNG of 16 bits": asPNG(t, solid),
		"BMP": asBMP(t, m), "TIFF": asTIFF(t, m), "GIF": asGIF(t, small, small.Rect.Size()),
	} {
		checkMemory(t, name, file)
	}
	for name, size := range map[string]int64{ // by Pillow 13, of 64×48 pixels
		"progressive.jpg": 5 * 64 * 48 * 3 / 2, "cmyk.jpg": 8 * 64 * 48, "rgb.jpg": 7 * 64 * 48,
	} {
		if info, err := Stat(filepath.Join("testdata", name)); err != nil || info.Memory != size {
			t.Errorf("%s: %+v, %v, want %d bytes", name, info, err, size)
		}
	}
}

// TestMemoryLarge: most of these photos are progressive.
func TestMemoryLarge(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(require.Data(t, "large"), "*.jpg"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no photos", err)
	}
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		checkMemory(t, filepath.Base(path), file)
	}
}

// TestMemoryFrames has frame headers that lie.
func TestMemoryFrames(t *testing.T) {
	whole := asJPEG(t, ramp(9, 7))
	at := strings.Index(string(whole), "\xff\xc0")
	for _, change := range []struct {
		at    int
		value byte
	}{{11, 0}, {11, 0xff}, {14, 0xff}, {9, 0}, {9, 255}, {2, 255}, {3, 3}} {
		file := bytes.Clone(whole)
		file[at+change.at] = change.value
		f := found{r: section(file), width: 9, height: 7}
		if planes, coefficients := f.planes(); planes < 9*7 || coefficients < 0 {
			t.Errorf("%+v: %d, %d", change, planes, coefficients)
		}
	}
}
