// Package preprocess turns a picture into the numbers an image tower reads,
// as the reference pipeline does: RGB of 8 bits, a resize that equals Pillow's
// bit for bit, normalisation, and cutting into patch rows so that the patch
// convolution is a matrix multiplication.
//
// All of it is integer arithmetic up to the normalisation. Nothing here is
// parallel: callers prepare one picture per core. A picture is read row by row,
// so that besides the result only the rows under the vertical filter are held.
package preprocess

import (
	"fmt"
	"image"
)

// Version numbers what is done to a picture between its file and the image
// tower. Vectors that were kept of pictures count only under the version they
// were made with: raise it with any change that moves a number.
const Version = 1

// Pixels is a picture of 8-bit RGB, rows from the top, R G B interleaved:
// Pix holds 3·Width·Height bytes without padding.
type Pixels struct {
	Pix           []uint8
	Width, Height int
}

func newPixels(width, height int) *Pixels {
	return &Pixels{Pix: make([]uint8, 3*width*height), Width: width, Height: height}
}

func (p *Pixels) row(y int) []uint8 {
	n := 3 * p.Width
	return p.Pix[y*n : (y+1)*n : (y+1)*n]
}

// RGB returns the 8-bit colours of img, its upper left corner at 0,0.
//
// Grey is replicated, a palette gives its colours, 16-bit samples give their
// high byte, CMYK gives round((255−C)(255−K)/255) and so on, Y'CbCr is
// converted as color.YCbCrToRGB does. Alpha is dropped, not composited: the
// colour under it counts, as in the reference when it opens a file. (Pillow
// clips 16-bit grey at 255, which leaves nearly white pictures; the high byte
// is taken here as well.)
func RGB(img image.Image) *Pixels {
	b := img.Bounds()
	p := newPixels(b.Dx(), b.Dy())
	convert := converter(img)
	for y := range p.Height {
		convert(p.row(y), y)
	}
	return p
}

// A view is a picture as a function of its rows, RGB interleaved. The bytes of
// a row may be overwritten by the next call.
type view struct {
	width, height int
	row           func(y int) []uint8
}

// viewOf returns img as RGB rows converted on demand, so that a photo of 12
// megapixels needs no 36 MB copy.
func viewOf(img image.Image) view {
	b := img.Bounds()
	if b.Empty() {
		panic(fmt.Sprintf("preprocess: picture of %d×%d pixels", b.Dx(), b.Dy()))
	}
	convert, buf := converter(img), make([]uint8, 3*b.Dx())
	return view{b.Dx(), b.Dy(), func(y int) []uint8 {
		convert(buf, y)
		return buf
	}}
}
