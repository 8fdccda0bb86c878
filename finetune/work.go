package finetune

import (
	"fmt"
	"math"

	"sigla/backend"
)

// work is memory of an engine that is used again and grows: an engine frees
// nothing before it is closed.
type work struct {
	e    backend.Backend
	bufs map[string]backend.Buf
}

func newWork(e backend.Backend) *work { return &work{e, make(map[string]backend.Buf)} }

// take returns n elements under a name; they are what was left there.
func (w *work) take(name string, n int) backend.Buf {
	if w.bufs[name].Len < n {
		w.bufs[name] = w.e.Alloc(n, backend.Scratch)
	}
	return w.bufs[name].Slice(0, n)
}

// put writes values under a name.
func (w *work) put(name string, values []float32) backend.Buf {
	b := w.take(name, len(values))
	w.e.Write(b, values)
	return b
}

// read returns what is in a buffer.
func (w *work) read(b backend.Buf) ([]float32, error) {
	values := make([]float32, b.Len)
	err := w.e.Read(values, b)
	return values, err
}

// zero returns n zeroed elements under a name.
func (w *work) zero(name string, n int) backend.Buf {
	b := w.take(name, n)
	w.e.Zero(b)
	return b
}

// scoreRows is how many photos are multiplied at once.
const scoreRows = 1024

// cosines returns the products of vectors of photos and of labels, [photos,
// labels] by rows.
func (w *work) cosines(photos, labels [][]float32) ([]float32, error) {
	cosines := make([]float32, len(photos)*len(labels))
	if len(cosines) == 0 {
		return cosines, nil
	}
	dim := len(labels[0])
	y := w.put("score labels", flat(labels, dim))
	for from := 0; from < len(photos); from += scoreRows {
		rows := photos[from:min(from+scoreRows, len(photos))]
		x := w.put("score photos", flat(rows, dim))
		dst := w.take("score", len(rows)*len(labels))
		w.e.MatMul(dst, x, y, backend.Mat{M: len(rows), N: len(labels), K: dim, TransB: true})
		if err := w.e.Read(cosines[from*len(labels):][:dst.Len], dst); err != nil {
			return nil, fmt.Errorf("score photos: %w", err)
		}
	}
	return cosines, nil
}

// flat puts rows of dim values one after the other.
func flat(rows [][]float32, dim int) []float32 {
	all := make([]float32, 0, len(rows)*dim)
	for _, r := range rows {
		all = append(all, r[:dim]...)
	}
	return all
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus is log(1 + eˣ) = −log σ(−x), for any x without overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
