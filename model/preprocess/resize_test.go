package preprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

const golden = "../testdata/golden"

// pattern is the picture of the vectors: v[y][x][c] = (37x + 91y + 53c + xy mod 17) mod 256.
func pattern(width, height int) *Pixels {
	p := newPixels(width, height)
	for y := range height {
		row := p.row(y)
		for x := range width {
			for c := range 3 {
				row[3*x+c] = uint8(37*x + 91*y + 53*c + x*y%17)
			}
		}
	}
	return p
}

func (p *Pixels) view() view { return view{p.Width, p.Height, p.row} }

// resized returns the whole of p at another size.
func resized(p *Pixels, width, height int, f Filter) *Pixels {
	return p.view().resize(width, height, f, image.Rect(0, 0, width, height))
}

func digest(p *Pixels) string {
	sum := sha256.Sum256(p.Pix)
	return hex.EncodeToString(sum[:])
}

func readJSON(t *testing.T, v any, path ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{golden}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func readPNG(t *testing.T, path ...string) image.Image {
	t.Helper()
	f, err := os.Open(filepath.Join(append([]string{golden}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestResizeVectors(t *testing.T) {
	var v struct {
		Resize struct {
			Cases []struct {
				SrcW   int    `json:"src_w"`
				SrcH   int    `json:"src_h"`
				DstW   int    `json:"dst_w"`
				DstH   int    `json:"dst_h"`
				Filter string `json:"filter"`
				Sums   [3]int `json:"channel_sums"`
				SHA    string `json:"sha256_rgb_hwc"`
			} `json:"cases"`
		} `json:"pil_resize"`
	}
	readJSON(t, &v, "vectors.json")
	if len(v.Resize.Cases) != 22 {
		t.Fatalf("%d cases, expected 22", len(v.Resize.Cases))
	}
	filters := map[string]Filter{"bilinear": Bilinear, "bicubic": Bicubic}
	for _, c := range v.Resize.Cases {
		got := resized(pattern(c.SrcW, c.SrcH), c.DstW, c.DstH, filters[c.Filter])
		var sums [3]int
		for i, v := range got.Pix {
			sums[i%3] += int(v)
		}
		if digest(got) != c.SHA {
			t.Errorf("%d×%d to %d×%d %s: channel sums %v, want %v", c.SrcW, c.SrcH, c.DstW, c.DstH, c.Filter, sums, c.Sums)
		}
	}
}

// pillow holds digests of pattern resized by Pillow 13.0, the directions as two
// calls, horizontal first (nearest as one).
var pillow = []struct {
	srcW, srcH, dstW, dstH int
	filter                 Filter
	sha                    string // first 16 digits
}{
	{7, 5, 4, 4, Nearest, "309160fec72a6f4a"},
	{7, 5, 4, 4, Box, "bfc11d313a5719c1"},
	{7, 5, 4, 4, Hamming, "41533e8fa9d8cbb1"},
	{7, 5, 4, 4, Lanczos, "069f06bdd45ba239"},
	{7, 5, 4, 4, Bilinear, "0dacfc170909ca96"},
	{7, 5, 4, 4, Bicubic, "51bdf48c4e4463ae"},
	{7, 5, 10, 9, Nearest, "e06188a4fbf353f1"},
	{7, 5, 10, 9, Box, "e06188a4fbf353f1"},
	{7, 5, 10, 9, Hamming, "4cc3890ba6277691"},
	{7, 5, 10, 9, Lanczos, "13aeebb3065324cd"},
	{7, 5, 10, 9, Bilinear, "32d90a348214e992"},
	{7, 5, 10, 9, Bicubic, "b055cc93bd4165d5"},
	{640, 480, 224, 224, Nearest, "da7314154d18bd36"},
	{640, 480, 224, 224, Box, "c921569ede69d03e"},
	{640, 480, 224, 224, Hamming, "54dceeab6d95c69d"},
	{640, 480, 224, 224, Lanczos, "0ee1c38be477ecab"},
	{640, 480, 224, 224, Bilinear, "4f2c29f6a5341f83"},
	{640, 480, 224, 224, Bicubic, "adca570ac7dc3622"},
	{100, 80, 224, 224, Nearest, "2ecdfc4801793a27"},
	{100, 80, 224, 224, Box, "2ecdfc4801793a27"},
	{100, 80, 224, 224, Hamming, "61d7ad9046991ce6"},
	{100, 80, 224, 224, Lanczos, "bd3057643cc75cf5"},
	{100, 80, 224, 224, Bilinear, "6ec5346671f504af"},
	{100, 80, 224, 224, Bicubic, "7b78143a5a1b4596"},
	{333, 517, 64, 97, Nearest, "637866f2ddb64643"},
	{333, 517, 64, 97, Box, "51e2a0d802d3f2fe"},
	{333, 517, 64, 97, Hamming, "41bce095aa3aab52"},
	{333, 517, 64, 97, Lanczos, "cfcdf7306b3b7bf4"},
	{333, 517, 64, 97, Bilinear, "ac4a7fd4ffdf7626"},
	{333, 517, 64, 97, Bicubic, "12a6fbf3e7c433e6"},
	{1, 1, 5, 3, Nearest, "04d244476faa5b3a"},
	{1, 1, 5, 3, Box, "04d244476faa5b3a"},
	{1, 1, 5, 3, Hamming, "04d244476faa5b3a"},
	{1, 1, 5, 3, Lanczos, "04d244476faa5b3a"},
	{1, 1, 5, 3, Bilinear, "04d244476faa5b3a"},
	{1, 1, 5, 3, Bicubic, "04d244476faa5b3a"},
	{2, 300, 9, 2, Nearest, "2a419c095a6cee02"},
	{2, 300, 9, 2, Box, "d1ff5d07468847d4"},
	{2, 300, 9, 2, Hamming, "507a76b2873a6762"},
	{2, 300, 9, 2, Lanczos, "eae52f345a2a3dc1"},
	{2, 300, 9, 2, Bilinear, "6236bb1d6c6ccbd0"},
	{2, 300, 9, 2, Bicubic, "6cb694224828ca43"},
	{1000, 3, 7, 11, Nearest, "5691bfb288247079"},
	{1000, 3, 7, 11, Box, "8737c59f02306507"},
	{1000, 3, 7, 11, Hamming, "79ff046853aa1ab7"},
	{1000, 3, 7, 11, Lanczos, "5651251ff10a1526"},
	{1000, 3, 7, 11, Bilinear, "fe5f43beeae78614"},
	{1000, 3, 7, 11, Bicubic, "a0452c1429811787"},
	{50, 40, 50, 13, Nearest, "c1b2d44d7cc3fd58"},
	{50, 40, 50, 13, Box, "f49f4e5302e08506"},
	{50, 40, 50, 13, Hamming, "7ad8f77969a950ea"},
	{50, 40, 50, 13, Lanczos, "fa7b9f867ef6625d"},
	{50, 40, 50, 13, Bilinear, "dbaf97670562b101"},
	{50, 40, 50, 13, Bicubic, "0ba249530264f6e4"},
	{50, 40, 13, 40, Nearest, "8058fb1569a051e9"},
	{50, 40, 13, 40, Box, "b8a8b8b929c5cd9d"},
	{50, 40, 13, 40, Hamming, "377785d7c4046181"},
	{50, 40, 13, 40, Lanczos, "3befa32721736f6f"},
	{50, 40, 13, 40, Bilinear, "38c4c057ff1c792d"},
	{50, 40, 13, 40, Bicubic, "2330151848f822ec"},
}

func TestResizeFilters(t *testing.T) {
	for _, c := range pillow {
		if got := digest(resized(pattern(c.srcW, c.srcH), c.dstW, c.dstH, c.filter)); got[:16] != c.sha {
			t.Errorf("%d×%d to %d×%d %v: %s, want %s", c.srcW, c.srcH, c.dstW, c.dstH, c.filter, got[:16], c.sha)
		}
	}
}

// TestResizeNaFlexImages has pictures as NaFlex towers get them, small ones
// enlarged and strips: sides that are multiples of a patch.
func TestResizeNaFlexImages(t *testing.T) {
	var v struct {
		Images struct {
			Cases []struct {
				File   string
				Source string `json:"sha256_rgb"`
				H      int    `json:"resized_h"`
				W      int    `json:"resized_w"`
				SHA    string `json:"sha256_resized"`
			} `json:"cases"`
		} `json:"naflex_test_images"`
	}
	readJSON(t, &v, "vectors.json")
	if len(v.Images.Cases) != 3 {
		t.Fatalf("%d cases, expected 3", len(v.Images.Cases))
	}
	for _, e := range v.Images.Cases {
		src := RGB(readPNG(t, e.File))
		if digest(src) != e.Source {
			t.Errorf("%s: RGB differs", e.File)
		}
		if digest(resized(src, e.W, e.H, Bilinear)) != e.SHA {
			t.Errorf("%s: resized differs", e.File)
		}
	}
	var expected struct{ Images []expectedImage }
	readJSON(t, &expected, "hf", naFlex, "expected.json")
	for _, e := range expected.Images {
		src := RGB(readPNG(t, "hf", naFlex, e.File))
		if digest(resized(src, e.Resized[1], e.Resized[0], Bilinear)) != e.SHA {
			t.Errorf("%s/%s: resized differs", naFlex, e.File)
		}
	}
}

func near(a, b, tolerance float64) bool { return a-b <= tolerance && b-a <= tolerance }

// define is the resampler as its definition reads: one axis at a time, every
// output on its own.
func define(p *Pixels, width, height int, f Filter) *Pixels {
	if width != p.Width {
		dst, a := newPixels(width, p.Height), newAxis(p.Width, width, 0, width, f)
		for i := range dst.Pix {
			y, x, c := i/3/width, i/3%width, i%3
			sum := int64(1 << 21)
			for j := range a.n[x] {
				sum += int64(a.weights[x*a.taps+j]) * int64(p.Pix[3*(y*p.Width+a.lo[x]+j)+c])
			}
			dst.Pix[i] = uint8(max(0, min(255, sum>>22)))
		}
		p = dst
	}
	if height != p.Height {
		dst, a := newPixels(width, height), newAxis(p.Height, height, 0, height, f)
		for i := range dst.Pix {
			y, x, c := i/3/width, i/3%width, i%3
			sum := int64(1 << 21)
			for j := range a.n[y] {
				sum += int64(a.weights[y*a.taps+j]) * int64(p.Pix[3*((a.lo[y]+j)*width+x)+c])
			}
			dst.Pix[i] = uint8(max(0, min(255, sum>>22)))
		}
		p = dst
	}
	return p
}

func TestResizeDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		src := newPixels(1+r.IntN(40), 1+r.IntN(40))
		for i := range src.Pix {
			src.Pix[i] = uint8(r.IntN(2) * 255) // the hardest for overshoot
		}
		w, h, f := 1+r.IntN(40), 1+r.IntN(40), Filter(r.IntN(6))
		name := fmt.Sprintf("%d×%d to %d×%d %v", src.Width, src.Height, w, h, f)
		want := define(src, w, h, f)
		if got := resized(src, w, h, f); string(got.Pix) != string(want.Pix) {
			t.Fatalf("%s differs from the definition", name)
		}
		crop := image.Rect(r.IntN(w+1), r.IntN(h+1), r.IntN(w+1), r.IntN(h+1))
		part := src.view().resize(w, h, f, crop)
		for y := range part.Height {
			x0, x1 := 3*crop.Min.X, 3*crop.Max.X
			if string(part.row(y)) != string(want.row(crop.Min.Y + y)[x0:x1]) {
				t.Fatalf("%s, crop %v: row %d differs", name, crop, y)
			}
		}
	}
}

// TestResizeLongSides has sides of 50,000 pixels: tables and sums must not
// overflow, and rows no output needs must not be asked for.
func TestResizeLongSides(t *testing.T) {
	line := pattern(50_000, 1)
	tall := &Pixels{line.Pix, 1, 50_000}
	for f := range Filter(len(kernels)) {
		for _, src := range []*Pixels{line, tall} {
			if got, want := resized(src, 7, 3, f), define(src, 7, 3, f); string(got.Pix) != string(want.Pix) {
				t.Errorf("%d×%d %v differs from the definition", src.Width, src.Height, f)
			}
		}
		grey := view{50_000, 50_000, func(int) []uint8 { return line.Pix }}
		if p := grey.resize(50_000, 50_000, f, image.Rect(49_999, 49_999, 50_000, 50_000)); *(*[3]uint8)(p.Pix) != *(*[3]uint8)(line.Pix[3*49_999:]) {
			t.Errorf("%v: last pixel %v", f, p.Pix)
		}
	}
	asked := 0
	v := view{10, 50_000, func(int) []uint8 { asked++; return line.Pix[:30] }}
	v.resize(5, 10, Nearest, image.Rect(0, 0, 5, 10))
	if asked != 10 {
		t.Errorf("nearest read %d rows for 10", asked)
	}
}

func BenchmarkResize(b *testing.B) {
	for _, c := range []struct {
		w, h int
		f    Filter
	}{{4032, 3024, Bicubic}, {4032, 3024, Bilinear}, {800, 600, Bicubic}, {800, 600, Bilinear}} {
		b.Run(fmt.Sprintf("%dx%d-224/%v", c.w, c.h, c.f), func(b *testing.B) {
			src := pattern(c.w, c.h)
			b.ReportAllocs()
			for b.Loop() {
				resized(src, 224, 224, c.f)
			}
		})
	}
}
