package chart

import (
	"math"
	"strconv"
	"strings"
)

// Point is a value and where it stands on the horizontal axis, such as the step
// of a training. One that is not finite is a gap in the curve.
type Point struct{ X, Y float64 }

// A Scale is how values become heights.
type Scale uint8

const (
	Linear Scale = iota
	Log          // values of 0 and below are gaps
)

// Plot is a curve in cells. Lo and Hi are the values of its lowest and its
// highest dots; both are NaN if there is nothing to draw.
type Plot struct {
	Rows   []string // from the top, each exactly as wide as asked for
	Lo, Hi float64
}

// Dots of a Braille pattern are two across and four down (Unicode 17, section
// 21.1); bit 0 is the upper left one.
const (
	dotsAcross, dotsDown = 2, 4
	braille              = '\u2800'
)

var dotBits = [dotsDown][dotsAcross]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// Curve draws points, in the order of their X, as a line of Braille dots in cells
// across and rows down. It reaches from the first to the last X, and from the
// lowest to the highest value; a single X stands on the left, a single value in
// the middle. Every point has its dot: what is between points of one column is
// filled, so that no peak is lost however many points there are.
func Curve(points []Point, cells, rows int, scale Scale) Plot {
	if cells <= 0 || rows <= 0 {
		return Plot{Lo: math.NaN(), Hi: math.NaN()}
	}
	g := newGrid(points, cells, rows, scale)
	drawn, px, py := false, 0, 0 // whether the point before was, and where
	for _, p := range points {
		x, y, ok := g.dot(p)
		switch {
		case !ok:
		case drawn:
			g.line(px, py, x, y)
		default:
			g.set(x, y)
		}
		drawn, px, py = ok, x, y
	}
	return g.plot()
}

// grid has the dots of a curve, and where points lie on them.
type grid struct {
	scale        Scale
	bits         [][]rune // by row, cell
	across, down int      // dots
	x0, x1       float64
	lo, hi       float64 // by height
}

func newGrid(points []Point, cells, rows int, scale Scale) *grid {
	g := &grid{
		scale: scale, across: cells * dotsAcross, down: rows * dotsDown, bits: make([][]rune, rows),
		x0: math.Inf(1), x1: math.Inf(-1), lo: math.Inf(1), hi: math.Inf(-1),
	}
	for i := range g.bits {
		g.bits[i] = make([]rune, cells)
	}
	for _, p := range points {
		if h, ok := g.height(p); ok {
			g.x0, g.x1 = min(g.x0, p.X), max(g.x1, p.X)
			g.lo, g.hi = min(g.lo, h), max(g.hi, h)
		}
	}
	return g
}

// height is what a point counts as on the vertical axis; false of a gap.
func (g *grid) height(p Point) (h float64, ok bool) {
	h = p.Y
	if g.scale == Log {
		h = math.Log10(p.Y)
	}
	return h, !math.IsNaN(h+p.X) && !math.IsInf(h, 0) && !math.IsInf(p.X, 0)
}

// dot is where a point lies, from the upper left.
func (g *grid) dot(p Point) (x, y int, ok bool) {
	h, ok := g.height(p)
	if !ok {
		return 0, 0, false
	}
	x = place(p.X, g.x0, g.x1, g.across, 0)
	y = g.down - 1 - place(h, g.lo, g.hi, g.down, (g.down-1)/2)
	return x, y, true
}

// place is where v lies among n places from lo to hi; alone where these are the
// same.
func place(v, lo, hi float64, n, alone int) int {
	span := hi/2 - lo/2 // halves: the difference of two floats may be none
	if !(span > 0) {
		return alone
	}
	return int(math.Round(unit((v/2-lo/2)/span) * float64(n-1)))
}

func (g *grid) set(x, y int) {
	g.bits[y/dotsDown][x/dotsAcross] |= dotBits[y%dotsDown][x%dotsAcross]
}

// line sets the dots between two (Bresenham 1965).
func (g *grid) line(x0, y0, x1, y1 int) {
	dx, dy := abs(x1-x0), -abs(y1-y0)
	sx, sy := sign(x1-x0), sign(y1-y0)
	for off := dx + dy; ; {
		g.set(x0, y0)
		if x0 == x1 && y0 == y1 {
			return
		}
		twice := 2 * off
		if twice >= dy {
			off += dy
			x0 += sx
		}
		if twice <= dx {
			off += dx
			y0 += sy
		}
	}
}

func abs(x int) int { return max(x, -x) }

func sign(x int) int {
	switch {
	case x < 0:
		return -1
	case x > 0:
		return 1
	}
	return 0
}

func (g *grid) plot() Plot {
	p := Plot{Rows: make([]string, len(g.bits)), Lo: g.value(g.lo), Hi: g.value(g.hi)}
	if g.lo > g.hi {
		p.Lo, p.Hi = math.NaN(), math.NaN()
	}
	for i, row := range g.bits {
		var b strings.Builder
		for _, bits := range row {
			if bits == 0 {
				b.WriteByte(' ') // lighter for a terminal than an empty pattern
			} else {
				b.WriteRune(braille + bits)
			}
		}
		p.Rows[i] = b.String()
	}
	return p
}

// value is the value of a height.
func (g *grid) value(h float64) float64 {
	if g.scale == Log {
		return math.Pow(10, h)
	}
	return h
}

// Thin returns no more than 4·parts of the points, which are in the order of
// their X: of each of so many equal parts of the axis the first, the last, the
// lowest and the highest. Points that were thinned may be thinned again with
// what has come since. Gaps stay if they are alone in their part.
func Thin(points []Point, parts int) []Point {
	if parts <= 0 || len(points) <= 4*parts {
		return points
	}
	first, last := points[0].X, points[len(points)-1].X
	part := func(p Point) int { return min(place(p.X, first, last, parts+1, 0), parts-1) }
	var kept []Point
	for from := 0; from < len(points); {
		to := from + 1
		for to < len(points) && part(points[to]) == part(points[from]) {
			to++
		}
		kept = append(kept, corners(points[from:to])...)
		from = to
	}
	return kept
}

// corners are the first, the last, the lowest and the highest of some points.
func corners(points []Point) []Point {
	low, high := 0, 0
	for i, p := range points {
		if p.Y < points[low].Y || math.IsNaN(points[low].Y) {
			low = i
		}
		if p.Y > points[high].Y || math.IsNaN(points[high].Y) {
			high = i
		}
	}
	var kept []Point
	for i, p := range points {
		if i == 0 || i == low || i == high || i == len(points)-1 {
			kept = append(kept, p)
		}
	}
	return kept
}

// ValueCells is the width of a Value.
const ValueCells = 8

// Value writes a number in exactly 8 cells, on the right: four significant
// digits, or as many as there are before the point.
func Value(v float64) string {
	s := strconv.FormatFloat(v, 'e', 2, 64)
	for digits := 1; len(s) > ValueCells; digits-- {
		s = strconv.FormatFloat(v, 'e', digits, 64)
	}
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		s = "–"
	case math.IsInf(v, 1):
		s = "∞"
	case math.IsInf(v, -1):
		s = "-∞"
	case v == 0:
		s = "0"
	case size >= 1e-3 && size < 999_950:
		before := max(0, int(math.Floor(math.Log10(size)))+1)
		s = strconv.FormatFloat(v, 'f', max(0, min(4-before, 4)), 64)
	}
	return strings.Repeat(" ", max(0, ValueCells-len([]rune(s)))) + s
}
