package photo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// ramp is a picture whose pixels all differ and change smoothly, as photos do.
func ramp(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(40 + 160*x/w), uint8(60 + 120*y/h), uint8(200 - 100*(x+y)/(w+h)), 255})
		}
	}
	return m
}

func encode(t testing.TB, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, m image.Image) []byte {
	return encode(t, func(w io.Writer) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 95}) })
}

func asPNG(t testing.TB, m image.Image) []byte {
	return encode(t, func(w io.Writer) error { return png.Encode(w, m) })
}

func asBMP(t testing.TB, m image.Image) []byte {
	return encode(t, func(w io.Writer) error { return bmp.Encode(w, m) })
}

func asTIFF(t testing.TB, m image.Image) []byte {
	return encode(t, func(w io.Writer) error { return tiff.Encode(w, m, &tiff.Options{Compression: tiff.Deflate}) })
}

// asGIF encodes two frames: m, and one that must not be seen.
func asGIF(t testing.TB, m image.Image, screen image.Point) []byte {
	var palette color.Palette
	for i := range 216 {
		palette = append(palette, color.NRGBA{uint8(i / 36 * 51), uint8(i / 6 % 6 * 51), uint8(i % 6 * 51), 255})
	}
	first := image.NewPaletted(m.Bounds(), palette)
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			first.Set(x, y, m.At(x, y))
		}
	}
	second := image.NewPaletted(image.Rectangle{Max: screen}, palette)
	return encode(t, func(w io.Writer) error {
		return gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{first, second}, Delay: []int{9, 9}, Config: image.Config{Width: screen.X, Height: screen.Y}})
	})
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// apart returns the largest difference of two pictures in a channel.
func apart(t testing.TB, a, b image.Image) int {
	t.Helper()
	if a.Bounds() != b.Bounds() {
		t.Fatalf("bounds %v and %v", a.Bounds(), b.Bounds())
	}
	most := 0
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			p, q := color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(b.At(x, y)).(color.NRGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B), int(p.A) - int(q.A)} {
				most = max(most, d, -d)
			}
		}
	}
	return most
}

func TestReadFormats(t *testing.T) {
	want := ramp(40, 30)
	for _, c := range []struct {
		format string
		data   []byte
		noise  int
	}{
		{"JPEG", asJPEG(t, want), 6},
		{"PNG", asPNG(t, want), 0},
		{"GIF", asGIF(t, want, image.Pt(40, 30)), 26},
		{"TIFF", asTIFF(t, want), 0},
		{"BMP", asBMP(t, want), 0},
	} {
		path := write(t, "misleading.jpg", c.data) // the content counts
		img, info, err := Read(path)
		if err != nil {
			t.Errorf("%s: %v", c.format, err)
			continue
		}
		if wantInfo := (Info{Format: c.format, Width: 40, Height: 30, Orientation: 1, Memory: info.Memory}); info != wantInfo {
			t.Errorf("%s: %+v, want %+v", c.format, info, wantInfo)
		}
		if stat, err := Stat(path); err != nil || stat != info {
			t.Errorf("%s: stat %+v, %v, want %+v", c.format, stat, err, info)
		}
		if d := apart(t, img, want); d > c.noise {
			t.Errorf("%s: %d levels apart", c.format, d)
		}
		_, planes := img.(*image.YCbCr)
		if _, err := Turbo(); err != nil && c.format == "JPEG" && !planes {
			t.Errorf("JPEG decoded as %T", img)
		}
	}
}

// TestReadWebP reads files made with libwebp 1.6 by Pillow 13.
func TestReadWebP(t *testing.T) {
	levels := []color.NRGBA{{255, 255, 255, 255}, {0, 0, 0, 255}, {255, 0, 0, 255}, {0, 255, 0, 255},
		{0, 0, 255, 255}, {128, 128, 128, 255}, {200, 100, 50, 255}, {30, 60, 90, 255}}
	for name, want := range map[string][]color.NRGBA{
		"levels.webp":         levels,
		"alpha.webp":          {{200, 100, 50, 255}, {}},
		"animated.webp":       {{255, 0, 0, 255}},
		"animated-alpha.webp": {{255, 0, 0, 128}},
	} {
		img, info, err := Read(filepath.Join("testdata", name))
		if err != nil || info.Format != "WebP" || info.Width != 16*len(want) || info.Height != 16 {
			t.Errorf("%s: %+v, %v", name, info, err)
			continue
		}
		for i, w := range want {
			at := image.Rect(16*i+8, 8, 16*i+9, 9)
			pixel := image.NewNRGBA(at)
			pixel.SetNRGBA(at.Min.X, at.Min.Y, w)
			if d := apart(t, img.(interface {
				SubImage(image.Rectangle) image.Image
			}).SubImage(at), pixel); d > 3 {
				t.Errorf("%s: colour %d is %v, want %v", name, i, img.At(at.Min.X, at.Min.Y), w)
			}
		}
	}
}

func TestReadWebPFrame(t *testing.T) {
	file, err := os.ReadFile("testdata/animated.webp")
	if err != nil {
		t.Fatal(err)
	}
	file[24], file[27] = 20-1, 18-1 // the canvas; the frame has 16×16 pixels
	at := bytes.Index(file, []byte("ANMF")) + 8
	file[at], file[at+3] = 1, 1 // half the offset
	img, info, err := Read(write(t, "a.webp", file))
	if err != nil || info.Width != 20 || info.Height != 18 {
		t.Fatalf("%+v, %v", info, err)
	}
	want := image.NewNRGBA(image.Rect(0, 0, 20, 18))
	draw.Draw(want, image.Rect(2, 2, 18, 18), image.NewUniform(color.NRGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
	if d := apart(t, img, want); d != 0 {
		t.Errorf("%d levels apart", d)
	}
	file[at] = 3 // sticks out
	if _, _, err := Read(write(t, "a.webp", file)); err == nil {
		t.Error("a frame beyond the canvas was taken")
	}
}

func TestReadGIFFrame(t *testing.T) {
	// A first frame that covers a part of the screen leaves the rest clear.
	frame := image.NewNRGBA(image.Rect(3, 2, 7, 5))
	for i := range frame.Pix {
		frame.Pix[i] = 255
	}
	img, info, err := Read(write(t, "a.gif", asGIF(t, frame, image.Pt(20, 10))))
	if err != nil || info.Width != 20 || info.Height != 10 || img.Bounds() != image.Rect(0, 0, 20, 10) {
		t.Fatalf("%+v, %v", info, err)
	}
	for y := range 10 {
		for x := range 20 {
			_, _, _, alpha := img.At(x, y).RGBA()
			if inside := image.Pt(x, y).In(frame.Rect); inside != (alpha != 0) {
				t.Errorf("alpha %d at %d,%d", alpha, x, y)
			}
		}
	}
}

// pngHeader is the beginning of a PNG of the given size.
func pngHeader(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestReadBroken(t *testing.T) {
	good := ramp(40, 30)
	bigJPEG := asJPEG(t, good)
	at := bytes.Index(bigJPEG, []byte{0xff, 0xc0}) // frame header: length, precision, height, width
	binary.BigEndian.PutUint16(bigJPEG[at+5:], 60_000)
	binary.BigEndian.PutUint16(bigJPEG[at+7:], 60_000)
	wideGIF := asGIF(t, good, image.Pt(40, 30))
	binary.LittleEndian.PutUint16(wideGIF[6:], 65_535)
	noGIF := bytes.Clone(wideGIF)
	binary.LittleEndian.PutUint16(noGIF[6:], 0)
	for _, c := range []struct {
		name string
		data []byte
		is   error
		want string
	}{
		{"empty.jpg", nil, ErrEmpty, "empty file"},
		{"zero.jpg", make([]byte, 1000), ErrNotPicture, "not a picture (nothing but zero bytes)"},
		{"text.jpg", []byte("Dear Ann,\n\nzwölf Boxkämpfer …"), ErrNotPicture, "not a picture (text)"},
		{"wide.png", []byte("\xff\xfet\x00e\x00x\x00t\x00"), ErrNotPicture, "not a picture (text)"},
		{"data.jpg", []byte("\x01\x02\x03\xff\xff"), ErrNotPicture, "not a picture (unknown data)"},
		{"paper.jpg", []byte("%PDF-1.7\n"), ErrNotPicture, "not a picture (PDF)"},
		{"phone.jpg", []byte("\x00\x00\x00\x18ftypavif\x00\x00\x00\x00"), ErrUnsupported, "AVIF is not supported; convert it to JPEG"},
		{"film.jpg", []byte("\x00\x00\x00\x18ftypisom\x00\x00\x00\x00"), ErrNotPicture, "not a picture (video)"},
		{"huge.png", pngHeader(60_000, 60_000), ErrTooLarge, "too large: 60000×60000 pixels (at most 200 megapixels and 50000 pixels a side)"},
		{"huge.jpg", bigJPEG, ErrTooLarge, "too large: 60000×60000 pixels (at most 200 megapixels and 50000 pixels a side)"},
		{"wide.gif", wideGIF, ErrTooLarge, "too large: 65535×30 pixels (at most 200 megapixels and 50000 pixels a side)"},
		{"many.png", pngHeader(20_000, 20_000), ErrTooLarge, "too large: 20000×20000 pixels (at most 200 megapixels and 50000 pixels a side)"},
		{"none.gif", noGIF, nil, "broken file: 0×30 pixels"},
		{"lying.png", pngHeader(14_000, 14_000), ErrTruncated, "truncated: 33 bytes for 14000×14000 pixels"},
		{"short.png", pngHeader(40, 30), ErrTruncated, "truncated"},
		{"start.jpg", []byte("\xff\xd8\xff"), ErrTruncated, "truncated"},
		{"start.gif", []byte("GIF89a\x28"), ErrTruncated, "truncated"},
		{"start.webp", []byte("RIFF\x99\x00\x00\x00WEBPVP8 "), ErrTruncated, "truncated"},
	} {
		path := write(t, c.name, c.data)
		for call, err := range map[string]error{"Read": errorOf(Read(path)), "Stat": errorOf(nil, Info{}, second(Stat(path)))} {
			if err == nil {
				if call == "Stat" { // sees the header only
					continue
				}
				t.Errorf("%s %s: no error, want %q", call, c.name, c.want)
				continue
			}
			if got, want := err.Error(), "read photo "+path+": "+c.want; !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
				t.Errorf("%s: %q, want %q", call, got, want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%s %s: %v is not %v", call, c.name, err, c.is)
			}
		}
	}
}

func errorOf(_ image.Image, _ Info, err error) error { return err }

func second(_ Info, err error) error { return err }

// TestReadTruncated cuts files of every kind anywhere: never a picture, always
// one line.
func TestReadTruncated(t *testing.T) {
	m := ramp(40, 30)
	webp, err := os.ReadFile("testdata/levels.webp")
	if err != nil {
		t.Fatal(err)
	}
	animated, err := os.ReadFile("testdata/animated.webp")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data  []byte
		spare int // bytes at the end that are not needed: a second frame, padding
	}{
		"JPEG": {asJPEG(t, m), 0}, "PNG": {asPNG(t, m), 0}, "BMP": {asBMP(t, m), 0}, "TIFF": {asTIFF(t, m), 0},
		"GIF": {asGIF(t, m, image.Pt(40, 30)), 900}, "WebP": {webp, 8}, "animated WebP": {animated, 60},
	} {
		for n := 0; n < len(c.data)-c.spare; n += 1 + len(c.data)/150 {
			r := bytes.NewReader(c.data[:n])
			img, _, err := decode(io.NewSectionReader(r, 0, int64(n)), nil)
			if err == nil || img != nil {
				t.Fatalf("%s cut at %d of %d: %v, %v", name, n, len(c.data), img != nil, err)
			}
		}
		r := bytes.NewReader(c.data)
		if _, _, err := decode(io.NewSectionReader(r, 0, r.Size()), nil); err != nil {
			t.Errorf("%s whole: %v", name, err)
		}
	}
}

// pngChunk is a chunk of a PNG.
func pngChunk(name string, content []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	b = append(append(b, name...), content...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// allocated returns how many bytes f takes, freed or not.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestReadMemory has headers that promise much: no memory is taken for them.
func TestReadMemory(t *testing.T) {
	for _, size := range [][2]uint32{{60_000, 60_000}, {1 << 31, 1}, {math.MaxUint32, math.MaxUint32}, {14_000, 14_000}} {
		path := write(t, "a.png", pngHeader(size[0], size[1]))
		var err error
		taken := allocated(func() { _, _, err = Read(path) })
		if err == nil {
			t.Errorf("%v: no error", size)
		}
		if taken > 1<<20 {
			t.Errorf("%v: %d bytes taken", size, taken)
		}
	}
}

// TestReadBombs has little data that unpacks to much: what is not needed is
// not unpacked.
func TestReadBombs(t *testing.T) {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(make([]byte, 1<<24)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	whole := asPNG(t, ramp(5, 4))
	text := append(bytes.Clone(whole[:33]), pngChunk("zTXt", append([]byte("Comment\x00\x00"), packed.Bytes()...))...)
	for _, c := range []struct {
		name string
		file []byte
		ok   bool
	}{
		{"text.png", append(text, whole[33:]...), true},
		{"data.png", append(pngHeader(5, 4), append(pngChunk("IDAT", packed.Bytes()), pngChunk("IEND", nil)...)...), false},
	} {
		path := write(t, c.name, c.file)
		var err error
		taken := allocated(func() { _, _, err = Read(path) })
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if taken > 1<<20 {
			t.Errorf("%s: %d bytes taken", c.name, taken)
		}
	}
}

func TestReadUnreadable(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                            "is a folder",
		filepath.Join(dir, "gone.jpg"): fs.ErrNotExist.Error(),
	} {
		_, _, err := Read(path)
		if err == nil || !strings.HasPrefix(err.Error(), "read photo "+path+": ") || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%v, want the path once and %q", err, want)
		}
	}
	if _, err := Stat(filepath.Join(dir, "gone.jpg")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReadLocked(t *testing.T) {
	locked := write(t, "locked.jpg", asJPEG(t, ramp(4, 4)))
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(locked); err == nil {
		f.Close()
		t.Skip("this user may read files without permission")
	}
	if _, _, err := Read(locked); !errors.Is(err, fs.ErrPermission) || strings.Count(err.Error(), locked) != 1 {
		t.Errorf("a locked file: %v", err)
	}
}

func TestGuard(t *testing.T) {
	err := guard(func(*io.SectionReader) error { panic(fmt.Errorf("index out of range")) }, nil)
	if err == nil || err.Error() != "broken file: decoder: index out of range" {
		t.Error(err)
	}
}

func TestIsPhoto(t *testing.T) {
	for name, want := range map[string]bool{
		"a.jpg": true, "A.JPG": true, "b.jpeg": true, "c.jpe": true, "d.png": true, "e.GIF": true, "f.webp": true,
		"g.tif": true, "h.Tiff": true, "x/y.bmp": true, "a.jpg.xmp": false, "jpg": false, "a.heic": HasHEIC, "a.avif": false, "": false, "a.jpg/": false,
	} {
		if IsPhoto(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestUnreadable(t *testing.T) {
	for name, want := range map[string]string{"a.AVIF": "AVIF", "b.jxl": "JPEG XL", "c.MOV": "video", "d.jpg": "", "e.nef": "", "f.txt": "", "": ""} {
		if got := Unreadable(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
	for _, name := range []string{"a.heic", "b.HEIF", "c.hif"} {
		if (Unreadable(name) == "HEIC") == HasHEIC || IsPhoto(name) != HasHEIC {
			t.Errorf("%s: %q, photo %v", name, Unreadable(name), IsPhoto(name))
		}
	}
}
