package pixels

import (
	"fmt"
	"image"
	"image/color"
	"math/bits"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// halves is a picture whose left half is red and right half blue.
func halves(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{200, 0, 0, 255}
			if x >= w/2 {
				c = color.NRGBA{0, 0, 200, 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func TestBlocksColours(t *testing.T) {
	got := Blocks(halves(40, 20), 4, 1)
	want := "\x1b[38;2;200;0;0m\x1b[48;2;200;0;0m▀▀" +
		"\x1b[38;2;0;0;200m\x1b[48;2;0;0;200m▀▀\x1b[m"
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestBlocksOddHeight(t *testing.T) {
	// A wide picture in 6 × 3 cells is 6 × 3 pixels: one row above the middle
	// of the box is left free, and the cells there show only their lower half.
	got := Blocks(halves(40, 20), 6, 3)
	plain := make([]string, len(got))
	for i, row := range got {
		plain[i] = ansi.Strip(row)
	}
	if want := []string{"▄▄▄▄▄▄", "▀▀▀▀▀▀", "      "}; strings.Join(plain, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", plain, want)
	}
}

// TestEveryBox draws pictures of awkward shapes into awkward boxes.
func TestEveryBox(t *testing.T) {
	pictures := []image.Image{
		halves(1, 1), halves(1, 500), halves(500, 1), halves(33, 7), halves(160, 120),
		image.NewNRGBA(image.Rectangle{}),
		image.NewGray(image.Rect(5, 5, 9, 8)),
		image.NewYCbCr(image.Rect(0, 0, 9, 5), image.YCbCrSubsampleRatio420),
	}
	for _, img := range pictures {
		for cols := range 12 {
			for rows := range 7 {
				name := fmt.Sprintf("%v in %d×%d", img.Bounds(), cols, rows)
				for kind, lines := range map[string][]string{
					"blocks": Blocks(img, cols, rows),
					"shapes": Shapes(img, cols, rows, true),
				} {
					if len(lines) != rows {
						t.Fatalf("%s of %s: %d rows", kind, name, len(lines))
					}
					for _, line := range lines {
						if w := ansi.StringWidth(line); w != cols {
							t.Fatalf("%s of %s: %d columns: %q", kind, name, w, line)
						}
						if kind == "shapes" && strings.Contains(line, "\x1b") {
							t.Fatalf("shapes of %s have colour: %q", name, line)
						}
					}
				}
			}
		}
	}
}

func TestShrinkAverages(t *testing.T) {
	// 3 × 1 → 2 × 1: the middle pixel goes half to each side.
	img := image.NewNRGBA(image.Rect(0, 0, 3, 1))
	for x, v := range []uint8{90, 30, 210} {
		img.SetNRGBA(x, 0, color.NRGBA{v, v, v, 255})
	}
	got := shrink(img, 2, 1)
	if want := []rgb{{70, 70, 70}, {150, 150, 150}}; got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestShrinkTransparent(t *testing.T) {
	got := shrink(image.NewNRGBA(image.Rect(0, 0, 4, 4)), 1, 1)
	if got[0] != (rgb{128, 128, 128}) {
		t.Errorf("a transparent picture is %v, want middle grey", got[0])
	}
}

func TestShrinkSubImage(t *testing.T) {
	img := halves(8, 4).SubImage(image.Rect(4, 1, 8, 3))
	if got := shrink(img, 1, 1)[0]; got != (rgb{0, 0, 200}) {
		t.Errorf("the right half is %v, want blue", got)
	}
}

func TestShapes(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 8, 4))
	for y := range 4 {
		for x := 4; x < 8; x++ {
			img.SetGray(x, y, color.Gray{255})
		}
	}
	if got := Shapes(img, 4, 1, true)[0]; got != "  ⣿⣿" {
		t.Errorf("dark background: %q", got)
	}
	if got := Shapes(img, 4, 1, false)[0]; got != "⣿⣿  " {
		t.Errorf("light background: %q", got)
	}
	// A dot in each place of a cell, in the order of reading.
	want := []rune("⠁⠈⠂⠐⠄⠠⡀⢀")
	for i := range 8 {
		if got := braille(func(x, y int) bool { return 2*y+x == i }); got != want[i] {
			t.Errorf("dot %d is %c, want %c", i, got, want[i])
		}
	}
}

// TestShapesGrey holds dithering to the brightness: of an even grey the right
// share of the dots is lit.
func TestShapesGrey(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 80, 80))
	for i := range img.Pix {
		img.Pix[i] = 64
	}
	lit := 0
	for _, line := range Shapes(img, 20, 10, true) {
		for _, r := range line {
			if r != ' ' {
				lit += bits.OnesCount32(uint32(r - 0x2800))
			}
		}
	}
	if share := float64(lit) / (20 * 10 * 8); share < 0.23 || share > 0.27 {
		t.Errorf("%.2f of the dots of a 25 %% grey are lit", share)
	}
}

func BenchmarkBlocks(b *testing.B) {
	for _, size := range []struct{ from, cols, rows int }{{160, 15, 6}, {160, 49, 18}, {640, 72, 34}} {
		img := halves(size.from, size.from*3/4)
		b.Run(fmt.Sprintf("%dpx/%dx%d", size.from, size.cols, size.rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Blocks(img, size.cols, size.rows)
			}
		})
	}
}
