package photo

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigla/internal/require"
)

// TestSamples reads 83 files of many makers, some with broken metadata. The
// number of dates agrees with Pillow's reader.
func TestSamples(t *testing.T) {
	dir := require.Unpack(t, "metadata", "exif-samples.tar")
	files, dated, thumbnails := 0, 0, 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		img, info, err := Read(path)
		if d.Name() == "samplefilehub.heif" {
			if HasHEIC && err != nil || !HasHEIC && !errors.Is(err, ErrUnsupported) {
				t.Error(err)
			}
			return nil
		}
		if err != nil {
			t.Error(err)
			return nil
		}
		if img.Bounds() != image.Rect(0, 0, info.Width, info.Height) {
			t.Errorf("%s: bounds %v, header %d×%d", path, img.Bounds(), info.Width, info.Height)
		}
		if !info.Taken.IsZero() {
			dated++
		}
		if small, ok := Thumbnail(path); ok {
			thumbnails++
			// Of the photo's aspect, to a pixel, and of its colours.
			b := small.Bounds()
			if d := b.Dx()*info.Height - b.Dy()*info.Width; d > info.Height || d > info.Width || -d > info.Height || -d > info.Width {
				t.Errorf("%s: %v for %d×%d", path, b, info.Width, info.Height)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// One thumbnail is the photo squeezed into 4:3.
	if files != 83 || dated != 42 || thumbnails != 42 {
		t.Errorf("%d files, %d dated, %d thumbnails, want 83, 42, 42", files, dated, thumbnails)
	}
	info, err := Stat(filepath.Join(dir, "jpg", "gps", "DSCN0010.jpg"))
	if want := time.Date(2008, 10, 22, 16, 28, 39, 0, time.UTC); err != nil || !info.Taken.Equal(want) {
		t.Errorf("taken %v, %v, want %v", info.Taken, err, want)
	}
}

// TestSampleOrientations: two photos in all eight orientations look the same,
// but for JPEG's noise, a figure drawn in the middle, and the first of each
// being brighter. Turned wrongly they are over 40 levels apart.
func TestSampleOrientations(t *testing.T) {
	dir := require.Unpack(t, "metadata", "exif-samples.tar")
	for _, name := range []string{"landscape", "portrait"} {
		var all [9]*image.NRGBA
		for o := 1; o <= 8; o++ {
			img, info, err := Read(filepath.Join(dir, "jpg", "orientation", fmt.Sprintf("%s_%d.jpg", name, o)))
			if err != nil {
				t.Fatal(err)
			}
			if info.Orientation != o {
				t.Errorf("%s %d: orientation %d", name, o, info.Orientation)
			}
			all[o] = Fit(img, info.Width, info.Height)
		}
		for a := 1; a <= 8; a++ {
			for b := a + 1; b <= 8; b++ {
				limit := 6.0
				if a == 1 {
					limit = 20
				}
				if d := meanDistance(t, all[a], all[b]); d > limit {
					t.Errorf("%s: orientations %d and %d are %.1f levels apart", name, a, b, d)
				}
			}
		}
		for o := 2; o <= 4; o++ {
			if d := meanDistance(t, all[2], upright(all[2], o).(*image.NRGBA)); d < 35 {
				t.Errorf("%s turned by %d is only %.1f levels apart", name, o, d)
			}
		}
	}
}

// meanDistance returns the mean difference of the channels of two pictures.
func meanDistance(t *testing.T, a, b *image.NRGBA) float64 {
	t.Helper()
	if a.Rect != b.Rect {
		t.Fatalf("sizes %v and %v", a.Rect, b.Rect)
	}
	sum := 0
	for i, v := range a.Pix {
		d := int(v) - int(b.Pix[i])
		sum += max(d, -d)
	}
	return float64(sum) / float64(len(a.Pix)) * 4 / 3 // alpha is the same
}

// BenchmarkRead decodes photos of 4 to 20 megapixels.
func BenchmarkRead(b *testing.B) {
	paths, err := filepath.Glob(filepath.Join(require.Data(b, "large"), "*.jpg"))
	if err != nil || len(paths) == 0 {
		b.Fatal("no photos", err)
	}
	for _, path := range paths {
		info, err := Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%dMP", info.Width*info.Height/1_000_000), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Read(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
