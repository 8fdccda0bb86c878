package cli

import (
	"bytes"
	"context"
	"image"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"sigla/gallery/photo"
	"sigla/internal/require"
	"sigla/model"
	"sigla/model/preprocess"
)

// decode is what Pillow, the reference pipeline's decoder, makes of a photo:
// upright RGB bytes.
const decode = `import sys
from PIL import Image, ImageOps
im = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("RGB")
sys.stdout.buffer.write(im.tobytes())`

// TestAgainstPillow tells how far Go's JPEG decoder and Pillow's are apart, in
// pixels and in logits at the temperature of published checkpoints. The limits
// for Go's are far above what is measured: they catch a decoder that is wrong.
// Pillow uses libjpeg-turbo, so that with -tags turbo pixels are the same.
func TestAgainstPillow(t *testing.T) {
	if err := exec.Command("python3", "-c", "import PIL").Run(); err != nil {
		require.Missing(t, "pillow", "python3 with Pillow is not here: "+err.Error())
	}
	paths, err := filepath.Glob("../assets/demo/*.jpg")
	if err != nil || len(paths) == 0 {
		t.Fatal("no photos:", err)
	}
	l := newLogits117(t)
	againstPillow(t, l, "demo photos", paths)
	againstPillow(t, l, "photos of 4 megapixels and more", largePhotos(t))
}

func againstPillow(t *testing.T, l *logits117, name string, paths []string) {
	var pixels, logits spread
	var sides comparison
	for _, path := range paths {
		img, _, err := photo.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		ours := preprocess.RGB(img)
		raw, err := exec.Command("python3", "-c", decode, path).Output()
		if err != nil || len(raw) != len(ours.Pix) {
			t.Fatalf("%s: Pillow gives %d bytes: %v", path, len(raw), err)
		}
		for i, v := range raw {
			pixels.add(float64(v) - float64(ours.Pix[i]))
		}
		theirs := &image.NRGBA{Pix: opaque(raw), Stride: 4 * ours.Width, Rect: image.Rect(0, 0, ours.Width, ours.Height)}
		a, b := l.of(t, img), l.of(t, theirs)
		sides.add(a, b, l.cuts)
		for i := range a {
			logits.add(float64(a[i] - b[i]))
		}
	}
	t.Logf("%d %s: pixels differ by %.2f levels on average, %.0f at most; logits at exp(t') = 117 by %.3f on average; %v",
		len(paths), name, pixels.mean(), pixels.most, logits.mean(), &sides)
	if pixels.mean() > 5 || logits.mean() > 1 {
		t.Error("that is more than two decoders differ")
	}
	if _, err := photo.Turbo(); err == nil && pixels.most > 0 {
		t.Error("with the same decoder pixels should be the same")
	}
}

// spread sums up absolute differences.
type spread struct {
	n, sum, most float64
}

func (s *spread) add(d float64) {
	s.n, s.sum, s.most = s.n+1, s.sum+math.Abs(d), max(s.most, math.Abs(d))
}

func (s *spread) mean() float64 { return s.sum / s.n }

// opaque adds an alpha to RGB.
func opaque(rgb []byte) []byte {
	var out bytes.Buffer
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		out.Write(rgb[:3])
		out.WriteByte(255)
	}
	return out.Bytes()
}

func embedOne(t *testing.T, m *model.Model, img image.Image) []float32 {
	t.Helper()
	x, err := m.Prepare(img)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := m.Embed(context.Background(), []any{x})
	if err != nil {
		t.Fatal(err)
	}
	return rows[0]
}
