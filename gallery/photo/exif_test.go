package photo

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An exifFile is what block writes.
type exifFile struct {
	order       binary.AppendByteOrder
	orientation uint16
	date, zone  string
	thumbnail   []byte
}

// block returns an EXIF block: IFD0, the EXIF directory, IFD1, then the values
// that do not fit an entry.
func (e exifFile) block() []byte {
	type entry struct {
		tag, kind    uint16
		count, value uint32
	}
	const ifdSize = 2 + 2*12 + 4
	const ifd0, camera, ifd1 = 8, 8 + ifdSize, 8 + 2*ifdSize
	at := uint32(8 + 3*ifdSize)
	short := uint32(e.orientation) // a SHORT lies at the beginning of the four value bytes
	if e.order == binary.AppendByteOrder(binary.BigEndian) {
		short <<= 16
	}
	b := []byte("II*\x00")
	if e.order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = e.order.AppendUint32(b, ifd0)
	directory := func(next uint32, entries ...entry) {
		b = e.order.AppendUint16(b, uint16(len(entries)))
		for _, v := range entries {
			b = e.order.AppendUint16(b, v.tag)
			b = e.order.AppendUint16(b, v.kind)
			b = e.order.AppendUint32(b, v.count)
			b = e.order.AppendUint32(b, v.value)
		}
		b = e.order.AppendUint32(b, next)
	}
	date, zone := e.date+"\x00", e.zone+"\x00"
	directory(ifd1, entry{tagOrientation, 3, 1, short}, entry{tagExifIFD, 4, 1, camera})
	directory(0, entry{tagDateTimeOriginal, 2, uint32(len(date)), at},
		entry{tagOffsetTimeOriginal, 2, uint32(len(zone)), at + uint32(len(date))})
	directory(0, entry{tagThumbnail, 4, 1, at + uint32(len(date)+len(zone))},
		entry{tagThumbnailLength, 4, 1, uint32(len(e.thumbnail))})
	return append(append(append(b, date...), zone...), e.thumbnail...)
}

// withSegment returns a JPEG with block as its EXIF segment, behind another
// APP1 as XMP is.
func withSegment(jpeg, block []byte) []byte {
	out := bytes.Clone(jpeg[:2])
	for _, content := range []string{"http://ns.adobe.com/xap/1.0/\x00<x/>", "Exif\x00\x00" + string(block)} {
		out = append(out, 0xff, 0xe1)
		out = binary.BigEndian.AppendUint16(out, uint16(2+len(content)))
		out = append(out, content...)
	}
	return append(out, jpeg[2:]...)
}

func section(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

func TestReadExif(t *testing.T) {
	moscow := time.Date(2024, 5, 6, 7, 8, 9, 0, time.FixedZone("", 3*3600))
	for _, c := range []struct {
		file exifFile
		want time.Time
	}{
		{exifFile{binary.LittleEndian, 6, "2024:05:06 07:08:09", "", []byte("thumb")}, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)},
		{exifFile{binary.BigEndian, 3, "2024:05:06 07:08:09", "+03:00", []byte("thumb")}, moscow},
		{exifFile{binary.BigEndian, 1, "2024:05:06 07:08:09", "east", []byte("thumb")}, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)},
		{exifFile{binary.LittleEndian, 8, "0000:00:00 00:00:00", "+03:00", []byte("thumb")}, time.Time{}},
		{exifFile{binary.LittleEndian, 8, "    :  :     :  :  ", "", []byte("thumb")}, time.Time{}},
		{exifFile{binary.LittleEndian, 2, "2024:13:06 07:08:09", "", []byte("thumb")}, time.Time{}},
	} {
		got := readExif(section(c.file.block()))
		if got.orientation != int(c.file.orientation) || !got.taken.Equal(c.want) || got.taken.Format(time.DateTime) != c.want.Format(time.DateTime) {
			t.Errorf("%+v: orientation %d, taken %v, want %v", c.file, got.orientation, got.taken, c.want)
			continue
		}
		if thumb, err := io.ReadAll(got.thumbnail); err != nil || string(thumb) != "thumb" {
			t.Errorf("%+v: thumbnail %q, %v", c.file, thumb, err)
		}
	}
}

// TestReadExifBroken has blocks that lie; what they say truly is still read.
func TestReadExifBroken(t *testing.T) {
	le := binary.LittleEndian
	good := exifFile{le, 6, "2024:05:06 07:08:09", "+03:00", []byte("thumb")}.block()
	for name, c := range map[string]struct {
		change      func(b []byte) []byte
		orientation int
		taken       bool
		thumbnail   bool
	}{
		"whole":                 {func(b []byte) []byte { return b }, 6, true, true},
		"none":                  {func([]byte) []byte { return nil }, 1, false, false},
		"other magic":           {func(b []byte) []byte { b[2] = 43; return b }, 1, false, false},
		"cut in IFD0":           {func(b []byte) []byte { return b[:30] }, 1, false, false},
		"cut in IFD1":           {func(b []byte) []byte { return b[:70] }, 6, false, false},
		"IFD0 beyond the end":   {func(b []byte) []byte { le.PutUint32(b[4:], 1<<31); return b }, 1, false, false},
		"IFD0 at the last byte": {func(b []byte) []byte { le.PutUint32(b[4:], uint32(len(b)-1)); return b }, 1, false, false},
		"65,535 entries":        {func(b []byte) []byte { le.PutUint16(b[8:], 65535); return b }, 1, false, false},
		"orientation 9":         {func(b []byte) []byte { b[18] = 9; return b }, 1, true, true},
		"orientation 0":         {func(b []byte) []byte { b[18] = 0; return b }, 1, true, true},
		"orientation as text":   {func(b []byte) []byte { b[12] = 2; return b }, 1, true, true},
		"two orientations":      {func(b []byte) []byte { b[14] = 2; return b }, 1, true, true},
		"EXIF directory = IFD0": {func(b []byte) []byte { le.PutUint32(b[30:], 8); return b }, 6, false, true},
		"IFD1 = IFD0":           {func(b []byte) []byte { le.PutUint32(b[34:], 8); return b }, 6, true, false},
		"date of 4 GB":          {func(b []byte) []byte { le.PutUint32(b[44:], 1<<32-1); return b }, 6, false, true},
		"date beyond the end":   {func(b []byte) []byte { le.PutUint32(b[48:], 1<<32-1); return b }, 6, false, true},
		"thumbnail of 4 GB":     {func(b []byte) []byte { le.PutUint32(b[90:], 1<<32-1); return b }, 6, true, false},
		"thumbnail of nothing":  {func(b []byte) []byte { le.PutUint32(b[90:], 0); return b }, 6, true, false},
		"thumbnail beyond":      {func(b []byte) []byte { le.PutUint32(b[78:], 1<<32-1); return b }, 6, true, false},
	} {
		e := readExif(section(c.change(bytes.Clone(good))))
		if e.orientation != c.orientation || !e.taken.IsZero() != c.taken || (e.thumbnail != nil) != c.thumbnail {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestExifPlaces(t *testing.T) {
	block := exifFile{binary.BigEndian, 6, "2024:05:06 07:08:09", "", nil}.block()
	m := ramp(6, 4)
	chunk := func(name string, content []byte) []byte { // of a PNG
		b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
		return append(append(append(b, name...), content...), "CRC!"...)
	}
	riff := func(name string, content []byte) []byte {
		b := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(content)))
		return append(b, content...)
	}
	for name, c := range map[string]struct {
		find func(*io.SectionReader) *io.SectionReader
		file []byte
	}{
		"JPEG":                  {exifInJPEG, withSegment(asJPEG(t, m), block)},
		"JPEG with a fill byte": {exifInJPEG, append([]byte("\xff\xd8\xff\xff"), withSegment(asJPEG(t, m), block)[3:]...)},
		"PNG":                   {exifInPNG, append([]byte("\x89PNG\r\n\x1a\n"), append(chunk("IHDR", make([]byte, 13)), chunk("eXIf", block)...)...)},
		"PNG behind the data":   {exifInPNG, append(append([]byte("\x89PNG\r\n\x1a\n"), chunk("IDAT", make([]byte, 9999))...), chunk("eXIf", block)...)},
		"WebP":                  {exifInWebP, append([]byte("RIFF????WEBP"), append(riff("VP8X", make([]byte, 10)), riff("EXIF", block)...)...)},
		"WebP, odd chunk":       {exifInWebP, append([]byte("RIFF????WEBP"), append(append(riff("VP8L", make([]byte, 11)), 0), riff("EXIF", block)...)...)},
		"WebP with JPEG prefix": {exifInWebP, append([]byte("RIFF????WEBP"), riff("EXIF", append([]byte("Exif\x00\x00"), block...))...)},
		"TIFF":                  {exifInTIFF, block},
	} {
		if e := readExif(c.find(section(c.file))); e.orientation != 6 || e.taken.IsZero() {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if r := exifInJPEG(section(asJPEG(t, m))); r != nil {
		t.Error("found EXIF in a JPEG without")
	}
	// Loops and long walks end.
	endless := bytes.Repeat([]byte{0xff, 0xe0, 0, 2}, 1<<19)
	if exifInJPEG(section(append([]byte{0xff, 0xd8}, endless...))) != nil || exifInPNG(section(make([]byte, 1<<21))) != nil || exifInWebP(section(make([]byte, 1<<21))) != nil {
		t.Error("found EXIF in garbage")
	}
}

// TestReadOrientations writes the same picture in all eight ways.
func TestReadOrientations(t *testing.T) {
	want := ramp(80, 48)
	for o := 1; o <= 8; o++ {
		stored := image.NewNRGBA(image.Rect(0, 0, 80, 48))
		if o >= 5 {
			stored = image.NewNRGBA(image.Rect(0, 0, 48, 80))
		}
		for y := range 48 {
			for x := range 80 {
				at := place(o, stored.Rect.Dx(), stored.Rect.Dy(), x, y)
				stored.Set(at.X, at.Y, want.At(x, y))
			}
		}
		block := exifFile{binary.BigEndian, uint16(o), "", "", nil}.block()
		path := write(t, "a.jpg", withSegment(asJPEG(t, stored), block))
		img, info, err := Read(path)
		if err != nil || info.Orientation != o || info.Width != 80 || info.Height != 48 {
			t.Fatalf("orientation %d: %+v, %v", o, info, err)
		}
		if stat, err := Stat(path); err != nil || stat != info {
			t.Errorf("orientation %d: stat %+v, %v", o, stat, err)
		}
		if d := apart(t, img, want); d > 6 {
			t.Errorf("orientation %d: %d levels apart", o, d)
		}
	}
	for _, name := range []string{"orientation6.png", "orientation6.webp"} { // by Pillow 13
		img, info, err := Read(filepath.Join("testdata", name))
		if err != nil || info.Orientation != 6 || info.Width != 3 || info.Height != 2 {
			t.Fatalf("%s: %+v, %v", name, info, err)
		}
		upright := image.NewNRGBA(image.Rect(0, 0, 3, 2))
		for i, c := range []color.NRGBA{{250, 0, 0, 255}, {0, 250, 0, 255}, {0, 0, 250, 255}, {250, 250, 0, 255}, {0, 250, 250, 255}, {250, 0, 250, 255}} {
			upright.SetNRGBA(i%3, i/3, c)
		}
		if d := apart(t, img, upright); d != 0 {
			t.Errorf("%s: %d levels apart", name, d)
		}
	}
}

func TestThumbnail(t *testing.T) {
	// A photo of 90×60 upright, stored as orientation 6 wants it; its thumbnail
	// has the aspect 4:3 and black bars, as cameras write it.
	small := image.NewNRGBA(image.Rect(0, 0, 120, 160))
	draw.Draw(small, small.Rect, image.Black, image.Point{}, draw.Src)
	draw.Draw(small, image.Rect(6, 0, 114, 160), image.NewUniform(color.NRGBA{200, 50, 90, 255}), image.Point{}, draw.Src)
	block := exifFile{binary.LittleEndian, 6, "", "", asJPEG(t, small)}.block()
	path := write(t, "a.jpg", withSegment(asJPEG(t, ramp(60, 90)), block))
	img, ok := Thumbnail(path)
	if !ok || img.Bounds() != image.Rect(0, 0, 160, 107) {
		t.Fatalf("%v, bounds %v", ok, img)
	}
	inner := image.NewNRGBA(img.Bounds())
	draw.Draw(inner, inner.Rect, image.NewUniform(color.NRGBA{200, 50, 90, 255}), image.Point{}, draw.Src)
	if d := apart(t, img, inner); d > 40 { // the bars' edge bleeds into the block
		t.Errorf("%d levels apart: bars are left", d)
	}
	for name, block := range map[string][]byte{
		"no thumbnail": exifFile{binary.LittleEndian, 6, "", "", nil}.block(),
		"broken":       exifFile{binary.LittleEndian, 6, "", "", asJPEG(t, small)[:500]}.block(),
		"no JPEG":      exifFile{binary.LittleEndian, 6, "", "", []byte("thumb")}.block(),
		"stale":        exifFile{binary.LittleEndian, 6, "", "", asJPEG(t, ramp(160, 90))}.block(), // the photo was cut since
		"turned since": exifFile{binary.LittleEndian, 1, "", "", asJPEG(t, ramp(160, 120))}.block(),
		"large":        exifFile{binary.LittleEndian, 6, "", "", asPNG(t, image.NewGray(image.Rect(0, 0, 2000, 2000)))}.block(),
	} {
		if img, ok := Thumbnail(write(t, "a.jpg", withSegment(asJPEG(t, ramp(60, 90)), block))); ok || img != nil {
			t.Errorf("%s: a thumbnail", name)
		}
	}
	// A rounded aspect is not another one.
	block = exifFile{binary.LittleEndian, 1, "", "", asJPEG(t, ramp(160, 106))}.block()
	if img, ok := Thumbnail(write(t, "a.jpg", withSegment(asJPEG(t, ramp(300, 200)), block))); !ok || img.Bounds() != image.Rect(0, 0, 159, 106) {
		t.Errorf("rounded: %v", ok)
	}
	if _, ok := Thumbnail(filepath.Join(t.TempDir(), "gone.jpg")); ok {
		t.Error("a thumbnail of no file")
	}
}

func TestMiddle(t *testing.T) {
	if got := middle(image.Rect(10, 0, 110, 60), 1, 1); got != image.Rect(30, 0, 90, 60) {
		t.Errorf("square in the middle: %v", got)
	}
	if got := middle(image.Rect(0, 5, 60, 105), 4, 3); got != image.Rect(0, 32, 60, 77) {
		t.Errorf("4:3 in the middle: %v", got)
	}
}

func TestOpensForReadingOnly(t *testing.T) {
	path := write(t, "a.jpg", withSegment(asJPEG(t, ramp(6, 4)), exifFile{binary.LittleEndian, 6, "", "", nil}.block()))
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(path); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(path); err != nil || after.ModTime() != before.ModTime() || after.Size() != before.Size() {
		t.Errorf("the file changed: %v, %v", after, err)
	}
}
