package query

import "strings"

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
