package model

// encoderFLOPs counts the floating-point operations of an encoder over tokens
// rows, two per multiply-add; normalisation and GELU are left out.
func (t Tower) encoderFLOPs(tokens int) float64 {
	n, d, m := float64(tokens), float64(t.Width), float64(t.MLP)
	return 2 * float64(t.Layers) * (n*(4*d*d+2*d*m) + 2*n*n*d)
}

func (c Config) imageFLOPs() float64 {
	t, n := c.Vision, float64(c.Patches())
	d, m := float64(t.Width), float64(t.MLP)
	pool := 2*n*d*d + 2*d*d + 2*n*d + 2*d*m
	ops := 2*n*float64(c.PatchLen())*d + t.encoderFLOPs(c.Patches()) + 2*pool
	if c.Stem != nil {
		ops += c.Stem.flops(c.ImageSize)
	}
	return ops
}

func (c Config) textFLOPs() float64 {
	return c.Text.encoderFLOPs(c.Tokens) + 2*float64(c.Text.Width)*float64(c.Dim)
}

func (c *StemConfig) flops(size int) float64 {
	var w stem
	w.list(c)
	side := (size + firstStride - 1) / firstStride
	macs := side * side * c.First * 3 * firstKernel * firstKernel
	for _, b := range w.blocks {
		if b.mid != b.in {
			macs += side * side * b.in * b.mid
		}
		side = (side + b.stride - 1) / b.stride
		macs += side * side * b.mid * (b.kernel*b.kernel + b.out)
	}
	macs += side * side * w.blocks[len(w.blocks)-1].out * c.Out
	return 2 * float64(macs)
}
