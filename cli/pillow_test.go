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

	"sigla/assets"
	"sigla/gallery"
	"sigla/gallery/label"
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
// are far above what is measured: they catch a decoder that is wrong.
func TestAgainstPillow(t *testing.T) {
	if err := exec.Command("python3", "-c", "import PIL").Run(); err != nil {
		require.Missing(t, "pillow", "python3 with Pillow is not here: "+err.Error())
	}
	enc, err := new(app).load(starter())
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	set, err := label.Parse("everyday.toml", assets.Everyday())
	if err != nil {
		t.Fatal(err)
	}
	classes, err := gallery.NewClassifier(context.Background(), set, enc)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("demo", func(t *testing.T) {
		againstPillow(t, enc, classes, "../assets/demo")
	})
	t.Run("metadata", func(t *testing.T) {
		againstPillow(t, enc, classes, require.Unpack(t, "metadata", "exif-samples.tar"))
	})
}

// againstPillow compares the decoders on the JPEGs below a folder. Files that
// only one of them reads are counted: they are broken on purpose.
func againstPillow(t *testing.T, enc *encoder, classes *gallery.Classifier, dir string) {
	logit := func(cosine float32) float32 { return 117 * cosine }
	var pixels, logits spread
	photos, oursOnly, theirsOnly := 0, 0, 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".jpg" {
			return err
		}
		img, _, err := photo.Read(path)
		raw, pillowErr := exec.Command("python3", "-c", decode, path).Output()
		switch {
		case err != nil && pillowErr != nil:
			return nil
		case err != nil:
			theirsOnly++
			t.Logf("only Pillow reads it: %v", err)
			return nil
		case pillowErr != nil:
			oursOnly++
			return nil
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
		a, b := embedOne(t, enc.Model, img), embedOne(t, enc.Model, theirs)
		for i, l := range classes.Logits(a, logit) {
			logits.add(float64(l - classes.Logits(b, logit)[i]))
		}
		return nil
	})
	if err != nil || photos == 0 {
		t.Fatalf("%d photos: %v", photos, err)
	}
	t.Logf("%d photos, %d more that only Pillow reads, %d that only we do: pixels differ by %.2f levels on average, %.0f at most; logits at exp(t') = 117 by %.3f on average, %.2f at most",
		photos, theirsOnly, oursOnly, pixels.mean(), pixels.most, logits.mean(), logits.most)
	if pixels.mean() > 5 || logits.mean() > 1 {
		t.Error("that is more than two decoders differ")
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
