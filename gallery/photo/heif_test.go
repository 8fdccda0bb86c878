package photo

import (
	"encoding/binary"
	"errors"
	"image"
	"os"
	"testing"
	"time"
)

// heicFile is a HEIC made with libheif 1.15: ramp(240, 160), and an EXIF block
// that says orientation 6, which does not count in this format.
func heicFile(t testing.TB) []byte {
	file, err := os.ReadFile("testdata/orientation6.heic")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExifInHEIF(t *testing.T) {
	file := heicFile(t)
	e := readExif(exifInHEIF(section(file)))
	if want := time.Date(2024, 5, 6, 7, 8, 9, 0, time.FixedZone("", 2*3600)); e.orientation != 6 || !e.taken.Equal(want) {
		t.Errorf("%+v", e)
	}
	for n := range file { // any end
		if e := readExif(exifInHEIF(section(file[:n]))); e.orientation == 6 && n < len(file)-100 {
			t.Errorf("cut at %d: %+v", n, e)
		}
	}
}

// FuzzHEIF: any file has an EXIF block that lies inside, or none.
func FuzzHEIF(f *testing.F) {
	f.Add(heicFile(f))
	f.Fuzz(func(t *testing.T, file []byte) {
		if r := exifInHEIF(section(file)); r != nil {
			if _, at, n := r.Outer(); at < 0 || n < 1 || at+n > int64(len(file)) {
				t.Errorf("%d bytes at %d of %d", n, at, len(file))
			}
			readExif(r)
		}
	})
}

// turnHEIC adds a quarter turn against the clock (irot) and a mirror (imir) to
// the properties of the picture: a box each, a byte each where the picture's
// properties are listed, and the lengths of all around.
func turnHEIC(file []byte, quarters byte) []byte {
	find := func(kind string) int {
		for i := 4; ; i++ {
			if string(file[i:i+4]) == kind {
				return i - 4
			}
		}
	}
	grow := func(kind string, n uint32) {
		at := find(kind)
		binary.BigEndian.PutUint32(file[at:], binary.BigEndian.Uint32(file[at:])+n)
	}
	insert := func(at int, b ...byte) { file = append(file[:at:at], append(b, file[at:]...)...) }
	ipma := find("ipma")
	end := ipma + int(binary.BigEndian.Uint32(file[ipma:]))
	file[ipma+18]++ // properties of the picture
	insert(end, 0x84)
	insert(ipma, 0, 0, 0, 9, 'i', 'r', 'o', 't', quarters)
	grow("ipma", 1)
	grow("ipco", 9)
	grow("iprp", 10)
	grow("meta", 10)
	iloc := find("iloc")
	for _, at := range []int{iloc + 20, iloc + 38} { // places of the two items
		binary.BigEndian.PutUint32(file[at:], binary.BigEndian.Uint32(file[at:])+10)
	}
	return file
}

func TestReadHEIC(t *testing.T) {
	path := write(t, "a.heic", heicFile(t))
	if !HasHEIC {
		if _, _, err := Read(path); !errors.Is(err, ErrUnsupported) {
			t.Error(err)
		}
		t.Skip("built without HEIC (-tags heic,nodynamic)")
	}
	img, info, err := Read(path)
	if err != nil || info.Format != "HEIC" || info.Orientation != 1 || info.Width != 240 || info.Height != 160 || info.Taken.IsZero() {
		t.Fatalf("%+v, %v", info, err)
	}
	if d := apart(t, scaled(img, 24, 16), scaled(ramp(240, 160), 24, 16)); d > 10 { // the encoder's noise is at the edges
		t.Errorf("%d levels apart", d)
	}
	whole := img
	for quarters, orientation := range []int{1, 8, 3, 6} { // EXIF's turns for as many quarters against the clock
		path := write(t, "a.heic", turnHEIC(heicFile(t), byte(quarters)))
		img, info, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		want := upright(whole, orientation)
		if d := apart(t, img, want); d > 4 || (image.Point{info.Width, info.Height}) != want.Bounds().Size() {
			t.Errorf("turned by %d quarters: %+v, %d levels apart", quarters, info, d)
		}
	}
	file := heicFile(t)
	for n := 0; n < len(file)-200; n += 1 + len(file)/20 {
		if img, _, err := Read(write(t, "a.heic", file[:n])); err == nil || img != nil {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}
