package gallery

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"sigla/gallery/photo"
)

// A variant is another version of a picture.
type variant struct {
	name    string
	quality int
	least   float64 // share that must be found
	make    func(img image.Image) image.Image
}

// crop cuts off a share of the width and height, half of it on each side.
func crop(img image.Image, share float64) image.Image {
	b := img.Bounds()
	dx, dy := int(float64(b.Dx())*share/2), int(float64(b.Dy())*share/2)
	return resize(img, image.Rect(b.Min.X+dx, b.Min.Y+dy, b.Max.X-dx, b.Max.Y-dy), 1)
}

// resize scales the part of a picture within r.
func resize(img image.Image, r image.Rectangle, scale float64) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, int(float64(r.Dx())*scale), int(float64(r.Dy())*scale)))
	draw.CatmullRom.Scale(out, out.Rect, img, r, draw.Src, nil)
	return out
}

// pixelwise changes every pixel, which is x of the row of that width.
func pixelwise(img image.Image, at func(x, width int) int, change func(c color.RGBA) color.RGBA) image.Image {
	out := resize(img, img.Bounds(), 1).(*image.RGBA)
	in, w := resize(img, img.Bounds(), 1), out.Rect.Dx()
	for y := range out.Rect.Dy() {
		for x := range w {
			out.SetRGBA(x, y, change(in.(*image.RGBA).RGBAAt(at(x, w), y)))
		}
	}
	return out
}

func plain(x, _ int) int { return x }

var variants = []variant{
	{"quality 75", 75, 0.85, func(img image.Image) image.Image { return img }},
	{"quality 40", 40, 0.40, func(img image.Image) image.Image { return img }},
	{"three quarters", 90, 0.55, func(img image.Image) image.Image { return resize(img, img.Bounds(), 0.75) }},
	{"half", 90, 0, func(img image.Image) image.Image { return resize(img, img.Bounds(), 0.5) }},
	{"5 % cut off", 90, 0.75, func(img image.Image) image.Image { return crop(img, 0.05) }},
	{"10 % cut off", 90, 0.50, func(img image.Image) image.Image { return crop(img, 0.1) }},
	{"brighter by 20 %", 90, 0.85, func(img image.Image) image.Image {
		up := func(v uint8) uint8 { return uint8(min(255, int(v)*6/5)) }
		return pixelwise(img, plain, func(c color.RGBA) color.RGBA { return color.RGBA{up(c.R), up(c.G), up(c.B), 255} })
	}},
	{"grey", 90, 0, func(img image.Image) image.Image {
		return pixelwise(img, plain, func(c color.RGBA) color.RGBA {
			y := color.GrayModel.Convert(c).(color.Gray).Y
			return color.RGBA{y, y, y, 255}
		})
	}},
	{"mirrored", 90, 0, func(img image.Image) image.Image {
		return pixelwise(img, func(x, w int) int { return w - 1 - x }, func(c color.RGBA) color.RGBA { return c })
	}},
}

// TestRealDuplicates adds a version of every third photo to a folder of different
// photos and prints, by threshold, how many of each kind are close to their
// original and how many pairs of different photos are close. The limits are
// below what is measured.
func TestRealDuplicates(t *testing.T) {
	m := loadStarter(t)
	n, every := 0, 3
	if *full {
		every = 1
	}
	dir := unpack(t, "flickr8k", func(name string) bool { return strings.HasSuffix(name, ".jpg") })
	files, err := filepath.Glob(filepath.Join(dir, "flickr8k", "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if n++; n%every != 0 {
			continue
		}
		img, _, err := photo.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		i := n / every % len(variants)
		var data bytes.Buffer
		if err := jpeg.Encode(&data, variants[i].make(img), &jpeg.Options{Quality: variants[i].quality}); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "versions", fmt.Sprint(i), filepath.Base(file)), data.Bytes())
	}
	g := embeddedFolder(t, m, dir)
	p, err := NewPictures(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	reportDuplicates(t, g, p)
}

func reportDuplicates(t *testing.T, g *Gallery, p *Pictures) {
	rows := map[string]int{}
	var originals []int
	for row, id := range p.ids {
		name := g.Photo(id).Name
		rows[name] = row
		if strings.HasPrefix(name, "flickr8k/") {
			originals = append(originals, row)
		}
	}
	cosine := func(a, b int) float32 {
		return dot(p.heads[a], p.heads[b]) + p.tailProduct(a, b)
	}
	thresholds := []float32{0.6, 0.7, 0.75, DefaultAlike, 0.85, 0.9}
	t.Logf("%-18s %.2f", "close at", thresholds)
	for i, v := range variants {
		found, all := make([]float64, len(thresholds)), 0.0
		for _, row := range originals {
			other, ok := rows[fmt.Sprintf("versions/%d/%s", i, filepath.Base(g.Photo(p.ids[row]).Name))]
			if !ok {
				continue
			}
			all++
			for k, threshold := range thresholds {
				if cosine(row, other) >= threshold {
					found[k]++
				}
			}
		}
		for k := range found {
			found[k] /= all
		}
		t.Logf("%-18s %.2f of %v", v.name, found, all)
		if found[3] < v.least {
			t.Errorf("%s: %.2f are close to their original, want %.2f", v.name, found[3], v.least)
		}
	}
	pairs := make([]int, len(thresholds))
	for i, a := range originals {
		for _, b := range originals[:i] {
			for k, threshold := range thresholds {
				if cosine(a, b) >= threshold {
					pairs[k]++
				}
			}
		}
	}
	t.Logf("%-18s %4d of %d pairs", "different photos", pairs, len(originals)*(len(originals)-1)/2)
	if pairs[3] > 5 {
		t.Errorf("%d pairs of different photos are close", pairs[3])
	}
}
