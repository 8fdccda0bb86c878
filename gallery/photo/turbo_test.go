//go:build turbo

package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sigla/internal/require"
)

// library returns libjpeg-turbo, which a test needs.
func library(t testing.TB) *turboJPEG {
	t.Helper()
	lib, err := turbo()
	if err != nil {
		require.Missing(t, "turbojpeg", err.Error())
	}
	return lib
}

// withoutLibrary calls f as if the library were not here.
func withoutLibrary(f func()) {
	saved := turbo
	defer func() { turbo = saved }()
	turbo = func() (*turboJPEG, error) { return nil, errors.New("not here") }
	f()
}

// at returns an Enough that takes nothing smaller than w×h.
func at(w, h int) Enough { return func(x, y int) bool { return x >= w && y >= h } }

// TestTurboFull compares with Go's decoder. The transforms round differently,
// and libjpeg-turbo interpolates chroma where Go repeats it, so that in smooth
// pictures 4 levels lie between them. That pixels equal those of libjpeg itself
// is tested against Pillow in package cli.
func TestTurboFull(t *testing.T) {
	library(t)
	grey := image.NewGray(image.Rect(0, 0, 203, 101))
	draw.Draw(grey, grey.Rect, ramp(203, 101), image.Point{}, draw.Src)
	for name, file := range map[string][]byte{"colour": asJPEG(t, ramp(203, 101)), "grey": asJPEG(t, grey), "1×1": asJPEG(t, ramp(1, 1))} {
		checkTurbo(t, name, file, 4)
	}
	for name, most := range map[string]int{"progressive.jpg": 40, "rgb.jpg": 2} {
		file, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		checkTurbo(t, name, file, most)
	}
}

func checkTurbo(t *testing.T, name string, file []byte, most int) {
	t.Helper()
	f, _, err := header(section(file))
	if err != nil {
		t.Fatal(err)
	}
	img := f.reduced(nil)
	if img == nil {
		t.Errorf("%s: not decoded by libjpeg-turbo", name)
		return
	}
	want, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	b := want.Bounds()
	if d := apart(t, scaled(img, (b.Dx()+3)/4, (b.Dy()+3)/4), scaled(want, (b.Dx()+3)/4, (b.Dy()+3)/4)); d > 6 {
		t.Errorf("%s: %d levels apart at a quarter", name, d)
	}
	if d := apart(t, img, want); d > most {
		t.Errorf("%s: %d levels apart", name, d)
	}
}

// TestTurboReduced reads a photo in all orientations at all scales: it has the
// size that is rounded up and the colours of the whole.
func TestTurboReduced(t *testing.T) {
	library(t)
	file := asJPEG(t, ramp(805, 603))
	for orientation := 1; orientation <= 8; orientation++ {
		path := write(t, "a.jpg", withSegment(file, exifFile{order: binary.LittleEndian, orientation: uint16(orientation)}.block()))
		whole, _, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		for scale, want := range map[int]image.Point{1: {101, 76}, 2: {202, 151}, 4: {403, 302}, 8: {805, 603}} {
			if orientation >= 5 {
				want.X, want.Y = want.Y, want.X
			}
			img, info, err := ReadFor(path, at(want.X, want.Y))
			if err != nil || img.Bounds() != (image.Rectangle{Max: want}) || image.Pt(info.Width, info.Height) != whole.Bounds().Size() {
				t.Fatalf("orientation %d, scale %d: %v, %+v, %v", orientation, scale, img.Bounds(), info, err)
			}
			if d := apart(t, scaled(img, 50, 40), scaled(whole, 50, 40)); d > 4 {
				t.Errorf("orientation %d, scale %d: %d levels apart", orientation, scale, d)
			}
		}
		if img, _, err := ReadFor(path, at(9999, 1)); err != nil || img.Bounds() != whole.Bounds() {
			t.Errorf("more than there is: %v, %v", img.Bounds(), err)
		}
	}
}

// TestTurboFallback: without the library, and for files it does not take, the
// result is that of Go's decoder, errors included.
func TestTurboFallback(t *testing.T) {
	good := asJPEG(t, ramp(40, 30))
	cmyk, err := os.ReadFile("testdata/cmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	marker := func(kind byte, bits byte) []byte {
		b := bytes.Clone(good)
		at := bytes.Index(b, []byte{0xff, 0xc0})
		b[at+1], b[at+4] = kind, bits
		return b
	}
	bad := bytes.Clone(good)
	for i := len(bad) - 200; i < len(bad)-100; i++ {
		bad[i] = 0xa7
	}
	for name, file := range map[string][]byte{
		"good": good, "CMYK": cmyk, "arithmetic coding": marker(0xc9, 8), "12 bits": marker(0xc1, 12),
		"truncated": good[:len(good)/2], "broken": bad, "no end": good[:len(good)-2],
	} {
		path := write(t, "a.jpg", file)
		var want image.Image
		var wantErr error
		withoutLibrary(func() { want, _, wantErr = Read(path) })
		got, _, err := Read(path)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%s: %v, without libjpeg-turbo %v", name, err, wantErr)
		}
		if err == nil && apart(t, got, want) > 4 {
			t.Errorf("%s: %d levels apart", name, apart(t, got, want))
		}
	}
}

func TestTurboMissing(t *testing.T) {
	for _, asked := range []string{"off", filepath.Join(t.TempDir(), "libturbojpeg.so"), os.Args[0]} {
		if lib, err := findTurbo(asked); err == nil || lib != nil {
			t.Errorf("%s: found %v", asked, lib)
		}
	}
	withoutLibrary(func() {
		if _, err := Turbo(); err == nil || !strings.Contains(err.Error(), "libjpeg-turbo is not here: not here") {
			t.Error(err)
		}
		if img, _, err := ReadFor(write(t, "a.jpg", asJPEG(t, ramp(90, 80))), at(1, 1)); err != nil || img.Bounds().Dx() != 90 {
			t.Error(err)
		}
	})
	library(t)
	if said, err := Turbo(); err != nil || !strings.Contains(said, "libjpeg-turbo ") || !strings.Contains(said, "turbojpeg") {
		t.Errorf("%q, %v", said, err)
	}
}

// TestTurboTogether decodes in many goroutines, good files and broken ones.
func TestTurboTogether(t *testing.T) {
	lib := library(t)
	good := asJPEG(t, ramp(160, 120))
	want, err := lib.decode(good, 8)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 30 {
				if _, err := lib.decode(good[:40*i+1], 8); err == nil {
					t.Errorf("decoded %d bytes of %d", 40*i+1, len(good))
				}
				got, err := lib.decode(good, 8)
				if err != nil || !bytes.Equal(got.(*image.RGBA).Pix, want.(*image.RGBA).Pix) {
					t.Errorf("other pixels, %v", err)
				}
			}
		})
	}
	all.Wait()
	if n := len(lib.free.handles); n > 9 {
		t.Errorf("%d decoders for 8 goroutines", n)
	}
}

// FuzzTurbo: no file makes the library do more than refuse it.
func FuzzTurbo(f *testing.F) {
	lib := library(f)
	files, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range files {
		seed, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add(asJPEG(f, ramp(33, 17)))
	f.Fuzz(func(t *testing.T, file []byte) {
		found, err := identify(section(file))
		if err != nil || found.format.name != "JPEG" || found.pixels() > 1<<20 {
			return
		}
		for _, scale := range []int{1, 2, 4, 8} {
			img, err := lib.decode(file, scale)
			if want := image.Rect(0, 0, eighths(found.width, scale), eighths(found.height, scale)); err == nil && img.Bounds() != want {
				t.Errorf("scale %d: %v, want %v", scale, img.Bounds(), want)
			}
		}
	})
}
