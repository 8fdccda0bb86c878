package sidecar

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/internal/require"
)

// when is a moment that a mark can hold.
var when = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func auto(label string) Mark {
	return Mark{Label: label, Source: Auto, P: 0.93, Logit: 2.5875, Model: "sha256:5f1e", Bias: -0.5, Threshold: 0.8, When: when}
}

func user(label string) Mark { return Mark{Label: label, Source: User, When: when} }

func accept(marks ...Mark) Change { return Change{Accept: marks} }

func withdraw(labels ...string) Change { return Change{Withdraw: labels} }

// edited applies changes one after the other.
func edited(t *testing.T, doc string, changes ...Change) string {
	t.Helper()
	for _, c := range changes {
		out, err := Edit([]byte(doc), c)
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		doc = string(out)
	}
	return doc
}

// tagsOf reads the tags of a document.
func tagsOf(t *testing.T, doc string) []string {
	t.Helper()
	values, err := valuesOf(doc)
	if err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	var list []string
	for _, tag := range Merge(File{"", values}).Tags {
		list = append(list, tag.String())
	}
	return list
}

// unsafe are the sidecars of the corpus that are not edited, and why.
var unsafe = map[string]string{"two-packets": "2 XMP packets"}

// safe calls f for the sidecars of the corpus that can be edited.
func safe(t *testing.T, f func(t *testing.T, doc string)) {
	for _, c := range corpus {
		if unsafe[c.name] == "" && !strings.HasPrefix(c.name, "sigla-exi") {
			t.Run(c.name, func(t *testing.T) {
				b, err := os.ReadFile(filepath.Join("testdata", c.name+".xmp"))
				if err != nil {
					t.Fatal(err)
				}
				f(t, string(b))
			})
		}
	}
}

// TestW2WriteSet: what is read afterwards is what was read before and what was
// accepted, and in each of the three fields.
func TestW2WriteSet(t *testing.T) {
	safe(t, func(t *testing.T, doc string) {
		want := append(tagsOf(t, doc), "nature|sky & sea|strand", "dog")
		doc = edited(t, doc, accept(auto("nature|sky & sea|strand"), user("dog")))
		slices.Sort(want)
		got := tagsOf(t, doc)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		checkFields(t, doc)
	})
}

// alone leaves out what is no more than a word above another tag.
func alone(tags []Tag) []Tag {
	s := settlement{tags: tags}
	return slices.DeleteFunc(slices.Clone(tags), func(t Tag) bool { return s.implied(t, 0) })
}

// checkFields checks that every field that is in use says the same.
func checkFields(t *testing.T, doc string) {
	t.Helper()
	values, err := valuesOf(doc)
	if err != nil {
		t.Fatal(err)
	}
	tags := alone(Merge(File{"", values}).Tags)
	for _, f := range slices.Concat(written, alsoWritten) {
		has := make(map[place]bool)
		for _, v := range values {
			if p, ok := placeOf(v); ok && v.Field == f {
				has[p] = true
			}
		}
		for _, tag := range tags {
			if len(has) > 0 && !holds(has, f, split(tag.String(), "|")) {
				t.Errorf("%s is not in %s", tag, f)
			}
		}
	}
}

// TestW4Bytes: a tag that is added and taken back, in whatever way and order,
// leaves the file as it was. While it is there, all that was there before is.
func TestW4Bytes(t *testing.T) {
	safe(t, func(t *testing.T, doc string) {
		a, b := "nature|sky & sea|strand", "dog"
		with := edited(t, doc, accept(auto(a)))
		both := edited(t, with, accept(user(b)))
		checkKept(t, doc, with)
		checkKept(t, doc, both)
		known := edited(t, doc, Change{Accept: []Mark{auto(a)}, Known: []string{"cat", "animals|dog"}})
		if doc == edited(t, doc, withdraw("moonlight")) { // no tag of ours keeps them
			known = edited(t, known, withdraw(a))
		} else {
			known = doc
		}
		for what, got := range map[string]string{
			"withdrawn":      edited(t, with, withdraw(a)),
			"rejected":       edited(t, with, Change{Reject: []string{a}}),
			"in turn":        edited(t, both, withdraw(a), withdraw(b)),
			"in turn, back":  edited(t, both, withdraw(b), withdraw(a)),
			"at once":        edited(t, both, Change{Reject: []string{a, b}}),
			"with known":     known,
			"one for other":  edited(t, with, Change{Withdraw: []string{a}, Accept: []Mark{user(b)}}, withdraw(b)),
			"never there":    edited(t, doc, Change{Withdraw: []string{a}, Reject: []string{b}}),
			"nothing to add": edited(t, doc, Change{Known: []string{"cat"}}),
		} {
			if got != doc {
				t.Errorf("%s: %q, want %q", what, got, doc)
			}
		}
		if got := edited(t, both, withdraw(b)); got != with {
			t.Errorf("without the second: %s, want %s", got, with)
		}
	})
}

// checkKept checks that a document has all characters of the one it was, in
// their order, but for the names of properties that were set aside and padding.
func checkKept(t *testing.T, before, after string) {
	t.Helper()
	if strings.Contains(before, "urn:sigla") {
		return // what is ours is written anew
	}
	old, _, _ := toUTF8(before)
	text, _, _ := toUTF8(after)
	for _, row := range fields {
		// sigla:dc-subject was dc:subject.
		for _, prefix := range []string{"sigla:", "sigla1:"} {
			for {
				i := strings.Index(text, "-"+row.local)
				start := strings.LastIndex(text[:max(i, 0)], prefix)
				if i < 0 || start < 0 || i-start > 30 {
					break
				}
				text = text[:start] + text[start+len(prefix):i] + ":" + text[i+1:]
			}
		}
	}
	body, _, padded := strings.Cut(old, "<?xpacket end")
	if padded {
		old = strings.TrimRight(body, " \r\n\t")
	}
	for i, r := range old {
		n := strings.IndexRune(text, r)
		if n < 0 {
			t.Fatalf("%q of byte %d is gone in %s", r, i, after)
		}
		text = text[n+len(string(r)):]
	}
}

// TestW8NoChange: what changes nothing is not written: the document comes back
// as it is.
func TestW8NoChange(t *testing.T) {
	safe(t, func(t *testing.T, doc string) {
		c := Change{Accept: []Mark{auto("nature|strand"), auto("dog")}, Known: []string{"cat", "animals|horse"}}
		once := edited(t, doc, c)
		c.Accept[0].P, c.Accept[0].When = 0.95, when.Add(time.Hour)
		slices.Reverse(c.Accept)
		if twice := edited(t, once, c, Change{}, Change{Withdraw: []string{"no"}}); twice != once {
			t.Errorf("%s, want %s", twice, once)
		}
	})
}

// TestPadding: a packet with room keeps its length.
func TestPadding(t *testing.T) {
	for _, name := range []string{"padded", "empty-rdf"} {
		b, err := os.ReadFile("testdata/" + name + ".xmp")
		if err != nil {
			t.Fatal(err)
		}
		doc := string(b)
		for n := range 60 {
			label := strings.Repeat("x", 1+n)
			with := edited(t, doc, accept(user(label)))
			if len(with) != len(doc) || !strings.Contains(with, "sigla:padding=") {
				t.Fatalf("%s: %d bytes, want %d: %s", name, len(with), len(doc), with)
			}
			if got := edited(t, with, withdraw(label)); got != doc {
				t.Fatalf("%s: not as it was: %s", name, got)
			}
		}
		long := strings.Repeat("x", maxName)
		with := edited(t, doc, accept(user(long), user("y"+long[1:]), user("z"+long[1:])))
		if len(with) <= len(doc) || edited(t, with, withdraw(long, "y"+long[1:], "z"+long[1:])) != doc {
			t.Errorf("%s: %d bytes", name, len(with))
		}
		readOnly := strings.Replace(doc, `end="w"`, `end="r"`, 1)
		if with := edited(t, readOnly, accept(user("x"))); len(with) <= len(doc) {
			t.Errorf("%s: the padding of a packet that is not to be changed in place was used", name)
		}
	}
}

// TestEditRandom: in documents of any spelling, after any changes, the fields
// say what they should, all that was there is there, and without the tags the
// document is what it was.
func TestEditRandom(t *testing.T) {
	words := []string{"owl", "salt & pepper", "<b>", `"quoted" 'twice'`, "]]>", "Käuzchen", "🦉", "two  words", "a|b/c", "-->", "?>"}
	ours := []string{"owl", "animals|owl", "dog", "salt & pepper", "a'b\"c", "Zürich|夜", "AC/DC|<x>", "KÄUZCHEN"}
	for seed := range uint64(require.Rounds(300, 1500, 30_000)) {
		s := speller{rand.New(rand.NewPCG(seed, 6))}
		doc, _ := s.sidecar(words)
		if s.IntN(8) == 0 {
			doc += strings.Repeat(" ", s.IntN(50))
		}
		switch s.IntN(4) {
		case 0:
			doc = "\ufeff" + doc
		case 1:
			doc = utf16LEOf(doc)
		}
		text, changes := doc, ""
		for range 1 + s.IntN(4) {
			var c Change
			for range 1 + s.IntN(2) {
				m := auto(ours[s.IntN(len(ours))])
				if s.IntN(2) == 0 {
					m = user(m.Label)
				}
				c.Accept = append(c.Accept, m)
			}
			if s.IntN(3) == 0 {
				c.Known = append(c.Known, ours[s.IntN(len(ours))])
			}
			if s.IntN(3) == 0 {
				c.Withdraw = append(c.Withdraw, ours[s.IntN(len(ours))])
			}
			changes += fmt.Sprintf("\n%+v", c)
			previous := text
			out, err := Edit([]byte(text), c)
			if err != nil {
				t.Fatalf("seed %d: %v, after%s, in %s", seed, err, changes, text)
			}
			text = string(out)
			if len(c.Withdraw) == 0 {
				checkFields(t, text)
			}
			checkPlanned(t, previous, c, text)
			checkKept(t, doc, text)
			if t.Failed() {
				t.Fatalf("seed %d, after%s, in %s: %s", seed, changes, doc, text)
			}
		}
		if got := edited(t, text, withdraw(ours...)); got != doc {
			t.Fatalf("seed %d: without tags after%s\n%s, want\n%s, had\n%s", seed, changes, got, doc, text)
		}
	}
}

// TestUnassign: the one character that says that a category is assigned is
// found in any spelling.
func TestUnassign(t *testing.T) {
	tree := func(one string) string {
		return "<Categories><Category Assigned=\"0\">Zürich &amp; 夜<Category Assigned=\"" + one + "\">owl</Category></Category></Categories>"
	}
	for seed := range uint64(200) {
		s := speller{rand.New(rand.NewPCG(seed, 7))}
		name := prefix(Categories.space()) + ":categories"
		declared := "xmlns:" + prefix(Categories.space()) + "='" + Categories.space() + "/'"
		text := s.document("", s.property(name, declared, []string{tree("1")}))
		out, err := Edit([]byte(text), Change{Reject: []string{"Zürich & 夜|owl"}})
		if err != nil || strings.Count(string(out), "0") < strings.Count(text, "0") {
			t.Fatalf("seed %d: %v: %s, of %s", seed, err, out, text)
		}
		d, err := parse(string(out))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.texts(&d.properties[len(d.properties)-1]); err != nil || len(got) != 1 || got[0] != tree("0") {
			t.Fatalf("seed %d: %q, %v, of %s", seed, got, err, text)
		}
	}
}

// checkPlanned checks that an edit wrote what a plan, which knows the values
// only, says that it writes.
func checkPlanned(t *testing.T, doc string, c Change, after string) {
	t.Helper()
	before, err := valuesOf(doc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settle(before, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	planned := s.after()
	if s.same {
		planned = before
	}
	values, err := valuesOf(after)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(written, alsoWritten) {
		got, want := texts(values, f), texts(planned, f)
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("%s has %q, planned was %q", f, got, want)
		}
	}
}
