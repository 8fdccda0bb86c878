package safetensors

import (
	"encoding/binary"
	"math"
	"testing"
)

// slowHalf is the definition of binary16: (-1)^s · 2^(e-15) · (1 + f/1024).
func slowHalf(h uint16) float64 {
	sign, e, f := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch e {
	case 0:
		return sign * math.Ldexp(f, -24)
	case 31:
		if f != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1+f/1024, e-15)
}

// Every 16-bit value of both types, at an odd address.
func TestWidenAll16(t *testing.T) {
	src := make([]byte, 1+2<<16)[1:]
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(src[2*i:], uint16(i))
	}
	dst := make([]float32, 1<<16)
	widen(dst, src, F16)
	for i, got := range dst {
		want := float32(slowHalf(uint16(i)))
		if want != want { // NaN: the payload's upper bits stay
			want = math.Float32frombits(uint32(i)&0x8000<<16 | 0x7f800000 | uint32(i)&1023<<13)
		}
		if math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("F16 %04x: %g (%08x), want %g", i, got, math.Float32bits(got), want)
		}
	}
	widen(dst, src, BF16)
	for i, got := range dst {
		if math.Float32bits(got) != uint32(i)<<16 {
			t.Fatalf("BF16 %04x: %08x", i, math.Float32bits(got))
		}
	}
}

func TestWidenF32(t *testing.T) {
	defer func(le bool) { littleEndian = le }(littleEndian)
	src := []byte("\xffabcdefghijkl\x00\x00\xc0\xff")[1:] // ends with a NaN
	for _, littleEndian = range []bool{littleEndian, false} {
		got, err := Tensor{Name: "x", Type: F32, Shape: []int{4}, Data: src}.Floats(make([]float32, 9))
		if err != nil || len(got) != 4 {
			t.Fatal(got, err)
		}
		for i, v := range got {
			if want := binary.LittleEndian.Uint32(src[4*i:]); math.Float32bits(v) != want {
				t.Errorf("element %d: %08x, want %08x", i, math.Float32bits(v), want)
			}
		}
	}
}

func BenchmarkFloats(b *testing.B) {
	const n = 1 << 20
	for _, dtype := range []DType{F32, F16, BF16} {
		data := make([]byte, n*dtype.Size())
		for i := range n { // weights as they are: around ±0.02, a few of them tiny
			v := float32(math.Sin(float64(i)) * math.Sin(float64(i)*1.7) * 0.02)
			switch dtype {
			case F32:
				binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
			case BF16:
				binary.LittleEndian.PutUint16(data[2*i:], uint16(math.Float32bits(v)>>16))
			case F16:
				bits := math.Float32bits(v * 0x1p-112)
				binary.LittleEndian.PutUint16(data[2*i:], uint16(bits>>16&0x8000|bits>>13&0x7fff))
			}
		}
		t := Tensor{Name: "w", Type: dtype, Shape: []int{n}, Data: data}
		dst := make([]float32, n)
		b.Run(string(dtype), func(b *testing.B) {
			b.SetBytes(4 * n)
			for b.Loop() {
				if _, err := t.Floats(dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRow(b *testing.B) {
	const rows, cols = 1024, 768
	t := Tensor{Name: "w", Type: F16, Shape: []int{rows, cols}, Data: make([]byte, 2*rows*cols)}
	dst := make([]float32, cols)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := t.Row(dst, i%rows); err != nil {
			b.Fatal(err)
		}
	}
}
