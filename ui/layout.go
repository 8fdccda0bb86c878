package ui

// Sizes in cells. Below the least size the explorer only says so.
const (
	leastWidth, leastHeight = 60, 20
	wideWidth               = 100 // from here on sheet and detail stand side by side
)

// rect is a part of the screen in cells.
type rect struct{ x, y, w, h int }

func (r rect) contains(x, y int) bool {
	return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h
}

// layout says where everything stands. It follows from the size of the
// terminal, the zoom and whether the large view is open, and from nothing
// else; drawing and the mouse read the same one.
type layout struct {
	w, h    int
	left    rect // the sheet, or the large picture
	right   rect // the detail pane; empty if there is none
	grid    grid
	picture rect // the chosen photo
	facts   rect // its name, size and date
	labels  rect // one bar per label, with its heading and the line of the rest
	bias    rect // slider and counts
	slider  rect // the line of the slider itself
}

// grid is the raster of the sheet.
type grid struct {
	cols, rows   int // photos
	cellW, cellH int // cells per photo, margins and captions included
	extra        int // left over columns, shared out from the left
}

// captionRows of a cell are the frame's upper edge, the name and the labels.
const captionRows = 3

// zooms are the widths of a photo's cell that a sheet aims for; a wide one aims
// for up to half as much again.
var zooms = [...]int{14, 17, 23, 34}

const defaultZoom = 1

func newLayout(w, h, zoom int, large bool) layout {
	l := layout{w: w, h: h}
	if !l.usable() {
		return l
	}
	// The header, a rule, the body, a rule, the status line.
	body := rect{0, 2, w, h - 4}
	switch {
	case w >= wideWidth:
		l.right.w = min(max(w*44/100, 48), 92)
	case large:
		l.right.w = min(max(w/2, 34), 46)
	}
	l.left = rect{body.x, body.y, w, body.h}
	if l.right.w > 0 {
		l.left.w = w - l.right.w - 1 // the rule between them
		l.right = rect{l.left.w + 1, body.y, l.right.w, body.h}
	}
	if large {
		l.picture = rect{l.left.x + 1, l.left.y, l.left.w - 2, l.left.h}
	} else {
		if l.right.w == 0 { // the bias stands below the sheet
			l.left.h -= 2
			l.bias = rect{1, l.left.y + l.left.h, w - 2, 2}
		}
		l.grid = newGrid(l.left.w, l.left.h, zooms[zoom])
	}
	if l.right.w > 0 {
		l.detail(!large)
	}
	if l.bias.h > 0 {
		l.slider = rect{l.bias.x + sliderHead, l.bias.y + 1, sliderCells(l.bias.w, l.right.w == 0), 1}
	}
	return l
}

// usable reports whether there is room for the explorer at all.
func (l *layout) usable() bool { return l.w >= leastWidth && l.h >= leastHeight }

// detail divides the right pane: picture, facts, labels, bias.
func (l *layout) detail(picture bool) {
	r := l.right
	const biasRows, factRows = 3, 2
	y := r.y
	if picture {
		// A 4:3 picture across the pane, as long as eight labels have room.
		h := max(min((r.w-2)*3/8, r.h-factRows-biasRows-12), 0)
		l.picture = rect{r.x + 1, y, r.w - 2, h}
		y += h + 1
	}
	l.facts = rect{r.x + 1, y, r.w - 2, factRows}
	y += factRows
	l.bias = rect{r.x + 1, r.y + r.h - biasRows, r.w - 2, biasRows}
	l.labels = rect{r.x + 1, y, r.w - 2, l.bias.y - y}
}

// newGrid spreads cells of about want columns over w × h so that no line and
// no column is left over at the end.
func newGrid(w, h, want int) grid {
	want = max(want, min(w/5, want*3/2))
	g := grid{}
	g.cols = max(1, (w+want/2)/want)
	g.cellW = w / g.cols
	g.extra = w % g.cols
	// The picture part is 4:3; a cell is twice as high as wide.
	wantH := (g.cellW-2)*3/8 + captionRows
	g.rows = max(1, (h+wantH/3)/wantH)
	g.cellH = h / g.rows
	return g
}

// picture is the size of a photo in the grid in cells.
func (g grid) picture() (cols, rows int) {
	return max(1, g.cellW-2), max(1, g.cellH-captionRows)
}

// column returns where column i starts.
func (g grid) column(i int) int {
	return i*g.cellW + min(i, g.extra)
}

// at returns the position on the page of the cell at x, y inside the sheet.
func (g grid) at(x, y int) (col, row int, ok bool) {
	for col = g.cols - 1; col > 0 && g.column(col) > x; col-- {
	}
	row = y / max(1, g.cellH)
	return col, row, col >= 0 && row < g.rows
}
