package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sigla/gallery"
	"sigla/gallery/catalog"
)

// choose goes to a label of the list.
func (d *driver) choose(label string) *driver {
	d.t.Helper()
	for range d.m.labels.set.Labels {
		d.press("up")
	}
	for d.m.labels.chosen != label {
		d.press("down")
	}
	return d
}

// TestUntaggedAnswers: a photo of which a label was accepted is not untagged, and
// one of which all labels that hold were rejected is.
func TestUntaggedAnswers(t *testing.T) {
	d := tagger(t, 120, 40, photos(t, 4), t.TempDir())
	before := d.m.tally.untagged
	bare := func(id int) bool { return len(d.m.held(d.m.photos.at(id))) == 0 }
	if bare(0) {
		t.Fatal("no label holds for the first photo: a test of nothing")
	}
	d.press("tab")
	for _, label := range d.m.held(d.m.photos.at(0)) {
		d.choose(label).press("n")
	}
	d.until(func() bool { return d.m.tally.untagged == before+1 }).has(fmt.Sprintf("%d untagged", before+1))
	d.press("y")
	d.until(func() bool { return d.m.tally.untagged == before }).has(fmt.Sprintf("%d untagged", before))
}

// TestAnswers: an answer is shown at once on labels and photos, is toggled, is
// undone with what it replaced, and is there after another start.
func TestAnswers(t *testing.T) {
	dir, data := photos(t, 4), t.TempDir()
	d := tagger(t, 120, 40, dir, data)
	verdict := func(id int, label string) catalog.Verdict {
		return d.m.answers.About(d.m.photos.at(id).Content, gallery.NewVocabulary(d.m.labels.set), label)[0].Verdict
	}
	check := func(want ...catalog.Verdict) {
		t.Helper()
		stored, err := d.m.o.Gallery.Decisions(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var kept gallery.Answers
		kept.Load(stored)
		for id, v := range want {
			if have, on := verdict(id, "red"), kept.About(d.m.photos.at(id).Content, gallery.NewVocabulary(d.m.labels.set), "red")[0].Verdict; have != v || on != v {
				t.Errorf("photo %d: %v on the screen, %v in the catalog, want %v", id, have, on, v)
			}
		}
	}
	const no, yes, none = catalog.Reject, catalog.Accept, catalog.Withdraw
	d.press("y").has("no label is chosen")
	check(none, none, none, none)
	d.press("tab", "y").has("✓ red · 001-red", "001-red      ✓", "✓red")
	check(yes)
	d.press("n").has("✗ red", "001-red      ✗", "✗red").hasNot("✓red")
	check(no)
	d.press("n").has("no answer any more: red").hasNot("✗red")
	check(none)
	d.press("u").has("undone: red", "✗red")
	check(no)
	d.press("esc", "right", "shift+right", "y").has("✓ red · 2 photos") // the label stays chosen
	check(no, yes, yes, none)
	d.press("esc", "ctrl+a", "y") // not all had it: now they do
	check(yes, yes, yes, yes)
	d.press("y")
	check(none, none, none, none)
	d.press("u", "u")
	check(no, yes, yes, none)
	d.press("a").write("pet").press("enter", "u").has("4 labels") // changes of labels are undone in their turn
	check(no, yes, yes, none)
	d.press("u", "u").has("undone: red")
	check(yes, none, none, none)
	d.press("u").has("undone: red").press("u").has("nothing to undo")
	check(none, none, none, none)
	d.press("esc", "esc", "end", "tab").choose("red").press("n")
	d.leave()
	d = tagger(t, 120, 40, dir, data)
	check(none, none, none, no)
}

// TestAnswersWithoutCatalog: that they cannot be kept is said, and they go.
func TestAnswersWithoutCatalog(t *testing.T) {
	d := open(t, 120, 40, photos(t, 2), nil).start().press("tab", "y").has("there is no catalog").hasNot("✓red")
	if len(d.m.answers.Of(d.m.photos.at(0).Content)) > 0 {
		t.Error("the answer is still shown")
	}
	d.press("esc", "t").has("Nothing to write").press("a").has("nothing can be written here").press("x").has("nothing can be written here").press("u").has("nothing to take back")
}

// TestAnswersByOtherNames: an answer that was given under a synonym, or under the
// path that a label had, is shown as the label's, and the last one counts.
func TestAnswersByOtherNames(t *testing.T) {
	dir, data := photos(t, 4), t.TempDir()
	d := tagger(t, 120, 40, dir, data).press("tab").choose("red").press("y")
	content := d.m.photos.at(0).Content
	d.leave()
	c, err := catalog.Open(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	err = errors.Join(
		c.Decide(context.Background(), catalog.Decision{Photo: content, Label: "rouge", Verdict: catalog.Reject, When: later}),
		c.Decide(context.Background(), catalog.Decision{Photo: content, Label: "colours|dusk", Verdict: catalog.Accept, When: later}),
		c.Close())
	if err != nil {
		t.Fatal(err)
	}
	d = tagger(t, 120, 40, dir, data)
	for i, l := range d.m.labels.set.Labels {
		switch l.Name {
		case "red":
			d.m.labels.set.Labels[i].Synonyms = []string{"rouge"}
		case "blue":
			d.m.labels.set.Labels[i].Synonyms = []string{"dusk"}
		}
	}
	d.m.align()
	d.rest().press("tab").choose("red").has("✗red", "✓blue").hasNot("✓red", "✓rouge", "✓dusk")
	rows := d.m.rows()
	for _, want := range []struct {
		label string
		v     catalog.Verdict
	}{{"red", catalog.Reject}, {"blue", catalog.Accept}, {"green", catalog.Withdraw}} {
		if i := slices.IndexFunc(rows, func(r labelRow) bool { return r.Name == want.label }); rows[i].answer != want.v {
			t.Errorf("the panel says %v of %s", rows[i].answer, want.label)
		}
	}
}
