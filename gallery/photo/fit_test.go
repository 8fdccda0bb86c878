package photo

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"
)

func TestFitSize(t *testing.T) {
	for _, c := range []struct{ w, h, fitW, fitH, wantW, wantH int }{
		{4032, 3024, 320, 320, 320, 240},
		{3024, 4032, 320, 320, 240, 320},
		{100, 80, 320, 320, 100, 80}, // never enlarged
		{100, 80, 100, 80, 100, 80},
		{100, 80, 99, 1000, 99, 79},
		{5000, 3, 100, 100, 100, 1},
		{3, 5000, 100, 100, 1, 100},
		{50_000, 1, 10, 10, 10, 1},
		{100, 80, 0, -5, 1, 1},
		{1, 1, 10, 10, 1, 1},
	} {
		img := image.NewYCbCr(image.Rect(0, 0, c.w, c.h), image.YCbCrSubsampleRatio420)
		if got := Fit(img, c.fitW, c.fitH).Rect; got != image.Rect(0, 0, c.wantW, c.wantH) {
			t.Errorf("%d×%d into %d×%d: %v, want %d×%d", c.w, c.h, c.fitW, c.fitH, got, c.wantW, c.wantH)
		}
	}
}

// TestFitColours has pictures of one colour: they stay what they are in every
// kind and size.
func TestFitColours(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, c := range []color.NRGBA{{0, 0, 0, 255}, {255, 255, 255, 255}, {200, 100, 50, 255}} {
		for _, size := range []image.Point{{1, 1}, {17, 11}, {133, 87}} {
			for _, img := range kinds(r, size.X, size.Y) {
				paint(img, c)
				want := image.NewNRGBA(image.Rect(0, 0, 1, 1))
				want.Set(0, 0, img.At(0, 0)) // what the kind can hold of it
				for _, got := range []*image.NRGBA{Fit(img, 20, 20), Fit(img, 9, 30)} {
					for i, v := range got.Pix {
						if d := int(v) - int(want.Pix[i%4]); d > 1 || d < -1 {
							t.Fatalf("%T %v of %v: %v", img, size, c, got.Pix[i&^3:][:4])
						}
					}
				}
			}
		}
	}
}

// paint fills a picture of any kind with a colour.
func paint(img image.Image, c color.Color) {
	y, cb, cr := color.RGBToYCbCr(c.(color.NRGBA).R, c.(color.NRGBA).G, c.(color.NRGBA).B)
	fill := func(p []uint8, v uint8) {
		for i := range p {
			p[i] = v
		}
	}
	switch m := img.(type) {
	case *image.YCbCr:
		fill(m.Y, y)
		fill(m.Cb, cb)
		fill(m.Cr, cr)
	case *image.NYCbCrA:
		paint(&m.YCbCr, c)
		fill(m.A, 255)
	case draw.Image:
		draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	}
}

// TestFitPlace has ramps: a value says where in the picture it comes from, so a
// shift of the box filter would show.
func TestFitPlace(t *testing.T) {
	const w, h = 603, 455
	source := ramp(w, h)
	planes := image.NewYCbCr(source.Rect, image.YCbCrSubsampleRatio420)
	for y := range h {
		for x := range w {
			c := source.NRGBAAt(x, y)
			planes.Y[planes.YOffset(x, y)], planes.Cb[planes.COffset(x, y)], planes.Cr[planes.COffset(x, y)] = color.RGBToYCbCr(c.R, c.G, c.B)
		}
	}
	for _, img := range []image.Image{source, planes} {
		for _, n := range []int{15, 77, 150, 440} {
			checkRamp(t, source, Fit(img, n, n))
			checkRamp(t, source, Fit(img, n, n/3))
		}
	}
}

// checkRamp compares got with the source that it shows.
func checkRamp(t *testing.T, source, got *image.NRGBA) {
	t.Helper()
	r := source.Rect
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			// The pixel at the centre of what x, y covers.
			sx := r.Min.X + int((float64(x)+0.5)*float64(r.Dx())/float64(got.Rect.Dx()))
			sy := r.Min.Y + int((float64(y)+0.5)*float64(r.Dy())/float64(got.Rect.Dy()))
			p, q := got.NRGBAAt(x, y), source.NRGBAAt(sx, sy)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B), int(p.A) - int(q.A)} {
				// A border adds half a box, rounded chroma up to two levels of blue.
				if d > 6 || d < -6 {
					t.Fatalf("%v to %v at %d,%d: %v, want %v", r, got.Rect, x, y, p, q)
				}
			}
		}
	}
}

func TestCentred(t *testing.T) {
	for _, c := range []struct {
		r      image.Rectangle
		factor int
		want   image.Rectangle
	}{
		{image.Rect(0, 0, 10, 8), 4, image.Rect(1, 0, 9, 8)},
		{image.Rect(5, 6, 16, 13), 3, image.Rect(6, 6, 15, 12)},
		{image.Rect(5, 6, 16, 13), 1, image.Rect(5, 6, 16, 13)},
	} {
		if got := centred(c.r, c.factor); got != c.want {
			t.Errorf("%v by %d: %v, want %v", c.r, c.factor, got, c.want)
		}
	}
}

// TestReduce compares the box filter with its definition.
func TestReduce(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, img := range kinds(r, 61, 47) {
		for _, factor := range []int{1, 2, 3, 4, 8, 20} {
			_, planar := img.(*image.YCbCr)
			if planar {
				continue // averages in another colour space; TestReducePlane
			}
			got := reduce(img, factor)
			from := centred(img.Bounds(), factor)
			whole := image.NewRGBA(img.Bounds())
			draw.Draw(whole, whole.Rect, img, image.Point{}, draw.Src)
			for i := range got.Pix {
				x, y, c := i/4%got.Rect.Dx(), i/4/got.Rect.Dx(), i%4
				sum := 0
				for j := range factor * factor {
					sum += int(whole.Pix[whole.PixOffset(from.Min.X+x*factor+j%factor, from.Min.Y+y*factor+j/factor)+c])
				}
				if want := uint8((sum + factor*factor/2) / (factor * factor)); got.Pix[i] != want {
					t.Fatalf("%T by %d: %d at %d,%d, want %d", img, factor, got.Pix[i], x, y, want)
				}
			}
		}
	}
}

func TestReducePlane(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	src := make([]uint8, 50*40)
	for i := range src {
		src[i] = uint8(r.Uint32())
	}
	for _, c := range []struct{ w, h, across, down int }{{50, 40, 1, 1}, {7, 5, 7, 8}, {16, 13, 3, 3}, {5, 1, 9, 40}} {
		for i, got := range reducePlane(src, 50, c.w, c.h, c.across, c.down) {
			x, y, sum, n := i%c.w, i/c.w, 0, c.across*c.down
			for j := range n {
				sum += int(src[(y*c.down+j/c.across)*50+x*c.across+j%c.across])
			}
			if want := (sum + n/2) / n; int(got) != want {
				t.Errorf("%+v: %d at %d,%d, want %d", c, got, x, y, want)
			}
		}
	}
	// Sums of the largest box fit.
	bright := make([]uint8, maxFactor*maxFactor)
	for i := range bright {
		bright[i] = 255
	}
	if got := reducePlane(bright, maxFactor, 1, 1, maxFactor, maxFactor); got[0] != 255 {
		t.Errorf("white averages to %d", got[0])
	}
}

// TestReducePlanes: a part that begins inside a chroma sample is moved to its
// corner, so that luma and chroma stay together.
func TestReducePlanes(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	m := image.NewYCbCr(image.Rect(0, 0, 16, 16), image.YCbCrSubsampleRatio420)
	for _, plane := range [][]uint8{m.Y, m.Cb, m.Cr} {
		for i := range plane {
			plane[i] = uint8(100 + r.IntN(56))
		}
	}
	got, want := reducePlanes(m, image.Rect(3, 5, 11, 13), 2), reducePlanes(m, image.Rect(2, 4, 10, 12), 2)
	if !bytes.Equal(got.Pix, want.Pix) {
		t.Error("luma and chroma are apart")
	}
	// A box of one chroma sample, by its definition.
	luma := (int(m.Y[4*16+2]) + int(m.Y[4*16+3]) + int(m.Y[5*16+2]) + int(m.Y[5*16+3]) + 2) / 4
	red, green, blue := color.YCbCrToRGB(uint8(luma), m.Cb[2*8+1], m.Cr[2*8+1])
	if p := got.RGBAAt(0, 0); p != (color.RGBA{red, green, blue, 255}) {
		t.Errorf("%v, want %d %d %d", p, red, green, blue)
	}
}

// TestFitAlpha: colours under a clear alpha do not bleed into what is seen.
func TestFitAlpha(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 400, 400))
	draw.Draw(m, image.Rect(0, 0, 201, 400), image.NewUniform(color.NRGBA{220, 30, 20, 255}), image.Point{}, draw.Src)
	for y := range 400 {
		for x := 201; x < 400; x++ {
			m.SetNRGBA(x, y, color.NRGBA{0, 0, 255, 0})
		}
	}
	got := Fit(m, 40, 40)
	for x := range 40 {
		c := got.NRGBAAt(x, 20)
		switch {
		case x < 17 && c != color.NRGBA{220, 30, 20, 255}, x > 23 && c.A != 0, c.A > 20 && (c.B > 40 || c.R < 200):
			t.Errorf("column %d is %v", x, c)
		}
	}
}

func BenchmarkFit(b *testing.B) {
	rect := image.Rect(0, 0, 4032, 3024)
	for name, img := range map[string]image.Image{
		"YCbCr": image.NewYCbCr(rect, image.YCbCrSubsampleRatio420), "RGBA": image.NewRGBA(rect), "NRGBA": image.NewNRGBA(rect),
		"Gray": image.NewGray(rect), "Paletted": image.NewPaletted(rect, color.Palette{color.White}),
	} {
		b.Run("12MP-320/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Fit(img, 320, 320)
			}
		})
	}
}
