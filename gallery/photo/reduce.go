package photo

import (
	"image"
	"io"
)

// Enough reports whether a picture of width×height pixels, upright, is as good
// as the whole photo for what it is wanted for. What is enough is also enough
// when it is larger. Nil asks for the whole.
type Enough func(width, height int) bool

// ReadFor is Read for a picture that is to be made smaller anyway. A decoder
// that can, which is libjpeg-turbo, makes a smaller one of enough pixels in less
// time. Info tells the size of the whole.
func ReadFor(path string, enough Enough) (image.Image, Info, error) {
	var img image.Image
	var info Info
	err := with(path, func(r *io.SectionReader) (err error) {
		img, info, err = decode(r, enough)
		return err
	})
	return img, info, err
}

// DecoderVersion numbers the decoders: pixels of one number are the same. It is
// 0 for Go's own. libjpeg-turbo interpolates chroma and rounds otherwise, as the
// reference pipeline does.
func DecoderVersion() int {
	if _, err := Turbo(); err != nil {
		return 0
	}
	return 1000
}
