package photo

import (
	"image"
	"image/draw"
)

// upright returns img turned as the EXIF orientation asks, with bounds that
// begin at 0,0; img itself where nothing is to be done. Planes of a JPEG are
// turned as planes, so the result stays as small.
func upright(img image.Image, orientation int) image.Image {
	b := img.Bounds()
	if orientation == 1 && b.Min == (image.Point{}) {
		return img
	}
	t := turnFor(orientation, b.Dx(), b.Dy())
	r := image.Rectangle{Max: t.size()}
	switch m := img.(type) {
	case *image.YCbCr:
		return t.planes(m)
	case *image.NYCbCrA:
		d := &image.NYCbCrA{YCbCr: *t.planes(&m.YCbCr), A: make([]uint8, t.width*t.height), AStride: r.Dx()}
		t.plane(d.A, d.AStride, m.A[m.AOffset(b.Min.X, b.Min.Y):], m.AStride, 1)
		return d
	case *image.Gray:
		d := image.NewGray(r)
		t.plane(d.Pix, d.Stride, m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, 1)
		return d
	case *image.Paletted:
		d := image.NewPaletted(r, m.Palette)
		t.plane(d.Pix, d.Stride, m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, 1)
		return d
	case *image.Gray16:
		d := image.NewGray16(r)
		t.plane(d.Pix, d.Stride, m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, 2)
		return d
	case *image.CMYK:
		d := image.NewCMYK(r)
		t.plane(d.Pix, d.Stride, m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, 4)
		return d
	case *image.RGBA:
		d := image.NewRGBA(r)
		t.plane(d.Pix, d.Stride, m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, 4)
		return d
	case *image.RGBA64:
		d := image.NewRGBA64(r)
		t.plane(d.Pix, d.Stride, m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, 8)
		return d
	case *image.NRGBA64:
		d := image.NewNRGBA64(r)
		t.plane(d.Pix, d.Stride, m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, 8)
		return d
	}
	m, ok := img.(*image.NRGBA)
	if !ok {
		m = image.NewNRGBA(b)
		draw.Draw(m, b, img, b.Min, draw.Src)
	}
	d := image.NewNRGBA(r)
	t.plane(d.Pix, d.Stride, m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, 4)
	return d
}

// A turn takes a picture of width×height pixels, as the file has it, upright:
// its columns are read from the right if mirror, its rows from the bottom if
// flip, and then columns become rows if transpose.
type turn struct {
	mirror, flip, transpose bool
	width, height           int
}

func turnFor(orientation, width, height int) turn {
	switch orientation {
	case 2:
		return turn{true, false, false, width, height}
	case 3:
		return turn{true, true, false, width, height}
	case 4:
		return turn{false, true, false, width, height}
	case 5:
		return turn{false, false, true, width, height}
	case 6:
		return turn{false, true, true, width, height}
	case 7:
		return turn{true, true, true, width, height}
	case 8:
		return turn{true, false, true, width, height}
	}
	return turn{false, false, false, width, height}
}

// size returns the upright size.
func (t turn) size() image.Point {
	if t.transpose {
		return image.Pt(t.height, t.width)
	}
	return image.Pt(t.width, t.height)
}

// tile is the side of the squares a plane is turned in, so that the lines read
// across stay in the cache: 64 lines of 64 bytes are 4 KB.
const tile = 64

// plane turns src, of size bytes a pixel, into dst.
func (t turn) plane(dst []uint8, dstStride int, src []uint8, srcStride, size int) {
	at, right, down := 0, size, srcStride // where dst's first pixel, next pixel and next row are in src
	if t.mirror {
		at, right = at+(t.width-1)*size, -right
	}
	if t.flip {
		at, down = at+(t.height-1)*srcStride, -down
	}
	if t.transpose {
		right, down = down, right
	}
	n := t.size()
	for y0 := 0; y0 < n.Y; y0 += tile {
		for x0 := 0; x0 < n.X; x0 += tile {
			for y := y0; y < min(y0+tile, n.Y); y++ {
				line := dst[y*dstStride+x0*size:][:min(tile, n.X-x0)*size]
				from := at + y*down + x0*right
				if size == 1 {
					for i := range line {
						line[i] = src[from]
						from += right
					}
					continue
				}
				for i := 0; i < len(line); i += size {
					copy(line[i:i+size], src[from:])
					from += right
				}
			}
		}
	}
}

// planes turns the planes of m. Chroma samples that would lie across other
// pixels afterwards, at an odd edge or in a layout that has no transpose, are
// spread to single pixels first.
func (t turn) planes(m *image.YCbCr) *image.YCbCr {
	across, down := subsampling(m.SubsampleRatio)
	if t.mirror && t.width%across != 0 || t.flip && t.height%down != 0 ||
		m.Rect.Min.X%across != 0 || m.Rect.Min.Y%down != 0 || t.transpose && across > 2 {
		m, across, down = spread(m), 1, 1
	}
	ratio := m.SubsampleRatio
	if t.transpose {
		switch ratio {
		case image.YCbCrSubsampleRatio422:
			ratio = image.YCbCrSubsampleRatio440
		case image.YCbCrSubsampleRatio440:
			ratio = image.YCbCrSubsampleRatio422
		}
	}
	d := image.NewYCbCr(image.Rectangle{Max: t.size()}, ratio)
	luma, chroma := m.YOffset(m.Rect.Min.X, m.Rect.Min.Y), m.COffset(m.Rect.Min.X, m.Rect.Min.Y)
	t.plane(d.Y, d.YStride, m.Y[luma:], m.YStride, 1)
	t.width, t.height = (t.width+across-1)/across, (t.height+down-1)/down
	t.plane(d.Cb, d.CStride, m.Cb[chroma:], m.CStride, 1)
	t.plane(d.Cr, d.CStride, m.Cr[chroma:], m.CStride, 1)
	return d
}

// spread returns m with a chroma sample for every pixel.
func spread(m *image.YCbCr) *image.YCbCr {
	d := image.NewYCbCr(m.Rect, image.YCbCrSubsampleRatio444)
	for y := m.Rect.Min.Y; y < m.Rect.Max.Y; y++ {
		at := d.YOffset(m.Rect.Min.X, y)
		copy(d.Y[at:], m.Y[m.YOffset(m.Rect.Min.X, y):][:m.Rect.Dx()])
		for x := m.Rect.Min.X; x < m.Rect.Max.X; x++ {
			from := m.COffset(x, y)
			d.Cb[at], d.Cr[at] = m.Cb[from], m.Cr[from]
			at++
		}
	}
	return d
}

// subsampling returns how many pixels a chroma sample covers.
func subsampling(r image.YCbCrSubsampleRatio) (across, down int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}
