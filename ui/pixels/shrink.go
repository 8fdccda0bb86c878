package pixels

import (
	"image"
	"image/color"
	"image/draw"
	"slices"
)

// rgb is one opaque pixel.
type rgb struct{ r, g, b uint8 }

// shrink scales img to w × h by averaging areas: every source pixel counts by
// the share of it that an output pixel covers. For the large reductions of a
// terminal this is as good as a longer filter and has no ringing. Transparent
// parts lie on middle grey, where both black and white drawings can be seen.
// The result is row-major [h, w].
func shrink(img image.Image, w, h int) []rgb {
	src := opaque(img)
	size := src.Rect.Size()
	across, down := spans(size.X, w), spans(size.Y, h)

	// First across, into [size.Y, w, 3], then down.
	rows := make([]float32, size.Y*w*3)
	for y := range size.Y {
		line := src.Pix[y*src.Stride:]
		for x, s := range across {
			var r, g, b float32
			for i, weight := range s.weights {
				p := line[4*(s.first+i):]
				r += weight * float32(p[0])
				g += weight * float32(p[1])
				b += weight * float32(p[2])
			}
			d := rows[(y*w+x)*3:]
			d[0], d[1], d[2] = r, g, b
		}
	}
	out := make([]rgb, w*h)
	for y, s := range down {
		for x := range w {
			var r, g, b float32
			for i, weight := range s.weights {
				p := rows[((s.first+i)*w+x)*3:]
				r += weight * p[0]
				g += weight * p[1]
				b += weight * p[2]
			}
			out[y*w+x] = rgb{uint8(r + 0.5), uint8(g + 0.5), uint8(b + 0.5)}
		}
	}
	return out
}

// span is the run of source pixels under one output pixel; its weights sum to
// one.
type span struct {
	first   int
	weights []float32
}

// spans cuts n source pixels into m output pixels, n and m positive.
func spans(n, m int) []span {
	out := make([]span, m)
	scale := float64(n) / float64(m)
	for i := range out {
		lo, hi := float64(i)*scale, float64(i+1)*scale
		first := min(int(lo), n-1)
		var weights []float32
		for j := first; j < n && float64(j) < hi; j++ {
			cover := min(hi, float64(j+1)) - max(lo, float64(j))
			if cover > 0 || j == first {
				weights = append(weights, float32(cover/scale))
			}
		}
		out[i] = span{first, weights}
	}
	return out
}

// opaque returns img as RGBA without transparency, its corner at (0, 0).
func opaque(img image.Image) *image.RGBA {
	b := img.Bounds()
	if n, ok := img.(*image.NRGBA); ok && n.Opaque() {
		// The same bytes: without transparency nothing is premultiplied.
		return &image.RGBA{Pix: n.Pix, Stride: n.Stride, Rect: b.Sub(b.Min)}
	}
	dst := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(dst, dst.Rect, image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
	draw.Draw(dst, dst.Rect, img, b.Min, draw.Over)
	return dst
}

// dither turns px, rows of w pixels, into dots by Floyd and Steinberg's error
// diffusion, after stretching the brightness so that the 2 % darkest and
// brightest pixels are black and white.
func dither(px []rgb, w int, dark bool) []bool {
	luma := make([]float32, len(px))
	for i, p := range px {
		// Rec. 601 weights.
		luma[i] = 0.299*float32(p.r) + 0.587*float32(p.g) + 0.114*float32(p.b)
	}
	sorted := slices.Clone(luma)
	slices.Sort(sorted)
	lo, hi := sorted[len(sorted)/50], sorted[len(sorted)-1-len(sorted)/50]
	if hi-lo < 1 {
		lo, hi = 0, 255 // flat: keep the brightness as it is
	}
	lit := make([]bool, len(px))
	for i, l := range luma {
		v := (l - lo) / (hi - lo)
		bright := v >= 0.5
		lit[i] = bright == dark
		e := v
		if bright {
			e = v - 1
		}
		spread(luma, i, w, e*(hi-lo))
	}
	return lit
}

// spread gives the error e of pixel i to its neighbours not yet visited.
func spread(luma []float32, i, w int, e float32) {
	x := i % w
	if x+1 < w {
		luma[i+1] += e * 7 / 16
	}
	if i+w >= len(luma) {
		return
	}
	if x > 0 {
		luma[i+w-1] += e * 3 / 16
	}
	luma[i+w] += e * 5 / 16
	if x+1 < w {
		luma[i+w+1] += e * 1 / 16
	}
}
