package label

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// A list as Lightroom writes it: containers in brackets, synonyms, a keyword
// that is not exported.
const lightroomList = "[WHAT]\n" +
	"\tanimals\n" +
	"\t\t{Tiere}\n" +
	"\t\tbirds\n" +
	"\t\t\towl\n" +
	"\t\t\t\t{Eule}\n" +
	"\t\t\t\t{strix aluco}\n" +
	"\t\tinsects\n" +
	"[WHO]\n" +
	"\t[clients]\n" +
	"AC/DC, live\n"

var lightroomSet = Set{Name: "list", Labels: []Label{
	{Name: "WHAT|animals", Synonyms: []string{"Tiere"}},
	{Name: "WHAT|animals|birds"},
	{Name: "WHAT|animals|birds|owl", Synonyms: []string{"Eule", "strix aluco"}},
	{Name: "WHAT|animals|insects"},
	{Name: "WHO|clients", Private: true},
	{Name: "AC/DC, live"},
}}

// A list as darktable writes it: the levels above a tag are plain, a category
// is in brackets, synonyms are behind its tag.
const darktableList = "darktable\n" +
	"\tchanged\n" +
	"\tformat\n" +
	"\t\tjpg\n" +
	"places\n" +
	"\tfrance\n" +
	"\t\tparis\n" +
	"\t\t\t{Lutetia}\n" +
	"\t\t[paris]\n" +
	"\t\t\tlouvre\n" +
	"\ttexas\n" +
	"\t\tparis\n" +
	"~ordered\n"

var darktableSet = Set{Name: "list", Labels: []Label{
	{Name: "places"}, {Name: "places|france"},
	{Name: "places|france|paris", Synonyms: []string{"Lutetia"}},
	{Name: "places|france|paris|louvre"},
	{Name: "places|texas"}, {Name: "places|texas|paris"}, {Name: "ordered"},
}}

// inUTF16 is a text as old Windows programs store it.
func inUTF16(text string, big bool) string {
	out := []byte{0xff, 0xfe}
	if big {
		out = []byte{0xfe, 0xff}
	}
	for _, u := range utf16.Encode([]rune(text)) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return string(out)
}

func TestParseKeywords(t *testing.T) {
	spellings := map[string]func(string) string{
		"as it is":  func(s string) string { return s },
		"CRLF":      func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"BOM":       func(s string) string { return "\ufeff" + s },
		"UTF-16LE":  func(s string) string { return inUTF16(strings.ReplaceAll(s, "\n", "\r\n"), false) },
		"UTF-16BE":  func(s string) string { return inUTF16(s, true) },
		"no end":    func(s string) string { return strings.TrimSuffix(s, "\n") },
		"blank":     func(s string) string { return "\n\t\t\n" + strings.ReplaceAll(s, "\n", " \t\n\n") },
		"twice":     func(s string) string { return s + s },
		"uppercase": func(s string) string { return s + strings.ToUpper(strings.ReplaceAll(s, "{", "{ ")) },
	}
	for _, test := range []struct {
		list string
		want Set
	}{{lightroomList, lightroomSet}, {darktableList, darktableSet}} {
		for how, spell := range spellings {
			for which, read := range map[string]func(string, []byte) (Set, error){"ParseKeywords": ParseKeywords, "Parse": Parse} {
				got, err := read("folder/list.txt", []byte(spell(test.list)))
				if err != nil || !reflect.DeepEqual(got, test.want) {
					t.Errorf("%s, %s: %v\n got %+v\nwant %+v", which, how, err, got, test.want)
				}
			}
		}
	}
}

// A list without levels is plain text to Parse, and only ParseKeywords knows
// that its brackets mean something.
func TestFlatKeywords(t *testing.T) {
	const list = "cat\n[secret]\n#1\nanimals|birds | owl\n"
	got, err := ParseKeywords("list.txt", []byte(list))
	want := []Label{{Name: "cat"}, {Name: "secret", Private: true}, {Name: "#1"}, {Name: "animals|birds|owl"}}
	if err != nil || !reflect.DeepEqual(got.Labels, want) {
		t.Errorf("got %+v, %v\nwant %+v", got.Labels, err, want)
	}
	plain, err := Parse("list.txt", []byte(list))
	if want := []Label{{Name: "cat"}, {Name: "[secret]"}, {Name: "animals|birds|owl"}}; err != nil || !reflect.DeepEqual(plain.Labels, want) {
		t.Errorf("Parse gives %+v, %v\nwant %+v", plain.Labels, err, want)
	}
}

func TestKeywordErrors(t *testing.T) {
	for _, test := range []struct{ list, want string }{
		{"a\n\tb\n    c\n", "list.txt:3: indented by spaces"},
		{"a\n\t b\n", "list.txt:2: indented by spaces"},
		{"\ta\nb\n", "list.txt:1: indented, and no keyword is above it"},
		{"a\n\t\tb\n", "list.txt:2: indented by 2 tabs below a line with 0"},
		{"a\n\tb\nc\n\n\t\td\n", "list.txt:5: indented by 2 tabs below a line with 0"},
		{"{b}\na\n\tb\n", "list.txt:1: a synonym, and no keyword is above it"},
		{"a\n\t[]\n", "list.txt:2: a keyword without a name"},
		{"a\n\t~\n", "list.txt:2: a keyword without a name"},
		{"a\n\tb||c\n", `list.txt:2: label "a|b||c": a part of its name is empty`},
		{"a\n\tb\x1b[2J\n", "list.txt:2: "},
		{"a\n\tcaf\xe9\n", "list.txt:2: "},
		{"a\n\tb\tc\n", "has the control character U+0009"},
	} {
		set, err := ParseKeywords("list.txt", []byte(test.list))
		if err == nil {
			t.Errorf("%q became %+v, want error %q", test.list, set, test.want)
		} else if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\n got %q\nwant %q in one line", test.list, err, test.want)
		}
	}
}

// A list of 100,000 keywords is refused at once, with the reason.
func TestManyKeywords(t *testing.T) {
	var list strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&list, "%skeyword %d\n", strings.Repeat("\t", i%5), i)
	}
	_, err := ParseKeywords("list.txt", []byte(list.String()))
	if err == nil || !strings.Contains(err.Error(), "list.txt:10001: more than 10000 labels") {
		t.Errorf("got %v", err)
	}
	deep := strings.Builder{}
	for i := range 2000 {
		fmt.Fprintf(&deep, "%s%d\n", strings.Repeat("\t", i), i)
	}
	if _, err := ParseKeywords("list.txt", []byte(deep.String())); err == nil || !strings.Contains(err.Error(), "longer than 1000 bytes") {
		t.Errorf("2,000 levels: got %v", err)
	}
}

// What is exported is imported as it was: names, synonyms, what is private, and
// the order, once it is that of a tree.
func TestKeywordsRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 11))
	names := []string{"owl", "birds", "animals", "AC/DC", "a, b; c", "Ä", "日本", "x]", "{y", "#", "St. Ives", `"q"`}
	for range 2000 {
		set := Set{Name: "list"}
		seen := make(map[string]bool)
		for range r.IntN(12) {
			path := make([]string, 1+r.IntN(3))
			for i := range path {
				path[i] = names[r.IntN(len(names))]
			}
			l := Label{Name: strings.Join(path, "|"), Private: r.IntN(4) == 0}
			for range r.IntN(3) {
				if s := names[r.IntN(len(names))]; !slices.Contains(l.Synonyms, s) {
					l.Synonyms = append(l.Synonyms, s)
				}
			}
			if !seen[l.Name] {
				seen[l.Name] = true
				set.Labels = append(set.Labels, l)
			}
		}
		list, err := set.Keywords()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseKeywords("list.txt", list)
		if err != nil {
			t.Fatalf("%v\n%s", err, list)
		}
		again, err := back.Keywords()
		if err != nil || string(again) != string(list) {
			t.Fatalf("written %q, then %q, %v", list, again, err)
		}
		byName := func(a, b Label) int { return strings.Compare(a.Name, b.Name) }
		slices.SortFunc(set.Labels, byName)
		slices.SortFunc(back.Labels, byName)
		if !reflect.DeepEqual(back, set) {
			t.Fatalf("got %+v\nwant %+v\n%s", back, set, list)
		}
	}
}

func TestKeywordsLeavesOut(t *testing.T) {
	set := Set{Labels: []Label{{Name: "a|[b]"}, {Name: "{c}"}, {Name: "~d"}, {Name: "e", Synonyms: []string{" f"}}, {Name: "g"}}}
	list, err := set.Keywords()
	if string(list) != "g\n" {
		t.Errorf("written %q", list)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 4 {
		t.Errorf("error %v, want four", err)
	}
	if errors.Unwrap(joined.Unwrap()[0]) == nil || !strings.Contains(err.Error(), `label "a|[b]": a keyword list has another meaning for [b]`) {
		t.Errorf("error %v", err)
	}
}

func TestPaths(t *testing.T) {
	set := Set{Labels: []Label{
		{Name: "owl", Parent: "Birds"}, {Name: "birds", Parent: "animals"}, {Name: "animals", Private: true},
		{Name: "rose", Parent: "nature|plants"}, {Name: "nature", Private: true}, {Name: "x|y"}, {Name: "animals|cat"}, {Name: "nature|moss"},
	}}
	want := []string{"animals|birds|owl", "animals|birds", "animals", "nature|plants|rose", "nature", "x|y", "animals|cat", "nature|moss"}
	if got := set.Paths(); !slices.Equal(got, want) {
		t.Errorf("Paths = %q, want %q", got, want)
	}
	private := []bool{true, true, true, true, true, false, true, true}
	if got := set.Private(); !slices.Equal(got, private) {
		t.Errorf("Private = %v, want %v", got, private)
	}
}

// FuzzKeywords: what can be read can be written, and is read as the same again.
func FuzzKeywords(f *testing.F) {
	for _, seed := range []string{lightroomList, darktableList, "a\n\t{b}\n[c]\n", "a\n\t[~b]\n", "\xff\xfea\x00\n\x00", "[[a]]\n{{b}}\n", "a|b\n\tc|d\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseKeywords("list.txt", data)
		if err != nil {
			return
		}
		list, err := set.Keywords()
		if err != nil {
			return // such as [[a]]
		}
		back, err := ParseKeywords("list.txt", list)
		if err != nil {
			t.Fatalf("%v\n%s", err, list)
		}
		again, err := back.Keywords()
		if err != nil || string(again) != string(list) || len(back.Labels) != len(set.Labels) {
			t.Fatalf("written %q, then %q, %v", list, again, err)
		}
	})
}

// TestLineEnds: however lines end, and with the marks of Windows' editors, a
// list is the same; what is no list is not quoted at length.
func TestLineEnds(t *testing.T) {
	const list = "animals\n\towl\n\t\t{Eule}\n"
	want, err := ParseKeywords("list.txt", []byte(list))
	if err != nil || len(want.Labels) != 2 {
		t.Fatal(want, err)
	}
	for _, end := range []string{"\r\n", "\r"} {
		got, err := Parse("list.txt", []byte("\ufeff"+strings.ReplaceAll(list, "\n", end)))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", end, got, err)
		}
	}
	if _, err := ParseKeywords("list.txt", make([]byte, 100_000)); err == nil || len(err.Error()) > 400 {
		t.Errorf("%.400v", err)
	}
}
