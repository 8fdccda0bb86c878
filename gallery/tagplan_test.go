package gallery

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
	"sigla/gallery/sidecar/journal"
)

// A desk is a gallery with a catalog, whose photos are embedded, and a journal.
type desk struct {
	*Gallery
	t    *testing.T
	j    *journal.Journal
	dir  string
	says map[string]float64 // what the model says of the labels, of every photo
	now  time.Time
}

func newDesk(t *testing.T, files ...string) *desk {
	t.Helper()
	d := &desk{t: t, dir: tree(t, files...), now: time.Date(2026, 5, 4, 3, 2, 1, 500, time.UTC)}
	data := t.TempDir()
	d.Gallery = New()
	d.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	d.UseModel(catalog.Model{Digest: "fake", Dim: fakeDim})
	t.Cleanup(func() { d.Close() })
	d.look()
	if err := d.Embed(context.Background(), &fake{}, nil); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(context.Background(), filepath.Join(data, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	d.j = j
	return d
}

// look finds what is in the folder now.
func (d *desk) look() {
	d.t.Helper()
	scan(d.t, d.Gallery, d.dir)
	if err := d.ReadTags(context.Background()); err != nil {
		d.t.Fatal(err)
	}
}

// answer stores a person's answer about photo 0.
func (d *desk) answer(label string, v catalog.Verdict) {
	d.t.Helper()
	d.now = d.now.Add(time.Hour)
	if err := d.Decide(context.Background(), catalog.Decision{Photo: d.Content(0), Label: label, Verdict: v, When: d.now}); err != nil {
		d.t.Fatal(err)
	}
}

// plan plans all photos.
func (d *desk) plan(labels ...label.Label) TagPlan {
	d.t.Helper()
	d.look()
	d.now = d.now.Add(time.Hour)
	by := Tagger{Labels: label.Set{Labels: labels}, Model: "fake", Now: d.now}
	if d.says != nil {
		by.Judge = func(int) (list []Judgement) {
			for i, l := range labels {
				list = append(list, Judgement{Label: i, P: d.says[l.Name], Holds: d.says[l.Name] >= l.Cutoff()})
			}
			return list
		}
	}
	var ids []int
	for _, p := range d.Photos() {
		ids = append(ids, p.ID)
	}
	planner, err := d.NewTagPlanner(context.Background(), by)
	if err != nil {
		d.t.Fatal(err)
	}
	plan, err := planner.Plan(context.Background(), ids)
	if err != nil {
		d.t.Fatal(err)
	}
	draft, err := planner.Draft(context.Background(), ids)
	if err != nil {
		d.t.Fatal(err)
	}
	d.agree(plan, draft)
	return plan
}

// agree checks that a draft says what the plan says of the photos that change.
func (d *desk) agree(plan, draft TagPlan) {
	d.t.Helper()
	var want, got []string
	for i, p := range plan.Photos {
		if len(p.Files)+len(p.Missing) > 0 || p.Refused != "" {
			want = append(want, fmt.Sprint(plan.IDs[i], textOf(d.t, p)))
		}
	}
	for i, p := range draft.Photos {
		got = append(got, fmt.Sprint(draft.IDs[i], textOf(d.t, p)))
	}
	if !slices.Equal(got, want) || !reflect.DeepEqual(plan.Rejections, draft.Rejections) {
		d.t.Errorf("the draft says\n%s\n%v\nthe plan\n%s\n%v", got, draft.Rejections, want, plan.Rejections)
	}
}

// textOf is a plan without the hashes, which a draft does not have.
func textOf(t *testing.T, p sidecar.PhotoPlan) string {
	t.Helper()
	p.Files = slices.Clone(p.Files)
	for i := range p.Files {
		p.Files[i].Hash, p.Files[i].Modified = "", p.Files[i].Modified.UTC()
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// apply plans all photos and writes it; it returns the plan of the first.
func (d *desk) apply(labels ...label.Label) sidecar.PhotoPlan {
	d.t.Helper()
	plan := d.plan(labels...)
	if err := d.Decide(context.Background(), plan.Rejections...); err != nil {
		d.t.Fatal(err)
	}
	if result, err := plan.Apply(context.Background(), d.j, journal.Options{NoSync: true}); err != nil || len(result.Failed) > 0 {
		d.t.Fatal(result, err)
	}
	d.RecheckTags(plan.IDs)
	if err := d.ReadTags(context.Background()); err != nil {
		d.t.Fatal(err)
	}
	checkTags(d.t, d.Gallery)
	return plan.Photos[0]
}

// rewrite changes a sidecar as another program would.
func (d *desk) rewrite(name, old, new string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), old) {
		d.t.Fatalf("%q is not in %s: %v", old, text, err)
	}
	writeFile(d.t, path, []byte(strings.ReplaceAll(string(text), old, new)))
	later(d.t, path)
}

func (d *desk) has(label string) bool {
	d.t.Helper()
	d.look()
	return d.Tags(0).Set().Has(label)
}

func labels(names ...string) (list []label.Label) {
	for _, name := range names {
		list = append(list, label.Label{Name: name})
	}
	return list
}

// What the model says is written and taken back, but not against a person's
// word, and not if nobody asks it.
func TestPlanTags(t *testing.T) {
	d := newDesk(t, "a.jpg")
	d.says = map[string]float64{"dog": 0.9, "cat": 0.2, "beach": 0.7, "secret": 0.9}
	set := labels("dog", "cat", "beach")
	set = append(set, label.Label{Name: "secret", Synonyms: []string{"Geheim"}, Private: true})
	d.answer("cat", catalog.Accept)
	d.answer("beach", catalog.Reject)
	d.answer("geheim", catalog.Accept)
	p := d.apply(set...)
	if !slices.Equal(p.Added, []string{"cat", "dog"}) || len(p.Files) != 1 || !p.Files[0].New {
		t.Errorf("%+v", p)
	}
	if p := d.apply(set...); len(p.Files) > 0 || !d.has("dog") || !d.has("cat") || d.has("beach") || d.has("secret") || d.has("geheim") {
		t.Errorf("%+v", p)
	}
	d.says["dog"], d.says["cat"] = 0.1, 0.1
	if p := d.apply(set...); !slices.Equal(p.Removed, []string{"dog"}) || !slices.Equal(p.Kept, []string{"cat"}) {
		t.Errorf("%+v", p)
	}
	d.says["dog"] = 0.9
	d.apply(set...)
	d.says = nil
	if p := d.apply(set...); len(p.Files) > 0 || !d.has("dog") {
		t.Errorf("without a model: %+v", p)
	}
}

// W11: what somebody took out of a sidecar is rejected, and nothing sets it again
// but a person, here or in another program.
func TestTakenOutStaysOut(t *testing.T) {
	for _, by := range []string{"the model", "a person"} {
		t.Run(by, func(t *testing.T) {
			d := newDesk(t, "a.jpg")
			d.says = map[string]float64{"dog": 0.9}
			if by == "a person" {
				d.answer("dog", catalog.Accept)
			}
			if d.apply(labels("dog")...); !d.has("dog") {
				t.Fatal("it was not set")
			}
			d.rewrite("a.jpg.xmp", "<rdf:li>dog</rdf:li>", "")
			if p := d.plan(labels("dog")...); len(p.Rejections) != 1 || len(p.Photos[0].Files) > 0 {
				t.Errorf("%+v", p)
			}
			d.apply(labels("dog")...)
			d.says["dog"] = 0.99
			if p := d.apply(labels("dog")...); d.has("dog") || len(p.Files) > 0 {
				t.Errorf("it came back: %+v", p)
			}
			answers, err := d.Decisions(context.Background())
			if list := answers[d.Content(0)]; err != nil || len(list) != 1 || list[0].Verdict != catalog.Reject || list[0].Who != "sidecar" {
				t.Errorf("%+v, %v", list, err)
			}

			// A person sets it in another program: that stays.
			d.rewrite("a.jpg.xmp", "</rdf:RDF>", `<rdf:Description rdf:about="" xmlns:lr="http://ns.adobe.com/lightroom/1.0/"><lr:hierarchicalSubject><rdf:Bag><rdf:li>dog</rdf:li></rdf:Bag></lr:hierarchicalSubject></rdf:Description></rdf:RDF>`)
			if p := d.apply(labels("dog")...); !d.has("dog") || len(p.Removed) > 0 {
				t.Errorf("what a person set is gone: %+v", p)
			}
			// And one here takes it back, and sets it again.
			d.answer("dog", catalog.Reject)
			if p := d.apply(labels("dog")...); d.has("dog") || !slices.Equal(p.Removed, []string{"dog"}) {
				t.Errorf("%+v", p)
			}
			d.answer("dog", catalog.Accept)
			if p := d.apply(labels("dog")...); !d.has("dog") || !slices.Equal(p.Added, []string{"dog"}) {
				t.Errorf("%+v", p)
			}
		})
	}
}

// A raw file has the tags of its JPEG, whichever sidecar they stand in.
func TestPlanTagsOfTwins(t *testing.T) {
	d := newDesk(t, "a.jpg", "a.cr2", "b.jpg")
	writeFile(t, filepath.Join(d.dir, "a.cr2.xmp"), xmp("owl"))
	d.answer("dog", catalog.Accept)
	p := d.plan(labels("dog")...).Photos[0]
	if len(p.Files) != 2 || !p.Files[0].New || filepath.Base(p.Files[1].Path) != "a.cr2.xmp" || p.Files[1].New || !slices.Equal(p.Kept, []string{"owl"}) {
		t.Errorf("%+v", p)
	}
	d.apply(labels("dog")...)
	for _, name := range []string{"a.jpg", "a.cr2"} {
		if tags, err := sidecar.Read(filepath.Join(d.dir, name)); err != nil || !tags.Set().Has("dog") || !tags.Set().Has("owl") {
			t.Errorf("%s has %v, %v", name, tags, err)
		}
	}
}

// Answers on the screen are those of the catalog, through changes and after
// another start.
func TestAnswers(t *testing.T) {
	d := newDesk(t, "a.jpg", "b.jpg")
	none := NewVocabulary(label.Set{})
	var a Answers
	for _, c := range []struct {
		label string
		v     catalog.Verdict
	}{{"dog", catalog.Accept}, {"cat", catalog.Reject}, {"Dog", catalog.Reject}, {"cat", catalog.Withdraw}, {"owl", catalog.Withdraw}, {"owl", catalog.Accept}} {
		before := a.Version()
		list := []catalog.Decision{{Photo: d.Content(1), Label: c.label, Verdict: c.v, When: d.now}}
		a.Put(list)
		if a.Version() == before || a.About(d.Content(1), none, strings.ToUpper(c.label))[0].Verdict != c.v {
			t.Errorf("%+v: %+v", c, a.Of(d.Content(1)))
		}
	}
	if a.About(d.Content(0), none, "dog")[0].Verdict != catalog.Withdraw || len(a.Of(d.Content(0))) > 0 || len(a.Of(d.Content(1))) != 2 {
		t.Errorf("%+v, %+v", a.Of(d.Content(0)), a.Of(d.Content(1)))
	}
	if err := d.Decide(context.Background(), a.Of(d.Content(1))...); err != nil {
		t.Fatal(err)
	}
	var again Answers
	stored, err := d.Decisions(context.Background())
	if again.Load(stored); err != nil || again.About(d.Content(1), none, "dog")[0].Verdict != catalog.Reject || again.About(d.Content(1), none, "owl")[0].Verdict != catalog.Accept {
		t.Errorf("%+v, %v", stored, err)
	}
}

// An answer is found by all names of its label, and the last one counts.
func TestAnswersBySynonym(t *testing.T) {
	words := NewVocabulary(label.Set{Labels: []label.Label{{Name: "animals|owl", Synonyms: []string{"Eule"}}, {Name: "dog"}}})
	photo, early := catalog.Hash{1}, time.Unix(1e9, 0)
	var a Answers
	a.Put([]catalog.Decision{
		{Photo: photo, Label: "Eule", Verdict: catalog.Accept, When: early},
		{Photo: photo, Label: "dog", Verdict: catalog.Accept, When: early},
		{Photo: photo, Label: "owl", Verdict: catalog.Reject, When: early.Add(time.Hour)},
	})
	for _, name := range []string{"owl", "EULE", "animals|owl"} {
		if got := a.About(photo, words, name); len(got) != 2 || got[0].Verdict != catalog.Reject || got[1].Label != "Eule" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What is in a photo is known without its being embedded, and forgotten if the
// file is another by then.
func TestReadContent(t *testing.T) {
	dir := tree(t, "a.jpg", "b.jpg")
	g := New()
	scan(t, g, dir)
	text, err := os.ReadFile(filepath.Join(dir, "a.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if h, err := g.ReadContent(0); err != nil || h != sha256.Sum256(text) || g.Content(0) != h || g.Photo(0).Content != h {
		t.Errorf("%v, %v", h, err)
	}
	writePhoto(t, filepath.Join(dir, "b.jpg"), 1<<20)
	later(t, filepath.Join(dir, "b.jpg"))
	if h, err := g.ReadContent(1); err != nil || h == (catalog.Hash{}) || g.Content(1) != (catalog.Hash{}) {
		t.Errorf("%v, %v", h, err)
	}
	if err := os.Remove(filepath.Join(dir, "b.jpg")); err != nil {
		t.Fatal(err)
	}
	if h, err := g.ReadContent(1); err == nil {
		t.Errorf("%v of a photo that is gone", h)
	}
}
