package ref

import "sigla/backend"

func (engine) DepthwiseConv(dst, x, w, bias backend.Buf, s backend.Conv) {
	s.Check(dst, x, w, bias)
	d, pixels, weight := floats(dst), floats(x), floats(w)
	height, width := s.Out()
	top, left := s.Pad()
	sum := make([]float64, s.Channels)
	for out := range s.Batch * height * width {
		b, row, col := out/width/height, out/width%height, out%width
		clear(sum)
		for tap := range s.Kernel * s.Kernel {
			i, j := row*s.Stride-top+tap/s.Kernel, col*s.Stride-left+tap%s.Kernel
			if i < 0 || i >= s.Height || j < 0 || j >= s.Width {
				continue
			}
			pixel := pixels[((b*s.Height+i)*s.Width+j)*s.Channels:]
			for c, v := range weight[tap*s.Channels:][:s.Channels] {
				sum[c] += float64(v) * float64(pixel[c])
			}
		}
		addScaled(sum, 1, floats(bias))
		store(d[out*s.Channels:], sum)
	}
}
