//go:build heic && nodynamic

package photo

import (
	"fmt"
	"image"
	"io"
	"time"

	"github.com/gen2brain/heic"
)

// HasHEIC says whether this build opens HEIC: libheif and libde265 (LGPL) are in
// it, as WebAssembly, which neither is trusted nor can reach anything.
const HasHEIC = true

func init() {
	for _, brand := range []string{"hei", "hev", "mif1", "msf1"} {
		formats = append(formats, format{"HEIC", "????ftyp" + brand, heic.DecodeConfig, decodeHEIC, exifInHEIF, 0})
	}
}

// leastHEIC is the shortest side that is opened: version 0.4.5 of the library
// takes the planes of smaller pictures for narrower than libheif makes them.
const leastHEIC = 128

var errSmallHEIC = fmt.Errorf("HEIC of less than %d pixels is %w; convert it to JPEG", leastHEIC, ErrUnsupported)

// decodeHEIC gives a picture up that takes too long: the decoder has the whole
// file in memory, so that no read can end it, and computes on for itself.
func decodeHEIC(r io.Reader) (image.Image, error) {
	type decoded struct {
		img image.Image
		err error
	}
	done := make(chan decoded, 1)
	go func() {
		var d decoded
		d.err = guard(func(*io.SectionReader) (err error) {
			if d.img, err = heic.Decode(r); err != nil {
				return err
			}
			if size := d.img.Bounds().Size(); min(size.X, size.Y) < leastHEIC {
				return errSmallHEIC
			}
			mend(d.img)
			return nil
		}, nil)
		done <- d
	}()
	late := time.NewTimer(maxTime)
	defer late.Stop()
	select {
	case d := <-done:
		if d.err != nil {
			return nil, d.err
		}
		return d.img, nil
	case <-late.C:
		return nil, errTime
	}
}

// mend repairs the first row: the library frees the memory of a
// picture and returns it then, with marks of the allocator in up to 24 bytes.
func mend(img image.Image) {
	pix, stride := []uint8(nil), 0
	switch m := img.(type) {
	case *image.YCbCr:
		pix, stride = m.Y, m.YStride
	case *image.Gray:
		pix, stride = m.Pix, m.Stride
	case *image.NRGBA:
		pix, stride = m.Pix, m.Stride
	case *image.RGBA:
		pix, stride = m.Pix, m.Stride
	}
	if n := min(32, stride); len(pix) >= stride+n {
		copy(pix[:n], pix[stride:])
	}
}
