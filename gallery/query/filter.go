package query

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A filter matches a photo if one of its tests does; with not, if none does.
type filter struct {
	kind  *kind
	not   bool
	tests []test
}

// A test is one alternative of a filter.
type test struct {
	match func(*Facts) bool
	text  string // as it is written in a line
	label string // the label that it asks for, if any
}

func (f *filter) match(facts *Facts) bool {
	for i := range f.tests {
		if f.tests[i].match(facts) {
			return !f.not
		}
	}
	return f.not
}

func (f filter) String() string {
	var b strings.Builder
	if f.not {
		b.WriteByte('-')
	}
	b.WriteString(f.kind.name + ":")
	for i, t := range f.tests {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// A kind of filter: its name, what its value must be, and how that is read.
type kind struct {
	name  string
	want  string
	parse func(word) (test, bool)
}

var kinds = []kind{
	{"label", "a label and, if wanted, a probability from 0 to 1: label:dog, label:dog>0.8", parseLabel},
	{"tag", `a tag or one above it: tag:beach, tag:"new york"`, parseTag},
	{"folder", "the name of a folder: folder:2024, folder:2024/summer", parseFolder},
	{"name", "a part of a file's name, or all of it with * and ?: name:0412, name:img_04*", parseName},
	{"after", "a day, month or year: after:2023-05-01, after:2023-05, after:2023", dates(after)},
	{"before", "a day, month or year: before:2023-05-01, before:2023-05, before:2023", dates(before)},
	{"on", "a day, month or year: on:2023-05-01, on:2023-05, on:2023", dates(on)},
	{"format", "one of raw, " + strings.Join(slices.Concat(formats, rawFormats), ", "), parseFormat},
	{"is", "one of " + strings.Join(stateNames(), ", "), parseState},
	{"rating", "a number of stars from -1 (rejected) to 5: rating:3, rating:>=4", parseRating},
	{"size", "a comparison with a size in b, kb, mb, gb, kib, mib or gib: size:>2mb", parseSize},
	{"pixels", "a comparison with a number of pixels or of megapixels: pixels:>12mp", parsePixels},
}

func kindOf(name string) *kind {
	if i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name }); i >= 0 {
		return &kinds[i]
	}
	return nil
}

// A comparison is with a number; without an operator it is for equality.
type comparison struct {
	operator string
	number   float64
}

func (c comparison) holds(x float64) bool {
	switch c.operator {
	case ">":
		return x > c.number
	case ">=":
		return x >= c.number
	case "<":
		return x < c.number
	case "<=":
		return x <= c.number
	}
	return x == c.number
}

func (c comparison) String() string {
	return c.operator + strconv.FormatFloat(c.number, 'f', -1, 64)
}

// parseComparison reads an operator, if there is one, and a number, and returns
// what follows it in lower case. Before "%" the number is of hundredths.
func parseComparison(w word) (c comparison, unit string, ok bool) {
	if w.begins("<>") {
		n := 1
		if w.from(1).begins("=") {
			n = 2
		}
		c.operator = w.text[:n]
		w = w.from(n)
	}
	n, sign := w.digits(), 1.0
	if w.begins("-") {
		w, sign = w.from(1), -1
		n = w.digits()
	}
	digits, unit := w.text[:n], strings.ToLower(w.text[n:])
	if unit == "%" {
		digits += "e-2" // exact where a division is not
	}
	x, err := strconv.ParseFloat(digits, 64)
	c.number = sign * x
	return c, unit, n > 0 && err == nil
}

func parseLabel(w word) (test, bool) {
	i := w.index("<>=")
	if i < 0 {
		name := w.text
		return test{text: quoteValue(name), label: name, match: func(f *Facts) bool {
			if f.Label == nil {
				return false
			}
			_, above, ok := f.Label(name)
			return ok && above
		}}, strings.TrimSpace(name) != ""
	}
	name := w.text[:i]
	c, unit, ok := parseComparison(w.from(i))
	ok = ok && (unit == "" || unit == "%") && c.operator != "" && c.number >= 0 && c.number <= 1 && strings.TrimSpace(name) != ""
	return test{text: quoteValue(name) + c.String(), label: name, match: func(f *Facts) bool {
		if f.Label == nil {
			return false
		}
		p, _, ok := f.Label(name)
		return ok && c.holds(p)
	}}, ok
}

func parseTag(w word) (test, bool) {
	tag, ok := newTrail(w.text, "|")
	return test{text: quoteValue(w.text), match: func(f *Facts) bool {
		return slices.ContainsFunc(f.Tags, tag.in)
	}}, ok
}

func parseFolder(w word) (test, bool) {
	folder, ok := newTrail(w.text, "/")
	return test{text: quoteValue(w.text), match: func(f *Facts) bool {
		i := strings.LastIndexByte(f.Name, '/')
		return i > 0 && folder.in(f.Name[:i])
	}}, ok
}

func parseName(w word) (test, bool) {
	p := newPattern(w.text)
	return test{text: quoteValue(w.text), match: func(f *Facts) bool {
		name := f.Name[strings.LastIndexByte(f.Name, '/')+1:]
		if p.wild {
			return p.matches(name)
		}
		return strings.Contains(name, p.text)
	}}, true
}

// A day is a date as a number that sorts: 20230501.
type day int

func dayOf(t time.Time) day {
	year, month, d := t.Date()
	return day(year*10000 + int(month)*100 + d)
}

// Comparisons of a day with a span of days, of which end is the first behind it.
func after(d, start, _ day) bool  { return d >= start }
func before(d, start, _ day) bool { return d < start }
func on(d, start, end day) bool   { return d >= start && d < end }

func dates(holds func(d, start, end day) bool) func(word) (test, bool) {
	spans := []struct {
		layout              string
		years, months, days int
	}{{"2006", 1, 0, 0}, {"2006-01", 0, 1, 0}, {"2006-01-02", 0, 0, 1}}
	return func(w word) (test, bool) {
		for _, s := range spans {
			t, err := time.Parse(s.layout, w.text)
			if err != nil {
				continue
			}
			start, end := dayOf(t), dayOf(t.AddDate(s.years, s.months, s.days))
			return test{text: w.text, match: func(f *Facts) bool {
				return !f.Date.IsZero() && holds(dayOf(f.Date), start, end)
			}}, true
		}
		return test{}, false
	}
}

// Folded names of formats, as in Facts.
var (
	formats    = []string{"jpeg", "png", "gif", "webp", "tiff", "bmp"}
	rawFormats = []string{"arw", "cr2", "cr3", "dng", "nef", "nrw", "orf", "pef", "raf", "rw2", "srw"}
)

func parseFormat(w word) (test, bool) {
	name := strings.ToLower(w.text)
	switch name {
	case "raw":
		return test{text: name, match: func(f *Facts) bool { return slices.Contains(rawFormats, f.Format) }}, true
	case "jpg":
		name = "jpeg"
	case "tif":
		name = "tiff"
	}
	ok := slices.Contains(formats, name) || slices.Contains(rawFormats, name)
	return test{text: name, match: func(f *Facts) bool { return f.Format == name }}, ok
}

var states = []struct {
	name  string
	match func(*Facts) bool
}{
	{"untagged", func(f *Facts) bool { return len(f.Tags) == 0 }},
	{"tagged", func(f *Facts) bool { return len(f.Tags) > 0 }},
	{"rated", func(f *Facts) bool { return f.Rated }},
	{"failed", func(f *Facts) bool { return f.Failed }},
	{"portrait", func(f *Facts) bool { return f.Width < f.Height }},
	{"landscape", func(f *Facts) bool { return f.Width > f.Height }},
	{"square", func(f *Facts) bool { return f.Width == f.Height && f.Width > 0 }},
	{"accepted", func(f *Facts) bool { return f.Accepted > 0 }},
	{"rejected", func(f *Facts) bool { return f.Rejected > 0 }},
}

func stateNames() []string {
	var names []string
	for _, s := range states {
		names = append(names, s.name)
	}
	return names
}

func parseState(w word) (test, bool) {
	name := strings.ToLower(w.text)
	for _, s := range states {
		if s.name == name {
			return test{text: name, match: s.match}, true
		}
	}
	return test{}, false
}

func parseRating(w word) (test, bool) {
	c, unit, ok := parseComparison(w)
	ok = ok && unit == "" && c.number == float64(int(c.number)) && c.number >= -1 && c.number <= 5
	return test{text: c.String(), match: func(f *Facts) bool {
		return c.holds(float64(f.Rating))
	}}, ok
}

var bytesOf = map[string]float64{
	"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}

func parseSize(w word) (test, bool) {
	c, unit, ok := parseComparison(w)
	factor, known := bytesOf[unit]
	limit := comparison{c.operator, c.number * factor}
	return test{text: c.String() + unit, match: func(f *Facts) bool {
		return limit.holds(float64(f.Bytes))
	}}, ok && known && c.operator != "" && c.number >= 0
}

var pixelsOf = map[string]float64{"": 1, "mp": 1e6}

func parsePixels(w word) (test, bool) {
	c, unit, ok := parseComparison(w)
	factor, known := pixelsOf[unit]
	limit := comparison{c.operator, c.number * factor}
	return test{text: c.String() + unit, match: func(f *Facts) bool {
		pixels := float64(f.Width) * float64(f.Height)
		return pixels > 0 && limit.holds(pixels)
	}}, ok && known && c.operator != "" && c.number >= 0
}
