package sidecar

import (
	"io"
	"strings"
	"testing"
)

// FuzzParse: any text is a fault at a place within it, or a document whose
// places are right.
func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parse(text)
		if err == nil {
			_, err = d.values()
			if len(d.text) < 1<<14 {
				checkPlaces(t, "", d, 8)
			}
		}
		if fault, ok := err.(*fault); err != nil && (!ok || fault.at < 0 || fault.at > len(text)) {
			t.Errorf("%#v", err)
		}
	})
}

// FuzzRead: any file has values that say something, and faults at places
// within it.
func FuzzRead(f *testing.F) {
	for _, p := range photos() {
		if len(p.file) < 1<<12 {
			f.Add(p.file)
		}
	}
	f.Fuzz(func(t *testing.T, file string) {
		var m metadata
		m.read(io.NewSectionReader(strings.NewReader(file), 0, int64(len(file))))
		for _, e := range m.errs {
			if e.Offset < 0 || e.Offset > int64(len(file)) || e.Err == nil {
				t.Errorf("%+v", e)
			}
		}
		for _, v := range m.values {
			if v.Field == "" || strings.TrimSpace(v.Text) == "" {
				t.Errorf("%+v", v)
			}
		}
		Merge(File{"", m.values})
	})
}

// FuzzEdit: any text is refused, or takes a tag and gives it back to the byte.
func FuzzEdit(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text, "nature|owl", "AC/DC")
	}
	f.Fuzz(func(t *testing.T, text, label, known string) {
		if len(text) > 1<<14 {
			return
		}
		c := Change{Accept: []Mark{{Label: label, Source: User}}, Known: []string{known}}
		out, err := Edit([]byte(text), c)
		if err != nil || strings.Contains(text, "urn:sigla") {
			return
		}
		back, err := Edit(out, Change{Withdraw: []string{label}})
		if err != nil || string(back) != text {
			t.Errorf("%q became %q, and then %q, %v", text, out, back, err)
		}
	})
}
