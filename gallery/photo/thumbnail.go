package photo

import (
	"image"
	"io"
)

// Thumbnail returns the small picture a camera has stored in the EXIF block of
// the file at path, upright and cut to the aspect of the photo: cameras put
// black bars around it. It is there at once, long before the photo is decoded,
// but of 160 pixels, and it is old where a program changed the photo and left
// the EXIF block alone.
func Thumbnail(path string) (image.Image, bool) {
	var img image.Image
	err := with(path, func(r *io.SectionReader) error {
		f, info, err := header(r)
		if err != nil || f.exif.thumbnail == nil {
			return err
		}
		if _, small, err := header(f.exif.thumbnail); err != nil || small.Width*small.Height > maxThumbnail {
			return err
		}
		small, _, err := decode(f.exif.thumbnail)
		if err != nil {
			return err
		}
		img = upright(small, info.Orientation)
		img = upright(img.(interface {
			SubImage(image.Rectangle) image.Image
		}).SubImage(middle(img.Bounds(), info.Width, info.Height)), 1)
		return nil
	})
	return img, err == nil && img != nil
}
