package cli

import (
	"slices"
	"strings"
	"testing"
)

// A slow device measures small sizes, a fast one large ones.
func TestInAMoment(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		photos int
		pairs  []int
	}{
		{1e8, 1, []int{256}},
		{8e9, 1, []int{256, 1024}},
		{400e9, 32, []int{256, 1024, 4096}},
		{30e12, 32, []int{256, 1024, 4096, 16384}},
	} {
		if photos, pairs := inAMoment(c.rate); photos != c.photos || !slices.Equal(pairs, c.pairs) {
			t.Errorf("at %g: %d photos and %v pairs, want %d and %v", c.rate, photos, pairs, c.photos, c.pairs)
		}
	}
}

// A device that takes more photos at once is measured with as many.
func TestBatchSizes(t *testing.T) {
	for most, want := range map[int][]int{1: {1, 8, 16}, 8: {1, 8, 16}, 16: {1, 8, 16}, 32: {1, 8, 16, 32}} {
		if got := batchSizes(most); !slices.Equal(got, want) {
			t.Errorf("a model that takes %d is measured with %v, want %v", most, got, want)
		}
	}
}

// What is printed of a gpu, in all forms.
func TestBenchmarkOutput(t *testing.T) {
	b := benchmark{Peak: 100e9, Product: 50e9, AtOnce: 32, Launch: &launchCost{Photos: 8, Each: 10, Count: 400},
		Runs:       []benchRun{{What: "photos", Batch: 8, Each: 5, Rate: 30e9}},
		Operations: []benchOperation{{Name: "MatMul/x", Took: 2, Rate: 50e9}, {Name: "AdamW/y", Took: 3, Bytes: 70e9}}}
	b.shares()
	for format, want := range map[string][]string{
		"text": {"launches         10.0 µs each; photos × 8 have 400, 10.0 % of their time at most\n", " 30.0 % of the peak   60.0 % of the product  200.0/s\n",
			"operations, of 32 photos at a time; the fastest product 50.0 GFLOP/s\n", " 50.0 GFLOP/s   50.0 % of the peak\n", " 70.0 GB/s\n"},
		"json": {`"launch":{"us":10,"photos":8,"dispatches":400,"share":0.1}`, `"share_of_product":0.6`, `{"name":"AdamW/y","ms":3,"bytes":70000000000}`},
		"csv":  {"photos,8,5,3e+10,0.3,0.6,\n", "MatMul/x,1,2,5e+10,0.5,1,0\n", "AdamW/y,1,3,0,0,0,7e+10\n"},
	} {
		var said strings.Builder
		a := &app{stdout: &said, settings: settings{format: format}}
		if err := a.output().benchmark(b); err != nil {
			t.Fatal(err)
		}
		for _, line := range want {
			if !strings.Contains(said.String(), line) {
				t.Errorf("%s lacks %q:\n%s", format, line, said.String())
			}
		}
	}
}
