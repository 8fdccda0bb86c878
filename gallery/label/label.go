// Package label holds label sets: the words a gallery is scored against, how
// they are asked for, and where the line between yes and no is drawn.
//
// A set is written as TOML, which has every field, or as plain text with one
// name a line, which is what people already have.
package label

import (
	"cmp"
	"strings"
)

// DefaultTemplate wraps the names of a set that brings no template of its own.
const DefaultTemplate = "This is a photo of {}."

// defaultCutoff is the threshold of a label that sets none: for a sigmoid
// score, as likely as not.
const defaultCutoff = 0.5

// A Label is one thing a photo may show. Only Name is needed.
type Label struct {
	// Name is the label's name and its identity: within a set no two names are
	// the same apart from case. "animals|birds|owl" is an owl below birds
	// below animals.
	Name string `toml:"name"`
	// Prompts are the texts that stand for the label, instead of its name in
	// the set's templates. "{}" in them is the leaf of the name.
	Prompts []string `toml:"prompts,omitempty"`
	// Negatives are texts of what the label is confused with: the best of them
	// counts against it. "{}" as in Prompts.
	Negatives []string `toml:"negatives,omitempty"`
	// Synonyms are other names by which people and programs know the label.
	// They are looked up, not embedded.
	Synonyms []string `toml:"synonyms,omitempty"`
	// Private labels are shown here and never written to files.
	Private bool `toml:"private,omitempty"`
	// Threshold is the probability from which on the label holds, in (0, 1).
	// 0 means none was set: see Cutoff.
	Threshold float64 `toml:"threshold,omitempty"`
	// Bias is added to the label's logit, in logits.
	Bias float64 `toml:"bias,omitempty"`
	// Scale multiplies the label's logit above the model's bias. 0 means none.
	Scale float64 `toml:"scale,omitempty"`
	// Group puts labels together on the screen.
	Group string `toml:"group,omitempty"`
	// Parent names the label above this one, for sets that do not write the
	// path into the name.
	Parent string `toml:"parent,omitempty"`
}

// Cutoff returns the probability from which on the label holds.
func (l Label) Cutoff() float64 {
	return cmp.Or(l.Threshold, defaultCutoff)
}

// Leaf returns the last part of the name: "owl" of "animals|birds|owl".
func (l Label) Leaf() string {
	return l.Name[strings.LastIndexByte(l.Name, '|')+1:]
}

// Texts returns the texts that stand for the label, at least one: its prompts,
// or its leaf in each of the templates, or in DefaultTemplate if there are none.
func (l Label) Texts(templates []string) []string {
	if len(l.Prompts) > 0 {
		return l.fill(l.Prompts)
	}
	if len(templates) > 0 {
		return l.fill(templates)
	}
	return l.fill([]string{DefaultTemplate})
}

// NegativeTexts returns the texts that count against the label; often none.
func (l Label) NegativeTexts() []string {
	return l.fill(l.Negatives)
}

func (l Label) fill(texts []string) []string {
	filled := make([]string, len(texts))
	for i, text := range texts {
		filled[i] = strings.ReplaceAll(text, "{}", l.Leaf())
	}
	return filled
}

// A Set is an ordered list of labels and the templates that wrap their names.
// Templates average: several of them describe the same label in several ways.
type Set struct {
	Name      string   `toml:"name,omitempty"`
	Templates []string `toml:"templates,omitempty"`
	Labels    []Label  `toml:"label,omitempty"`
}

// Index returns the position of the label of that name, apart from case, or -1.
func (s Set) Index(name string) int {
	want := fold(name)
	for i, l := range s.Labels {
		if fold(l.Name) == want {
			return i
		}
	}
	return -1
}

// Paths returns the paths of the labels, which programs write: the name of each
// below those of its parents. A parent that is no label of the set is a path by
// itself.
func (s Set) Paths() []string {
	at := make(map[string]int, len(s.Labels))
	for i, l := range s.Labels {
		at[fold(l.Name)] = i
	}
	paths := make([]string, len(s.Labels))
	var path func(i int) string // valid sets have no loops
	path = func(i int) string {
		if l := s.Labels[i]; paths[i] == "" && l.Parent == "" {
			paths[i] = l.Name
		} else if above, ok := at[fold(l.Parent)]; paths[i] == "" && ok {
			paths[i] = path(above) + "|" + l.Name
		} else if paths[i] == "" {
			paths[i] = l.Parent + "|" + l.Name
		}
		return paths[i]
	}
	for i := range s.Labels {
		path(i)
	}
	return paths
}

// Private returns which labels are never written to files: those that say so,
// and those below them, whose paths would tell.
func (s Set) Private() []bool {
	paths := s.Paths()
	private := make(map[string]bool)
	for i, l := range s.Labels {
		if l.Private {
			private[fold(paths[i])] = true
		}
	}
	list := make([]bool, len(paths))
	for i, path := range paths {
		for rest := fold(path); rest != "" && !list[i]; rest = rest[:max(0, strings.LastIndexByte(rest, '|'))] {
			list[i] = private[rest]
		}
	}
	return list
}
