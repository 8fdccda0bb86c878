package sidecar

import (
	"slices"
	"strings"
)

// A Set answers which names a photo is tagged with.
type Set struct {
	paths map[string]bool // every part of a tag's path that is in one piece
	words map[string]bool // tags that are a single word
}

// Set returns the names that the tags and the people stand for.
func (t Tags) Set() Set {
	s := Set{make(map[string]bool), make(map[string]bool)}
	for _, list := range [][]Tag{t.Tags, t.People} {
		for _, tag := range list {
			keys := make([]string, len(tag.Path))
			for i, name := range tag.Path {
				keys[i] = fold(name)
			}
			for from := range keys {
				for to := from + 1; to <= len(keys); to++ {
					s.paths[strings.Join(keys[from:to], "|")] = true
				}
			}
			if len(keys) == 1 {
				s.words[keys[0]] = true
			}
		}
	}
	return s
}

// Has reports whether a photo with these tags is tagged with a name: a word, or
// a path with "|". As in Merge names are equal but for upper and lower case, and
// a single word is each path that it is the leaf of. A tag also says what it
// lies below: what is tagged animals|birds|owl is tagged birds.
func (s Set) Has(name string) bool {
	if len(s.paths) == 0 {
		return false
	}
	key := Fold(name)
	return s.paths[key] || s.words[key[strings.LastIndexByte(key, '|')+1:]]
}

// Fold returns what spellings of one name have in common. It is for comparing
// only.
func Fold(name string) string { return fold(clean(name)) }

// Spells returns the values of a field in the file that stand for a tag, as they
// are written there: its path, or its last name or all of it in one word.
func (f File) Spells(field Field, t Tag) (texts []string) {
	separator, ok := field.keywords()
	if !ok {
		return nil
	}
	path := folded(t.Path)
	words := []string{path[len(path)-1], strings.Join(path, "|"), strings.Join(path, "/")}
	for _, v := range f.Values {
		if v.Field != field {
			continue
		}
		keys := folded(split(v.Text, separator))
		if slices.Equal(keys, path) || len(keys) == 1 && slices.Contains(words, keys[0]) {
			texts = append(texts, v.Text)
		}
	}
	return texts
}

// Flat reports whether a field has single words only, and no paths.
func (f Field) Flat() bool {
	separator, _ := f.keywords()
	return separator == ""
}
