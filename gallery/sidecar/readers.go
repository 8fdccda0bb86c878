package sidecar

import (
	"slices"
	"strings"
)

// A Reader is a program that shows tags, by its name. Programs differ in which
// sidecars they read and in which fields count; Shows is a model of that, by
// their source code and documentation.
type Reader string

const (
	DigiKam    Reader = "digiKam" // with reading and writing of sidecars switched on
	Immich     Reader = "Immich"
	Darktable  Reader = "darktable"
	Lightroom  Reader = "Lightroom" // after "Read Metadata from File"
	PhotoPrism Reader = "PhotoPrism"
)

// Readers are all of them.
var Readers = []Reader{DigiKam, Immich, Darktable, Lightroom, PhotoPrism}

// Shows returns the tags that the program shows of a photo with these files:
// sidecars, and the photo itself. They are spelled as the program does it.
func (r Reader) Shows(photo string, files []File) []string {
	var full, short, embedded []Value
	has := false // a sidecar of its own, be it without tags
	for _, f := range files {
		switch {
		case f.Path == photo:
			embedded = f.Values
		case strings.EqualFold(f.Path, photo+".xmp"):
			full, has = f.Values, true
		case strings.EqualFold(f.Path, namesake(photo)+".xmp"):
			short = f.Values
		}
	}
	either := full
	if len(full) == 0 {
		either = short
	}
	switch r {
	case DigiKam: // the first field that is not empty counts
		return firstOf(over(full, embedded), "/", TagsList, LastKeyword, HierarchicalSubject, CatalogSets, Categories, Subject, Keywords, XPKeywords)
	case Immich: // the same, but dc:subject is none of its fields
		return firstOf(over(either, embedded), "/", TagsList, HierarchicalSubject, Keywords)
	case Darktable:
		if !has {
			return imported(embedded)
		}
		return imported(full)
	case Lightroom:
		if isPicture(photo) {
			return together(embedded)
		}
		return together(over(short, embedded))
	case PhotoPrism:
		return firstOf(over(either, embedded), "/", Subject)
	}
	return nil
}

// ShownBy reports whether a program will show every tag that the plan adds.
func (p PhotoPlan) ShownBy(r Reader) bool {
	separator := "|"
	switch r {
	case DigiKam, Immich:
		separator = "/"
	case PhotoPrism:
		separator = ""
	}
	shown := make(map[string]bool, len(p.Shown[r]))
	for _, text := range p.Shown[r] {
		shown[strings.Join(folded(split(text, separator)), "|")] = true
	}
	for _, label := range p.Added {
		keys := folded(split(label, "|"))
		if separator == "" {
			keys = keys[len(keys)-1:]
		}
		if !shown[strings.Join(keys, "|")] {
			return false
		}
	}
	return true
}

// over returns the fields of a sidecar, and those of a photo that the sidecar
// does not have.
func over(sidecar, photo []Value) []Value {
	has := make(map[Field]bool, 8)
	for _, v := range sidecar {
		has[v.Field] = true
	}
	values := slices.Clone(sidecar)
	for _, v := range photo {
		if !has[v.Field] {
			values = append(values, v)
		}
	}
	return values
}

// firstOf returns the values of the first of the fields that has any, each
// once.
func firstOf(values []Value, separator string, fields ...Field) []string {
	for _, f := range fields {
		var list []string
		for _, v := range values {
			if v.Field != f {
				continue
			}
			text := v.Text
			if own, _ := f.keywords(); own == "|" {
				text = f.respell(text, separator)
			}
			if !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// imported returns what darktable makes of a file: the paths or, if there are
// none, the words, and IPTC's keywords besides. What follows a comma is lost.
func imported(values []Value) []string {
	var list []string
	for _, text := range slices.Concat(firstOf(values, "|", HierarchicalSubject, Subject), texts(values, Keywords)) {
		text, _, _ = strings.Cut(text, ",")
		if !strings.HasPrefix(text, "darktable|") && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// respell returns a path with another separator; what stood for it within a
// name trades places with it.
func (f Field) respell(text, separator string) string {
	own, _ := f.keywords()
	names := strings.Split(text, own)
	for i, name := range names {
		names[i] = strings.ReplaceAll(name, separator, own)
	}
	return strings.Join(names, separator)
}

// together returns the paths of lr:hierarchicalSubject, and the words of
// dc:subject that are none of their names.
func together(values []Value) []string {
	list := slices.Compact(texts(values, HierarchicalSubject))
	names := make(map[string]bool)
	for _, path := range list {
		for _, name := range strings.Split(path, "|") {
			names[Fold(name)] = true
		}
		names[Fold(path)] = true
	}
	for _, word := range texts(values, Subject) {
		if !names[Fold(word)] {
			names[Fold(word)] = true
			list = append(list, word)
		}
	}
	return list
}
