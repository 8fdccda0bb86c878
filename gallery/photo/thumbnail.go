package photo

import (
	"image"
	"image/color"
	"io"
)

// Thumbnail returns the small picture a camera has stored in the EXIF block of
// the file at path, upright and without the black bars that cameras put around
// it. Of a camera raw file without one it is the smallest preview. It is there at
// once, long before the photo is decoded, but most often of 160 pixels, and it is
// old where a program changed the photo and left the EXIF block alone. One of
// another aspect than the photo's, bars aside, is old for certain and is not
// returned.
func Thumbnail(path string) (image.Image, bool) {
	var img image.Image
	err := with(path, func(r *io.SectionReader) (err error) {
		img, err = thumbnail(r)
		return err
	})
	return img, err == nil && img != nil
}

// thumbnail returns nil if there is none.
func thumbnail(r *io.SectionReader) (image.Image, error) {
	f, info, err := header(r)
	if err != nil || f.exif.thumbnail == nil {
		return nil, err
	}
	t, err := identify(f.exif.thumbnail)
	if err != nil || t.pixels() > maxThumbnail {
		return nil, err
	}
	img, err := t.picture(nil)
	if err != nil {
		return nil, err
	}
	img = upright(img, info.Orientation)
	inside := middle(img.Bounds(), info.Width, info.Height)
	if !barsAround(img, inside) {
		return nil, nil
	}
	return upright(img.(interface {
		SubImage(image.Rectangle) image.Image
	}).SubImage(inside), 1), nil
}

// maxBar is the mean luma of a black bar: JPEG's noise at its edge is in there.
const maxBar = 24

// barsAround reports whether what is outside of r, in the middle of img, is
// black, or no more than a rounding of r.
func barsAround(img image.Image, r image.Rectangle) bool {
	b := img.Bounds()
	if size := b.Size().Sub(r.Size()); size.X <= 1+b.Dx()/64 && size.Y <= 1+b.Dy()/64 {
		return true
	}
	sum, n := 0, 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if !image.Pt(x, y).In(r) {
				sum += int(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y)
				n++
			}
		}
	}
	return sum <= maxBar*n
}

// middle returns the largest part of b, in its middle, with the aspect of w×h.
func middle(b image.Rectangle, w, h int) image.Rectangle {
	size := b.Size()
	if b.Dx()*h > b.Dy()*w {
		size.X = max(1, (b.Dy()*w+h/2)/h)
	} else {
		size.Y = max(1, (b.Dx()*h+w/2)/w)
	}
	at := b.Min.Add(b.Size().Sub(size).Div(2))
	return image.Rectangle{at, at.Add(size)}
}
