package ui

import (
	"image/color"
	"math"
	"testing"
)

// TestContrast holds what is read to WCAG's AA: 4.5 against the background.
func TestContrast(t *testing.T) {
	grey := func(v uint8) color.Color { return color.Gray{v} }
	for _, c := range []struct {
		name   string
		p      palette
		ground []color.Color
	}{
		{"dark", darkPalette, []color.Color{grey(0), grey(0x1e), grey(0x2b)}},
		{"light", lightPalette, []color.Color{grey(0xff), grey(0xfa), grey(0xee)}},
	} {
		for _, ground := range c.ground {
			for name, ink := range map[string]color.Color{"quiet": c.p.quiet, "accent": c.p.accent, "warn": c.p.warn} {
				if got := contrast(ink, ground); got < 4.5 {
					t.Errorf("%s: %s on %v has a contrast of %.2f", c.name, name, ground, got)
				}
			}
		}
		if got := contrast(c.p.onAccent, c.p.accent); got < 4.5 {
			t.Errorf("%s: text on the accent has a contrast of %.2f", c.name, got)
		}
	}
}

// contrast is that of https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio.
func contrast(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	linear := func(v uint32) float64 {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}
