package gallery

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

// floorOf returns the floor of n random photos and of 64 random nulls that lean
// to one side, as texts do.
func floorOf(n int) (*Gallery, *Floor, [][]float32) {
	const dim = 48
	all := randomUnits(n+64, dim)
	nulls := all[n:]
	for _, v := range nulls {
		v[0] += 0.5
	}
	g := filled(all[:n:n])
	return g, NewFloor(g, nulls), all[:n]
}

// A photo is found by what resembles it, and nothing is by more noise.
func TestFloor(t *testing.T) {
	ctx := context.Background()
	g, f, photos := floorOf(600)
	for id := 0; id < len(photos); id += 50 {
		v, err := f.Judge(ctx, photos[id])
		if err != nil || v.Count < 1 || v.Count > 3 || !v.Confident(id) {
			t.Errorf("photo %d as a query: %d confident, z %v of %v, %v", id, v.Count, v.Z(id), v.Level, err)
		}
	}
	found := 0
	for _, noise := range randomUnits(200, 48) {
		noise[0] += 0.5
		v, err := f.Judge(ctx, noise)
		if err != nil {
			t.Fatal(err)
		}
		found += min(v.Count, 1)
		if v.Z(g.Len()) != 0 || v.Confident(g.Len()) {
			t.Error("a photo that was not there is judged")
		}
	}
	if found > 12 {
		t.Errorf("%d of 200 noise queries find something, want about 2", found)
	}
}

// What is taken in bit by bit gives what all at once gives.
func TestFloorGrows(t *testing.T) {
	ctx := context.Background()
	_, whole, photos := floorOf(600)
	g, f, _ := floorOf(600)
	g.rows, g.slots, g.ready = rows{}, nil, 0
	for _, part := range [][][]float32{nil, photos[:1], photos[1:256], {nil}, photos[256:300], photos[300:]} {
		fill(g, part)
		if err := f.Update(ctx); err != nil {
			t.Fatal(err)
		}
		if g.Progress().Done == 0 && f.level != inf {
			t.Errorf("the level of an empty gallery is %v", f.level)
		}
	}
	if err := whole.Update(ctx); err != nil {
		t.Fatal(err)
	}
	if f.level != whole.level || !slices.Equal(f.spread, whole.spread) || !slices.Equal(f.highest, whole.highest) {
		t.Errorf("in parts the level is %v, at once %v", f.level, whole.level)
	}
	v, _ := f.Judge(ctx, photos[5])
	if v.Z(256) != 0 || v.Z(257) == 0 { // 256 has failed
		t.Errorf("z around the failed photo: %v, %v", v.Z(256), v.Z(257))
	}
}

func TestFloorCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, f, photos := floorOf(600)
	if _, err := f.Judge(ctx, photos[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("judging when cancelled: %v", err)
	}
	if v, err := f.Judge(context.Background(), photos[0]); err != nil || !v.Confident(0) {
		t.Errorf("judging after that: %+v, %v", v, err)
	}
}

// A direction is (C + τ)⁻¹(q − mean): multiplied back it gives q − mean.
func TestContrast(t *testing.T) {
	const dim = 20
	others := randomUnits(33, dim)
	c := newContrast(others)
	q := randomUnits(7, dim)[6]
	d := c.direction(q)
	for k := range dim {
		got := c.tau * float64(d[k])
		for _, row := range c.centred {
			var product float64
			for j, x := range row {
				product += x * float64(d[j])
			}
			got += product * row[k] / float64(len(others))
		}
		if want := float64(q[k]) - c.mean[k]; math.Abs(got-want) > 1e-5 {
			t.Fatalf("value %d: %v, want %v", k, got, want)
		}
	}
	same := newContrast(slices.Repeat(others[:1], 20))
	if d := same.direction(others[0]); slices.ContainsFunc(d, func(x float32) bool { return x-x != 0 }) {
		t.Errorf("nulls that are all the same give %v", d)
	}
}

func TestNullPrompts(t *testing.T) {
	texts := NullPrompts()
	if len(texts) != 256 || slices.Contains(texts, "") || len(slices.Compact(slices.Sorted(slices.Values(texts)))) != 256 {
		t.Errorf("%d null prompts; want 256 different ones", len(texts))
	}
}

func BenchmarkFloor(b *testing.B) {
	const n, dim = 100_000, 384
	ctx := context.Background()
	g := filled(randomUnits(n, dim))
	benchScanner(b, g)
	nulls := randomUnits(256, dim)
	b.Run("Update", func(b *testing.B) {
		for b.Loop() {
			if err := NewFloor(g, nulls).Update(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	f := NewFloor(g, nulls)
	if err := f.Update(ctx); err != nil {
		b.Fatal(err)
	}
	query := randomUnits(1, dim)[0]
	b.Run("Judge", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.Judge(ctx, query); err != nil {
				b.Fatal(err)
			}
		}
	})
}
