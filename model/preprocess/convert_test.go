package preprocess

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"
)

// noise returns one picture of every kind, filled at random, with bounds that
// do not begin at 0,0 and rows longer than the picture.
func noise(r *rand.Rand) map[string]image.Image {
	outer := image.Rect(0, 0, 30, 20)
	at := image.Pt(1+r.IntN(9), 1+r.IntN(9))
	inner := image.Rectangle{at, at.Add(image.Pt(1+r.IntN(20), 1+r.IntN(10)))}
	fill := func(planes ...[]uint8) {
		for _, p := range planes {
			for i := range p {
				p[i] = uint8(r.Uint32())
			}
		}
	}
	out := map[string]image.Image{}
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		m := image.NewYCbCr(outer, ratio)
		fill(m.Y, m.Cb, m.Cr)
		out["YCbCr "+ratio.String()] = m.SubImage(inner)
		out["whole YCbCr "+ratio.String()] = m
		out["shifted YCbCr "+ratio.String()] = func() image.Image {
			m := image.NewYCbCr(image.Rect(-7, -5, 6, 8), ratio)
			fill(m.Y, m.Cb, m.Cr)
			return m
		}()
		a := image.NewNYCbCrA(outer, ratio)
		fill(a.Y, a.Cb, a.Cr, a.A)
		out["NYCbCrA "+ratio.String()] = a.SubImage(inner)
	}
	grey, grey16, cmyk := image.NewGray(outer), image.NewGray16(outer), image.NewCMYK(outer)
	nrgba, nrgba64 := image.NewNRGBA(outer), image.NewNRGBA64(outer)
	fill(grey.Pix, grey16.Pix, cmyk.Pix, nrgba.Pix, nrgba64.Pix)
	rgba, rgba64, rgbaSolid := image.NewRGBA(outer), image.NewRGBA64(outer), image.NewRGBA(outer)
	draw.Draw(rgba, outer, nrgba, image.Point{}, draw.Src)
	draw.Draw(rgba64, outer, nrgba64, image.Point{}, draw.Src)
	draw.Draw(rgbaSolid, outer, cmyk, image.Point{}, draw.Src)
	paletted := image.NewPaletted(outer, make(color.Palette, 200))
	for i := range paletted.Palette {
		paletted.Palette[i] = nrgba.At(i%30, i/30)
	}
	for i := range paletted.Pix {
		paletted.Pix[i] = uint8(r.IntN(200))
	}
	for name, m := range map[string]interface {
		SubImage(image.Rectangle) image.Image
	}{
		"Gray": grey, "Gray16": grey16, "CMYK": cmyk, "NRGBA": nrgba, "NRGBA64": nrgba64,
		"RGBA": rgba, "RGBA64": rgba64, "opaque RGBA": rgbaSolid, "Paletted": paletted,
	} {
		out[name] = m.SubImage(inner)
	}
	out["unknown kind"] = struct{ image.Image }{out["NRGBA"]}
	return out
}

// colour is the definition of RGB for one pixel.
func colour(c color.Color) (r, g, b uint8) {
	switch c := c.(type) {
	case color.YCbCr:
		return color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
	case color.NYCbCrA:
		return color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
	case color.Gray:
		return c.Y, c.Y, c.Y
	case color.Gray16:
		return uint8(c.Y >> 8), uint8(c.Y >> 8), uint8(c.Y >> 8)
	case color.NRGBA:
		return c.R, c.G, c.B
	case color.NRGBA64:
		return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
	case color.CMYK:
		f := func(v uint8) uint8 { return uint8(float64(255-v)*float64(255-c.K)/255 + 0.5) }
		return f(c.C), f(c.M), f(c.Y)
	}
	red, green, blue, alpha := c.RGBA()
	if alpha == 0 {
		return 0, 0, 0
	}
	return uint8(red * 0xffff / alpha >> 8), uint8(green * 0xffff / alpha >> 8), uint8(blue * 0xffff / alpha >> 8)
}

func TestRGB(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		for name, img := range noise(r) {
			b := img.Bounds()
			p := RGB(img)
			if p.Width != b.Dx() || p.Height != b.Dy() {
				t.Fatalf("%s: %d×%d, want %v", name, p.Width, p.Height, b)
			}
			for y := range p.Height {
				for x := range p.Width {
					got := [3]uint8(p.row(y)[3*x:])
					var want [3]uint8
					want[0], want[1], want[2] = colour(img.At(b.Min.X+x, b.Min.Y+y))
					if got != want {
						t.Fatalf("%s %v at %d,%d: %v, want %v", name, b, x, y, got, want)
					}
				}
			}
		}
	}
}

// TestRGBYCbCr goes through every chroma pair and a step of luma.
func TestRGBYCbCr(t *testing.T) {
	m := image.NewYCbCr(image.Rect(0, 0, 256, 256), image.YCbCrSubsampleRatio444)
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = uint8(i), uint8(i>>8)
	}
	for luma := 0; luma < 256; luma += 15 {
		for i := range m.Y {
			m.Y[i] = uint8(luma)
		}
		p := RGB(m)
		for i := range m.Y {
			r, g, b := color.YCbCrToRGB(m.Y[i], m.Cb[i], m.Cr[i])
			if [3]uint8(p.Pix[3*i:]) != [3]uint8{r, g, b} {
				t.Fatalf("Y'CbCr %d %d %d: %v, want %d %d %d", m.Y[i], m.Cb[i], m.Cr[i], p.Pix[3*i:3*i+3], r, g, b)
			}
		}
	}
}

func TestRGBBrokenPalette(t *testing.T) {
	m := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.White})
	m.Pix[1] = 77
	if p := RGB(m); fmt.Sprint(p.Pix) != "[255 255 255 0 0 0]" {
		t.Errorf("index beyond the palette: %v", p.Pix)
	}
}
