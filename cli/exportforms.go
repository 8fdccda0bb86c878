package cli

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// jsonLines is --as jsonl.
type jsonLines struct {
	w   *bufio.Writer
	enc *json.Encoder
}

func newJSONLines(x *exportRun) (exporter, error) {
	w := bufio.NewWriter(x.w)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &jsonLines{w, enc}, nil
}

func (j *jsonLines) photo(e exported) error {
	if err := j.enc.Encode(e); err != nil {
		return err
	}
	return j.w.Flush()
}

func (j *jsonLines) end(bool) error { return nil }

// labelRows is --as csv.
type labelRows struct{ w *csv.Writer }

func newLabelRows(x *exportRun) (exporter, error) {
	r := labelRows{csv.NewWriter(x.w)}
	return r, r.w.Write([]string{"path", "label", "p", "source"})
}

func (r labelRows) photo(e exported) error {
	for _, l := range e.Labels {
		p := ""
		if l.Probability != nil {
			p = formatProbability(*l.Probability)
		}
		if err := r.w.Write([]string{e.Path, l.Name, p, l.Source}); err != nil {
			return err
		}
	}
	r.w.Flush()
	return r.w.Error()
}

func (r labelRows) end(bool) error {
	r.w.Flush()
	return r.w.Error()
}

// separator is between labels on one line: what exiftool writes and TagGUI and
// kohya read.
const separator = ", "

// separable returns why labels cannot stand on one line, nil if they can.
func separable(e exported) error {
	for _, l := range e.Labels {
		if strings.Contains(l.Name, separator) {
			return exportError(e, "label "+strconv.Quote(l.Name)+" has a comma and a space, which separate labels in this form")
		}
	}
	return nil
}

// exiftoolCSV is --as exiftool-csv.
type exiftoolCSV struct {
	x *exportRun
	w *csv.Writer
}

func newExiftoolCSV(x *exportRun) (exporter, error) {
	t := exiftoolCSV{x, csv.NewWriter(x.w)}
	return t, t.w.Write([]string{"SourceFile", "Subject", "HierarchicalSubject"})
}

func (t exiftoolCSV) photo(e exported) error {
	if len(e.Labels) == 0 {
		return nil // an empty cell would say nothing, or with exiftool's -f remove what is there
	}
	if err := separable(e); err != nil {
		t.x.fail(fmt.Errorf("%w; use --as exiftool-json", err))
		return nil
	}
	err := t.w.Write([]string{e.Path, strings.Join(e.leaves(), separator), strings.Join(e.paths(), separator)})
	t.w.Flush()
	return cmp.Or(err, t.w.Error())
}

func (t exiftoolCSV) end(bool) error {
	t.w.Flush()
	return t.w.Error()
}

// exiftoolJSON is --as exiftool-json: one array.
type exiftoolJSON struct {
	w    *bufio.Writer
	next string // what stands before the next object
}

func newExiftoolJSON(x *exportRun) (exporter, error) {
	return &exiftoolJSON{bufio.NewWriter(x.w), "["}, nil
}

func (t *exiftoolJSON) photo(e exported) error {
	if len(e.Labels) == 0 {
		return nil
	}
	var object strings.Builder
	enc := json.NewEncoder(&object)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		SourceFile          string
		Subject             []string
		HierarchicalSubject []string
	}{e.Path, e.leaves(), e.paths()})
	if err != nil {
		return err
	}
	t.w.WriteString(t.next + "\n" + strings.TrimSuffix(object.String(), "\n"))
	t.next = ","
	return t.w.Flush()
}

func (t *exiftoolJSON) end(bool) error {
	if t.next == "[" {
		t.w.WriteString("[")
	}
	t.w.WriteString("\n]\n")
	return t.w.Flush()
}

// keywordList is --as keywords: names indented by tabs below their parents,
// synonyms in braces, as Lightroom exports and imports them.
type keywordList struct {
	x     *exportRun
	names map[string][]string // label → synonyms
}

func newKeywordList(x *exportRun) (exporter, error) {
	k := &keywordList{x, make(map[string][]string)}
	if x.from != "tags" {
		for _, l := range x.set.Labels {
			k.names[l.Name] = l.Synonyms
		}
	}
	return k, nil
}

func (k *keywordList) photo(e exported) error {
	for _, l := range e.Labels {
		if _, known := k.names[l.Name]; !known {
			k.names[l.Name] = nil
		}
	}
	return nil
}

func (k *keywordList) end(bool) error {
	w := bufio.NewWriter(k.x.w)
	var above []string // path of the line before
	paths := make([][]string, 0, len(k.names))
	for name := range k.names {
		paths = append(paths, strings.Split(name, "|"))
	}
	slices.SortFunc(paths, slices.Compare)
	for _, path := range paths {
		for i, name := range path {
			if i < len(above) && slices.Equal(path[:i+1], above[:i+1]) {
				continue
			}
			w.WriteString(strings.Repeat("\t", i) + name + "\n")
		}
		for _, synonym := range k.names[strings.Join(path, "|")] {
			w.WriteString(strings.Repeat("\t", len(path)) + "{" + synonym + "}\n")
		}
		above = path
	}
	return w.Flush()
}
