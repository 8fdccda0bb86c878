package cpu

// kernels is one level: the functions that do the arithmetic, and the sizes
// that suit them. All levels have the same functions, so nothing outside
// kernels_*.go asks which processor it runs on.
//
// Lengths are at least 1, and pointers may be aligned to 4 bytes only. A NaN
// or an infinity that comes in goes out.
type kernels struct {
	level string

	// tiles multiply, smallest first; the last is the one for large matrices.
	tiles []tile
	// blockM × blockN is the part of a product that is computed against one
	// packed block of blockK rows of b: b and blockM rows of a stay in the
	// second cache. blockM and blockN are multiples of the largest tile.
	blockM, blockN, blockK int
	// bf16 multiplies in bfloat16; nil if that is no faster.
	bf16 *bf16Kernels
	// slice is how many multiply-adds are about a quarter of a millisecond.
	slice int

	// transpose sets dst[p·lddst+i] = src[i·ldsrc+p] for i < lanes, p < k, in
	// order of p; k is a multiple of 4.
	transpose func(dst, src *float32, lddst, ldsrc, k int)
	lanes     int
	// gather sets dst[p·lddst+i] = src[p·ldsrc+i] for i < n, p < k, in order of
	// p. n is at most the columns of a tile; it may write up to the next
	// multiple of lanes.
	gather func(dst, src *float32, n, lddst, ldsrc, k int)

	add   func(dst, a, b *float32, n int)               // a + b
	relu6 func(dst, x *float32, n int)                  // min(max(x, 0), 6)
	scale func(dst, x *float32, n int, s float32)       // s·x
	blend func(dst, a, b *float32, n int, s, t float32) // s·a + t·b

	gate     func(dst, x *float32, n int, s, t float32)    // x·σ(s·x + t·x³)
	gateGrad func(dx, dy, x *float32, n int, s, t float32) // its gradient

	dot       func(x, y *float32, n int) float32                // Σ x·y
	largest   func(x *float32, n int) float32                   // may lose a NaN
	expSum    func(x *float32, n int, s, shift float32) float32 // x = exp(s·x − shift), Σ x
	scoreGrad func(dp, p *float32, n int, d, s float32)         // dp = s·p·(dp − d)

	layerNorm     func(dst, x, w, b *float32, n int, eps float32, mean, rstd *float32)
	layerNormGrad func(dx, dw, db, dy, x, w *float32, n int, mean, rstd float32)

	// depthwise sets dst[i] = bias + Σ x[i·xStep + y·xRow + x]·w[y·wRow + x] for
	// i < count and the first n of the channels that a pixel has; y < kh and
	// x < kw count pixels. clamp limits it to 0 … 6.
	depthwise func(dst, x, w, bias *float32, count, n, channels, kh, kw, xRow, xStep, wRow int, clamp bool)

	// pairLoss writes the derivative of the loss by the logit t·s + b of pairs
	// with the labels z, and adds Σ loss, Σ ds·s and Σ ds to sums.
	pairLoss func(ds, s, z *float32, n int, t, b float32, sums *[3]float32)

	softmaxes func(dst, x, cols *float32, n int, s, row float32) // exp(s·x − row) + exp(s·x − cols)

	adamW func(w, dw, m, v *float32, n int, scale, beta1, rest1, beta2, rest2, decay, rate, root, eps float32)

	scan     scanner[float32]
	scanHalf scanner[uint16] // of binary16 numbers, all finite
	// touch reads n bytes, up to some at the end.
	touch func(x *byte, n int)

	// peak does n·peakAdds multiply-adds on registers.
	peak     func(n int)
	peakAdds int
}

// A tile computes rows × cols elements of c = a·b at a time, of which m×n are
// stored: tiles of them, one below the other, tsa apart in a. Element (i, p)
// of a is at a[i·rsa + p·csa], row p of b at b[p·rsb] with cols elements that
// may be read. bias [n] may be nil; add keeps what c holds; clamp limits the
// result to 0 … 6.
type tile struct {
	rows, cols int
	run        func(a, b, c, bias *float32, rsa, csa, tsa, rsb, ldc, k, tiles, m, n int, add, clamp bool)
}

// bf16Kernels multiply bfloat16 numbers and sum in float32. Words of 32 bits
// hold the numbers of two neighbours in k, the first in the lower half.
type bf16Kernels struct {
	tile  tile                                            // its k counts pairs
	round func(dst, x *float32, n int)                    // pairs of x, with a 0 beside an odd one
	pairs func(dst, src *float32, n, lddst, ldsrc, k int) // gather, of two rows of src for one of dst
}

// scanRows is how many rows a scanner takes at a time.
const scanRows = 4

// A scanner multiplies scanRows rows of n numbers with vectors of as many. The
// sum of a row and a query has one order, whichever function computes it.
type scanner[T float32 | uint16] struct {
	// dots sets dst[i·ld] = Σ rows[i]·query. The rows ahead are read next.
	dots func(dst *float32, rows, ahead **T, query *float32, n, ld int)
	// products sets dst[i·ld+j] = Σ rows[i]·queries[j]; none if queries is 1.
	products func(dst *float32, rows **T, queries **float32, n, ld int)
	queries  int // at most scanQueries
}

const scanQueries = 4

// full is the tile for large matrices.
func (k *kernels) full() tile { return k.tiles[len(k.tiles)-1] }

// fit is the smallest tile of at least m×n, each at most that of full.
func (k *kernels) fit(m, n int) tile {
	for _, t := range k.tiles {
		if t.rows >= m && t.cols >= n {
			return t
		}
	}
	return k.full()
}
