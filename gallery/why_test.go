package gallery

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
)

// why tells the story of a tag of photo 0.
func (d *desk) why(tag string, labels ...label.Label) Story {
	d.t.Helper()
	photo, err := Inspect(filepath.Join(d.dir, "a.jpg"))
	if err != nil {
		d.t.Fatal(err)
	}
	q := Inquiry{Photo: photo, Words: NewVocabulary(label.Set{Labels: labels}), Model: "fake", Models: map[string]string{"fake": "a fake"}}
	answers, err := d.Decisions(context.Background())
	q.Said = answers[d.Content(0)]
	if err == nil {
		q.History, err = d.openCatalog(context.Background()).History(context.Background(), d.Content(0))
	}
	if d.says != nil {
		q.Judge = func(i int) (Judgement, error) {
			l := labels[i]
			return Judgement{Label: i, P: d.says[l.Name], Holds: d.says[l.Name] >= l.Cutoff()}, nil
		}
	}
	s, err2 := q.Why(tag)
	if err := errors.Join(err, err2); err != nil {
		d.t.Fatal(err)
	}
	return s
}

// holds says that a plan does what is told of it.
func (d *desk) holds(s Story, p sidecar.PhotoPlan) {
	d.t.Helper()
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(tag string) bool {
			return tag == s.Label || slices.ContainsFunc(s.Places, func(p Place) bool { return p.Tag == tag })
		})
	}
	want := [3]bool{s.Ruling.Act == Set, s.Ruling.Act == Remove || s.Ruling.Act == TakeBack, s.Ruling.Act == Keep}
	got := [3]bool{in(p.Added), in(p.Removed), in(p.Kept)}
	others := s.Ruling.Act == TakeBack && !got[0] && got[2] // others have it, too
	if got != want && !others && p.Refused == "" {
		d.t.Errorf("%s: told is %+v, planned +%q -%q =%q", s.Tag, s.Ruling, p.Added, p.Removed, p.Kept)
	}
}

// tell expects a ruling, of which the plan must be the same.
func (d *desk) tell(tag string, act Act, rule Rule, labels ...label.Label) Story {
	d.t.Helper()
	s := d.why(tag, labels...)
	if s.Ruling.Act != act || s.Ruling.Rule != rule || s.Ruling.Why == "" {
		d.t.Errorf("%s: %+v, want %s by the rule %s", tag, s.Ruling, act, rule)
	}
	d.holds(s, d.plan(labels...).Photos[0])
	return s
}

// TestWhy: the story of a tag from the first plan to when its label is renamed,
// deleted and made private, each time as the plan has it.
func TestWhy(t *testing.T) {
	d := newDesk(t, "a.jpg", "a.cr2")
	set := []label.Label{{Name: "owl", Parent: "birds", Synonyms: []string{"Eule"}}, {Name: "dog"}, {Name: "secret", Private: true}}
	d.tell("owl", Leave, RuleUnknown, set...)
	d.says = map[string]float64{"owl": 0.9, "dog": 0.2, "secret": 0.9}
	if s := d.tell("eule", Set, RuleThreshold, set...); s.Label != "birds|owl" || s.Model == nil || s.Model.Name != "a fake" || s.Model.Probability != 0.9 || s.Places != nil {
		t.Errorf("%+v", s)
	}
	d.tell("dog", Leave, RuleThreshold, set...)
	d.tell("secret", Leave, RulePrivate, set...)
	if s := d.tell("dgo", Leave, RuleNoLabel, set...); s.Label != "" || s.Nearest != "dog" || s.Model != nil {
		t.Errorf("%+v", s)
	}
	d.apply(set...)
	s := d.tell("owl", Keep, RuleThreshold, set...)
	if len(s.Places) != 6 || !s.Places[0].Flat || s.Places[1].Flat || s.Places[0].Text != "owl" || s.Places[2].Text != "birds/owl" || filepath.Base(s.Places[3].File) != "a.cr2.xmp" {
		t.Errorf("%+v", s.Places)
	}
	if len(s.Set) != 2 || s.Set[0].Source != sidecar.Auto || s.Set[0].P != 0.9 || s.Set[0].Name != "a fake" || s.Set[0].Gone {
		t.Errorf("%+v", s.Set)
	}
	renamed := []label.Label{{Name: "night birds|strix", Synonyms: []string{"owl", "Eule"}}, {Name: "dog"}}
	d.says["night birds|strix"] = 0.8
	d.tell("strix", Keep, RuleThreshold, renamed...)
	d.says["night birds|strix"] = 0.1
	d.tell("strix", TakeBack, RuleThreshold, renamed...)
	d.tell("owl", TakeBack, RulePrivate, label.Label{Name: "birds", Private: true}, label.Label{Name: "owl", Parent: "birds"})

	d.answer("Eule", catalog.Accept)
	d.tell("owl", Keep, RuleAccepted, set...)
	d.answer("birds|owl", catalog.Reject)
	s = d.tell("strix", Remove, RuleRejected, renamed...)
	if len(s.Answers) != 2 || s.Answers[0].Label != "Eule" || s.Answers[1].Verdict != catalog.Reject || s.Answers[1].Elsewhere {
		t.Errorf("%+v", s.Answers)
	}
	d.apply(renamed...)
	d.tell("owl", Leave, RuleRejected, set...)
	d.answer("birds|owl", catalog.Withdraw)
	d.answer("Eule", catalog.Withdraw)
	d.tell("owl", Set, RuleThreshold, set...)
}

// TestWhyDeletedElsewhere: what somebody took out, in one of two sidecars, does
// not come back by itself, under whichever name.
func TestWhyDeletedElsewhere(t *testing.T) {
	d := newDesk(t, "a.jpg", "a.cr2")
	d.says = map[string]float64{"owl": 0.9, "strix": 0.9}
	owl, strix := label.Label{Name: "owl"}, label.Label{Name: "strix", Synonyms: []string{"owl"}}
	d.apply(owl)
	d.rewrite("a.cr2.xmp", "<rdf:li>owl</rdf:li>", "")
	if s := d.tell("owl", TakeBack, RuleDeleted, owl); len(s.Set) != 2 || s.Set[0].Gone || !s.Set[1].Gone {
		t.Errorf("%+v", s.Set)
	}
	d.tell("owl", TakeBack, RuleDeleted, strix)
	d.apply(strix)
	if s := d.tell("strix", Leave, RuleDeleted, strix); len(s.Answers) != 1 || !s.Answers[0].Elsewhere {
		t.Errorf("%+v", s.Answers)
	}
	d.tell("owl", Leave, RuleDeleted, owl)
	d.answer("strix", catalog.Accept)
	d.tell("owl", Set, RuleAccepted, strix)
	if d.apply(strix); !d.has("strix") {
		t.Error("a person's word did not count")
	}
	// A tag that somebody else wrote is nobody's to take.
	other := newDesk(t, "a.jpg")
	other.says = map[string]float64{"strix": 0.1}
	writeFile(t, filepath.Join(other.dir, "a.xmp"), xmp("owl"))
	if s := other.tell("strix", Keep, RuleOthers, strix); len(s.Places) != 1 || s.Places[0].Tag != "owl" || len(s.Set) > 0 {
		t.Errorf("%+v", s)
	}
	other.tell("owl", Keep, RuleOthers)
	other.answer("strix", catalog.Accept)
	other.tell("strix", Keep, RuleAccepted, strix)
	if p := other.apply(strix); len(p.Added) > 0 || !slices.Equal(p.Kept, []string{"owl"}) || other.has("strix") || !other.has("owl") {
		t.Errorf("%+v", p)
	}
	other.answer("strix", catalog.Reject)
	other.tell("strix", Remove, RuleRejected, strix)
	if other.apply(strix); other.has("owl") {
		t.Error("a synonym was not rejected with its label")
	}
}

// TestWhyAgreesWithPlans: over random histories what is told is what is planned.
func TestWhyAgreesWithPlans(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 12))
	names := []string{"owl", "birds|owl", "Eule", "dog", "Hund", "zoo|dog"}
	d := newDesk(t, "a.jpg", "a.cr2")
	for step := range 150 {
		var set []label.Label
		for _, l := range []label.Label{{Name: "owl", Synonyms: []string{"Eule"}}, {Name: "birds|owl", Synonyms: []string{"Eule"}}, {Name: "dog", Synonyms: []string{"Hund"}, Parent: "pets"}} {
			if l.Private = r.IntN(8) == 0; r.IntN(3) > 0 && (l.Name != "birds|owl" || set == nil) {
				set = append(set, l)
			}
		}
		d.says = map[string]float64{"owl": r.Float64(), "birds|owl": r.Float64(), "dog": r.Float64()}
		switch r.IntN(6) {
		case 0:
			d.answer(names[r.IntN(len(names))], []catalog.Verdict{catalog.Accept, catalog.Reject, catalog.Withdraw}[r.IntN(3)])
		case 1:
			path := filepath.Join(d.dir, []string{"a.jpg.xmp", "a.xmp", "a.cr2.xmp"}[r.IntN(3)])
			if r.IntN(2) == 0 {
				os.Remove(path)
			} else {
				writeFile(t, path, tagged("dc:subject", "beach", names[r.IntN(len(names))]))
				later(t, path)
			}
		case 2:
			d.apply(set...)
		}
		plan := d.plan(set...).Photos[0]
		words := NewVocabulary(label.Set{Labels: set})
		for i := range set {
			d.holds(d.why(words.Path(i), set...), plan)
		}
		if t.Failed() {
			t.Fatalf("step %d, labels %+v", step, set)
		}
	}
}

func TestInspect(t *testing.T) {
	dir := tree(t, "a.jpg", "a.cr2", "b.png", "c.cr2")
	writeFile(t, filepath.Join(dir, "a.cr2.xmp"), xmp("owl"))
	for name, want := range map[string][]string{"a.jpg": {"a.jpg", "a.cr2"}, "a.cr2": {"a.jpg", "a.cr2"}, "b.png": {"b.png"}, "c.cr2": {"c.cr2"}} {
		p, err := Inspect(filepath.Join(dir, name))
		got := []string{filepath.Base(p.Path)}
		for _, twin := range p.Twins {
			got = append(got, filepath.Base(twin))
		}
		if err != nil || !reflect.DeepEqual(got, want) || p.Shared != (len(want) > 1) {
			t.Errorf("%s: %q shared %v, %v; want %q", name, got, p.Shared, err, want)
		}
	}
	writeFile(t, filepath.Join(dir, "notes.txt"), nil)
	for _, name := range []string{"none.jpg", "notes.txt", ""} {
		if p, err := Inspect(filepath.Join(dir, name)); err == nil {
			t.Errorf("%q: %+v", name, p)
		}
	}
}

// TestStored: a vector from the catalog is the one that the gallery has.
func TestStored(t *testing.T) {
	d := newDesk(t, "a.jpg", "b.jpg")
	c := d.openCatalog(context.Background())
	for id := range 2 {
		v, err := Stored(context.Background(), c, catalog.Model{Digest: "fake", Dim: fakeDim}, d.Content(id))
		if err != nil || !slices.Equal(v, d.Vector(id)) || v == nil {
			t.Errorf("photo %d: %v, %v; want %v", id, v, err, d.Vector(id))
		}
	}
	if v, err := Stored(context.Background(), c, catalog.Model{Digest: "other"}, d.Content(0)); v != nil || err != nil {
		t.Errorf("another model: %v, %v", v, err)
	}
}

// TestRulesDoc: docs/TAGS.md has every rule.
func TestRulesDoc(t *testing.T) {
	text, err := os.ReadFile("../docs/TAGS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []Rule{RulePrivate, RuleAccepted, RuleRejected, RuleDeleted, RuleOthers, RuleThreshold, RuleUnknown, RuleNoLabel, RuleRefused} {
		if !strings.Contains(string(text), "\n| `"+string(rule)+"` | ") {
			t.Errorf("docs/TAGS.md does not have the rule %s", rule)
		}
	}
}
