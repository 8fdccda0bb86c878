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
// this program's way; only decoding; the plain way with the usual libraries;
// and, if it is installed, Pillow without its draft mode, which takes the same
// filter. Run it with -cpu 1.
func BenchmarkPhoto(b *testing.B) {
	path := photo12(b)
	b.Run("sigla", func(b *testing.B) {
		c := preprocess.Default(preprocess.SigLIP, 224)
		w := preprocess.Valid(c.Width, c.Height, 16)
		input := make([]float32, w.Len())
		for b.Loop() {
			img, _, err := photo.Read(path)
			if err != nil {
				b.Fatal(err)
			}
			c.Input(input, img, w)
		}
	})
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
	b.Run("Pillow", func(b *testing.B) {
		const script = `import sys, timeit; from PIL import Image; n = int(sys.argv[2])
print(timeit.timeit(lambda: Image.open(sys.argv[1]).convert("RGB").resize((224, 224), Image.BICUBIC), number=n))`
		out, err := exec.Command("python3", "-c", script, path, strconv.Itoa(b.N)).Output()
		if err != nil {
			b.Skip("no python3 with Pillow: ", err)
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(seconds*1e9/float64(b.N), "ns/op")
	})
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
