package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"unsafe"
)

// scanVectors returns vectors off any alignment, the elements behind each NaN.
func scanVectors[T float32 | uint16](r *rand.Rand, n, dim int, random func(*rand.Rand) T, nan T) [][]T {
	rows := make([][]T, n)
	for i := range rows {
		row := slices.Repeat([]T{nan}, 1+dim+scanQueries*16)[1:]
		for k := range dim {
			row[k] = random(r)
		}
		rows[i] = row[:dim]
	}
	return rows
}

func randomFull(r *rand.Rand) float32 { return float32(r.NormFloat64()) }

// randomHalf has every finite binary16 below 2 and its subnormals.
func randomHalf(r *rand.Rand) uint16 { return uint16(r.IntN(2))<<15 | uint16(r.IntN(0x4000)) }

// checkScan compares products with sums in float64, and those of each level
// with one another: by themselves, or with other rows and queries in one call.
func checkScan[T float32 | uint16](t *testing.T, scan func(dst []float32, queries [][]float32, rows [][]T), value func(T) float64, queries [][]float32, rows [][]T) {
	t.Helper()
	got := make([]float32, len(rows)*len(queries))
	scan(got, queries, rows)
	for i, row := range rows {
		for j, q := range queries {
			var want, size float64
			for k, x := range row {
				p := value(x) * float64(q[k])
				want, size = want+p, size+math.Abs(p)
			}
			x := got[i*len(queries)+j]
			if math.Abs(float64(x)-want) > 1e-6*size {
				t.Fatalf("row %d of %d, query %d of %d, %d values: %g, want %g", i, len(rows), j, len(queries), len(q), x, want)
			}
			var alone [1]float32
			scan(alone[:], queries[j:j+1], rows[i:i+1])
			if alone[0] != x {
				t.Fatalf("row %d of %d, query %d of %d, %d values: %g, but %g alone", i, len(rows), j, len(queries), len(q), x, alone[0])
			}
		}
	}
}

func full(x float32) float64 { return float64(x) }

// halfOf is the definition of binary16, for finite numbers.
func halfOf(h uint16) float64 {
	x := math.Ldexp(float64(h&0x3ff), -24)
	if e := int(h >> 10 & 0x1f); e > 0 {
		x = math.Ldexp(float64(h&0x3ff|0x400), e-25)
	}
	if h&0x8000 != 0 {
		return -x
	}
	return x
}

func TestScan(t *testing.T) {
	for _, level := range Levels() {
		e := open(t, Options{Level: level})
		for _, dim := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 384, 768, 1152} {
			for _, rows := range []int{0, 1, 2, 3, 4, 5, 9} {
				for _, queries := range []int{0, 1, 2, 3, 4, 5, 9} {
					r := rand.New(rand.NewPCG(uint64(dim), uint64(rows)))
					q := scanVectors(r, queries, dim, randomFull, float32(math.NaN()))
					checkScan(t, e.Scan, full, q, scanVectors(r, rows, dim, randomFull, float32(math.NaN())))
					checkScan(t, e.ScanHalf, halfOf, q, scanVectors(r, rows, dim, randomHalf, 0x7e00))
				}
			}
		}
	}
}

func TestScanWide(t *testing.T) {
	for h := range 1 << 16 {
		if h&0x7c00 == 0x7c00 {
			continue // not finite
		}
		for _, level := range Levels() {
			var got [1]float32
			open(t, Options{Level: level}).ScanHalf(got[:], [][]float32{{1}}, [][]uint16{{uint16(h)}})
			if float64(got[0]) != halfOf(uint16(h)) {
				t.Fatalf("%s: %#04x is %g, want %g", level, h, got[0], halfOf(uint16(h)))
			}
		}
	}
}

func TestScanWrongSizes(t *testing.T) {
	e := open(t, Options{})
	two, three := []float32{1, 2}, []float32{1, 2, 3}
	for name, call := range map[string]func(){
		"dst":   func() { e.Scan(make([]float32, 3), [][]float32{two}, [][]float32{two, two}) },
		"row":   func() { e.Scan(make([]float32, 2), [][]float32{two}, [][]float32{two, three}) },
		"query": func() { e.Scan(make([]float32, 2), [][]float32{two, three}, [][]float32{two}) },
		"empty": func() { e.Scan(make([]float32, 1), [][]float32{{}}, [][]float32{{}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of the wrong size: no panic", name)
				}
			}()
			call()
		}()
	}
}

// Several goroutines may scan beside an operation.
func TestScanConcurrently(t *testing.T) {
	e := open(t, Options{})
	r := rand.New(rand.NewPCG(1, 1))
	queries := scanVectors(r, 3, 37, randomFull, 0)
	rows := scanVectors(r, 41, 37, randomHalf, 0)
	want := make([]float32, len(rows)*len(queries))
	e.ScanHalf(want, queries, rows)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			got := make([]float32, len(want))
			for range 50 {
				e.ScanHalf(got, queries, rows)
				if !slices.Equal(got, want) {
					t.Error("another result beside others")
					return
				}
			}
		})
	}
	wait.Wait()
}

// FuzzScan takes rows and queries from bytes.
func FuzzScan(f *testing.F) {
	f.Add([]byte{}, byte(1), byte(1))
	f.Add(slices.Repeat([]byte{1, 2, 3}, 100), byte(7), byte(3))
	f.Add(slices.Repeat([]byte{0xff, 0x3b, 0x80, 0x01}, 300), byte(33), byte(5))
	f.Fuzz(func(t *testing.T, data []byte, dim, queries byte) {
		n := int(dim%80) + 1
		var values []uint16
		for ; len(data) >= 2; data = data[2:] {
			values = append(values, binary.LittleEndian.Uint16(data)&0xbfff) // below 2
		}
		rows := slices.Collect(slices.Chunk(values[:len(values)/n*n], n))
		rows = rows[:min(len(rows), 20)]
		wide := make([][]float32, len(rows))
		for i, row := range rows {
			for _, h := range row {
				wide[i] = append(wide[i], float32(halfOf(h)))
			}
		}
		q := wide[:min(len(wide), int(queries%10))]
		for _, level := range Levels() {
			e := open(t, Options{Level: level})
			checkScan(t, e.ScanHalf, halfOf, q, rows)
			checkScan(t, e.Scan, full, q, wide)
		}
	})
}

// BenchmarkScan reads 100,000 × 768 as a search does, and plainly.
func BenchmarkScan(b *testing.B) {
	const n, dim, each = 100_000, 768, 512
	r := rand.New(rand.NewPCG(1, 1))
	memory := make([]uint16, n*dim)
	for i := range memory {
		memory[i] = randomHalf(r)
	}
	rows := slices.Collect(slices.Chunk(memory, dim))
	half := make([][]uint16, 0, n/2)
	for _, row := range rows {
		if r.IntN(2) == 0 {
			half = append(half, row)
		}
	}
	queries := scanVectors(r, 60, dim, randomFull, 0)
	for _, level := range Levels() {
		e := open(b, Options{Level: level})
		run := func(name string, rows [][]uint16, work func(part [][]uint16)) {
			for _, threads := range []int{1, runtime.GOMAXPROCS(0)} {
				b.Run(fmt.Sprintf("%s/%s/threads=%d", level, name, threads), func(b *testing.B) {
					b.SetBytes(int64(len(rows)) * dim * 2)
					for b.Loop() {
						parts := make(chan [][]uint16, len(rows)/each+1)
						for part := range slices.Chunk(rows, each) {
							parts <- part
						}
						close(parts)
						var wait sync.WaitGroup
						for range threads {
							wait.Go(func() {
								for part := range parts {
									work(part)
								}
							})
						}
						wait.Wait()
					}
				})
			}
		}
		run("read", rows, func(part [][]uint16) { e.Touch(unsafe.Slice(&part[0][0], len(part)*dim)) })
		scan := func(queries [][]float32) func([][]uint16) {
			return func(part [][]uint16) { e.ScanHalf(make([]float32, len(part)*len(queries)), queries, part) }
		}
		run("all", rows, scan(queries[:1]))
		run("half", half, scan(queries[:1]))
		run("60 queries", rows, scan(queries))
	}
}
