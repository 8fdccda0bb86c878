package cli

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sigla/assets"
	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gallery/photo"
	"sigla/internal/require"
	"sigla/model"
)

// largePhotos returns the JPEGs of test data with 4 megapixels or more, none of
// which is turned.
func largePhotos(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(require.Data(t, "large"), "*.jpg"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no photos:", err)
	}
	f, err := os.Open(require.Data(t, "metadata", "exif-samples.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return paths
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Base(h.Name))
		if content, err := io.ReadAll(r); err != nil || os.WriteFile(path, content, 0o644) != nil {
			t.Fatal(path, err)
		}
		if info, err := photo.Stat(path); err == nil && info.Format == "JPEG" && info.Width*info.Height >= 4_000_000 {
			paths = append(paths, path)
		}
	}
}

// logits117 are the logits of the default labels by picture, at the temperature
// of published checkpoints and with the starter's bias.
type logits117 struct {
	enc     *encoder
	classes *gallery.Classifier
	score   model.Score
	cuts    []float32
}

func newLogits117(t *testing.T) *logits117 {
	t.Helper()
	enc, err := new(app).load(context.Background(), starter())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close() })
	set, err := label.Parse("everyday.toml", assets.Everyday())
	if err != nil {
		t.Fatal(err)
	}
	classes, err := gallery.NewClassifier(context.Background(), set, enc)
	if err != nil {
		t.Fatal(err)
	}
	l := &logits117{enc: enc, classes: classes, score: model.Score{LogScale: float32(math.Log(117)), Bias: enc.Info().Bias}}
	for _, one := range set.Labels {
		l.cuts = append(l.cuts, l.score.Cut(one.Cutoff(), model.Adjust{}))
	}
	return l
}

func (l *logits117) of(t *testing.T, img image.Image) []float32 {
	return l.classes.Logits(embedOne(t, l.enc.Model, img), l.score.Logit)
}

// A comparison is how far logits are from those they should be.
type comparison struct {
	apart  []float64
	change int // labels of photos on the other side of their threshold
}

func (c *comparison) add(got, want, cuts []float32) {
	for i, v := range got {
		c.apart = append(c.apart, math.Abs(float64(v-want[i])))
		if (v >= cuts[i]) != (want[i] >= cuts[i]) {
			c.change++
		}
	}
}

// limits returns the difference at the 99th percentile and the largest.
func (c *comparison) limits() (p99, most float64) {
	slices.Sort(c.apart)
	return c.apart[len(c.apart)*99/100], c.apart[len(c.apart)-1]
}

func (c *comparison) String() string {
	p99, most := c.limits()
	return fmt.Sprintf("logits differ by %.3f at the 99th percentile, %.3f at most; %d of %d change side", p99, most, c.change, len(c.apart))
}

// TestLargeLogits holds the way of a large photo to the model to the plainest
// one: the whole picture from the same decoder as RGB, and the reference's
// resampler. Both ways give the same logits, since nothing is averaged before.
//
// With -tags turbo it also tells what smaller pictures from the decoder would
// do. The limits, 0.1 at the 99th percentile and 0.3 at most, are passed at every
// scale, so that these are for the screen alone.
func TestLargeLogits(t *testing.T) {
	paths, l := largePhotos(t), newLogits117(t)
	side := l.enc.Info().ImageSize
	var ours comparison
	reduced := map[int]*comparison{}
	if _, err := photo.Turbo(); err == nil {
		reduced = map[int]*comparison{2: {}, 4: {}, 6: {}}
	}
	for _, path := range paths {
		img, _, err := photo.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		want := l.of(t, plainly(t, path))
		ours.add(l.of(t, img), want, l.cuts)
		for times, c := range reduced {
			img, _, err := photo.ReadFor(path, func(w, h int) bool { return min(w, h) >= times*side })
			if err != nil {
				t.Fatal(err)
			}
			c.add(l.of(t, img), want, l.cuts)
		}
	}
	t.Logf("%d photos: %v", len(paths), &ours)
	if p99, most := ours.limits(); p99 > 0 || most > 0 || ours.change > 0 {
		t.Error("they should not differ")
	}
	for _, times := range slices.Sorted(maps.Keys(reduced)) {
		t.Logf("decoded at %d times the input's size or more: %v", times, reduced[times])
	}
}

// plainly decodes a JPEG that is not turned and copies it pixel by pixel. With
// libjpeg-turbo, whose pixels are RGB, a copy is all there is to do.
func plainly(t *testing.T, path string) image.Image {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(file))
	if _, none := photo.Turbo(); none == nil {
		img, _, err = photo.Read(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	m := image.NewNRGBA(b)
	draw.Draw(m, b, img, b.Min, draw.Src)
	return m
}
