package label

import (
	"slices"
	"testing"
)

func TestTexts(t *testing.T) {
	templates := []string{"a photo of {}.", "{}, {}!"}
	for _, test := range []struct {
		label     Label
		templates []string
		want      []string
	}{
		{Label{Name: "cat"}, nil, []string{"This is a photo of cat."}},
		{Label{Name: "animals|birds|owl"}, templates, []string{"a photo of owl.", "owl, owl!"}},
		{Label{Name: "cat", Prompts: []string{"a {} indoors", "a kitten"}}, templates, []string{"a cat indoors", "a kitten"}},
		{Label{Name: "{}"}, []string{"{} {}"}, []string{"{} {}"}},
	} {
		if got := test.label.Texts(test.templates); !slices.Equal(got, test.want) {
			t.Errorf("Texts of %+v = %q, want %q", test.label, got, test.want)
		}
	}
	l := Label{Name: "a|dog", Negatives: []string{"a toy {}", "wolf"}}
	if got, want := l.NegativeTexts(), []string{"a toy dog", "wolf"}; !slices.Equal(got, want) {
		t.Errorf("NegativeTexts = %q, want %q", got, want)
	}
	if got := l.Negatives[0]; got != "a toy {}" {
		t.Errorf("NegativeTexts changed the label: %q", got)
	}
}

func TestCutoff(t *testing.T) {
	if got := (Label{}).Cutoff(); got != 0.5 {
		t.Errorf("Cutoff without a threshold = %v, want 0.5", got)
	}
	if got := (Label{Threshold: 0.9}).Cutoff(); got != 0.9 {
		t.Errorf("Cutoff = %v, want 0.9", got)
	}
}

func TestIndex(t *testing.T) {
	set := Set{Labels: []Label{{Name: "Kelvin"}, {Name: "ÄRGER"}}}
	for name, want := range map[string]int{"\u212aelvin": 0, "ärger": 1, "other": -1, "": -1} {
		if got := set.Index(name); got != want {
			t.Errorf("Index(%q) = %d, want %d", name, got, want)
		}
	}
}
