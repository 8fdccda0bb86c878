//go:build unix

package cli

import (
	"fmt"
	"html"
	"image/color"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

const picturePath = "../assets/screen.svg"

// TestPicture holds the README's picture to the program: the picture keeps the
// text of the screen it was taken from. With -update it is taken anew.
func TestPicture(t *testing.T) {
	c := launch(t, 120, 40, "demo")
	c.matches(`\b23 embedded`)
	c.press("lll]]]")
	c.matches(`(?s)coffee-cup\.jpg.*\+0\.3 `)
	text := steady(c.await("a screen that has come to rest", func(screen string) bool {
		time.Sleep(300 * time.Millisecond) // the last thumbnails
		return screen == c.screen()
	}))
	if *update {
		if err := os.WriteFile(picturePath, []byte(c.svg(120, 40, text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(picturePath)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "<desc>")
	kept, _, _ := strings.Cut(rest, "</desc>")
	if html.UnescapeString(kept) != text {
		t.Errorf("%s shows another screen than the program; run go test ./cli -run Picture -update.\nIt shows:\n%s\nThe program shows:\n%s", picturePath, html.UnescapeString(kept), text)
	}
	c.press("q")
	c.exit()
}

// steady takes out of a screen what another run or machine shows otherwise, and
// of pictures all but that they are there.
func steady(screen string) string {
	for _, r := range [][2]string{
		{`\d{4}-\d\d-\d\d \d\d:\d\d`, "2026-01-01 12:00"},
		{`cpu (avx512|avx2|generic)`, "cpu"},
		{`[▀▄█▐▌▖▗▘▝▙▛▜▟▚▞▏▎▍▋▊▉]+`, "▀"},
		{` +`, " "},
	} {
		screen = regexp.MustCompile(r[0]).ReplaceAllString(screen, r[1])
	}
	return screen
}

// Cells of the picture, in its units.
const cellWidth, cellHeight = 8, 16

// svg draws the screen: rectangles for backgrounds and blocks, runs of text.
func (c *console) svg(cols, rows int, text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="13" shape-rendering="crispEdges">`, cols*cellWidth, rows*cellHeight)
	fmt.Fprintf(&b, "<desc>%s</desc><rect width=\"100%%\" height=\"100%%\" fill=\"#18181c\"/>\n", html.EscapeString(text))
	for y := range rows {
		c.svgBlocks(&b, cols, y)
		c.svgText(&b, cols, y)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// svgBlocks draws row y's backgrounds and half blocks, equal neighbours in one.
func (c *console) svgBlocks(b *strings.Builder, cols, y int) {
	for half := range 2 {
		for x := 0; x < cols; {
			fill, n := c.halfCell(x, y, half), 1
			for x+n < cols && c.halfCell(x+n, y, half) == fill {
				n++
			}
			if fill != "" {
				fmt.Fprintf(b, `<path fill="%s" d="M%d %dh%dv%dh-%dz"/>`, fill, x*cellWidth, y*cellHeight+half*cellHeight/2, n*cellWidth, cellHeight/2, n*cellWidth)
			}
			x += n
		}
	}
}

// halfCell is the colour of a cell's upper or lower half, empty if it has none.
func (c *console) halfCell(x, y, half int) string {
	cell := c.vt.CellAt(x, y)
	if cell == nil {
		return ""
	}
	if cell.Content == "█" || cell.Content == "▀" && half == 0 || cell.Content == "▄" && half == 1 {
		return paint(cell.Style.Fg, "#dcdcdc")
	}
	return paint(cell.Style.Bg, "")
}

// svgText writes row y's text in runs of one colour, stretched to the cells.
func (c *console) svgText(b *strings.Builder, cols, y int) {
	for x := 0; x < cols; {
		fill, run := "", ""
		start := x
		for ; x < cols; x++ {
			cell := c.vt.CellAt(x, y)
			if cell == nil || strings.TrimSpace(cell.Content) == "" || strings.ContainsAny(cell.Content, "▀▄█") {
				break
			}
			if f := paint(cell.Style.Fg, "#dcdcdc"); run == "" {
				fill = f
			} else if f != fill {
				break
			}
			run += cell.Content
		}
		if run == "" {
			x++
			continue
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s" textLength="%d">%s</text>`, start*cellWidth, y*cellHeight+12, fill, (x-start)*cellWidth, html.EscapeString(run))
	}
	b.WriteByte('\n')
}

func paint(c color.Color, otherwise string) string {
	if c == nil {
		return otherwise
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
