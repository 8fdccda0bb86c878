package chart

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

// dots reads which dots of a plot are set, [down][across].
func dots(t *testing.T, p Plot) [][]bool {
	t.Helper()
	var all [][]bool
	for _, row := range p.Rows {
		lines := make([][]bool, dotsDown)
		for _, r := range row {
			bits := r - braille
			if r == ' ' {
				bits = 0
			}
			if bits < 0 || bits > 0xff {
				t.Fatalf("%q is no Braille pattern", r)
			}
			for y := range lines {
				for x := range dotsAcross {
					lines[y] = append(lines[y], bits&dotBits[y][x] != 0)
				}
			}
		}
		all = append(all, lines...)
	}
	return all
}

// near reports whether a dot is set at most one away from a place.
func near(set [][]bool, x, y float64) bool {
	for i, line := range set {
		for j, on := range line {
			if on && math.Abs(float64(j)-x) <= 1 && math.Abs(float64(i)-y) <= 1 {
				return true
			}
		}
	}
	return false
}

// where is the place of a value among n, by the definition: in proportion.
func where(v, lo, hi float64, n int, alone float64) float64 {
	if hi == lo {
		return alone
	}
	return (v - lo) / (hi - lo) * float64(n-1)
}

// checkCurve holds a plot of points to what Curve promises. all are the points
// that must lie on the curve, which may be more than were drawn.
func checkCurve(t *testing.T, all, drawn []Point, cells, rows int, scale Scale) {
	t.Helper()
	p := Curve(drawn, cells, rows, scale)
	if len(p.Rows) != rows {
		t.Fatalf("%d rows, want %d", len(p.Rows), rows)
	}
	for _, row := range p.Rows {
		if n := utf8.RuneCountInString(row); n != cells {
			t.Fatalf("a row is %d wide, want %d", n, cells)
		}
	}
	set := dots(t, p)
	height := func(v float64) float64 {
		if scale == Log {
			return math.Log10(v)
		}
		return v
	}
	x0, x1, lo, hi := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	finite := func(q Point) bool {
		h := height(q.Y)
		return !math.IsNaN(h) && !math.IsInf(h, 0)
	}
	for _, q := range all {
		if finite(q) {
			x0, x1, lo, hi = min(x0, q.X), max(x1, q.X), min(lo, height(q.Y)), max(hi, height(q.Y))
		}
	}
	down := rows * dotsDown
	for _, q := range all {
		if !finite(q) {
			continue
		}
		x := where(q.X, x0, x1, cells*dotsAcross, 0)
		y := float64(down-1) - where(height(q.Y), lo, hi, down, float64(down)/2)
		if !near(set, x, y) {
			t.Fatalf("%d points in %d×%d: none of the dots is near %v at %.1f, %.1f\n%s", len(all), cells, rows, q, x, y, strings.Join(p.Rows, "\n"))
		}
	}
}

func TestCurve(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	walk := func(n int) []Point {
		points := make([]Point, n)
		y := 10.0
		for i := range points {
			y = math.Abs(y+rng.NormFloat64()) + 1e-9
			points[i] = Point{float64(i), y}
			if rng.IntN(50) == 0 {
				points[i].Y *= 30 // a peak
			}
			if rng.IntN(80) == 0 {
				points[i].Y = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[rng.IntN(3)]
			}
		}
		return points
	}
	for _, n := range []int{1, 2, 3, 10, 100, 3000} {
		for _, size := range [][2]int{{1, 1}, {2, 1}, {7, 3}, {40, 6}, {120, 12}} {
			for _, scale := range []Scale{Linear, Log} {
				points := walk(n)
				checkCurve(t, points, points, size[0], size[1], scale)
			}
		}
	}
}

func TestThin(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const cells, parts = 60, 4 * 60 * dotsAcross
	var all, kept []Point
	for i := range 40_000 {
		y := 5 + math.Sin(float64(i)/900) + rng.NormFloat64()/10
		if rng.IntN(3000) == 0 {
			y += 40 * rng.NormFloat64()
		}
		p := Point{float64(i), y}
		all, kept = append(all, p), append(kept, p)
		if len(kept) > 8*parts { // as a run that goes on does it
			kept = Thin(kept, parts)
			if len(kept) > 4*parts {
				t.Fatalf("%d points are left of %d parts", len(kept), parts)
			}
		}
	}
	checkCurve(t, all, kept, cells, 8, Linear)
	a, b := Curve(all, cells, 8, Linear), Curve(kept, cells, 8, Linear)
	if a.Lo != b.Lo || a.Hi != b.Hi {
		t.Errorf("thinned from %v … %v to %v … %v", a.Lo, a.Hi, b.Lo, b.Hi)
	}
	if few := Thin(all[:10], 20); len(few) != 10 {
		t.Errorf("%d of 10 points are left although there was room", len(few))
	}
}

func TestCurveOfLittle(t *testing.T) {
	empty := Curve(nil, 5, 2, Linear)
	if !math.IsNaN(empty.Lo) || strings.TrimSpace(strings.Join(empty.Rows, "")) != "" {
		t.Errorf("nothing is drawn as %q from %v", empty.Rows, empty.Lo)
	}
	for _, size := range [][2]int{{0, 3}, {3, 0}, {-1, -1}} {
		if p := Curve([]Point{{1, 1}}, size[0], size[1], Linear); len(p.Rows) != 0 {
			t.Errorf("%v cells: %q", size, p.Rows)
		}
	}
	huge := Curve([]Point{{0, -math.MaxFloat64}, {1, math.MaxFloat64}}, 2, 2, Linear)
	if set := dots(t, huge); !set[7][0] || !set[0][3] {
		t.Errorf("the largest numbers are drawn as %q", huge.Rows)
	}
	gaps := []Point{{0, math.NaN()}, {1, 2}, {2, math.Inf(1)}, {3, 2}, {4, -1}}
	set := dots(t, Curve(gaps, 4, 1, Log))
	n := 0
	for _, line := range set {
		for _, on := range line {
			if on {
				n++
			}
		}
	}
	if n != 2 {
		t.Errorf("%d dots for two points between gaps", n)
	}
}

// TestCurveScreens keeps what curves look like.
func TestCurveScreens(t *testing.T) {
	var b strings.Builder
	draw := func(name string, p Plot) {
		b.WriteString(name + "\n")
		for i, row := range p.Rows {
			axis := strings.Repeat(" ", ValueCells)
			if i == 0 {
				axis = Value(p.Hi)
			} else if i == len(p.Rows)-1 {
				axis = Value(p.Lo)
			}
			b.WriteString(axis + " │" + row + "│\n")
		}
	}
	var decay, wave, constant []Point
	for i := range 500 {
		x := float64(i)
		decay = append(decay, Point{x, 4*math.Exp(-x/60) + 0.02})
		wave = append(wave, Point{x, math.Sin(x / 40)})
		constant = append(constant, Point{x, -16.5})
	}
	draw("decay, linear", Curve(decay, 40, 5, Linear))
	draw("decay, logarithmic", Curve(decay, 40, 5, Log))
	draw("wave", Curve(wave, 30, 4, Linear))
	draw("constant", Curve(constant, 20, 3, Linear))
	draw("one point", Curve(decay[:1], 20, 3, Linear))
	draw("nothing", Curve(nil, 20, 2, Linear))
	golden := filepath.Join("testdata", "curves.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestValue(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{
		{0.214, "  0.2140"}, {31.84, "   31.84"}, {-7.76, "  -7.760"}, {117.33, "   117.3"}, {9.9999, "  10.000"},
		{0, "       0"}, {1e-5, "1.00e-05"}, {-1e-5, "-1.0e-05"}, {-1e-200, " -1e-200"}, {999_949, "  999949"}, {1e9, "1.00e+09"},
		{0.9999999, "  1.0000"}, {math.NaN(), "       –"}, {math.Inf(-1), "      -∞"},
	} {
		got := Value(c.v)
		if got != c.want {
			t.Errorf("Value(%v) = %q, want %q", c.v, got, c.want)
		}
		if n := utf8.RuneCountInString(got); n != ValueCells {
			t.Errorf("Value(%v) is %d wide", c.v, n)
		}
	}
}
