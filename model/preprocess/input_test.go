package preprocess

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// expectedImage is an entry of images in expected.json of a golden checkpoint.
type expectedImage struct {
	File    string
	Resized [2]int `json:"resized_hw"`
	SHA     string `json:"resized_rgb_sha256"`
	Pixels  struct {
		Sum    float64
		AbsSum float64 `json:"abs_sum"`
		First8 []float64
		Last8  []float64
	} `json:"pixel_values"`
}

// naFlex is the golden checkpoint whose inputs are of any shape. They are not
// made here; its pictures serve as vectors of the resampler.
const naFlex = "siglip2-naflex"

// goldenConfig returns the preprocessing of a golden checkpoint.
func goldenConfig(t *testing.T, dir string) Config {
	t.Helper()
	for _, name := range []string{"preprocessor_config.json", "processor_config.json"} {
		data, err := os.ReadFile(filepath.Join(golden, "hf", dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseConfig(data)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	// The OpenCLIP layout has its own file; its numbers are the defaults but the size.
	return Default(SigLIP, 32)
}

// TestInputGolden compares with the reference library: bytes after the resize
// exactly, values to the limits of the README there.
func TestInputGolden(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(golden, "hf", "*", "expected.json"))
	if err != nil || len(dirs) != 11 {
		t.Fatalf("%d golden checkpoints, %v", len(dirs), err)
	}
	for _, path := range dirs {
		dir := filepath.Base(filepath.Dir(path))
		if dir == naFlex {
			continue
		}
		t.Run(dir, func(t *testing.T) {
			var expected struct{ Images []expectedImage }
			readJSON(t, &expected, "hf", dir, "expected.json")
			c := goldenConfig(t, dir)
			for _, e := range expected.Images {
				checkInput(t, c, readPNG(t, "hf", dir, e.File), e)
			}
		})
	}
}

func checkInput(t *testing.T, c Config, img image.Image, e expectedImage) {
	t.Helper()
	if p := c.resized(img); p.Height != e.Resized[0] || p.Width != e.Resized[1] || digest(p) != e.SHA {
		t.Errorf("%s: resized bytes differ", e.File)
	}
	whole := Valid(c.Width, c.Height, c.Width) // one window: channel, y, x
	got := make([]float32, whole.Len())
	c.Input(got, img, whole)
	var sum, abs float64
	for _, v := range got {
		sum += float64(v)
		abs += math.Abs(float64(v))
	}
	// Sums are printed with nine digits.
	if !near(sum, e.Pixels.Sum, 1e-5) || !near(abs, e.Pixels.AbsSum, 1e-5) {
		t.Errorf("%s: sum %v, of absolute values %v, want %v, %v", e.File, sum, abs, e.Pixels.Sum, e.Pixels.AbsSum)
	}
	for i := range 8 {
		first, last := float64(got[i]), float64(got[len(got)-8+i])
		if !near(first, e.Pixels.First8[i], 1e-7) || !near(last, e.Pixels.Last8[i], 1e-7) {
			t.Errorf("%s: value %d is %v, from the end %v, want %v, %v", e.File, i, first, last, e.Pixels.First8[i], e.Pixels.Last8[i])
		}
	}
}

// TestInputWindows compares cutting with its definition: pad the normalised
// picture with zeros, then read every window.
func TestInputWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		width, height, k := 1+r.IntN(20), 1+r.IntN(20), 1+r.IntN(5)
		w := Same(width, height, k, 1+r.IntN(4))
		if r.IntN(2) == 0 {
			w = Valid(width, height, k)
		}
		c := Config{Width: width, Height: height, Filter: Bicubic, Rescale: 1.0 / 255, Mean: [3]float32{0.1, 0.2, 0.3}, Std: [3]float32{0.4, 0.5, 0.6}}
		img := image.NewNRGBA(image.Rect(0, 0, width, height))
		for i := range img.Pix {
			img.Pix[i] = uint8(r.Uint32())
		}
		got := make([]float32, w.Len())
		for i := range got {
			got[i] = float32(math.NaN()) // every float is written
		}
		c.Input(got, img, w)
		i := 0
		for range w.Rows * w.Cols {
			n := i / (3 * k * k)
			for ch := range 3 {
				for ky := range k {
					for kx := range k {
						y, x := n/w.Cols*w.Stride-w.Top+ky, n%w.Cols*w.Stride-w.Left+kx
						want := float32(0)
						if image.Pt(x, y).In(img.Rect) {
							want = (float32(float64(img.Pix[img.PixOffset(x, y)+ch])/255) - c.Mean[ch]) / c.Std[ch]
						}
						if !near(float64(got[i]), float64(want), 1e-6) {
							t.Fatalf("%d×%d %+v: float %d is %v, want %v", width, height, w, i, got[i], want)
						}
						i++
					}
				}
			}
		}
	}
}

func TestWindows(t *testing.T) {
	for _, c := range []struct{ got, want Window }{
		{Valid(224, 224, 16), Window{16, 16, 0, 0, 14, 14}},
		{Valid(384, 384, 14), Window{14, 14, 0, 0, 27, 27}},  // six pixels left out
		{Same(224, 224, 3, 2), Window{3, 2, 0, 0, 112, 112}}, // the odd pixel is at the bottom and right
		{Same(225, 7, 3, 2), Window{3, 2, 1, 1, 4, 113}},
		{Same(5, 5, 3, 1), Window{3, 1, 1, 1, 5, 5}},
		{Same(5, 5, 1, 2), Window{1, 2, 0, 0, 3, 3}},
	} {
		if c.got != c.want {
			t.Errorf("%+v, want %+v", c.got, c.want)
		}
	}
	if n := Same(224, 224, 3, 2).Len(); n != 112*112*27 {
		t.Errorf("%d floats", n)
	}
}

func TestCrop(t *testing.T) {
	// A crop larger than the picture is black around it, before normalisation.
	c := Config{Width: 8, Height: 5, Edge: 3, Filter: Bicubic}
	p := c.resized(&image.Gray{Pix: []uint8{200}, Stride: 1, Rect: image.Rect(0, 0, 1, 1)})
	for y := range 5 {
		for x := range 8 {
			want := uint8(0)
			// floor((3−8)/2) = −3 and (3−5)/2 = −1
			if x >= 3 && x < 6 && y >= 1 && y < 4 {
				want = 200
			}
			if got := p.row(y)[3*x]; got != want {
				t.Errorf("pixel %d,%d is %d, want %d", x, y, got, want)
			}
		}
	}
	// The long side of a strip is never computed in full: 224·50,000 columns.
	c = Config{Width: 224, Height: 224, Edge: 224, Filter: Bicubic}
	strip := image.NewGray(image.Rect(0, 0, 50_000, 1))
	for i := range strip.Pix {
		strip.Pix[i] = uint8(i / 200)
	}
	if p := c.resized(strip); p.Pix[0] != 124 || p.Pix[len(p.Pix)-1] != 125 {
		t.Errorf("middle of the strip is %d … %d, want 124 … 125", p.Pix[0], p.Pix[len(p.Pix)-1])
	}
}

func TestParseConfig(t *testing.T) {
	v1 := Config{Width: 224, Height: 224, Filter: Bicubic, Rescale: 1.0 / 255, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}
	with := func(base Config, change func(*Config)) Config { change(&base); return base }
	clip := with(v1, func(c *Config) {
		c.Edge = 224
		c.Mean, c.Std = [3]float32{0.48145466, 0.4578275, 0.40821073}, [3]float32{0.26862954, 0.26130258, 0.27577711}
	})
	for _, c := range []struct {
		json string
		want Config
	}{
		{`{}`, v1},
		{`{"size": 384, "resample": 2}`, with(v1, func(c *Config) { c.Width, c.Height, c.Filter = 384, 384, Bilinear })},
		{`{"size": {"height": 20, "width": 30}}`, with(v1, func(c *Config) { c.Width, c.Height = 30, 20 })},
		{`{"image_processor": {"size": {"height": 20, "width": 30}}, "processor_class": "SiglipProcessor"}`, with(v1, func(c *Config) { c.Width, c.Height = 30, 20 })},
		{`{"image_processor_type": "SiglipImageProcessorFast", "do_convert_rgb": null, "size": null}`, v1},
		{`{"do_rescale": false, "do_normalize": false}`, with(v1, func(c *Config) { c.Rescale, c.Mean, c.Std = 1, [3]float32{}, [3]float32{1, 1, 1} })},
		{`{"image_processor_type": "CLIPImageProcessor"}`, clip},
		{`{"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "do_center_crop": true}`, clip},
		{`{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 256}, "crop_size": {"height": 20, "width": 30}}`,
			with(clip, func(c *Config) { c.Edge, c.Width, c.Height = 256, 30, 20 })},
		{`{"size": {"height": 224, "width": 224}, "do_center_crop": true}`, v1},
		{`{"image_processor_type": "CLIPImageProcessor", "size": {"height": 20, "width": 30}, "do_center_crop": false}`,
			with(clip, func(c *Config) { c.Edge, c.Width, c.Height = 0, 30, 20 })},
	} {
		if got, err := ParseConfig([]byte(c.json)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.json, got, err, c.want)
		}
	}
}

func TestParseConfigErrors(t *testing.T) {
	for json, want := range map[string]string{
		`[`:                            "unexpected end",
		`{"size": "big"}`:              "cannot unmarshal string",
		`{"size": {}}`:                 "0×0",
		`{"size": -3}`:                 "-3×-3",
		`{"size": 1000000000}`:         "1000000000×1000000000",
		`{"resample": 6}`:              "resample 6 is unknown (0 to 5)",
		`{"resample": -1}`:             "resample -1",
		`{"image_mean": [0.5]}`:        "image_mean has 1 numbers, expected 3",
		`{"image_std": [0.5, 0, 0.5]}`: "cannot normalise",
		`{"rescale_factor": 0}`:        "cannot normalise",
		`{"do_resize": false}`:         "do_resize false",
		`{"size": {"shortest_edge": 224}, "do_center_crop": false}`:               "without do_center_crop",
		`{"size": {"height": 256, "width": 256}, "do_center_crop": true}`:         "crop_size 224×224 of size 256×256",
		`{"image_processor_type": "Siglip2ImageProcessorFast", "patch_size": 16}`: "Siglip2ImageProcessorFast makes inputs of any shape",
	} {
		if c, err := ParseConfig([]byte(json)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, error %v, want %q", json, c, err, want)
		}
	}
}

// TestDefault says what each family does without a file; where a published file
// gives the same settings they agree.
func TestDefault(t *testing.T) {
	half := [3]float32{0.5, 0.5, 0.5}
	for f, want := range map[Family]Config{
		SigLIP:  {Width: 256, Height: 256, Filter: Bicubic, Rescale: 1.0 / 255, Mean: half, Std: half},
		SigLIP2: {Width: 256, Height: 256, Filter: Bilinear, Rescale: 1.0 / 255, Mean: half, Std: half},
		CLIP: {Width: 256, Height: 256, Edge: 256, Filter: Bicubic, Rescale: 1.0 / 255,
			Mean: [3]float32{0.48145466, 0.4578275, 0.40821073}, Std: [3]float32{0.26862954, 0.26130258, 0.27577711}},
	} {
		if got := Default(f, 256); got != want {
			t.Errorf("family %d: %+v, want %+v", f, got, want)
		}
	}
	for dir, f := range map[string]Family{"siglip-bicubic": SigLIP, "siglip2-fixed": SigLIP2, "clip-gelu": CLIP} {
		c := goldenConfig(t, dir)
		if got := Default(f, c.Width); got != c {
			t.Errorf("%s: %+v, want %+v", dir, got, c)
		}
	}
}

// TestInputPanics: a caller's mistake is told as such.
func TestInputPanics(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 2, 2))
	for name, call := range map[string]func(){
		"floats":  func() { Default(SigLIP, 4).Input(make([]float32, 47), grey, Valid(4, 4, 4)) },
		"size":    func() { Config{}.Input(nil, grey, Window{}) },
		"picture": func() { Default(SigLIP, 4).Input(make([]float32, 48), &image.Gray{}, Valid(4, 4, 4)) },
	} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "preprocess: ") {
					t.Errorf("%s: panic %v", name, s)
				}
			}()
			call()
		}()
	}
}

func BenchmarkInput(b *testing.B) {
	c := Default(SigLIP, 224)
	for _, size := range []image.Point{{4032, 3024}, {800, 600}} {
		jpeg := image.NewYCbCr(image.Rectangle{Max: size}, image.YCbCrSubsampleRatio420)
		for i := range jpeg.Y {
			jpeg.Y[i] = uint8(i)
		}
		for i := range jpeg.Cb {
			jpeg.Cb[i], jpeg.Cr[i] = 100+uint8(i)%50, 150
		}
		for name, w := range map[string]Window{"patch16": Valid(224, 224, 16), "stem": Same(224, 224, 3, 2)} {
			b.Run(fmt.Sprintf("%dx%d/%s", size.X, size.Y, name), func(b *testing.B) {
				dst := make([]float32, w.Len())
				b.ReportAllocs()
				for b.Loop() {
					c.Input(dst, jpeg, w)
				}
			})
		}
	}
}
