package photo

import (
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"
)

// place returns the pixel of a file of w×h pixels that belongs at x, y of the
// upright picture: the table of EXIF 2.32, tag 0x0112.
func place(orientation, w, h, x, y int) image.Point {
	switch orientation {
	case 2:
		return image.Pt(w-1-x, y)
	case 3:
		return image.Pt(w-1-x, h-1-y)
	case 4:
		return image.Pt(x, h-1-y)
	case 5:
		return image.Pt(y, x)
	case 6:
		return image.Pt(y, h-1-x)
	case 7:
		return image.Pt(w-1-y, h-1-x)
	case 8:
		return image.Pt(w-1-y, x)
	}
	return image.Pt(x, y)
}

// kinds returns one random picture of every kind decoders return.
func kinds(r *rand.Rand, w, h int) []image.Image {
	rect := image.Rect(0, 0, w, h)
	fill := func(planes ...[]uint8) {
		for _, p := range planes {
			for i := range p {
				p[i] = uint8(r.Uint32())
			}
		}
	}
	var all []image.Image
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		m, a := image.NewYCbCr(rect, ratio), image.NewNYCbCrA(rect, ratio)
		fill(m.Y, m.Cb, m.Cr, a.Y, a.Cb, a.Cr, a.A)
		all = append(all, m, a)
	}
	grey, grey16, cmyk, nrgba, nrgba64 := image.NewGray(rect), image.NewGray16(rect), image.NewCMYK(rect), image.NewNRGBA(rect), image.NewNRGBA64(rect)
	fill(grey.Pix, grey16.Pix, cmyk.Pix, nrgba.Pix, nrgba64.Pix)
	rgba, rgba64 := image.NewRGBA(rect), image.NewRGBA64(rect)
	draw.Draw(rgba, rect, nrgba, image.Point{}, draw.Src)
	draw.Draw(rgba64, rect, nrgba64, image.Point{}, draw.Src)
	paletted := image.NewPaletted(rect, color.Palette{color.Black, color.White, color.NRGBA{200, 10, 10, 255}, color.NRGBA{10, 200, 10, 255}})
	for i := range paletted.Pix {
		paletted.Pix[i] = uint8(r.IntN(4))
	}
	return append(all, grey, grey16, cmyk, nrgba, nrgba64, rgba, rgba64, paletted)
}

func TestUpright(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, size := range []image.Point{{1, 1}, {2, 1}, {6, 4}, {7, 5}, {70, 130}, {131, 67}} {
		for _, img := range kinds(r, size.X, size.Y) {
			for o := 1; o <= 8; o++ {
				got := upright(img, o)
				want := image.Rectangle{Max: size}
				if o >= 5 {
					want.Max = image.Pt(size.Y, size.X)
				}
				if got.Bounds() != want {
					t.Fatalf("%T %v, orientation %d: bounds %v", img, size, o, got.Bounds())
				}
				for y := range want.Max.Y {
					for x := range want.Max.X {
						p := place(o, size.X, size.Y, x, y)
						if got.At(x, y) != img.At(p.X, p.Y) {
							t.Fatalf("%T %v, orientation %d at %d,%d: %v, want %v", img, size, o, x, y, got.At(x, y), img.At(p.X, p.Y))
						}
					}
				}
			}
		}
	}
}

// TestUprightKeeps: what stands upright is not copied, and planes of a JPEG
// stay as small as they are.
func TestUprightKeeps(t *testing.T) {
	m := image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio420)
	if upright(m, 1) != image.Image(m) {
		t.Error("an upright picture was copied")
	}
	for o, want := range map[int]image.YCbCrSubsampleRatio{3: image.YCbCrSubsampleRatio420, 6: image.YCbCrSubsampleRatio420} {
		if got := upright(m, o).(*image.YCbCr); got.SubsampleRatio != want || len(got.Cb) != len(m.Cb) {
			t.Errorf("orientation %d: %v, %d chroma samples", o, got.SubsampleRatio, len(got.Cb))
		}
	}
	m = image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio422)
	if got := upright(m, 6).(*image.YCbCr).SubsampleRatio; got != image.YCbCrSubsampleRatio440 {
		t.Errorf("4:2:2 on its side is %v", got)
	}
	part := m.SubImage(image.Rect(5, 5, 9, 9))
	if b := upright(part, 1).Bounds(); b != image.Rect(0, 0, 4, 4) {
		t.Errorf("a part has bounds %v", b)
	}
}

func BenchmarkUpright(b *testing.B) {
	m := image.NewYCbCr(image.Rect(0, 0, 4032, 3024), image.YCbCrSubsampleRatio420)
	for b.Loop() {
		upright(m, 6)
	}
}
