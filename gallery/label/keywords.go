package label

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ParseKeywords reads a keyword list as Lightroom and darktable export it, from
// the contents of the file called name:
//
//	[nature]
//		animals
//			owl
//				{Eule}
//				{strix}
//		[clients]
//
// Each line is a keyword, as many tabs deep as there are keywords above it. In
// braces, one tab deeper than its keyword, is a synonym. A keyword in brackets
// is one that is not exported (Lightroom), or a category (darktable): with
// keywords below it, it is only the name of a level and becomes no label; with
// none it becomes a private label. A "~" before a name, with which some lists
// ask for a fixed order, is left out, and so is what is below "darktable", that
// program's own. A keyword that is there twice is one.
//
// Parse reads such a list by itself if lines of it are indented; where none is,
// only the caller can tell one from plain text.
func ParseKeywords(name string, data []byte) (Set, error) {
	data, err := decode(name, data)
	if err != nil {
		return Set{}, err
	}
	return finish(name, readKeywords, data)
}

// isKeywords reports whether plain text is a keyword list: whether a line of it
// is indented by a tab.
func isKeywords(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line[0] == '\t' && len(bytes.TrimSpace(line)) > 0 {
			return true
		}
	}
	return false
}

// A keyword is a line of a list, or several of one path.
type keyword struct {
	path     string // with "|"
	offset   int    // of its first line
	public   bool   // a line has it without brackets
	private  bool   // a line has it in brackets, with nothing below
	above    bool   // a line has it with keywords below
	synonyms []string
}

// A keywordLine is a line with a keyword, and whether there are some below it.
type keywordLine struct {
	*keyword
	bracketed, above bool
}

// internal is the keyword below which darktable keeps what is not for people.
const internal = "darktable"

func readKeywords(name string, data []byte) (Set, places, error) {
	r := keywordReader{at: make(map[string]*keyword)}
	offset, number := 0, 0
	for line := range bytes.Lines(data) {
		number++
		if wrong := r.line(string(line), offset); wrong != "" {
			return Set{}, places{}, located(name, number, wrong)
		}
		offset += len(line)
	}
	return r.set(data)
}

type keywordReader struct {
	at    map[string]*keyword // by folded path
	order []*keyword
	lines []*keywordLine
	stack []*keywordLine // the line before and those above it
}

// line reads a line and returns what is wrong with it, if anything.
func (r *keywordReader) line(text string, offset int) string {
	text = strings.TrimRight(text, " \t\r\n")
	rest := strings.TrimLeft(text, "\t")
	depth := len(text) - len(rest)
	switch {
	case strings.TrimSpace(rest) == "":
		return ""
	case rest[0] == ' ':
		return "indented by spaces; a keyword list is indented by tabs only"
	case depth > len(r.stack) && len(r.stack) == 0:
		return "indented, and no keyword is above it"
	case depth > len(r.stack):
		return fmt.Sprintf("indented by %d tabs below a line with %d; one more at most", depth, len(r.stack)-1)
	}
	if name, ok := between(rest, "{", "}"); ok {
		if depth == 0 {
			return "a synonym, and no keyword is above it"
		}
		if above := r.stack[depth-1]; name != "" && !foldedIn(above.synonyms, name) {
			above.synonyms = append(above.synonyms, name)
		}
		return ""
	}
	name, bracketed := between(rest, "[", "]")
	path := tidy(strings.TrimPrefix(name, "~"))
	if path == "" {
		return "a keyword without a name"
	}
	r.stack = r.stack[:depth]
	if depth > 0 {
		path = r.stack[depth-1].path + "|" + path
		r.stack[depth-1].above = true
	}
	k := r.at[fold(path)]
	if k == nil {
		k = &keyword{path: path, offset: offset}
		r.at[fold(path)] = k
		r.order = append(r.order, k)
	}
	l := &keywordLine{k, bracketed, false}
	r.lines, r.stack = append(r.lines, l), append(r.stack, l)
	return ""
}

// set returns the labels of the keywords that were read.
func (r *keywordReader) set(data []byte) (Set, places, error) {
	for _, l := range r.lines {
		l.public = l.public || !l.bracketed
		l.private = l.private || l.bracketed && !l.above
		l.keyword.above = l.keyword.above || l.above
	}
	var set Set
	at := places{data, make(map[place]int)}
	for _, k := range r.order {
		root, _, below := strings.Cut(fold(k.path), "|")
		if !k.public && !k.private || root == fold(internal) && (below || k.above) {
			continue
		}
		at.offsets[place{len(set.Labels), ""}] = k.offset
		set.Labels = append(set.Labels, Label{Name: k.path, Synonyms: k.synonyms, Private: !k.public})
	}
	return set, at, nil
}

// between returns what a line has between two signs, if it is all of it.
func between(line, open, end string) (inside string, ok bool) {
	if len(line) < 2 || !strings.HasPrefix(line, open) || !strings.HasSuffix(line, end) {
		return line, false
	}
	return strings.TrimSpace(line[1 : len(line)-1]), true
}

func foldedIn(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return fold(n) == fold(name) })
}

// Keywords writes the set as a keyword list, which ParseKeywords reads and
// which Lightroom and darktable import: each keyword once, below the one that it
// belongs to, in the order of the set. Levels that are no labels are in
// brackets, and so are private labels; a private label with labels below it is
// there twice. Prompts, thresholds and what else a list has no place for are
// left out, and so are labels whose names would be read as something else,
// which are named in the error beside the list.
func (s Set) Keywords() ([]byte, error) {
	root := &branch{}
	var errs []error
	paths := s.Paths()
	for i, l := range s.Labels {
		path := strings.Split(paths[i], "|")
		if err := listable(path, l.Synonyms); err != nil {
			errs = append(errs, fmt.Errorf("label %q: %w", l.Name, err))
			continue
		}
		b := root
		for _, name := range path {
			b = b.below(name)
		}
		b.label = &s.Labels[i]
	}
	var list bytes.Buffer
	root.write(&list, -1)
	return list.Bytes(), errors.Join(errs...)
}

// listable says why a label cannot be in a keyword list.
func listable(path, synonyms []string) error {
	for _, name := range path {
		_, braces := between(name, "{", "}")
		_, brackets := between(name, "[", "]")
		if braces || brackets || strings.HasPrefix(name, "~") || strings.HasPrefix(name, "\ufeff") {
			return fmt.Errorf("a keyword list has another meaning for %s", name)
		}
	}
	for _, name := range synonyms {
		if strings.TrimSpace(name) != name {
			return fmt.Errorf("a keyword list has no spaces around the synonym %q", name)
		}
	}
	return nil
}

// A branch is a keyword with those below it, as they are written.
type branch struct {
	name     string
	label    *Label // nil: none
	branches []*branch
	at       map[string]*branch
}

func (b *branch) below(name string) *branch {
	if b.at == nil {
		b.at = make(map[string]*branch)
	}
	c := b.at[fold(name)]
	if c == nil {
		c = &branch{name: name}
		b.at[fold(name)] = c
		b.branches = append(b.branches, c)
	}
	return c
}

func (b *branch) write(list *bytes.Buffer, depth int) {
	line := func(depth int, text string) {
		list.WriteString(strings.Repeat("\t", depth) + text + "\n")
	}
	switch l := b.label; {
	case depth < 0:
	case l == nil:
		line(depth, "["+b.name+"]")
	default:
		name := b.name
		if l.Private {
			name = "[" + name + "]"
		}
		line(depth, name)
		for _, synonym := range l.Synonyms {
			line(depth+1, "{"+synonym+"}")
		}
		if l.Private && len(b.branches) > 0 {
			line(depth, name)
		}
	}
	for _, c := range b.branches {
		c.write(list, depth+1)
	}
}
