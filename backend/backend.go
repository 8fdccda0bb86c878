// Package backend is the contract between a model and the engine that runs it.
//
// An engine owns memory; a model owns meaning. The model asks once for a few
// large buffers, carves them into named tensors, and then issues operations in
// the order the mathematics is written. Operations return nothing: they may run
// at once (cpu) or be queued (gpu). A shape that does not fit is a bug and
// panics, naming the operation and the sizes; a device that fails is reported
// by the next Read, and everything issued after the failure is ignored.
//
// Values are float32 in meaning; an engine may compute in less where it says
// so. Matrices are row-major. The zero Buf stands for "not there" where an
// operation allows it.
//
// Naming: dst is written, x is read, d + name is the gradient of the loss by
// name. A Grad operation overwrites gradients of activations (dx =) and adds to
// gradients of parameters (dw +=), so that several batches before one AdamW
// accumulate. A destination overlaps a source only where an operation says so.
package backend

import "fmt"

// A Buf is a view of float32 values inside an engine's memory.
// It is a small value: copy it, slice it, never free it.
type Buf struct {
	Mem any // the engine's own handle; comparable
	Off int // first element
	Len int // number of elements
}

// Slice returns the view of n elements of b that starts at element i.
func (b Buf) Slice(i, n int) Buf {
	if i < 0 || n < 0 || i+n > b.Len {
		panic(fmt.Sprintf("backend: slice [%d:%d] of %d elements", i, i+n, b.Len))
	}
	return Buf{b.Mem, b.Off + i, n}
}

// Use tells an engine what a buffer is for, so that it may place or pack it.
type Use uint8

const (
	Weight  Use = iota // written rarely, read often
	Scratch            // written and read by operations
)

// Mat describes dst[M, N] = op(a)[M, K] · op(b)[K, N] + bias.
type Mat struct {
	M, N, K        int
	TransA, TransB bool // a is stored [K, M], b is stored [N, K]
	Add            bool // dst += instead of dst =
	Bias           Buf  // [N], added to every row; the zero Buf means none
}

// Activation is the kind of a GELU.
type Activation uint8

const (
	GELUTanh  Activation = iota // x/2·(1 + tanh(√(2/π)(x + 0.044715x³))); SigLIP
	GELUErf                     // x/2·(1 + erf(x/√2)); timm's SigLIP, LAION's CLIP
	GELUQuick                   // x·σ(1.702x); OpenAI's CLIP
)

// Attn describes scaled dot-product attention over packed heads: q is
// [Batch, Queries, Heads·Dim], k and v are [Batch, Keys, Heads·Dim], scores are
// scaled by Dim^-½.
type Attn struct {
	Batch, Heads, Queries, Keys, Dim int

	Causal  bool    // query i sees keys 0..i; needs Queries == Keys
	KeyLens []int32 // keys that count in each batch row, 1..Keys; nil means all
}

// Conv describes a depthwise convolution over rows of pixels: x is
// [Batch, Height, Width, Channels], w is [Kernel, Kernel, Channels], dst is
// [Batch, ⌈Height/Stride⌉, ⌈Width/Stride⌉, Channels]. Padding is TensorFlow's
// SAME: zeros, the odd one at the bottom and the right.
type Conv struct {
	Batch, Height, Width, Channels, Kernel, Stride int
}

// Out returns the height and width of the result.
func (c Conv) Out() (height, width int) {
	return (c.Height + c.Stride - 1) / c.Stride, (c.Width + c.Stride - 1) / c.Stride
}

// Pad returns how many zero rows stand above and zero columns left of x.
func (c Conv) Pad() (top, left int) {
	h, w := c.Out()
	return max((h-1)*c.Stride+c.Kernel-c.Height, 0) / 2, max((w-1)*c.Stride+c.Kernel-c.Width, 0) / 2
}

// Pairs says which of the Rows × Cols pairs of an image and a text belong
// together: +1 they do, −1 they do not, 0 nobody knows and the pair is left out.
type Pairs struct {
	Rows, Cols, Dim int
	Default         int8   // every pair not named below: −1 or 0
	Diagonal        bool   // pairs (i, i) are +1
	Except          []Pair // sorted by row, then column, no pair twice; overrides both
}

// Pair is the label of one image (row) and one text (column).
type Pair struct {
	Row, Col int32
	Label    int8 // −1, 0 or +1
}

// Adam holds the numbers of one AdamW step.
type Adam struct {
	LR, Beta1, Beta2, Eps float32
	Decay                 float32 // w ← w·(1 − LR·Decay), PyTorch's convention
	Scale                 float32 // multiplies every gradient first: clipping, averaging
	Step                  int     // counts from 1
}

// Capacity is how much an engine can take at once. The zero Capacity is that of an
// engine that gains nothing from large batches, as a processor does.
type Capacity struct {
	FLOPS  float64 // floating-point operations a second of a matrix product, measured
	Buffer int     // elements that an operation's buffer may have; 0: any number
	Memory int     // elements that may still be allocated to compute with; 0: nobody knows
}

// Backend is what a model needs from an engine. Its methods must be called
// from one goroutine at a time.
type Backend interface {
	// Capacity tells how much the engine can take at once, after what has been
	// allocated so far.
	Capacity() Capacity
	// Alloc returns n zeroed elements that live until Close.
	Alloc(n int, use Use) Buf
	// Write copies src into dst; src is the caller's again on return.
	Write(dst Buf, src []float32)
	// Read waits for everything issued, copies src into dst, and reports the
	// first failure since the engine was made.
	Read(dst []float32, src Buf) error
	// Zero is dst = 0.
	Zero(dst Buf)
	// Discard says that x is not read before it is written again, until when it
	// holds anything: its memory may be lent to other buffers.
	Discard(x Buf)
	// Close frees all memory. Buffers must not be used afterwards.
	Close() error

	// CopyRows copies rows of cols elements; row r starts at r·dstStride and
	// r·xStride. An xStride of 0 repeats one row. Its gradient is CopyRows
	// with the sides swapped, or SumRows for a stride of 0.
	CopyRows(dst, x Buf, rows, cols, dstStride, xStride int)
	// Add is dst = a + b; b may be shorter and then repeats. dst may be a or b.
	Add(dst, a, b Buf)
	// SumRows is dst[c] += Σ_r x[r, c].
	SumRows(dst, x Buf, rows, cols int)

	// MatMul is the product that s describes; it is also its own gradient.
	MatMul(dst, a, b Buf, s Mat)
	// GELU is dst = gelu(x); dst may be x.
	GELU(dst, x Buf, kind Activation)
	// GELUGrad is dx = dy · gelu'(x); dx may be dy.
	GELUGrad(dx, dy, x Buf, kind Activation)
	// LayerNorm normalises each row with the biased variance, times w, plus b
	// (Ba et al. 2016). mean and rstd [rows] are kept for the gradient and may
	// be the zero Buf. dst may be x.
	LayerNorm(dst, mean, rstd, x, w, b Buf, rows, cols int, eps float32)
	LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd Buf, rows, cols int)
	// Attention stores no probabilities: lse [Batch, Heads, Queries] keeps the
	// logarithm of each row's sum of exponentials, from which the gradient
	// finds them again (Dao et al. 2022, section 3.1). lse may be the zero Buf.
	Attention(dst, lse, q, k, v Buf, s Attn)
	// AttentionGrad needs y, the result of Attention, and its lse.
	AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v Buf, s Attn)
	// Normalize divides each row by norm = max(‖row‖₂, 1e-12). norm [rows] is
	// kept for the gradient and may be the zero Buf. dst may be x.
	Normalize(dst, norm, x Buf, rows, cols int)
	// NormalizeGrad needs y, the result of Normalize. dx may be dy.
	NormalizeGrad(dx, dy, y, norm Buf, rows, cols int)

	// DepthwiseConv convolves each channel with its own kernel and adds bias
	// [Channels]. Forward only: the starter's stem is frozen.
	DepthwiseConv(dst, x, w, bias Buf, s Conv)
	// ReLU6 is dst = min(max(x, 0), 6); dst may be x. Forward only.
	ReLU6(dst, x Buf)

	// SigmoidLoss is the pairwise loss of Zhai et al. 2023 (section 3.2) on
	// rows x [Rows, Dim] and y [Cols, Dim], of length 1 in the published model:
	//
	//	loss = −1/Rows · Σ log σ(z·(exp(t)·⟨x, y⟩ + b)) over pairs with z ≠ 0
	//
	// loss [1], dx and dy are overwritten; dt and db [1] are added to. t is the
	// stored t' = log of the temperature, and dt is the gradient by it. The
	// work goes tile by tile: no more than O((Rows + Cols)·Dim) memory is used.
	SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b Buf, p Pairs)
	// SoftmaxLoss is the loss of CLIP (Radford et al. 2021, figure 3) on the
	// same rows, without a bias: with the logits l = exp(t)·⟨x, y⟩,
	//
	//	loss = ½·mean_i(lse_i − l_i) + ½·mean_j(lse_j − l_j)
	//
	// where lse_i = log Σ_j exp(l_ij) over the pairs of row i with z ≠ 0, l_i is
	// the mean of its logits with z = +1 (several are shared between as in
	// Khosla et al. 2020, equation 2), and j are the columns, likewise. Rows and
	// columns without a +1 are no part of the means. What is written, what is
	// added to, t and the memory are as for SigmoidLoss.
	SoftmaxLoss(loss, dx, dy, dt, x, y, t Buf, p Pairs)
	// SumSquares is dst[0] += Σ x².
	SumSquares(dst, x Buf)
	// AdamW updates w and its moments m and v in place (Loshchilov & Hutter
	// 2019), with bias-corrected moments.
	AdamW(w, g, m, v Buf, a Adam)
}
