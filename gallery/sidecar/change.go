package sidecar

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Change is what is to become of a photo's tags in one of its sidecars.
type Change struct {
	// Accept are tags to be set, and who says so. Their Fields are not looked at.
	Accept []Mark `json:"accept,omitempty"`
	// Reject are the labels of tags that a person does not want.
	Reject []string `json:"reject,omitempty"`
	// Withdraw are the labels of tags that this program has set and holds no
	// longer. What others wrote stays.
	Withdraw []string `json:"withdraw,omitempty"`
	// Known are the labels of tags that the photo has elsewhere: in itself or in
	// another sidecar. Some programs no longer see them once there is a sidecar
	// with tags, so they are copied with the first tag that is set.
	Known []string `json:"known,omitempty"`
	// Private are the labels of tags that are not copied all the same.
	Private []string `json:"private,omitempty"`

	// coding is that of the IPTC of a photo.
	coding coding
}

// written are the fields that every tag is written to; alsoWritten are those
// it is written to if they have values.
var (
	written     = []Field{Subject, HierarchicalSubject, TagsList}
	alsoWritten = []Field{LastKeyword, CatalogSets, Keywords} // Keywords in photos only
)

// maxName is the length of a name of a tag in bytes; IPTC's limit is 64.
const maxName = 1000

// check refuses what cannot be written so that it is read back.
func (c Change) check() error {
	for _, m := range c.Accept {
		for _, name := range strings.Split(m.Label, "|") {
			if err := checkName(name); err != nil {
				return fmt.Errorf("the tag %q cannot be written: %w", m.Label, err)
			}
		}
		if path := split(m.Label, "|"); fold(path[0]) == "darktable" {
			return fmt.Errorf("the tag %q cannot be written: tags below darktable are that program's own", m.Label)
		}
		for _, x := range []float64{m.P, m.Logit, m.Bias, m.Threshold} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("the tag %q cannot be written: a number of its is %v", m.Label, x)
			}
		}
		if m.Source != Auto && m.Source != User {
			return fmt.Errorf("the tag %q cannot be written: its source is %q, not auto or user", m.Label, m.Source)
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return fmt.Errorf("it is not UTF-8")
	case clean(name) == "":
		return fmt.Errorf("a name in it is empty")
	case clean(name) != name:
		return fmt.Errorf("white space around a name, or not in Unicode's form NFC")
	case len(name) > maxName:
		return fmt.Errorf("a name in it is longer than %d bytes", maxName)
	}
	for _, r := range name {
		if unicode.IsControl(r) || r == 0xfffe || r == 0xffff || r == utf8.RuneError {
			return fmt.Errorf("%U in it is no character of a name", r)
		}
	}
	return nil
}

// A place is a value of a field as it is compared.
type place struct {
	field Field
	key   string
}

// placeOf returns the place of a value; ok says that it is a keyword.
func placeOf(v Value) (p place, ok bool) {
	separator, ok := v.Field.keywords()
	if !ok {
		return place{}, false
	}
	return place{v.Field, strings.Join(folded(split(v.Text, separator)), "\x00")}, true
}

// spell returns the text of a tag in a field: animals|birds|owl is owl in a
// flat one and animals/birds/owl in digiKam's. A "/" within a name is "|"
// there, as Immich does it.
func (f Field) spell(path []string) string {
	switch separator, _ := f.keywords(); separator {
	case "":
		return path[len(path)-1]
	case "/":
		names := make([]string, len(path))
		for i, name := range path {
			names[i] = strings.ReplaceAll(name, "/", "|")
		}
		return strings.Join(names, "/")
	default:
		return strings.Join(path, separator)
	}
}

// A settlement is what a sidecar is to hold.
type settlement struct {
	others []Value        // keywords that others wrote and that stay
	reject map[place]bool // those that go
	marks  []Mark         // what is written besides
	same   bool           // nothing changes
	tags   []Tag          // what the photo has then, of whoever

	// What that means to a person, in labels.
	added, removed, kept []string
	known                []string // of those kept, what is elsewhere
	missing              []Mark   // what somebody took out since it was set

	coding coding
}

// Files of a settlement, for Merge. What is set by a mark has its number.
const (
	fileItself    = ""
	fileElsewhere = "elsewhere"
)

// settle says what a sidecar with these values is to hold after a change, when
// other files of the photo have values of their own:
// (what others wrote ∪ accepted) − rejected. It begins with what others wrote,
// and not with what was written for the last change, so that a tag leaves no
// trace when it is taken away, in whatever order that is done.
func settle(values []Value, c Change, elsewhere []File) (settlement, error) {
	if err := c.check(); err != nil {
		return settlement{}, err
	}
	old := Marks(values)
	s := settlement{others: without(values, old), missing: Missing(values), coding: c.coding}
	// What somebody took out does not come back because a model still thinks so.
	c.Accept = slices.DeleteFunc(slices.Clone(c.Accept), func(m Mark) bool {
		return m.Source == Auto && slices.ContainsFunc(s.missing, func(gone Mark) bool { return Fold(gone.Label) == Fold(m.Label) })
	})
	files := []File{{fileItself, s.others}, {fileElsewhere, labels(c.Known)}}
	for _, f := range elsewhere {
		files = append(files, File{fileElsewhere, f.Values})
	}
	acts := len(c.Accept) > 0
	var standing []Mark
	for _, m := range stands(values, old) {
		switch {
		case m.Source == Import:
			files = append(files, File{fileElsewhere, labels([]string{m.Label})})
		case names(c.Withdraw, m.Label):
			s.removed = append(s.removed, m.Label)
			acts = true
		default:
			standing = append(standing, m)
		}
	}
	marks := slices.Concat(standing, c.Accept)
	for i, m := range marks {
		files = append(files, File{strconv.Itoa(i), labels([]string{m.Label})})
	}
	tags := Merge(files...).Tags
	for i, gone := range s.drop(tags, c.Reject) {
		s.report(tags[i], gone, len(standing))
		if !gone {
			s.tags = append(s.tags, tags[i])
		} else {
			acts = acts || slices.ContainsFunc(old, func(m Mark) bool { return Fold(m.Label) == Fold(tags[i].String()) })
		}
	}
	s.known = slices.DeleteFunc(s.known, func(label string) bool {
		return slices.ContainsFunc(s.tags, func(t Tag) bool { return t.String() == label && s.implied(t, len(standing)) })
	})
	s.assign(marks, len(standing), c.Private)
	s.same = len(s.reject) == 0 && (!acts || equalMarks(s.marks, old))
	return s, nil
}

// report says whether a tag was there and whether it stays.
func (s *settlement) report(t Tag, gone bool, standing int) {
	label, had := t.String(), false
	for _, source := range t.Sources {
		n, err := strconv.Atoi(source.File)
		had = had || err != nil || n < standing
		if source.File == fileElsewhere && !slices.Contains(s.known, label) {
			s.known = append(s.known, label)
		}
	}
	if had {
		s.removed = slices.DeleteFunc(s.removed, func(l string) bool { return Fold(l) == Fold(label) })
	}
	switch {
	case had && gone:
		s.removed = append(s.removed, label)
	case had:
		s.kept = append(s.kept, label)
	case !gone:
		s.added = append(s.added, label)
	}
}

// assign finds which tags are written to which fields: those of marks, of which
// so many stand already, and with them what others have elsewhere only, but for
// what is private.
func (s *settlement) assign(marks []Mark, standing int, private []string) {
	has := make(map[place]bool, len(s.others))
	fields := slices.Clone(written)
	for _, v := range s.others {
		if p, ok := placeOf(v); ok {
			has[p] = true
			if slices.Contains(alsoWritten, v.Field) && !slices.Contains(fields, v.Field) {
				fields = append(fields, v.Field)
			}
		}
	}
	var imports []Mark
	spread := false
	for _, t := range s.tags {
		path := split(t.String(), "|")
		m, ours := markOf(t, marks, standing)
		m.Label, m.Fields = strings.Join(path, "|"), nil
		found := false
		for _, f := range fields {
			if !holds(has, f, path) {
				if s.room(f, path) {
					m.Fields = append(m.Fields, f)
				}
			} else if f != Subject || len(path) == 1 {
				found = true
			}
		}
		switch {
		case len(m.Fields) == 0, !ours && (names(private, m.Label) || s.implied(t, standing)):
		case ours:
			spread = true
			s.marks = append(s.marks, m)
		default: // what stood in a rejected value only must not go with it
			spread = spread || !found && len(s.reject) > 0
			imports = append(imports, m)
		}
	}
	// In an order that does not depend on what is set aside.
	slices.SortStableFunc(s.marks, func(a, b Mark) int {
		at := func(m Mark) int { return slices.IndexFunc(marks, func(n Mark) bool { return n.Label == m.Label }) }
		return at(a) - at(b)
	})
	if spread {
		slices.SortFunc(imports, func(a, b Mark) int { return strings.Compare(a.Label, b.Label) })
		s.marks = append(s.marks, imports...)
	}
}

// implied reports whether a tag is no more than a word above another tag:
// darktable and Lightroom list the names of a path in flat fields, and would
// show them as tags of their own if they stood in the others. A word that was
// there before a path of ours came, which are those from the number standing
// on, is a tag.
func (s *settlement) implied(t Tag, standing int) bool {
	if slices.ContainsFunc(t.Sources, func(source Source) bool {
		separator, _ := source.Field.keywords()
		return separator != ""
	}) {
		return false
	}
	keys := folded(t.Path)
	return slices.ContainsFunc(s.tags, func(u Tag) bool {
		return len(u.Path) > len(keys) && slices.Equal(folded(u.Path[:len(keys)]), keys) &&
			slices.ContainsFunc(u.Sources, func(source Source) bool {
				n, err := strconv.Atoi(source.File)
				return err != nil || n < standing
			})
	})
}

// room reports whether a field has a place for a tag: IPTC is short, and may be
// in an old encoding.
func (s *settlement) room(f Field, path []string) bool {
	if f != Keywords {
		return true
	}
	_, ok := s.coding.encode(f.spell(path))
	return ok
}

// equalMarks compares marks in whatever order.
func equalMarks(a, b []Mark) bool {
	order := func(m, n Mark) int { return strings.Compare(m.Label, n.Label) }
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortStableFunc(a, order)
	slices.SortStableFunc(b, order)
	return slices.EqualFunc(a, b, func(m, n Mark) bool {
		same := slices.Equal(m.Fields, n.Fields) && m.When.Equal(n.When)
		m.Fields, n.Fields, m.When, n.When = nil, nil, time.Time{}, time.Time{}
		return same && reflect.DeepEqual(m, n)
	})
}

// markOf returns the mark of a tag and whether there is one. What stands
// already stays as it is, but for what a person now says of a model's tag.
func markOf(t Tag, marks []Mark, standing int) (m Mark, ok bool) {
	for _, source := range t.Sources {
		i, err := strconv.Atoi(source.File)
		if err != nil {
			continue
		}
		if !ok || i >= standing && m.Source != User && marks[i].Source == User {
			m, ok = marks[i], true
		}
	}
	if !ok {
		m.Source = Import
	}
	m.When = m.When.UTC().Truncate(1e9)
	return m, ok
}

// labels returns tags as values.
func labels(list []string) []Value {
	values := make([]Value, len(list))
	for i, label := range list {
		values[i] = Value{HierarchicalSubject, label}
	}
	return values
}

// without returns the keywords among values that were not written for marks.
func without(values []Value, marks []Mark) []Value {
	ours := make(map[place]int)
	for _, m := range marks {
		for _, p := range m.places() {
			ours[p]++
		}
	}
	var rest []Value
	for _, v := range slices.Backward(values) {
		p, ok := placeOf(v)
		switch {
		case !ok:
		case ours[p] > 0:
			ours[p]--
		default:
			rest = append(rest, v)
		}
	}
	slices.Reverse(rest)
	return rest
}

// places returns where a tag was written.
func (m Mark) places() []place {
	path := split(m.Label, "|")
	if len(path) == 0 {
		return nil
	}
	keys := folded(path)
	list := make([]place, 0, len(m.Fields))
	for _, f := range m.Fields {
		switch separator, ok := f.keywords(); {
		case !ok:
		case separator == "":
			list = append(list, place{f, keys[len(keys)-1]})
		default:
			list = append(list, place{f, strings.Join(keys, "\x00")})
		}
	}
	return list
}

// stands returns the marks of tags that nobody has taken out of all fields since.
func stands(values []Value, marks []Mark) []Mark {
	if len(marks) == 0 {
		return nil
	}
	has := make(map[place]bool)
	for _, v := range values {
		if p, ok := placeOf(v); ok {
			has[p] = true
		}
	}
	var list []Mark
	for _, m := range marks {
		if slices.ContainsFunc(m.places(), func(p place) bool { return has[p] }) {
			list = append(list, m)
		}
	}
	return list
}

// Missing returns the marks of tags that this program set and that have since
// been taken out of all fields: somebody did not want them.
func Missing(values []Value) []Mark {
	marks := Marks(values)
	there := stands(values, marks)
	return slices.DeleteFunc(marks, func(m Mark) bool {
		return m.Source == Import || slices.ContainsFunc(there, func(t Mark) bool { return t.Label == m.Label })
	})
}

// holds reports whether a field has a tag: the path or, in a flat field, its
// leaf or all of it in one word.
func holds(has map[place]bool, f Field, path []string) bool {
	keys := folded(path)
	if separator, _ := f.keywords(); separator != "" {
		return has[place{f, strings.Join(keys, "\x00")}]
	}
	return has[place{f, keys[len(keys)-1]}] || has[place{f, strings.Join(keys, "|")}] || has[place{f, strings.Join(keys, "/")}]
}

// drop returns which of the tags are rejected, and takes the values that stand
// for no other tag out of those of others.
func (s *settlement) drop(tags []Tag, labels []string) []bool {
	rejected := make([]bool, len(tags))
	if len(labels) == 0 {
		return rejected
	}
	words := make(map[string][]int) // tags that a single word stands for
	paths := make(map[string]int)
	for i, t := range tags {
		path := split(t.String(), "|")
		keys := folded(path)
		paths[strings.Join(keys, "\x00")] = i
		for _, word := range slices.Compact([]string{keys[len(keys)-1], strings.Join(keys, "|"), strings.Join(keys, "/")}) {
			words[word] = append(words[word], i)
		}
	}
	for _, label := range labels {
		keys := folded(split(label, "|"))
		if len(keys) == 0 {
			continue
		}
		if i, ok := paths[strings.Join(keys, "\x00")]; ok {
			rejected[i] = true
			continue
		}
		for _, i := range words[keys[len(keys)-1]] {
			if len(keys) == 1 || len(tags[i].Path) == 1 {
				rejected[i] = true
			}
		}
	}
	s.reject = make(map[place]bool)
	s.others = slices.DeleteFunc(s.others, func(v Value) bool {
		p, ok := placeOf(v)
		list := words[p.key]
		if i, ok := paths[p.key]; ok && strings.Contains(p.key, "\x00") {
			list = []int{i}
		}
		if !ok || len(list) == 0 || slices.ContainsFunc(list, func(i int) bool { return !rejected[i] }) {
			return false
		}
		s.reject[p] = true
		return true
	})
	return rejected
}

// names reports whether a label is among others.
func names(list []string, label string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return Fold(l) == Fold(label) })
}
