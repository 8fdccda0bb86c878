package cpu

import "unsafe"

// index returns the address of element i of the vector at p.
func index(p *float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), i*4))
}

// gemm4x4 is a tile in plain Go; see type tile.
func gemm4x4(a, b, c, bias *float32, rsa, csa, tsa, rsb, ldc, k, tiles, m, n int, add, clamp bool) {
	for t := range tiles {
		acc := product4x4(index(a, t*tsa), b, rsa, csa, rsb, k)
		for i := range m {
			row := vector(index(c, (t*4+i)*ldc), n)
			for j := range row {
				v := acc[i*4+j]
				if bias != nil {
					v += *index(bias, j)
				}
				if add {
					v += row[j]
				}
				if clamp {
					v = min(max(v, 0), 6)
				}
				row[j] = v
			}
		}
	}
}

// product4x4 keeps its sums in registers, hence the names.
func product4x4(a, b *float32, rsa, csa, rsb, k int) [16]float32 {
	var c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33 float32
	for p := range k {
		y := (*[4]float32)(unsafe.Pointer(index(b, p*rsb)))
		y0, y1, y2, y3 := y[0], y[1], y[2], y[3]
		col := index(a, p*csa)
		x := *col
		c00 += x * y0
		c01 += x * y1
		c02 += x * y2
		c03 += x * y3
		x = *index(col, rsa)
		c10 += x * y0
		c11 += x * y1
		c12 += x * y2
		c13 += x * y3
		x = *index(col, 2*rsa)
		c20 += x * y0
		c21 += x * y1
		c22 += x * y2
		c23 += x * y3
		x = *index(col, 3*rsa)
		c30 += x * y0
		c31 += x * y1
		c32 += x * y2
		c33 += x * y3
	}
	return [16]float32{c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33}
}

func transpose(dst, src *float32, lddst, ldsrc, k int) {
	for i := range genericLanes {
		for p, v := range vector(index(src, i*ldsrc), k) {
			*index(dst, p*lddst+i) = v
		}
	}
}

func gather(dst, src *float32, n, lddst, ldsrc, k int) {
	for p := range k {
		copy(vector(index(dst, p*lddst), n), vector(index(src, p*ldsrc), n))
	}
}

func depthwise(dst, x, w, bias *float32, count, n, channels, kh, kw, xRow, xStep, wRow int, clamp bool) {
	for i := range count {
		out := vector(index(dst, i*channels), n)
		copy(out, vector(bias, n))
		for y := range kh {
			for t := range kw {
				in := vector(index(x, i*xStep+y*xRow+t*channels), n)
				for c, v := range vector(index(w, y*wRow+t*channels), n) {
					out[c] += v * in[c]
				}
			}
		}
		if clamp {
			relu6(&out[0], &out[0], n)
		}
	}
}

// peak multiplies the same numbers n times: a product without its memory.
func peak(n int) {
	x := [4]float32{1, 1, 1, 1}
	product4x4(&x[0], &x[0], 0, 0, 0, n)
}
