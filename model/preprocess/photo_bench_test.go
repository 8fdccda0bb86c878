package preprocess_test

import (
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"sigla/gallery/photo"
	"sigla/internal/require"
	"sigla/model/preprocess"
)

// BenchmarkPhoto goes from the file of a 12 megapixel photo to a model's input:
// this program's way; only decoding; from a picture decoded at twice the input's
// size, which only -tags turbo can and which is not this program's way because
// it moves logits too far; the plain way with the usual libraries; and, if it is
// installed, Pillow with the same filter, without and with its draft mode, which
// decodes at once the size of the input. Run it with -cpu 1.
func BenchmarkPhoto(b *testing.B) {
	path := photo12(b)
	c := preprocess.Default(preprocess.SigLIP, 224)
	prepare := func(enough photo.Enough) func(*testing.B) {
		return func(b *testing.B) {
			w := preprocess.Valid(c.Width, c.Height, 16)
			input := make([]float32, w.Len())
			for b.Loop() {
				img, _, err := photo.ReadFor(path, enough)
				if err != nil {
					b.Fatal(err)
				}
				c.Input(input, img, w)
			}
		}
	}
	b.Run("sigla", prepare(nil))
	if _, err := photo.Turbo(); err == nil {
		b.Run("reduced", prepare(func(w, h int) bool { return min(w, h) >= 2*c.Width }))
	}
	b.Run("decode-only", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := photo.Read(path); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("image-jpeg+CatmullRom", func(b *testing.B) {
		for b.Loop() {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			img, err := jpeg.Decode(f)
			f.Close()
			if err != nil {
				b.Fatal(err)
			}
			dst := image.NewRGBA(image.Rect(0, 0, 224, 224))
			draw.CatmullRom.Scale(dst, dst.Rect, img, img.Bounds(), draw.Src, nil)
		}
	})
	b.Run("Pillow", func(b *testing.B) { pillow(b, path, "") })
	b.Run("Pillow-draft", func(b *testing.B) { pillow(b, path, "im.draft('RGB', (224, 224))") })
}

// pillow has Pillow do the same, with a statement between opening and decoding.
func pillow(b *testing.B, path, statement string) {
	const script = `import sys, timeit; from PIL import Image
def prepare():
    im = Image.open(sys.argv[1])
    exec(sys.argv[3])
    im.convert("RGB").resize((224, 224), Image.BICUBIC)
print(timeit.timeit(prepare, number=int(sys.argv[2])))`
	out, err := exec.Command("python3", "-c", script, path, strconv.Itoa(b.N), statement).Output()
	if err != nil {
		require.Missing(b, "pillow", "python3 with Pillow is not here: "+err.Error())
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(seconds*1e9/float64(b.N), "ns/op")
}

// photo12 writes a photo of 4000×3000 pixels as a baseline JPEG of quality 90
// and returns its path.
func photo12(b *testing.B) string {
	img, _, err := photo.Read(require.Data(b, "large", "Kleiber_by_Lukas_Baubkus.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	size := img.Bounds().Size()
	middle := image.Rect(0, 0, size.Y*4/3, size.Y).Add(image.Pt((size.X-size.Y*4/3)/2, 0))
	m := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	draw.CatmullRom.Scale(m, m.Rect, img, middle, draw.Src, nil)
	path := filepath.Join(b.TempDir(), "12.jpg")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := jpeg.Encode(f, m, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	return path
}
