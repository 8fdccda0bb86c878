package chart

import (
	"math"
	"testing"
	"unicode/utf8"
)

func TestBar(t *testing.T) {
	for _, c := range []struct {
		value float64
		cells int
		want  string
	}{
		{0, 4, "    "},
		{1, 4, "████"},
		{0.5, 4, "██  "},
		{0.5 + 1.0/32, 4, "██▏ "},
		{7.0 / 32, 4, "▉   "},
		{1.0 / 65, 4, "    "}, // less than half an eighth
		{1.0 / 63, 4, "▏   "},
		{-1, 2, "  "},
		{7, 2, "██"},
		{math.NaN(), 2, "  "},
		{math.Inf(1), 2, "██"},
		{0.5, 0, ""},
		{0.5, -3, ""},
	} {
		if got := Bar(c.value, c.cells); got != c.want {
			t.Errorf("Bar(%v, %d) = %q, want %q", c.value, c.cells, got, c.want)
		}
	}
}

func TestMeter(t *testing.T) {
	for _, c := range []struct {
		value, mark       float64
		before, at, after string
	}{
		{0.9, 0.5, "█████", "│", "███ "},
		{0.2, 0.5, "██   ", "┊", "    "},
		{0.5, 0.5, "█████", "│", "    "}, // on the threshold is above it
		{0.0, 0.0, "", "┊", "         "},
		{1.0, 1.0, "█████████", "│", ""},
	} {
		before, at, after := Meter(c.value, c.mark, 10)
		if before != c.before || at != c.at || after != c.after {
			t.Errorf("Meter(%v, %v, 10) = %q %q %q, want %q %q %q", c.value, c.mark, before, at, after, c.before, c.at, c.after)
		}
	}
}

func TestSlider(t *testing.T) {
	for _, c := range []struct {
		value         float64
		before, after string
	}{
		{0, "────", "────"},
		{-2, "", "────────"},
		{-9, "", "────────"},
		{2, "────────", ""},
		{0.3, "─────", "───"},
	} {
		before, knob, after := Slider(c.value, -2, 2, 9)
		if before != c.before || knob != "●" || after != c.after {
			t.Errorf("Slider(%v) = %q %q %q, want %q ● %q", c.value, before, knob, after, c.before, c.after)
		}
	}
}

func TestWidths(t *testing.T) {
	for cells := range 30 {
		for i := range 101 {
			v := float64(i)/80 - 0.1
			if got := utf8.RuneCountInString(Bar(v, cells)); got != cells {
				t.Fatalf("Bar(%v, %d) is %d wide", v, cells, got)
			}
			for _, mark := range []float64{0, 0.3, 0.5, 1, 2} {
				a, b, c := Meter(v, mark, cells)
				if got := utf8.RuneCountInString(a + b + c); got != cells {
					t.Fatalf("Meter(%v, %v, %d) is %d wide", v, mark, cells, got)
				}
			}
			a, b, c := Slider(v, 0, 1, cells)
			if got := utf8.RuneCountInString(a + b + c); got != cells {
				t.Fatalf("Slider(%v, %d) is %d wide", v, cells, got)
			}
		}
	}
}
