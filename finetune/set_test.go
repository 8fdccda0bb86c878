package finetune

import (
	"math/rand/v2"
	"testing"
)

func TestValidate(t *testing.T) {
	labels := []Label{{Name: "dog", Texts: []string{"a dog"}}, {Name: "cat", Texts: []string{"a cat"}}}
	for name, c := range map[string]struct {
		set  Set
		want string
	}{
		"empty":      {Set{}, ""},
		"labels":     {Set{Labels: labels, Photos: []Photo{{Path: "a", Known: []Known{{Label: 0, Value: 1}, {Label: 1, Value: -1}}}}}, ""},
		"captions":   {Set{Photos: []Photo{{Path: "a", Caption: "a dog"}}}, ""},
		"no text":    {Set{Labels: []Label{{Name: "dog"}}}, "label dog has no text"},
		"both":       {Set{Labels: labels, Photos: []Photo{{Path: "a", Caption: "a dog"}}}, "a has a caption in a set of labels"},
		"order":      {Set{Labels: labels, Photos: []Photo{{Path: "a", Known: []Known{{Label: 1, Value: 1}, {Label: 0, Value: 1}}}}}, "a: label 0 after 1, of 2"},
		"twice":      {Set{Labels: labels, Photos: []Photo{{Path: "a", Known: []Known{{Label: 1, Value: 1}, {Label: 1, Value: -1}}}}}, "a: label 1 after 1, of 2"},
		"no label":   {Set{Labels: labels, Photos: []Photo{{Path: "a", Known: []Known{{Label: 2, Value: 1}}}}}, "a: label 2 after -1, of 2"},
		"no side":    {Set{Labels: labels, Photos: []Photo{{Path: "a", Known: []Known{{Label: 0}}}}}, "a: label dog is neither right nor wrong"},
		"below zero": {Set{Labels: labels, Photos: []Photo{{Path: "a", Known: []Known{{Label: -1, Value: 1}}}}}, "a: label -1 after -1, of 2"},
	} {
		got := ""
		if err := c.set.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Pairs says of every row and column what Value says.
func TestPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, complete := range []bool{false, true} {
		s := Set{Complete: complete, Labels: make([]Label, 7), Photos: make([]Photo, 9)}
		for i := range s.Photos {
			for j := range s.Labels {
				if v := int8(rng.IntN(3) - 1); v != 0 {
					s.Photos[i].Known = append(s.Photos[i].Known, Known{Label: j, Value: v})
				}
			}
		}
		all := []int{0, 1, 2, 3, 4, 5, 6}
		for _, columns := range [][]int{nil, {0, 2, 3, 6}, {5}} {
			photos := []int{8, 0, 3, 3, 7}
			p := s.Pairs(photos, columns)
			labels := columns
			if columns == nil {
				labels = all
			}
			if p.Rows != len(photos) || p.Cols != len(labels) {
				t.Fatalf("columns %v: %d×%d", columns, p.Rows, p.Cols)
			}
			got := make([]int8, p.Cols)
			for row, photo := range photos {
				p.Labels(got, row, 0)
				for i, label := range labels {
					if want := s.Value(photo, label); got[i] != want {
						t.Errorf("complete %t: photo %d, label %d: %d, want %d", complete, photo, label, got[i], want)
					}
				}
			}
		}
	}
}
