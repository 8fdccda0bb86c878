package cli

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
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

// keywordList is --as keywords: the label set, private labels among them, and
// behind it the tags that are none of its labels.
type keywordList struct {
	x    *exportRun
	tags map[string]string // by what spellings have in common
}

func newKeywordList(x *exportRun) (exporter, error) {
	return &keywordList{x, make(map[string]string)}, nil
}

func (k *keywordList) photo(e exported) error {
	for _, l := range e.Labels {
		if key := sidecar.Fold(l.Name); k.tags[key] == "" {
			k.tags[key] = l.Name
		}
	}
	return nil
}

func (k *keywordList) end(whole bool) error {
	if !whole {
		return nil
	}
	words := k.x.words
	if k.x.from == "tags" {
		words = gallery.NewVocabulary(label.Set{})
	}
	set := words.Set()
	for _, key := range slices.SortedFunc(maps.Keys(k.tags), compareKeywords) {
		if words.Find(key) < 0 {
			set.Labels = append(slices.Clip(set.Labels), label.Label{Name: k.tags[key]})
		}
	}
	list, err := set.Keywords()
	if err != nil {
		for _, err := range apart(err) {
			k.x.fail(fmt.Errorf("export keywords: %w", err))
		}
	}
	_, err = k.x.w.Write(list)
	return err
}

// compareKeywords has what is below a keyword follow it.
func compareKeywords(a, b string) int {
	return slices.Compare(strings.Split(a, "|"), strings.Split(b, "|"))
}
