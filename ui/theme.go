package ui

import (
	"image/color"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// ink is how a piece of text is painted: an SGR sequence, or nothing.
type ink string

// on paints s.
func (k ink) on(s string) string {
	if k == "" || s == "" {
		return s
	}
	return string(k) + s + ansi.ResetStyle
}

// theme has the inks of one background: one accent, one warning, greys. What
// they say is always said by a mark or a word as well.
type theme struct {
	strong ink // what the eye should find first
	quiet  ink // secondary text, still AA contrast
	rule   ink // lines and tracks, not text
	accent ink // above the threshold; the focus
	warn   ink // failures
	chosen ink // the chosen thing, as a filled field
	faded  ink // the chosen thing of the pane without focus
}

// palette holds the colours that the inks are made of.
type palette struct {
	quiet, rule, accent, warn color.Color
	onAccent, faded           color.Color // text on accent; field of faded
}

// The colours are all of the 256 that most terminals have, so that none shifts
// where there are no more. What is read keeps a contrast of at least 4.5
// (WCAG AA) to the usual backgrounds; a test holds it to that.
var (
	darkPalette = palette{
		quiet: ansi.IndexedColor(248), rule: ansi.IndexedColor(240),
		accent: ansi.IndexedColor(75), warn: ansi.IndexedColor(215),
		onAccent: ansi.IndexedColor(16), faded: ansi.IndexedColor(238),
	}
	lightPalette = palette{
		quiet: ansi.IndexedColor(240), rule: ansi.IndexedColor(250),
		accent: ansi.IndexedColor(25), warn: ansi.IndexedColor(124),
		onAccent: ansi.IndexedColor(231), faded: ansi.IndexedColor(253),
	}
)

// newTheme builds the inks. Without colour only weight and reverse video are
// left, which NO_COLOR allows.
func newTheme(dark, colour bool) theme {
	style := ansi.NewStyle
	if !colour {
		bold, reverse := ink(style().Bold().String()), ink(style().Reverse(true).String())
		return theme{strong: bold, accent: bold, warn: bold, chosen: reverse, faded: ink(style().Underline(true).String())}
	}
	p := lightPalette
	if dark {
		p = darkPalette
	}
	fg := func(c color.Color) ink { return ink(style().ForegroundColor(c).String()) }
	return theme{
		strong: ink(style().Bold().String()),
		quiet:  fg(p.quiet),
		rule:   fg(p.rule),
		accent: fg(p.accent),
		warn:   fg(p.warn),
		chosen: ink(style().Bold().ForegroundColor(p.onAccent).BackgroundColor(p.accent).String()),
		faded:  ink(style().BackgroundColor(p.faded).String()),
	}
}

// line builds one row of cells from painted pieces and knows its width.
type line struct {
	s     []byte
	cells int
}

// add appends clean text in an ink.
func (l *line) add(k ink, s string) *line {
	l.s = append(l.s, k.on(s)...)
	l.cells += width(s)
	return l
}

// raw appends a string that is already painted and is known to be w wide.
func (l *line) raw(s string, w int) *line {
	l.s = append(l.s, s...)
	l.cells += w
	return l
}

// to fills with spaces up to w cells in all.
func (l *line) to(w int) *line {
	for l.cells < w {
		l.s = append(l.s, ' ')
		l.cells++
	}
	return l
}

// fit is the finished line in exactly w cells; what does not fit is cut.
func (l *line) fit(w int) string {
	if l.cells > w {
		cut := ansi.Truncate(string(l.s), w, "")
		return cut + strings.Repeat(" ", w-width(cut)) // a wide character may have been cut
	}
	return string(l.to(w).s)
}
