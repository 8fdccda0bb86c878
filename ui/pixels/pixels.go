// Package pixels draws pictures in terminal cells.
//
// A terminal cell is taken to be twice as high as wide. Blocks splits it into
// two square pixels with the upper half block, its foreground above its
// background; Shapes is for screens without colour and splits it into eight
// dots, lit or not. Both keep the aspect of the picture, centre it, and are
// pure: the same picture and size give the same strings.
package pixels

import (
	"image"
	"strconv"
	"strings"
)

// Blocks draws img in at most cols × rows cells with truecolor half blocks. It
// returns rows strings, each exactly cols cells wide and ending with the style
// reset, so that they can be joined with anything. Cells beside the picture
// are spaces without colour.
func Blocks(img image.Image, cols, rows int) []string {
	w, h := fit(img, cols, 2*rows)
	if w == 0 || h == 0 {
		return blank(cols, rows)
	}
	px := shrink(img, w, h)
	left, top := (cols-w)/2, (2*rows-h)/2
	out := make([]string, rows)
	var b strings.Builder
	for r := range out {
		b.Reset()
		blockRow(&b, px, w, h, left, 2*r-top)
		pad(&b, cols-left-w)
		out[r] = b.String()
	}
	return out
}

// blockRow writes the cells of pixel rows y and y+1 of px [h, w], after left
// spaces. A row outside the picture shows the terminal's background.
func blockRow(b *strings.Builder, px []rgb, w, h, left, y int) {
	pad(b, left)
	upper, lower := inside(y, h), inside(y+1, h)
	if !upper && !lower {
		pad(b, w)
		return
	}
	glyph := "▀"
	if !upper {
		glyph = "▄"
	}
	var fg, bg rgb
	for x := range w {
		var nfg, nbg rgb
		switch {
		case upper && lower:
			nfg, nbg = px[y*w+x], px[(y+1)*w+x]
		case upper:
			nfg = px[y*w+x]
		default:
			nfg = px[(y+1)*w+x]
		}
		// Neighbouring cells often share a colour; leaving the repetition out
		// takes about a quarter off what the renderer must parse.
		if x == 0 || nfg != fg {
			sgr(b, "38", nfg)
		}
		if upper && lower && (x == 0 || nbg != bg) {
			sgr(b, "48", nbg)
		}
		fg, bg = nfg, nbg
		b.WriteString(glyph)
	}
	b.WriteString("\x1b[m")
}

// Shapes draws img without colour, in Braille: a cell is 2 × 4 dots, which are
// square. The brightness is stretched to the full range and dithered to lit and
// unlit dots. dark says that the terminal's background is dark, so that lit
// dots are the bright ones. The result has the same form as that of Blocks.
func Shapes(img image.Image, cols, rows int, dark bool) []string {
	w, h := fit(img, 2*cols, 4*rows)
	if w == 0 || h == 0 {
		return blank(cols, rows)
	}
	lit := dither(shrink(img, w, h), w, dark)
	left, top := (2*cols-w)/2, (4*rows-h)/2
	out := make([]string, rows)
	var b strings.Builder
	for r := range out {
		b.Reset()
		for c := range cols {
			b.WriteRune(braille(func(x, y int) bool {
				x, y = 2*c+x-left, 4*r+y-top
				return inside(x, w) && inside(y, h) && lit[y*w+x]
			}))
		}
		out[r] = b.String()
	}
	return out
}

// braille is the character with the given dots of 2 × 4, a space without any.
func braille(lit func(x, y int) bool) rune {
	// The bits of U+2800 … U+28FF: seven and eight were added below later.
	bits := [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}
	glyph := rune(0)
	for y, row := range bits {
		for x, bit := range row {
			if lit(x, y) {
				glyph |= bit
			}
		}
	}
	if glyph == 0 {
		return ' '
	}
	return 0x2800 | glyph
}

// fit returns the size of img when it is scaled, up or down, to touch the
// borders of a w × h box from inside; zero if either is empty.
func fit(img image.Image, w, h int) (int, int) {
	size := img.Bounds().Size()
	if size.X <= 0 || size.Y <= 0 || w <= 0 || h <= 0 {
		return 0, 0
	}
	if size.X*h >= size.Y*w {
		return w, max(1, (w*size.Y+size.X/2)/size.X)
	}
	return max(1, (h*size.X+size.Y/2)/size.Y), h
}

func inside(i, n int) bool { return i >= 0 && i < n }

func blank(cols, rows int) []string {
	out := make([]string, max(0, rows))
	for i := range out {
		out[i] = strings.Repeat(" ", max(0, cols))
	}
	return out
}

func pad(b *strings.Builder, n int) {
	for range n {
		b.WriteByte(' ')
	}
}

// sgr writes a colour: kind is 38 for the foreground, 48 for the background.
func sgr(b *strings.Builder, kind string, c rgb) {
	var buf [24]byte
	s := append(buf[:0], "\x1b["...)
	s = append(s, kind...)
	s = append(s, ";2;"...)
	s = strconv.AppendUint(s, uint64(c.r), 10)
	s = append(s, ';')
	s = strconv.AppendUint(s, uint64(c.g), 10)
	s = append(s, ';')
	s = strconv.AppendUint(s, uint64(c.b), 10)
	b.Write(append(s, 'm'))
}
