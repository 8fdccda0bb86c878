package cli

import (
	"maps"
	"slices"
	"strings"

	"sigla/gallery/label"
	"sigla/gallery/sidecar"
)

// A vocabulary tells which labels a tag means. Names are equal as tags are, see
// sidecar.Fold; a single word means each label that it is the leaf of, and a
// synonym means its label.
type vocabulary struct {
	labels []label.Label
	meant  map[string][]int // labels by folded name or synonym
	leaves map[string][]int // labels by their folded leaf
	above  [][]int          // by label: those that a photo of it shows as well
	below  [][]int          // by label: those that a photo without it does not show either
}

// newVocabulary takes the labels of a set.
func newVocabulary(labels []label.Label) *vocabulary {
	v := &vocabulary{
		labels: labels, meant: make(map[string][]int), leaves: make(map[string][]int),
		above: make([][]int, len(labels)), below: make([][]int, len(labels)),
	}
	for i, l := range labels {
		for _, name := range append([]string{l.Name}, l.Synonyms...) {
			key := sidecar.Fold(name)
			v.meant[key] = append(v.meant[key], i)
		}
		leaf := sidecar.Fold(l.Leaf())
		v.leaves[leaf] = append(v.leaves[leaf], i)
	}
	for i, l := range labels {
		seen := map[int]bool{i: true}
		v.climb(l, seen)
		delete(seen, i)
		for _, k := range slices.Sorted(maps.Keys(seen)) {
			v.above[i] = append(v.above[i], k)
			v.below[k] = append(v.below[k], i)
		}
	}
	return v
}

// climb notes the labels above one: those that the parts of its name mean, and
// its parent and whatever is above that.
func (v *vocabulary) climb(l label.Label, seen map[int]bool) {
	up := v.parts(l.Name)
	if l.Parent != "" {
		up = slices.Concat(up, v.exactly(l.Parent), v.parts(l.Parent))
	}
	for _, k := range up {
		if !seen[k] {
			seen[k] = true
			v.climb(v.labels[k], seen)
		}
	}
}

// parts returns the labels that the parts of a path mean, but for the whole.
func (v *vocabulary) parts(path string) (labels []int) {
	names := strings.Split(sidecar.Fold(path), "|")
	for from := range names {
		for to := from + 1; to <= len(names); to++ {
			if to-from < len(names) {
				labels = append(labels, v.meant[strings.Join(names[from:to], "|")]...)
			}
		}
	}
	return labels
}

// exactly returns the labels that a name means, without those above them.
func (v *vocabulary) exactly(name string) []int {
	key := sidecar.Fold(name)
	labels := v.meant[key]
	if !strings.Contains(key, "|") {
		labels = slices.Concat(labels, v.leaves[key])
	}
	labels = slices.Clone(labels)
	slices.Sort(labels)
	return slices.Compact(labels)
}

// shown returns the labels that a photo tagged with a name shows.
func (v *vocabulary) shown(name string) []int {
	labels := v.exactly(name)
	if strings.Contains(name, "|") {
		labels = slices.Concat(labels, v.parts(name))
	}
	for _, i := range slices.Clone(labels) {
		labels = append(labels, v.above[i]...)
	}
	return labels
}

// notShown returns the labels that a photo known to be without a name lacks.
func (v *vocabulary) notShown(name string) []int {
	labels := v.exactly(name)
	for _, i := range slices.Clone(labels) {
		labels = append(labels, v.below[i]...)
	}
	return labels
}

// found makes labels of names that photos have, no two of them equal: a label
// of the set that means it or its leaf, else one of that name. A word that is
// the leaf of another name is no label of its own, nor is what cannot be one.
func found(names []string, set label.Set) []label.Label {
	known := newVocabulary(set.Labels)
	leaves := make(map[string]bool)
	for _, name := range names {
		if i := strings.LastIndexByte(name, '|'); i >= 0 {
			leaves[sidecar.Fold(name[i+1:])] = true
		}
	}
	var labels []label.Label
	taken := make(map[int]bool)
	for _, name := range names {
		key := sidecar.Fold(name)
		meant := known.meant[key]
		if len(meant) == 0 {
			meant = known.meant[key[strings.LastIndexByte(key, '|')+1:]]
		}
		for _, i := range meant {
			if !taken[i] {
				taken[i] = true
				labels = append(labels, set.Labels[i])
			}
		}
		own := label.Label{Name: name, Prompts: prompts(name)}
		if valid := (label.Set{Labels: []label.Label{own}}).Validate() == nil; len(meant) == 0 && !leaves[key] && valid {
			labels = append(labels, own)
		}
	}
	return labels
}

// prompts are the texts for a name that was made for programs, as inline_skate;
// nil if it is what people write.
func prompts(name string) []string {
	leaf := name[strings.LastIndexByte(name, '|')+1:]
	plain := strings.Join(strings.FieldsFunc(leaf, func(r rune) bool { return r == '_' }), " ")
	if plain == leaf || plain == "" {
		return nil
	}
	return []string{strings.ReplaceAll(label.DefaultTemplate, "{}", plain)}
}
