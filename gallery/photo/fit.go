package photo

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/nfnt/resize"
)

// Fit returns img as large as it fits into w×h pixels, its aspect kept; never
// enlarged. Sides below 1 count as 1.
func Fit(img image.Image, w, h int) *image.NRGBA {
	b := img.Bounds()
	scale := min(float64(max(w, 1))/float64(b.Dx()), float64(max(h, 1))/float64(b.Dy()), 1)
	return scaled(img,
		max(1, int(math.Round(float64(b.Dx())*scale))),
		max(1, int(math.Round(float64(b.Dy())*scale))))
}

// scaled returns img at w×h. A box filter first brings it to two to three times
// that size: a 12 megapixel JPEG goes through the slow filter as 0.3 megapixels.
func scaled(img image.Image, w, h int) *image.NRGBA {
	r := img.Bounds()
	if r.Empty() {
		return image.NewNRGBA(image.Rect(0, 0, w, h))
	}
	factor := max(1, min(r.Dx()/(2*w), r.Dy()/(2*h), maxFactor))
	return straight(lanczos(reduce(img, factor), w, h))
}

// lanczos is the one place that calls the resize library; it filters with
// three lobes and widens with the factor.
func lanczos(m *image.RGBA, w, h int) *image.RGBA {
	return resize.Resize(uint(w), uint(h), m, resize.Lanczos3).(*image.RGBA)
}

// straight divides the alpha out of m. It takes over the pixels.
func straight(m *image.RGBA) *image.NRGBA {
	d := &image.NRGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}
	for i := 0; i+4 <= len(d.Pix); i += 4 {
		p := d.Pix[i:][:4:4]
		if a := uint32(p[3]); a > 0 && a < 255 {
			for c, v := range p[:3] { // a lobe of the filter can leave v above a
				p[c] = uint8(min(255, (uint32(v)*255+a/2)/a))
			}
		}
	}
	return d
}

// maxFactor keeps the sum of a box, of 8-bit samples, within 32 bits.
const maxFactor = 1 << 10

// reduce returns img with every factor×factor pixels averaged, premultiplied.
// What does not fill a box is left out, half of it on each side.
func reduce(img image.Image, factor int) *image.RGBA {
	if m, ok := img.(*image.YCbCr); ok && m.Rect.Min == (image.Point{}) {
		across, down := subsampling(m.SubsampleRatio)
		if whole := factor - factor%max(across, down); whole > 1 {
			return reducePlanes(m, centred(m.Rect, whole), whole)
		}
	}
	r := centred(img.Bounds(), factor)
	dst := image.NewRGBA(image.Rect(0, 0, r.Dx()/factor, r.Dy()/factor))
	if factor == 1 {
		draw.Draw(dst, dst.Rect, img, r.Min, draw.Src)
		return dst
	}
	strip := image.NewRGBA(image.Rect(0, 0, r.Dx(), factor))
	sums := make([]uint32, 4*dst.Rect.Dx())
	for y := range dst.Rect.Dy() {
		draw.Draw(strip, strip.Rect, img, r.Min.Add(image.Pt(0, y*factor)), draw.Src)
		clear(sums)
		for i := range factor {
			add4(sums, strip.Pix[i*strip.Stride:], factor)
		}
		average(dst.Pix[y*dst.Stride:], sums, uint32(factor*factor))
	}
	return dst
}

// centred returns the largest rectangle in the middle of r whose sides are
// multiples of factor.
func centred(r image.Rectangle, factor int) image.Rectangle {
	w, h := r.Dx()-r.Dx()%factor, r.Dy()-r.Dy()%factor
	at := r.Min.Add(image.Pt((r.Dx()-w)/2, (r.Dy()-h)/2))
	return image.Rect(at.X, at.Y, at.X+w, at.Y+h)
}

// add4 adds every n pixels of four bytes to four sums.
func add4(sums []uint32, pix []uint8, n int) {
	for len(sums) >= 4 {
		var a, b, c, d uint32
		for p := pix[:4*n]; len(p) >= 4; p = p[4:] {
			a, b, c, d = a+uint32(p[0]), b+uint32(p[1]), c+uint32(p[2]), d+uint32(p[3])
		}
		sums[0], sums[1], sums[2], sums[3] = sums[0]+a, sums[1]+b, sums[2]+c, sums[3]+d
		sums, pix = sums[4:], pix[4*n:]
	}
}

func average(dst []uint8, sums []uint32, n uint32) {
	for i, v := range sums {
		dst[i] = uint8((v + n/2) / n)
	}
}

// reducePlanes averages luma and chroma each in its own plane and converts the
// few pixels that are left. The corner of r is moved to a chroma sample's.
func reducePlanes(m *image.YCbCr, r image.Rectangle, factor int) *image.RGBA {
	across, down := subsampling(m.SubsampleRatio)
	r = r.Sub(image.Pt(r.Min.X%across, r.Min.Y%down))
	w, h := r.Dx()/factor, r.Dy()/factor
	luma := reducePlane(m.Y[m.YOffset(r.Min.X, r.Min.Y):], m.YStride, w, h, factor, factor)
	at := m.COffset(r.Min.X, r.Min.Y)
	cb := reducePlane(m.Cb[at:], m.CStride, w, h, factor/across, factor/down)
	cr := reducePlane(m.Cr[at:], m.CStride, w, h, factor/across, factor/down)
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range luma {
		p := dst.Pix[4*i:][:4:4]
		p[0], p[1], p[2] = color.YCbCrToRGB(luma[i], cb[i], cr[i])
		p[3] = 255
	}
	return dst
}

// reducePlane returns the averages of w×h boxes of across×down samples.
func reducePlane(src []uint8, stride, w, h, across, down int) []uint8 {
	dst := make([]uint8, w*h)
	sums := make([]uint32, w)
	for y := range h {
		clear(sums)
		for i := range down {
			line := src[(y*down+i)*stride:][:w*across]
			for x := range sums {
				box := line[:across]
				line = line[across:]
				sum := uint32(0)
				for _, v := range box {
					sum += uint32(v)
				}
				sums[x] += sum
			}
		}
		average(dst[y*w:], sums, uint32(across*down))
	}
	return dst
}
