package catalog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// A Sample is a catalog that is made up, to measure with: photos of one colour
// each, in folders of 500, with vectors that follow from their content.
type Sample struct {
	Photos int
	Dim    int    // values of a vector; 0: no vectors
	As     Model  // whose vectors they claim to be; zero: a model's of their own
	Root   string // folder that the photos are in
	Files  bool   // write the photos, too: GIF files of one pixel
}

// sampleBatch is how many photos are stored at once.
const sampleBatch = 4096

// Model returns what the vectors of the sample claim to be computed with.
func (s Sample) Model() Model {
	if s.As.Digest != "" {
		return s.As
	}
	return Model{Digest: fmt.Sprintf("sample-%d", s.Dim), Preprocess: 1, Dim: s.Dim, Name: "sample"}
}

// Generate fills the catalog with the sample.
func (s Sample) Generate(ctx context.Context, c *Catalog) error {
	root, err := c.Root(ctx, s.Root)
	if err != nil {
		return err
	}
	for first := 0; first < s.Photos; first += sampleBatch {
		files, err := s.files(root.Path, first, min(first+sampleBatch, s.Photos))
		if err != nil {
			return fmt.Errorf("write sample photos: %w", err)
		}
		if err := c.Sync(ctx, root, Changes{At: sampleTime, Found: files}); err != nil {
			return err
		}
		if err := c.Put(ctx, s.batch(files)); err != nil {
			return err
		}
	}
	return nil
}

var sampleTime = time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)

// files makes up photos [first, end) and writes them if they are wanted.
func (s Sample) files(root string, first, end int) ([]File, error) {
	files := make([]File, 0, end-first)
	for i := first; i < end; i++ {
		content := samplePhoto(i)
		hash, err := HashOf(bytes.NewReader(content))
		if err != nil {
			return nil, err
		}
		f := File{
			Path:     fmt.Sprintf("%04d/IMG_%06d.gif", i/500, i),
			Size:     int64(len(content)),
			Modified: sampleTime.UnixNano(),
			Hash:     hash,
		}
		if s.Files {
			name := filepath.Join(root, filepath.FromSlash(f.Path))
			err := errors.Join(
				os.MkdirAll(filepath.Join(root, filepath.FromSlash(path.Dir(f.Path))), 0o755),
				os.WriteFile(name, content, 0o644),
				os.Chtimes(name, sampleTime, sampleTime))
			if err != nil {
				return nil, err
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// samplePhoto is a GIF of one pixel in the colour of number i.
func samplePhoto(i int) []byte {
	b := []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00") // 1 × 1, two colours
	b = append(b, byte(i>>16), byte(i>>8), byte(i))   // the pixel's
	b = append(b, 0xff, 0xff, 0xff)                   // the other
	b = append(b, ",\x00\x00\x00\x00\x01\x00\x01"...) // picture at 0, 0
	return append(b, "\x00\x00\x02\x02D\x01\x00;"...) // LZW data of one 0, end
}

func (s Sample) batch(files []File) Batch {
	b := Batch{Model: s.Model()}
	for _, f := range files {
		b.Photos = append(b.Photos, Photo{Hash: f.Hash, Format: "gif", Width: 1, Height: 1, Orientation: 1, Taken: sampleTime})
	}
	if s.Dim == 0 {
		return b
	}
	b.Vectors = make([]Record, len(files))
	var wait sync.WaitGroup
	part := len(files)/runtime.GOMAXPROCS(0) + 1
	for from := 0; from < len(files); from += part {
		wait.Go(func() {
			for i := from; i < min(from+part, len(files)); i++ {
				b.Vectors[i] = Record{files[i].Hash, SampleVector(files[i].Hash, s.Dim)}
			}
		})
	}
	wait.Wait()
	return b
}

// SampleVector returns the vector of a sample's photo: of length 1, in a
// direction that follows from its content.
func SampleVector(photo Hash, dim int) []float32 {
	r := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(photo[:]), binary.LittleEndian.Uint64(photo[8:])))
	v := make([]float32, dim)
	var sum float64
	for i := range v {
		x := r.NormFloat64()
		v[i], sum = float32(x), sum+x*x
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= scale
	}
	return v
}
