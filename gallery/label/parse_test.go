package label

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParsePlain(t *testing.T) {
	data := "\ufeff# pets\r\ncat\r\n\r\n  animals | birds|owl\r\n#dog\r\nC#\nlast without an end"
	set, err := Parse("folder/pets.txt", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	want := Set{Name: "pets", Labels: []Label{
		{Name: "cat"}, {Name: "animals|birds|owl"}, {Name: "C#"}, {Name: "last without an end"},
	}}
	if !reflect.DeepEqual(set, want) {
		t.Errorf("got %+v\nwant %+v", set, want)
	}
}

const full = `# all keys
name = "garden"
templates = ["a photo of {}.", '{}']

[[label]]
name = "animals | owl"
prompts = ["an {} at night"]
negatives = ["a statue of an {}"]
synonyms = ["Eule"]
private = true
threshold = 0.7
bias = -1.25
scale = 0.5
group = "animals"
parent = "birds"

[[label]]
name = "rose"
`

func TestParseTOML(t *testing.T) {
	want := Set{Name: "garden", Templates: []string{"a photo of {}.", "{}"}, Labels: []Label{{
		Name: "animals|owl", Prompts: []string{"an {} at night"}, Negatives: []string{"a statue of an {}"},
		Synonyms: []string{"Eule"}, Private: true, Threshold: 0.7, Bias: -1.25, Scale: 0.5, Group: "animals", Parent: "birds",
	}, {Name: "rose"}}}
	for name, data := range map[string]string{
		"x.toml":        full,
		"no-extension":  full,
		"X.TOML":        "\ufeff" + strings.ReplaceAll(full, "\n", "\r\n"),
		"upper/set.Txt": full,
	} {
		set, err := Parse(name, []byte(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(set, want) {
			t.Errorf("%s: got %+v\nwant %+v", name, set, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	entry := "[[label]]\nname = \"a\"\n"
	for _, test := range []struct{ file, data, want string }{
		{"a.txt", "cat\n# x\nCAT\n", `read labels a.txt:3: label "CAT" is there twice`},
		{"a.txt", "cat\r\n\r\nstra\u00dfe\r\n\u1e9e\r\n\u00df\r\n", `a.txt:5: label "ß" is there twice`},
		{"a.txt", "a||b\n", `a.txt:1: label "a||b": a part of its name is empty`},
		{"a.txt", "cat\na\x1b[31m\n", `a.txt:2: label "a\x1b[31m": its name has the control character U+001B`},
		{"a.txt", "cat\na\tb\n", `a.txt:2: label "a\tb": its name has the control character U+0009`},
		{"a.txt", "caf\xe9\n", `a.txt:1: label "caf\xe9": its name is not UTF-8`},
		{"a.txt", "\xff\xfec\x00\x07\x00", `its name has the control character U+0007`},
		{"a.txt", "x\n" + strings.Repeat("y", 1001), `a.txt:2: label "yyy`},
		{"a.toml", entry + "treshold = 0.5\n", `a.toml:3: unknown key "label.treshold"`},
		{"a.toml", "labels = []\n", `a.toml:1: unknown key "labels"`},
		{"a.toml", entry + "prompts = [\"a\n", `a.toml:3: `},
		{"a.toml", entry + "threshold = \"high\"\n", `a.toml:3: `},
		{"a.toml", entry + "\nthreshold = 1.0\n", `a.toml:4: label "a": threshold 1 is not between 0 and 1`},
		{"a.toml", entry + "threshold = 0\n", `a.toml:3: label "a": threshold 0 is not between 0 and 1`},
		{"a.toml", entry + "threshold = nan\n", `a.toml:3: label "a": threshold NaN is not between 0 and 1`},
		{"a.toml", entry + "threshold = -0.5\n", `a.toml:3: label "a": threshold -0.5 is not between 0 and 1`},
		{"a.toml", entry + "Scale = 0.0\n", `a.toml:3: label "a": scale 0 is not a number above 0`},
		{"a.toml", entry + "scale = -1\n", `a.toml:3: label "a": scale -1 is not a number above 0`},
		{"a.toml", entry + "scale = inf\n", `a.toml:3: label "a": scale +Inf is not a number above 0`},
		{"a.toml", entry + "bias = -inf\n", `a.toml:3: label "a": bias -Inf is not a number`},
		{"a.toml", entry + "\n[[label]]\n\nname = \"A\"\n", `a.toml:6: label "A" is there twice`},
		{"a.toml", entry + "[[label]]\nprivate = true\n", `a.toml:3: a label has no name`},
		{"a.toml", entry + "[[label]]\nname = \" \"\n", `a.toml:4: a label has no name`},
		{"a.toml", entry + "prompts = [\"\"]\n", `a.toml:3: "" among the prompts is empty`},
		{"a.toml", entry + "group = \"\\u0007\"\n", `a.toml:3: label "a": group has the control character U+0007`},
		{"a.toml", entry + "parent = \"A\"\n", `a.toml:3: label "a" is its own ancestor`},
		{"a.toml", entry + "parent = \"b\"\n[[label]]\nname = \"b\"\nparent = \"a\"\n", `a.toml:3: label "a" is its own ancestor`},
		{"a.toml", entry + "parent = \"b|\"\n", `a.toml:3: label "a": a part of its parent is empty`},
		{"a.toml", entry + "parent = \"B\"\n[[label]]\nname = \"b|A\"\n", `a.toml:5: labels "a" and "b|A" are one by their paths: b|A`},
		{"a.toml", "templates = [\"a photo\"]\n" + entry, `a.toml:1: template "a photo" has no {}`},
		{"a.toml", "name = \"\\u2028\"\n" + entry, `a.toml:1: the set's name has the control character U+2028`},
	} {
		set, err := Parse(test.file, []byte(test.data))
		if err == nil {
			t.Errorf("Parse of %q = %+v, want error %q", test.data, set, test.want)
		} else if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Parse of %q:\n got %q\nwant %q in one line", test.data, err, test.want)
		}
	}
}

func TestParseBounds(t *testing.T) {
	var many strings.Builder
	for i := range maxLabels {
		fmt.Fprintln(&many, "label", i)
	}
	if _, err := Parse("many.txt", []byte(many.String())); err != nil {
		t.Errorf("%d labels: %v", maxLabels, err)
	}
	fmt.Fprintln(&many, "one more")
	if _, err := Parse("many.txt", []byte(many.String())); err == nil || !strings.Contains(err.Error(), "many.txt:10001: more than 10000 labels") {
		t.Errorf("%d labels: got error %v", maxLabels+1, err)
	}
	if _, err := Parse("big", make([]byte, maxFile+1)); err == nil {
		t.Error("a file above the limit was read")
	}
	set := Set{Templates: make([]string, maxTexts+1)}
	if err := set.Validate(); err == nil {
		t.Error("too many templates were accepted")
	}
}

// A chain of parents as long as a set may be is no loop and takes no time, but
// is no path that can be written.
func TestLongAncestry(t *testing.T) {
	var set Set
	for i := range maxLabels {
		set.Labels = append(set.Labels, Label{Name: fmt.Sprint(i), Parent: fmt.Sprint(i + 1)})
	}
	if err := set.Validate(); err == nil || !strings.Contains(err.Error(), "its path is longer than 1000 bytes") {
		t.Errorf("got error %v", err)
	}
	set.Labels[maxLabels-1].Parent = "5000"
	if err := set.Validate(); err == nil || !strings.Contains(err.Error(), "its own ancestor") {
		t.Errorf("loop: got error %v", err)
	}
}

func TestFromList(t *testing.T) {
	set, err := FromList(",cat,, big dog , ,animals | owl,")
	want := Set{Labels: []Label{{Name: "cat"}, {Name: "big dog"}, {Name: "animals|owl"}}}
	if err != nil || !reflect.DeepEqual(set, want) {
		t.Errorf("got %+v, %v\nwant %+v", set, err, want)
	}
	for _, list := range []string{"", " , ,", "cat,Cat", "cat,a||b"} {
		if set, err := FromList(list); err == nil {
			t.Errorf("FromList(%q) = %+v, want an error", list, set)
		}
	}
}
