package backendtest

import (
	"fmt"

	"sigla/backend"
)

// depthwiseConvCases goes through EfficientNet's kernels and strides on maps
// with an edge and without a middle, even and odd, the starter's 7×7 among them.
func depthwiseConvCases() []testCase {
	var cases []testCase
	for _, kernel := range []int{1, 3, 5} {
		for _, stride := range []int{1, 2} {
			for i, d := range [][2]int{{1, 1}, {2, 3}, {7, 5}, {8, 8}, {13, 6}, {7, 7}, {14, 17}} {
				for _, channels := range []int{1, 17, 33, 130} {
					s := backend.Conv{Batch: 1 + i%3, Height: d[0], Width: d[1], Channels: channels, Kernel: kernel, Stride: stride}
					name := fmt.Sprintf("k%d s%d/%dx%dx%dx%d", kernel, stride, s.Batch, s.Height, s.Width, s.Channels)
					cases = append(cases, testCase{name, compare(func(t *trial) { convolve(t, s) })})
				}
			}
		}
	}
	return cases
}

func convolve(t *trial, s backend.Conv) {
	height, width := s.Out()
	t.DepthwiseConv(t.out("dst", s.Batch*height*width*s.Channels, sums), t.in("x", s.Batch*s.Height*s.Width*s.Channels),
		t.weight("w", s.Kernel*s.Kernel*s.Channels), t.weight("bias", s.Channels), s)
}
