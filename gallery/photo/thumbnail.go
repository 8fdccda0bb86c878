package photo

import (
	"image"
	"io"
)

// Thumbnail returns the small picture a camera has stored in the EXIF block of
// the file at path, upright and cut to the aspect of the photo: cameras put
// black bars around it. Of a camera raw file without one it is the smallest
// preview. It is there at once, long before the photo is decoded, but most
// often of 160 pixels, and it is old where a program changed the photo and left
// the EXIF block alone.
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
	return upright(img.(interface {
		SubImage(image.Rectangle) image.Image
	}).SubImage(middle(img.Bounds(), info.Width, info.Height)), 1), nil
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
