package ui

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// clean makes text from outside (file names, labels, errors) safe to show on
// one line: control characters, and with them every escape sequence, become
// "·"; so do the marks that turn the direction of text and what is not UTF-8.
// Clusters that terminals disagree on how wide they are (flags, families,
// emoji presentation) are reduced to their first character or to "□", because
// one cell of disagreement would shift the rest of the line.
func clean(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for s = strings.ToValidUTF8(s, "·"); len(s) > 0; {
		cluster, _ := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
		s = s[len(cluster):]
		first, n := utf8.DecodeRuneInString(cluster)
		switch {
		case unprintable(cluster):
			b.WriteString("·")
		case alone(cluster):
			b.WriteString(cluster)
		case unicode.Is(unicode.M, first) && alone("◌"+cluster):
			// A combining mark without a letter would join what stands before.
			b.WriteString("◌" + cluster)
		case alone(cluster[:n]):
			b.WriteString(cluster[:n])
		default:
			b.WriteString("□")
		}
	}
	return b.String()
}

// alone reports whether all agree on how many cells a cluster takes, at least
// one, and that it joins neither what stands before it nor what comes after.
func alone(cluster string) bool {
	cells, between := ansi.StringWidth(cluster), " "+cluster+" "
	return cells > 0 && cells == ansi.StringWidthWc(cluster) &&
		ansi.StringWidth(between) == cells+2 && ansi.StringWidthWc(between) == cells+2
}

// plain reports whether s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// unprintable reports whether a cluster has a character that moves the cursor
// or reorders the line: control characters and direction marks.
func unprintable(cluster string) bool {
	for _, r := range cluster {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return true
		}
	}
	return false
}

// width is the number of cells of clean text.
func width(s string) int {
	if plain(s) {
		return len(s)
	}
	return ansi.StringWidth(s)
}

// clip cuts clean text to at most w cells, with "…" as the last if any is lost.
func clip(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if width(s) <= w {
		return s
	}
	return ansi.Truncate(s, w, "…")
}

// clipName cuts a file name in the middle, so that its end, which has the
// number and the extension, stays.
func clipName(s string, w int) string {
	if n := width(s); n <= w || w < 12 {
		return clip(s, w)
	}
	tail := ansi.TruncateLeft(s, width(s)-(w-1)/3, "")
	return ansi.Truncate(s, w-1-width(tail), "") + "…" + tail
}

// clipPath cuts a path at its beginning, so that the file and the folders next
// to it stay: "…/panda/image_0008.jpg". A name that has no room even alone is
// cut in the middle.
func clipPath(s string, w int) string {
	if width(s) <= w {
		return s
	}
	for rest := s; ; {
		_, after, found := strings.Cut(rest, "/")
		if !found || after == "" {
			return clipName(rest, w)
		}
		if rest = after; width(rest)+2 <= w {
			return "…/" + rest
		}
	}
}

// clipReason cuts an error, "open PATH: reason", so that the reason stays: it
// shortens what is quoted and what is a path, then leaves out what was being
// done, and only then cuts at the end.
func clipReason(s string, w int) string {
	if width(s) <= w {
		return s
	}
	s = quotedOrPath.ReplaceAllStringFunc(s, func(part string) string {
		if part[0] == '"' {
			return `"` + clipName(part[1:len(part)-1], 14) + `"`
		}
		return clipPath(part, 16)
	})
	for width(s) > w {
		_, reason, found := strings.Cut(s, ": ")
		if !found {
			break
		}
		s = reason
	}
	return clip(s, w)
}

// clipSaid cuts a message, of which an error begins with its sign.
func clipSaid(s string, w int) string {
	if reason, failed := strings.CutPrefix(s, "✗ "); failed && w > 2 {
		return "✗ " + clipReason(reason, w-2)
	}
	return clip(s, w)
}

// quotedOrPath finds the parts of an error that came from outside.
var quotedOrPath = regexp.MustCompile(`"(?:[^"\\]|\\.)+"|[^\s":]*/[^\s":]+`)

// left and right place text in exactly w cells, clipped if it is longer.
func left(s string, w int) string {
	s = clip(s, w)
	return s + spaces(w-width(s))
}

func right(s string, w int) string {
	s = clip(s, w)
	return spaces(w-width(s)) + s
}

func spaces(n int) string { return strings.Repeat(" ", max(0, n)) }

// wrap breaks clean text into lines of at most w cells.
func wrap(s string, w int) []string {
	if w <= 0 {
		return nil
	}
	lines := strings.Split(ansi.Wrap(s, w, "/-"), "\n")
	for i := range lines {
		lines[i] = clip(strings.TrimRight(lines[i], " "), w)
	}
	return lines
}

// count writes n with thousands separated: 1,204.
func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// signed is count with a sign, for differences: +46, -3, ±0.
func signed(n int) string {
	switch {
	case n > 0:
		return "+" + count(n)
	case n == 0:
		return "±0"
	}
	return count(n)
}

// plural gives "1 photo", "2 photos".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// fileSize writes a file size with two or three digits: 812 B, 5.3 MB.
func fileSize(n int64) string {
	v, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for len(units) > 1 && v >= 999.5 {
		v, units = v/1000, units[1:]
	}
	if v < 9.95 && units[0] != "B" {
		return fmt.Sprintf("%.1f %s", v, units[0])
	}
	return fmt.Sprintf("%.0f %s", v, units[0])
}

// clock writes a duration as m:ss or h:mm:ss, rounded up so that 0:00 is the end.
func clock(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
