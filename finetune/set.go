package finetune

import (
	"fmt"
	"slices"
	"time"

	"sigla/backend"
)

// A Set is what is learned from: photos, labels, and what is known of their
// pairs. Or it has no labels, and photos have captions.
type Set struct {
	Labels []Label
	Photos []Photo
	// Complete says that a tag that is absent is known to be wrong; otherwise
	// nobody knows, and the pair is left out.
	Complete bool
}

// A Label is a column of the pairs.
type Label struct {
	Name  string
	Texts []string // its prompts, at least one; their embeddings are averaged
}

// A Photo is a row of the pairs.
type Photo struct {
	Path  string
	Taken time.Time // the zero Time: unknown
	// Alike is the same for photos that are the same picture: no split divides
	// them, nor those of a burst. 0: like no other.
	Alike   int
	Known   []Known // by Label, none twice
	Caption string  // in a set without labels
}

// Known is what is known of a photo and a label.
type Known struct {
	Label int
	Value int8 // +1 or −1
	By    Origin
}

// Origin is where knowledge comes from.
type Origin uint8

const (
	ByTag    Origin = iota // a tag in a file, whoever set it
	ByFolder               // the name of a folder
	ByList                 // a line of a list
	ByPerson               // an answer given here
)

// Validate says what is wrong with a set: a label without text, knowledge out
// of order, of a label that is not there, or without a side; captions beside
// labels.
func (s Set) Validate() error {
	for _, l := range s.Labels {
		if len(l.Texts) == 0 {
			return fmt.Errorf("label %s has no text", l.Name)
		}
	}
	for _, p := range s.Photos {
		if p.Caption != "" && len(s.Labels) > 0 {
			return fmt.Errorf("%s has a caption in a set of labels", p.Path)
		}
		last := -1
		for _, k := range p.Known {
			switch {
			case k.Label <= last || k.Label >= len(s.Labels):
				return fmt.Errorf("%s: label %d after %d, of %d", p.Path, k.Label, last, len(s.Labels))
			case k.Value != 1 && k.Value != -1:
				return fmt.Errorf("%s: label %s is neither right nor wrong", p.Path, s.Labels[k.Label].Name)
			}
			last = k.Label
		}
	}
	return nil
}

func (o Origin) String() string {
	return [...]string{"tag", "folder", "list", "person"}[o]
}

// Value returns what is known of a photo and a label: +1, −1, or 0 if nobody
// knows.
func (s Set) Value(photo, label int) int8 {
	known := s.Photos[photo].Known
	i, found := slices.BinarySearchFunc(known, label, func(k Known, label int) int { return k.Label - label })
	switch {
	case found:
		return known[i].Value
	case s.Complete:
		return -1
	}
	return 0
}

// Pairs returns what is known of some photos, its rows in this order, and some
// labels, its columns; columns has the labels in ascending order, nil are all.
// Dim is left to whoever embeds them.
func (s Set) Pairs(photos, columns []int) backend.Pairs {
	p := backend.Pairs{Rows: len(photos), Cols: len(s.Labels)}
	if s.Complete {
		p.Default = -1
	}
	at := make([]int32, len(s.Labels)) // column of a label and 1, 0: none
	for i := range at {
		at[i] = int32(i + 1)
	}
	if columns != nil {
		p.Cols = len(columns)
		clear(at)
		for i, label := range columns {
			at[label] = int32(i + 1)
		}
	}
	for row, photo := range photos {
		for _, k := range s.Photos[photo].Known {
			if at[k.Label] > 0 && k.Value != p.Default {
				p.Except = append(p.Except, backend.Pair{Row: int32(row), Col: at[k.Label] - 1, Label: k.Value})
			}
		}
	}
	return p
}
