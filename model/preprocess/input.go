package preprocess

import (
	"fmt"
	"image"
)

// A Window says how a picture is cut into the rows a convolution multiplies:
// Rows×Cols windows of Kernel×Kernel pixels, Stride apart, the first one
// starting Top above and Left of the picture. Outside the picture an input is
// zero.
type Window struct{ Kernel, Stride, Top, Left, Rows, Cols int }

// Valid returns the windows of a patch embedding: side by side, and pixels
// that do not fill a patch at the right and bottom are left out.
func Valid(width, height, patch int) Window {
	return Window{Kernel: patch, Stride: patch, Rows: height / patch, Cols: width / patch}
}

// Same returns the windows of a convolution with TensorFlow's SAME padding:
// ceil(size/stride) windows, an odd pixel of padding at the bottom and right.
func Same(width, height, kernel, stride int) Window {
	w := Window{Kernel: kernel, Stride: stride}
	w.Rows, w.Top = same(height, kernel, stride)
	w.Cols, w.Left = same(width, kernel, stride)
	return w
}

func same(n, kernel, stride int) (count, before int) {
	count = (n + stride - 1) / stride
	return count, max((count-1)*stride+kernel-n, 0) / 2
}

// Len returns the number of floats of one picture, Rows·Cols·3·Kernel².
func (w Window) Len() int { return w.Rows * w.Cols * 3 * w.Kernel * w.Kernel }

// Input writes img as the rows of w, [Rows·Cols, 3·Kernel·Kernel]: windows from
// left to right and top to bottom, inside a window channel, y, x, as a
// convolution weight [out, 3, Kernel, Kernel] lies. dst holds w.Len() floats;
// w is for a picture of c.Width×c.Height.
//
// A value is f32(v·Rescale), the product in float64, then minus Mean, over Std
// in float32: the reference's arithmetic, so results equal its own.
func (c Config) Input(dst []float32, img image.Image, w Window) {
	if len(dst) != w.Len() || c.Width < 1 || c.Height < 1 {
		panic(fmt.Sprintf("preprocess: %d floats for %d of %+v, input %d×%d", len(dst), w.Len(), w, c.Width, c.Height))
	}
	w.cut(dst, c.resized(img), c.values())
}

// resized returns img at the size of the input.
func (c Config) resized(img image.Image) *Pixels {
	v := viewOf(img)
	if c.Edge == 0 {
		return v.resize(c.Width, c.Height, c.Filter, image.Rect(0, 0, c.Width, c.Height))
	}
	width, height := c.Edge, c.Edge
	if v.width < v.height {
		height = c.Edge * v.height / v.width
	} else {
		width = c.Edge * v.width / v.height
	}
	// >> 1 rounds down where the crop is larger than the picture, as the
	// reference does; what lies outside the picture is black.
	at := image.Pt((width-c.Width)>>1, (height-c.Height)>>1)
	crop := image.Rect(0, 0, c.Width, c.Height).Add(at)
	inside := crop.Intersect(image.Rect(0, 0, width, height))
	p := v.resize(width, height, c.Filter, inside)
	if inside == crop {
		return p
	}
	whole := newPixels(c.Width, c.Height)
	for y := range p.Height {
		copy(whole.row(y + inside.Min.Y - at.Y)[3*(inside.Min.X-at.X):], p.row(y))
	}
	return whole
}

// values returns the normalised value of every byte in each channel.
func (c Config) values() *[3][256]float32 {
	var t [3][256]float32
	for ch := range t {
		for v := range t[ch] {
			t[ch][v] = (float32(float64(v)*c.Rescale) - c.Mean[ch]) / c.Std[ch]
		}
	}
	return &t
}

func (w Window) cut(dst []float32, p *Pixels, values *[3][256]float32) {
	k := w.Kernel
	for row := range w.Rows {
		for col := range w.Cols {
			x0 := col*w.Stride - w.Left
			from, to := max(0, -x0), min(k, p.Width-x0) // columns inside the picture
			for ch := range 3 {
				t := &values[ch]
				for ky := range k {
					line := dst[:k:k]
					dst = dst[k:]
					y := row*w.Stride - w.Top + ky
					if y < 0 || y >= p.Height || from >= to {
						clear(line)
						continue
					}
					clear(line[:from])
					clear(line[to:])
					line = line[from:to]
					src := p.row(y)[3*(x0+from)+ch:]
					for i := range line {
						line[i] = t[src[3*i]]
					}
				}
			}
		}
	}
}
