package cli

import (
	"bytes"
	"context"
	"image"
	"math"
	"os"
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
	l := newLogits117(t)
	againstPillow(t, l, "demo photos", jpegs(t, "../assets/demo"))
	againstPillow(t, l, "photos with odd metadata", jpegs(t, require.Unpack(t, "metadata", "exif-samples.tar")))
	againstPillow(t, l, "photos of 4 megapixels and more", largePhotos(t))
}

// jpegs returns the JPEGs below a folder.
func jpegs(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if filepath.Ext(path) == ".jpg" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatal("no photos:", err)
	}
	return paths
}

// againstPillow compares the decoders. Files that are broken on purpose must be
// so for both.
func againstPillow(t *testing.T, l *logits117, name string, paths []string) {
	var pixels, logits spread
	var sides comparison
	photos := 0
	for _, path := range paths {
		img, _, err := photo.Read(path)
		raw, pillowErr := exec.Command("python3", "-c", decode, path).Output()
		if (err == nil) != (pillowErr == nil) {
			t.Errorf("%s: we say %v, Pillow says %v", path, err, pillowErr)
		}
		if err != nil || pillowErr != nil {
			continue
		}
		photos++
		ours := preprocess.RGB(img)
		if len(raw) != len(ours.Pix) {
			t.Fatalf("%s: Pillow gives %d bytes, not %d", path, len(raw), len(ours.Pix))
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
		photos, name, pixels.mean(), pixels.most, logits.mean(), &sides)
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
