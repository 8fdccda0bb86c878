package preprocess

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"sigla/internal/require"
)

// withoutLoops calls f with the plain loops alone.
func withoutLoops(f func()) {
	saved := machine
	defer func() { machine = saved }()
	machine = loops{}
	f()
}

// TestAcross holds the fast loop to the plain one, at every size of row and
// window, and to its limits: nothing behind the outputs is written, nothing
// behind the row is read.
func TestAcross(t *testing.T) {
	if machine.across == nil {
		t.Skip("this machine has no fast loops")
	}
	r := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		in, out, f := 1+r.IntN(400), 1+r.IntN(60), Filter(r.IntN(len(kernels)))
		a := newAxis(in, out, 0, out, f)
		reaches, weights := a.spread(in)
		total := 0
		for i, reach := range reaches {
			total += int(reach.groups)
			if int(reach.at) != 3*a.lo[i] || int(reach.at+12*reach.groups)+4 > 3*in {
				t.Fatalf("%d to %d %v: reach %d is %+v, window from %d", in, out, f, i, reach, a.lo[i])
			}
		}
		if i := len(reaches); len(weights) != total*group || i < out && 3*(a.lo[i]+(a.n[i]+3)/4*4)+4 <= 3*in {
			t.Fatalf("%d to %d %v: %d reaches, %d weights for %d groups", in, out, f, i, len(weights), total)
		}
		src := make([]uint8, 3*in)
		for i := range src {
			src[i] = uint8(255 * r.IntN(2)) // extremes, where sums are largest
			if r.IntN(2) == 0 {
				src[i] = uint8(r.Uint32())
			}
		}
		want := make([]uint8, 3*out)
		a.across(want, src, 0)
		got := bytes.Repeat([]byte{0xa5}, 3*out+16)
		machine.across(got, src, reaches, weights)
		n := 3 * len(reaches)
		if !bytes.Equal(got[:n], want[:n]) {
			t.Fatalf("%d to %d %v: outputs differ", in, out, f)
		}
		if !bytes.Equal(got[n:], bytes.Repeat([]byte{0xa5}, len(got)-n)) {
			t.Fatalf("%d to %d %v: wrote behind %d outputs", in, out, f, len(reaches))
		}
	}
}

func TestChromaPairs(t *testing.T) {
	if machine.chromaPairs == nil {
		t.Skip("this machine has no fast loops")
	}
	const n = 1 << 16
	cb, cr := make([]uint8, n), make([]uint8, n)
	for i := range n { // every chroma there is
		cb[i], cr[i] = uint8(i), uint8(i>>8)
	}
	luma := make([]uint8, 2*n)
	got, want := bytes.Repeat([]byte{0xa5}, 6*n+16), make([]uint8, 6*n)
	for step := range 8 { // with 16 values of luma each
		for i := range luma {
			luma[i] = uint8(36*step + 255*(i%2) + i/2%5)
		}
		machine.chromaPairs(got[:6*n], luma, cb, cr)
		withoutLoops(func() { chromaPairs(want, luma, cb, cr) })
		if !bytes.Equal(got[:6*n], want) {
			t.Fatalf("step %d differs", step)
		}
	}
	if !bytes.Equal(got[6*n:], bytes.Repeat([]byte{0xa5}, 16)) {
		t.Error("wrote behind the row")
	}
}

func TestPack(t *testing.T) {
	if machine.pack == nil {
		t.Skip("this machine has no fast loops")
	}
	r := rand.New(rand.NewPCG(11, 12))
	for n := 0; n <= 64; n += 8 {
		src := make([]uint8, 4*n)
		for i := range src {
			src[i] = uint8(r.Uint32()) | uint8(i%4/3*255)
		}
		for clear := -1; clear < n; clear++ { // the pixel whose alpha is not 255
			got := bytes.Repeat([]byte{0xa5}, 3*n+16)
			if clear >= 0 {
				src[4*clear+3] = 254
			}
			if opaque := machine.pack(got[:3*n], src); opaque != (clear < 0) {
				t.Fatalf("%d pixels, %d not opaque: %v", n, clear, opaque)
			}
			for i := range 3 * n {
				if got[i] != src[i/3*4+i%3] {
					t.Fatalf("%d pixels: byte %d is %d", n, i, got[i])
				}
			}
			if !bytes.Equal(got[3*n:], bytes.Repeat([]byte{0xa5}, 16)) {
				t.Fatalf("%d pixels: wrote behind the row", n)
			}
			if clear >= 0 {
				src[4*clear+3] = 255
			}
		}
	}
}

// TestLoopsPictures prepares pictures of every kind and of real photos with and
// without the fast loops.
func TestLoopsPictures(t *testing.T) {
	c, err := ParseConfig([]byte(`{"size": 17}`))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(9, 10))
	for range 50 {
		for name, m := range noise(r) {
			checkLoops(t, c, name, m)
		}
	}
	c.Width, c.Height = 224, 224
	paths, err := filepath.Glob(filepath.Join(require.Data(t, "large"), "*.jpg"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no photos", err)
	}
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		checkLoops(t, c, path, m)
	}
}

func checkLoops(t *testing.T, c Config, name string, m image.Image) {
	t.Helper()
	got, want := c.resized(m), (*Pixels)(nil)
	withoutLoops(func() { want = c.resized(m) })
	if !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("%s %v: bytes differ", name, m.Bounds())
	}
}
