package photo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// A format is one kind of picture file.
type format struct {
	name   string
	magic  string // first bytes; '?' stands for any
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	locate func(*io.SectionReader) *io.SectionReader // the EXIF block, nil if there is none
	// density is the most pixels a byte can stand for; 0: no limit. A file that
	// is too small for its header is refused before memory is taken.
	density int64
}

var formats = []format{
	// A bit for the DC coefficient of an 8×8 block is the least.
	{"JPEG", "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode, exifInJPEG, 8 * 64},
	// Eight pixels a byte, and deflate shrinks 1032 times at most.
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode, exifInPNG, 8 * 1032},
	// A code of 12 bits stands for 4095 pixels at most; shorter ones for fewer.
	{"GIF", "GIF8?a", gif.DecodeConfig, firstFrame, nil, 4096},
	{"WebP", "RIFF????WEBP", webp.DecodeConfig, decodeWebP, exifInWebP, 0},
	{"TIFF", "II*\x00", tiff.DecodeConfig, tiff.Decode, exifInTIFF, 0},
	{"TIFF", "MM\x00*", tiff.DecodeConfig, tiff.Decode, exifInTIFF, 0},
	{"BMP", "BM?????????????\x00\x00\x00", bmp.DecodeConfig, bmp.Decode, nil, 8},
}

// A found is a picture whose header was read.
type found struct {
	*format
	name          string            // of the file's format: a raw file's is not that of its preview
	r             *io.SectionReader // the picture: the file, or the preview in it
	width, height int               // as stored
	exif          exif
	memory        int64 // bytes it takes to decode the picture,
	turning       int64 // and to turn it
}

func (f found) pixels() int64 { return int64(f.width) * int64(f.height) }

// header recognises the file, reads its size and EXIF block, and refuses what
// is too large or cannot be whole.
func header(r *io.SectionReader) (found, Info, error) {
	head, err := beginning(r)
	if err != nil {
		return found{}, Info{}, err
	}
	var f found
	if w, ok := openRaw(r, head); ok {
		f, err = w.picture()
	} else {
		f, err = identify(r)
	}
	if err != nil {
		return found{}, Info{}, err
	}
	info := Info{Format: f.name, Width: f.width, Height: f.height, Orientation: f.exif.orientation, Taken: f.exif.taken, Memory: f.memory}
	if info.Orientation >= 5 {
		info.Width, info.Height = f.height, f.width
	}
	if info.Orientation > 1 {
		info.Memory += f.turning
	}
	return f, info, nil
}

// beginning returns the first bytes of r, at most 512.
func beginning(r *io.SectionReader) ([]byte, error) {
	if r.Size() == 0 {
		return nil, ErrEmpty
	}
	head := make([]byte, 512)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return head[:n], nil
}

// identify is header for a picture of the formats above.
func identify(r *io.SectionReader) (found, error) {
	head, err := beginning(r)
	if err != nil {
		return found{}, err
	}
	i := slices.IndexFunc(formats, func(f format) bool { return begins(head, f.magic) })
	if i < 0 {
		return found{}, stranger(head)
	}
	f := found{format: &formats[i], name: formats[i].name, r: r, exif: noExif}
	c, err := f.config(limit(r, false))
	if err != nil {
		return found{}, cause(err)
	}
	f.width, f.height = c.Width, c.Height
	switch {
	case c.Width < 1 || c.Height < 1:
		return found{}, fmt.Errorf("broken file: %d×%d pixels", c.Width, c.Height)
	case c.Width > maxSide || c.Height > maxSide || f.pixels() > maxPixels:
		return found{}, fmt.Errorf("%w: %d×%d pixels (at most %d megapixels and %d pixels a side)",
			ErrTooLarge, c.Width, c.Height, maxPixels/1_000_000, maxSide)
	case f.density > 0 && r.Size() < f.pixels()/f.density:
		return found{}, fmt.Errorf("%w: %d bytes for %d×%d pixels", ErrTruncated, r.Size(), c.Width, c.Height)
	}
	if f.locate != nil {
		f.exif = readExif(f.locate(r))
	}
	if f.name == "HEIC" {
		f.exif.orientation = 1 // its decoder turns by irot and imir, whatever EXIF says
	}
	f.measure(c.ColorModel)
	return f, nil
}

// decode returns the upright picture, or a smaller one that is enough.
func decode(r *io.SectionReader, enough Enough) (image.Image, Info, error) {
	f, info, err := header(r)
	if err != nil {
		return nil, Info{}, err
	}
	img, err := f.picture(enough)
	if err != nil {
		return nil, Info{}, err
	}
	return upright(img, info.Orientation), info, nil
}

// picture decodes what was found; it is not turned.
func (f found) picture(enough Enough) (image.Image, error) {
	if img := f.reduced(enough); img != nil {
		return img, nil
	}
	r := limit(f.r, f.format.name == "JPEG")
	img, err := f.decode(r)
	switch {
	case r.err != nil:
		return nil, r.err // decoders do not all wrap it
	case err != nil:
		return nil, cause(err)
	}
	if size := img.Bounds().Size(); size != image.Pt(f.width, f.height) {
		return nil, fmt.Errorf("broken file: %d×%d pixels, its header says %d×%d", size.X, size.Y, f.width, f.height)
	}
	return img, nil
}

func begins(head []byte, magic string) bool {
	if len(head) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != head[i] {
			return false
		}
	}
	return true
}

// cause returns the error of a decoder in the words of this package. Decoders
// report the end of a file in several ways, some as text only.
func cause(err error) error {
	text := err.Error()
	if errors.Is(err, io.EOF) || strings.HasSuffix(text, "EOF") || strings.HasPrefix(text, "riff: short") || strings.Contains(text, "not enough") ||
		err == error(jpeg.FormatError("short Huffman data")) {
		return ErrTruncated
	}
	return err
}

// strangers are kinds of files that get a name in the error.
var strangers = []struct {
	magic, name string
	picture     bool
}{
	{"????ftyphei", "HEIC", true},
	{"????ftyphev", "HEIC", true},
	{"????ftypmif1", "HEIC", true},
	{"????ftypmsf1", "HEIC", true},
	{"????ftypavi", "AVIF", true},
	{"????ftyp", "video", false},
	{"????moov", "video", false},
	{"\x00\x00\x00\x0cJXL ", "JPEG XL", true},
	{"\xff\x0a", "JPEG XL", true},
	{"\x00\x00\x00\x0cjP  ", "JPEG 2000", true},
	{"II+\x00", "BigTIFF", true},
	{"MM\x00+", "BigTIFF", true},
	{"8BPS", "Photoshop", true},
	{"%PDF", "PDF", false},
	{"PK\x03\x04", "zip archive", false},
	{"\x1f\x8b", "gzip archive", false},
}

// stranger returns the error for a file of no known format.
func stranger(head []byte) error {
	for _, s := range strangers {
		if begins(head, s.magic) {
			if s.picture {
				return fmt.Errorf("%s is %w; convert it to JPEG", s.name, ErrUnsupported)
			}
			return fmt.Errorf("%w (%s)", ErrNotPicture, s.name)
		}
	}
	kind := "unknown data"
	switch {
	case len(bytes.Trim(head, "\x00")) == 0:
		kind = "nothing but zero bytes"
	case isText(head):
		kind = "text"
	}
	return fmt.Errorf("%w (%s)", ErrNotPicture, kind)
}

func isText(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) { // UTF-16
		return true
	}
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(head) // a letter cut at the end
		}
		if r < ' ' && !strings.ContainsRune("\t\n\f\r\x1b", r) {
			return false
		}
		head = head[n:]
	}
	return true
}

// firstFrame decodes the first picture of a GIF onto its screen: a frame may
// be smaller. What it leaves is transparent where an index is free for that.
func firstFrame(r io.Reader) (image.Image, error) {
	file := bufio.NewReader(r)
	head, err := file.Peek(10)
	if err != nil {
		return nil, err
	}
	screen := image.Rect(0, 0, int(head[6])|int(head[7])<<8, int(head[8])|int(head[9])<<8)
	img, err := gif.Decode(file)
	if err != nil || img.Bounds() == screen {
		return img, err
	}
	frame := img.(*image.Paletted)
	var used [256]bool
	for _, i := range frame.Pix {
		used[i] = true
	}
	canvas := image.NewPaletted(screen, frame.Palette)
	if free := slices.Index(used[:], false); free >= 0 {
		canvas.Palette = make(color.Palette, max(len(frame.Palette), free+1))
		copy(canvas.Palette, frame.Palette)
		canvas.Palette[free] = color.NRGBA{}
		for i := range canvas.Pix {
			canvas.Pix[i] = uint8(free)
		}
	}
	for y := range frame.Rect.Dy() {
		at := frame.Rect.Min.Add(image.Pt(0, y))
		copy(canvas.Pix[canvas.PixOffset(at.X, at.Y):], frame.Pix[frame.PixOffset(at.X, at.Y):][:frame.Rect.Dx()])
	}
	return canvas, nil
}
