package gallery

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/query"
	"sigla/gallery/sidecar"
)

// A Vocabulary answers which labels of a set a name means: that of a tag in a
// file, of an answer, or in a query. A label is meant by its name, by its path
// and by its synonyms; upper and lower case do not count. It never changes.
type Vocabulary struct {
	set     label.Set
	paths   []string
	private []bool
	named   map[string][]int // labels by folded name or path
	synonym map[string][]int // labels by folded synonym
	leaf    map[string][]int // labels by the last part of what stands in named or synonym
}

// NewVocabulary returns that of a valid set.
func NewVocabulary(set label.Set) *Vocabulary {
	v := &Vocabulary{
		set: set, paths: set.Paths(), private: set.Private(),
		named: make(map[string][]int), synonym: make(map[string][]int), leaf: make(map[string][]int),
	}
	for i, l := range set.Labels {
		v.add(v.named, l.Name, i)
		v.add(v.named, v.paths[i], i)
		for _, name := range l.Synonyms {
			v.add(v.synonym, name, i)
		}
	}
	return v
}

func (v *Vocabulary) add(to map[string][]int, name string, i int) {
	key := sidecar.Fold(name)
	leaf := key[strings.LastIndexByte(key, '|')+1:]
	for _, in := range []struct {
		names map[string][]int
		key   string
	}{{to, key}, {v.leaf, leaf}} {
		if list := in.names[in.key]; !slices.Contains(list, i) {
			in.names[in.key] = append(list, i)
		}
	}
}

// Set returns the labels.
func (v *Vocabulary) Set() label.Set { return v.set }

// Path returns what programs write of a label; see label.Set.Paths.
func (v *Vocabulary) Path(i int) string { return v.paths[i] }

// Private reports whether a label is never written; see label.Set.Private.
func (v *Vocabulary) Private(i int) bool { return v.private[i] }

// Names returns all names of a label: its path first, and none twice.
func (v *Vocabulary) Names(i int) []string {
	var names []string
	for _, name := range slices.Concat([]string{v.paths[i], v.set.Labels[i].Name}, v.set.Labels[i].Synonyms) {
		if !slices.ContainsFunc(names, func(n string) bool { return sidecar.Fold(n) == sidecar.Fold(name) }) {
			names = append(names, name)
		}
	}
	return names
}

// Find returns the label of a name, or -1: the one that is called so, else one
// whose synonym it is, else the only one whose name ends in it.
func (v *Vocabulary) Find(name string) int {
	key := sidecar.Fold(name)
	for _, list := range [][]int{v.named[key], v.synonym[key]} {
		if len(list) > 0 {
			return list[0]
		}
	}
	if list := v.leaf[key]; len(list) == 1 {
		return list[0]
	}
	return -1
}

// Nearest returns the name of the label that may be meant by a name that none
// has, or "".
func (v *Vocabulary) Nearest(name string) string {
	var names []string
	of := make(map[string]int)
	for i, l := range v.set.Labels {
		for _, known := range append(v.Names(i), l.Leaf()) {
			if _, ok := of[known]; !ok {
				of[known] = i
				names = append(names, known)
			}
		}
	}
	if near := query.Nearest(name, names); near != "" {
		return v.set.Labels[of[near]].Name
	}
	return ""
}

// Unknown says which of the labels in a query's filters the set does not have,
// nil if it has all of them.
func (v *Vocabulary) Unknown(q query.Query) error {
	var unknown []string
	for _, name := range q.Labels() {
		if v.Find(name) >= 0 {
			continue
		}
		text := "there is no label " + name
		if near := v.Nearest(name); near != "" {
			text += ", perhaps " + near + " is meant"
		}
		unknown = append(unknown, text)
	}
	if unknown == nil {
		return nil
	}
	return errors.New("query: " + strings.Join(unknown, "; "))
}

// Means returns the labels that a photo has by a tag, a path with "|", in the
// order of the set. As with sidecar.Set, a tag says what it lies below, too, and
// a single word is each label that ends in it. What a label lies below by its
// own path is said as well: with the synonym Eule of animals|birds|owl, Eule is
// birds.
func (v *Vocabulary) Means(tag string) (labels []int) {
	add := func(list []int) {
		for _, i := range list {
			if !slices.Contains(labels, i) {
				labels = append(labels, i)
			}
		}
	}
	parts := func(path string) {
		keys := strings.Split(path, "|")
		for i, key := range keys {
			keys[i] = sidecar.Fold(key)
		}
		for from := range keys {
			for to := from + 1; to <= len(keys); to++ {
				part := strings.Join(keys[from:to], "|")
				add(v.named[part])
				add(v.synonym[part])
			}
		}
	}
	parts(tag)
	if !strings.Contains(tag, "|") {
		add(v.leaf[sidecar.Fold(tag)])
	}
	for k := 0; k < len(labels); k++ {
		parts(v.paths[labels[k]])
	}
	slices.Sort(labels)
	return labels
}

// others returns the names of the labels that a tag means, but for those that
// it has itself, as filters compare them.
func (v *Vocabulary) others(tag string) (names []string) {
	own := query.Fold(tag)
	for _, i := range v.Means(tag) {
		for _, name := range v.Names(i) {
			if key := query.Fold(name); key != own {
				names = append(names, key)
			}
		}
	}
	return names
}

// Answers returns what was said of a photo at last: of the answers to one label,
// under whichever of its names they were given, the latest, with the label's
// path. One to an animals|owl that is owl by now is to owl. Answers to what is
// no label of the set come back as they are.
func (v *Vocabulary) Answers(decisions []catalog.Decision) []catalog.Decision {
	var list []catalog.Decision
	at := make(map[int]int) // place in the list, by label
	for _, d := range decisions {
		i := v.resolve(d.Label)
		if i < 0 {
			list = append(list, d)
			continue
		}
		d.Label = v.paths[i]
		if k, ok := at[i]; !ok {
			at[i] = len(list)
			list = append(list, d)
		} else if d.When.After(list[k].When) {
			list[k] = d
		}
	}
	return list
}

// resolve returns the label that was meant by a name, perhaps in an earlier set:
// that of Find or, if there is none, of what a path ends in.
func (v *Vocabulary) resolve(name string) int {
	for {
		if i := v.Find(name); i >= 0 {
			return i
		}
		var below bool
		if _, name, below = strings.Cut(name, "|"); !below {
			return -1
		}
	}
}

// is reports whether a tag is a label, and does not only lie below it.
func (v *Vocabulary) is(tag string, i int) bool {
	return v.resolve(tag) == i || !strings.Contains(tag, "|") && slices.Contains(v.leaf[sidecar.Fold(tag)], i)
}

// Hides reports whether a tag means a private label, and so does not leave this
// machine.
func (v *Vocabulary) Hides(tag string) bool {
	return slices.ContainsFunc(v.Means(tag), v.Private)
}

// TagSet returns what at least so many photos are tagged with as a label set, in
// the order of its tree. Hierarchy is that of the tags: a word that paths end in
// counts for these. Names of people in the picture are no labels, and neither
// is what no label can be called. Levels that no photo is tagged with by
// themselves are none either.
func (g *Gallery) TagSet(least int) label.Set {
	counts := make(map[string]int) // photos, by folded path
	spelled := make(map[string]string)
	leaves := make(map[string][]string) // folded paths of two names and more, by the last
	people := make(map[string]bool)
	for id := range g.Len() {
		if g.Photo(id).State == Gone {
			continue
		}
		tags := g.Tags(id)
		for _, p := range tags.People {
			people[sidecar.Fold(p.Leaf())] = true
		}
		for _, t := range tags.Tags {
			name := t.String()
			key := sidecar.Fold(name)
			if counts[key]++; counts[key] > 1 {
				continue
			}
			spelled[key] = name
			if leaf := sidecar.Fold(t.Leaf()); len(t.Path) > 1 {
				leaves[leaf] = append(leaves[leaf], key)
			}
		}
	}
	for word, n := range counts {
		for _, path := range leaves[word] {
			counts[path] += n
			delete(counts, word)
		}
	}
	var set label.Set
	for key, n := range counts {
		l := label.Label{Name: spelled[key]}
		if n >= least && !people[key[strings.LastIndexByte(key, '|')+1:]] && (label.Set{Labels: []label.Label{l}}).Validate() == nil {
			set.Labels = append(set.Labels, l)
		}
	}
	slices.SortFunc(set.Labels, func(a, b label.Label) int {
		return cmp.Or(slices.Compare(strings.Split(sidecar.Fold(a.Name), "|"), strings.Split(sidecar.Fold(b.Name), "|")), cmp.Compare(a.Name, b.Name))
	})
	return set
}
