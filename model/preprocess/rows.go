package preprocess

// loops are the inner loops that see every pixel of a photo, written for
// a set of instructions. They give the same bytes as the plain loops, which
// take over where they are nil and for what is left at the end of a row. A
// photo of 12 megapixels takes 16 ms with AVX2 and 60 ms without.
//
// To average boxes of pixels before would save half of these 16 ms, but not
// give the same bytes. The reference rounds the rows to 8 bits after the filter
// across: leaving out that rounding alone changes a byte in sixteen by one, and
// the starter model's logits, at the scale of a published checkpoint, by up to
// 0.3; boxes that leave twice the size change them by up to 0.8.
type loops struct {
	// across filters src, an RGB row, into one pixel of dst for every reach.
	// It reads up to four bytes behind a reach.
	across func(dst, src []uint8, reaches []reach, weights []int16)
	// chromaPairs is chromaPairs for a multiple of 16 pixels.
	chromaPairs func(dst, luma, cb, cr []uint8)
	// pack drops the alphas of a multiple of 8 pixels and reports whether all of
	// them are 255.
	pack func(dst, src []uint8) (opaque bool)
}

// machine is what this machine has.
var machine loops

// A reach is where an output looks in a row: from byte at on, groups of four
// pixels.
type reach struct{ at, groups int32 }

// group is the number of weights for four pixels w x y z: w x, four times (for
// three channels and none), y z, four times, and all that again.
//
// A weight of 22 bits behind the point does not fit the 16 bits of the fast
// multiplication. It is split into its low 15 bits, in the first half of a
// group, and the rest. Sums wrap around on the way but are right in the end, as
// the result fits 32 bits.
const (
	group   = 32
	lowBits = 15
)

// spread returns the reaches of the leading outputs which can be read from a
// row of in pixels, with the four bytes behind, and their weights.
func (a axis) spread(in int) (reaches []reach, weights []int16) {
	for i, lo := range a.lo {
		n := (a.n[i] + 3) / 4
		if 3*(lo+4*n)+4 > 3*in {
			break
		}
		reaches = append(reaches, reach{int32(3 * lo), int32(n)})
		for j := range n {
			var w [4]int32
			copy(w[:], a.weights[i*a.taps:][4*j:a.n[i]])
			var g [group]int16
			for k := range group / 2 {
				v := w[k/8*2+k%2]
				g[k], g[group/2+k] = int16(v&(1<<lowBits-1)), int16(v>>lowBits)
			}
			weights = append(weights, g[:]...)
		}
	}
	return reaches, weights
}
