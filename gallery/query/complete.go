package query

import (
	"fmt"
	"slices"
	"strings"
)

// Words are the values that Complete knows, as they shall stand in the line.
type Words struct {
	Labels, Tags, Folders, Formats []string
}

// WordStart returns where the word begins that ends at the cursor; it is the
// cursor if none does. Both count bytes.
func WordStart(line string, cursor int) int {
	cursor = max(0, min(cursor, len(line)))
	for at := 0; ; {
		w, ok := nextWord(line[:cursor], at)
		if !ok {
			return cursor
		}
		if w.end == cursor {
			return w.at
		}
		at = w.end
	}
}

// Complete returns what line[WordStart(line, cursor):cursor] can be continued
// to: the names of filters, and within a filter of labels, tags, folders,
// formats and states its values. A value is found by the beginning of it or of
// any name in its path. The order is that of Words.
func Complete(line string, cursor int, words Words) []string {
	cursor = max(0, min(cursor, len(line)))
	start := WordStart(line, cursor)
	typed := line[start:cursor]
	w, _ := nextWord(typed, 0)
	name, _, ok := w.filterName()
	if !ok {
		return completeName(typed)
	}
	values, separator := words.of(name)
	// Quotes within quotes come in twos, so they do not matter here.
	cut, quoted := strings.IndexByte(typed, ':')+1, false
	for i, c := range []byte(typed) {
		if c == '"' {
			quoted = !quoted
		}
		if c == ',' && !quoted {
			cut = i + 1
		}
	}
	last, _ := nextWord(typed, cut)
	if name == "label" && last.index("<>=") >= 0 {
		return nil
	}
	prefix := Fold(last.text)
	var list []string
	for _, value := range values {
		folded := Fold(value)
		if strings.HasPrefix(folded, prefix) || strings.Contains(folded, separator+prefix) {
			list = append(list, typed[:cut]+quoteValue(value))
		}
	}
	return list
}

// of returns the values of the filter of that name and what separates the names
// in one.
func (w Words) of(name string) (values []string, separator string) {
	switch name {
	case "label":
		return w.Labels, "|"
	case "tag":
		return w.Tags, "|"
	case "folder":
		return w.Folders, "/"
	case "format":
		return w.Formats, "/"
	case "is":
		return stateNames(), "/"
	}
	return nil, ""
}

func completeName(typed string) []string {
	name, negated := strings.CutPrefix(typed, "-")
	var list []string
	for _, k := range kinds {
		if strings.HasPrefix(k.name, strings.ToLower(name)) {
			full := k.name + ":"
			if negated {
				full = "-" + full
			}
			list = append(list, full)
		}
	}
	return list
}

// others are names by which people know the filters from other programs.
var others = map[string]string{
	"album": "folder", "date": "on", "dir": "folder", "ext": "format", "file": "name",
	"filename": "name", "has": "is", "in": "folder", "keyword": "tag", "path": "folder", "since": "after",
	"star": "rating", "stars": "rating", "taken": "on", "type": "format", "until": "before",
}

// unknown says that there is no filter of a name, and what may be meant.
func unknown(name string) string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	if known := closest(name, names); known != "" {
		return fmt.Sprintf("there is no filter %s: did you mean %s:?", name, known)
	}
	return fmt.Sprintf("there is no filter %s: (there are %s)", name, strings.Join(names, ", "))
}

// closest returns the one of the names that is meant by another, or "".
func closest(name string, names []string) string {
	if known := others[name]; known != "" {
		return known
	}
	if i := slices.IndexFunc(names, func(known string) bool { return strings.HasPrefix(known, name) }); i >= 0 {
		return names[i]
	}
	best, least := "", max(1, len(name)/3)+1
	for _, known := range names {
		// Names of very different length are not compared: a line can be long.
		if len(name) > 2*len(known) {
			continue
		}
		if d := distance(name, known); d < least {
			best, least = known, d
		}
	}
	return best
}

// distance returns how many letters must be put in, left out, changed or
// exchanged with their neighbour to make b of a: optimal string alignment.
func distance(a, b string) int {
	var before []int // the row of a[:i-2]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(change, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
