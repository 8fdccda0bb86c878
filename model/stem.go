package model

import (
	"fmt"

	"sigla/backend"
)

// StemConfig is a convolutional stem in front of the patches: EfficientNet-Lite
// (Tan & Le 2019; without squeeze-and-excitation, with ReLU6) whose map takes
// the place of the pixels, the hybrid form of the Vision Transformer
// (Dosovitskiy et al. 2021, section 3.1). BatchNorm is folded into the weights,
// and the stem is frozen: it has no gradients.
type StemConfig struct {
	Name   string
	First  int // channels after the first convolution, 3×3 with stride 2
	Stages []StemStage
	Out    int // channels of the map
}

// StemStage is a row of inverted residual blocks; the first has the stride.
type StemStage struct{ Kernel, Stride, Expand, Channels, Repeats int }

type stemJSON struct {
	Name       string `json:"name"`
	Activation string `json:"activation"`
	Padding    string `json:"padding"`
	BatchNorm  string `json:"batch_norm"`
	First      int    `json:"stem_channels"`
	Out        int    `json:"head_channels"`
	Stages     []struct {
		Kernel   int `json:"kernel"`
		Stride   int `json:"stride"`
		Expand   int `json:"expand"`
		Channels int `json:"channels"`
		Repeats  int `json:"repeats"`
	} `json:"stages"`
}

func (j stemJSON) config() (*StemConfig, error) {
	if j.Activation != "relu6" || j.Padding != "same_tf" || j.BatchNorm != "folded" {
		return nil, fmt.Errorf("read config.json: a stem with activation %q, padding %q, batch_norm %q is not supported", j.Activation, j.Padding, j.BatchNorm)
	}
	c := &StemConfig{Name: j.Name, First: j.First, Out: j.Out}
	const most = 1 << 14
	ok := c.First > 0 && c.First <= most && c.Out > 0 && c.Out <= most && len(j.Stages) > 0 && len(j.Stages) <= 64
	for _, s := range j.Stages {
		ok = ok && s.Kernel%2 == 1 && s.Kernel > 0 && s.Kernel <= 15 && s.Stride > 0 && s.Stride <= 4 &&
			s.Expand > 0 && s.Expand <= 16 && s.Channels > 0 && s.Channels <= most && s.Repeats > 0 && s.Repeats <= 64
		c.Stages = append(c.Stages, StemStage(s))
	}
	if !ok {
		return nil, fmt.Errorf("read config.json: the stem %q has a size out of range", j.Name)
	}
	return c, nil
}

// firstKernel and firstStride are those of the first convolution.
const firstKernel, firstStride = 3, 2

func (c *StemConfig) stride() int {
	n := firstStride
	for _, s := range c.Stages {
		n *= s.Stride
	}
	return n
}

// stemBlock is one inverted residual: widen, filter each channel, narrow.
type stemBlock struct {
	expand, depthwise, project linear
	in, mid, out               int // channels
	kernel, stride             int
	shortcut                   bool // inside a stage, x joins the result
}

type stem struct {
	first, last linear
	blocks      []stemBlock
}

// list names the stem's tensors. Depthwise kernels lie [channels, 1, k, k] in
// the file and [k, k, channels] in memory, the order of backend.Conv.
func (w *stem) list(c *StemConfig) []tensor {
	const root = "vision_model.stem."
	var l lister
	l.linear(root+"conv", &w.first, c.First, 3, firstKernel, firstKernel)
	w.blocks = w.blocks[:0]
	in := c.First
	for _, s := range c.Stages {
		for i := range s.Repeats {
			b := stemBlock{in: in, mid: in * s.Expand, out: s.Channels, kernel: s.Kernel, stride: 1, shortcut: i > 0}
			if i == 0 {
				b.stride = s.Stride
			}
			w.blocks, in = append(w.blocks, b), s.Channels
		}
	}
	next := 0
	for i, s := range c.Stages {
		for j := range s.Repeats {
			b, name := &w.blocks[next], fmt.Sprintf("%sstages.%d.blocks.%d.", root, i, j)
			if b.mid != b.in {
				l.linear(name+"expand", &b.expand, b.mid, b.in, 1, 1)
			}
			l.linear(name+"depthwise", &b.depthwise, b.mid, 1, b.kernel, b.kernel)
			l.linear(name+"project", &b.project, b.out, b.mid, 1, 1)
			next++
		}
	}
	l.linear(root+"head", &w.last, c.Out, in, 1, 1)
	return l.list
}

// channelsLast reorders depthwise kernels from the file's order to memory's.
func channelsLast(w []float32, channels int) []float32 {
	out, k := make([]float32, len(w)), len(w)/channels
	for c := range channels {
		for i := range k {
			out[i*channels+c] = w[c*k+i]
		}
	}
	return out
}

// conv1 is a 1×1 convolution: a matrix product on rows of pixels.
func (p pass) conv1(x buf, l linear, rows, out, in int) buf {
	dst := p.mem.take(rows * out)
	p.linear(dst, x, l, rows, out, in)
	return dst
}

// stem writes the map of a batch of images [batch·side², Out] to dst. x holds
// the windows of the first convolution as rows [batch·(size/2)², 27], cut by
// preprocess.
func (p pass) stem(c Config, dst, x buf, w *stem, batch int) {
	m := p.mem.at
	defer func() { p.mem.release(m) }()
	side := (c.ImageSize + firstStride - 1) / firstStride
	rows := batch * side * side
	x = p.conv1(x, w.first, rows, c.Stem.First, 3*firstKernel*firstKernel)
	p.e.ReLU6(x, x)
	for i := range w.blocks {
		x, side = p.stemBlock(x, &w.blocks[i], batch, side)
	}
	rows = batch * side * side
	p.linear(dst, x, w.last, rows, c.Stem.Out, w.blocks[len(w.blocks)-1].out)
	p.e.ReLU6(dst, dst)
}

// stemBlock returns the block's result and the new side of the map.
func (p pass) stemBlock(x buf, b *stemBlock, batch, side int) (buf, int) {
	conv := backend.Conv{Batch: batch, Height: side, Width: side, Channels: b.mid, Kernel: b.kernel, Stride: b.stride}
	next, _ := conv.Out()
	rows := batch * next * next
	out := p.mem.take(rows * b.out)
	m := p.mem.at
	y := x
	if b.mid != b.in {
		y = p.conv1(x, b.expand, batch*side*side, b.mid, b.in)
		p.e.ReLU6(y, y)
	}
	z := p.mem.take(rows * b.mid)
	p.e.DepthwiseConv(z, y, b.depthwise.w, b.depthwise.b, conv)
	p.e.ReLU6(z, z)
	p.linear(out, z, b.project, rows, b.out, b.mid)
	if b.shortcut {
		p.e.Add(out, out, x)
	}
	p.mem.release(m)
	return out, next
}
