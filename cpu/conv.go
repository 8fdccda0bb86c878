package cpu

import "sigla/backend"

// DepthwiseConv implements backend.Backend. A row of results is cut into the
// left edge, whose pixels lack taps, the middle, done in one call, and the
// right edge.
func (e *Engine) DepthwiseConv(dst, x, w, bias backend.Buf, s backend.Conv) {
	s.Check(dst, x, w, bias)
	c := conv{Conv: s, k: e.kern, dst: e.data(dst), x: e.data(x), w: e.data(w), bias: e.data(bias)}
	c.height, c.width = s.Out()
	c.top, c.left = s.Pad()
	cost := c.width * s.Channels * s.Kernel
	e.postpone(dst, func(clamp bool) {
		c.clamp = clamp
		e.spread(s.Batch*c.height, max(1, 4*chunk/cost), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				c.row(r/c.height, r%c.height)
			}
		})
	})
}

type conv struct {
	backend.Conv
	k               *kernels
	dst, x, w, bias []float32
	height, width   int // of dst
	top, left       int // padding
	clamp           bool
}

// channelGroup is how many channels are done at a time for a whole row: their
// part of the rows of x that it needs mostly fits into the first cache.
const channelGroup = 64

// row computes row y of image b.
func (c *conv) row(b, y int) {
	from := y*c.Stride - c.top
	first := max(0, -from)
	taps := min(c.Kernel, c.Height-from) - first
	in := c.x[((b*c.Height+from+first)*c.Width)*c.Channels:]
	out := c.dst[((b*c.height+y)*c.width)*c.Channels:]
	w := c.w[first*c.Kernel*c.Channels:]
	for i := 0; i < c.Channels; i += channelGroup {
		c.group(out[i:], in[i:], w[i:], c.bias[i:], min(channelGroup, c.Channels-i), taps)
	}
}

// group computes n channels of a row from rows of in that have taps.
func (c *conv) group(out, in, w, bias []float32, n, taps int) {
	for x := 0; x < c.width; {
		from := x*c.Stride - c.left
		first, last := max(0, -from), min(c.Kernel, c.Width-from)
		count := 1
		if first == 0 && last == c.Kernel {
			count = (c.Width-c.Kernel-from)/c.Stride + 1
		}
		c.k.depthwise(&out[x*c.Channels], &in[(from+first)*c.Channels], &w[first*c.Channels], &bias[0],
			count, n, c.Channels, taps, last-first, c.Width*c.Channels, c.Stride*c.Channels, c.Kernel*c.Channels, c.clamp)
		x += count
	}
}
