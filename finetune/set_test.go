package finetune

import "testing"

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
