package ui

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery/label"
)

// labelNames are the labels of the set in its order.
func (d *driver) labelNames() []string {
	var out []string
	for _, l := range d.m.labels.set.Labels {
		out = append(out, l.Name)
	}
	return out
}

func (d *driver) wantLabels(want ...string) {
	d.t.Helper()
	if got := d.labelNames(); !slices.Equal(got, want) {
		d.t.Errorf("labels %q, want %q", got, want)
	}
}

// wantTally checks the counts against a look at every photo and label.
func (d *driver) wantTally() {
	d.t.Helper()
	m := d.m
	zero := m.score
	zero.Delta = 0
	want := tally{perLabel: make([]int, len(m.labels.set.Labels))}
	scored := m.classes.Set()
	for id := range m.progress.Found {
		vector := m.o.Gallery.Vector(id)
		if vector == nil {
			continue
		}
		logits := m.classes.Logits(vector, m.score.Logit)
		any, changed := false, false
		for i, l := range m.labels.set.Labels {
			logit := logits[scored.Index(l.Name)]
			now := m.score.Probability(logit, adjust(l)) >= l.Cutoff()
			before := zero.Probability(logit, adjust(l)) >= l.Cutoff()
			if now {
				any = true
				want.perLabel[i]++
				want.tags++
				want.moved++
			}
			if before {
				want.moved--
			}
			changed = changed || now != before
		}
		want.scored++
		if !any {
			want.untagged++
		}
		if changed {
			want.changed++
		}
	}
	if !reflect.DeepEqual(m.tally, want) {
		d.t.Errorf("counted %+v, want %+v", m.tally, want)
	}
}

func TestBias(t *testing.T) {
	d := open(t, 120, 40, mixed(t), func(o *Options) {
		o.Labels.Labels[1].Threshold = 0.9
		o.Labels.Labels[2].Bias = -1.5
		o.Labels.Labels[3].Scale = 0.5
		o.Labels.Labels = append(o.Labels.Labels, label.Label{Name: "warm", Prompts: []string{"red"}, Negatives: []string{"blue"}})
	}).start()
	d.wantTally()
	for range 40 {
		d.press("[")
		d.wantTally()
	}
	d.has("δ -4.0", "-5 ")
	if d.m.score.Delta != -4 {
		t.Errorf("δ is %v after 40 steps down", d.m.score.Delta)
	}
	for range 70 {
		d.press("]")
		d.wantTally()
	}
	d.has("δ +3.0")
	d.press("0").has("δ +0.0", "(±0)")
	d.press("]", "backspace").has("δ +0.0")
	for range 300 {
		d.press("]")
	}
	d.has("δ +20.0")
}

// TestStart: δ and temperature of the command line are where the explorer
// starts, and what it shows.
func TestStart(t *testing.T) {
	d := open(t, 120, 40, photos(t, 4), func(o *Options) { o.Delta, o.Temperature = 0.7, 10 }).start()
	d.has("t 20.0→10.0  b -12.00  δ +0.7")
	d.wantTally()
}

func TestThreshold(t *testing.T) {
	d := open(t, 120, 40, mixed(t), nil).start()
	d.press("}").has("no label is chosen: press tab")
	d.press("tab", "}", "}")
	d.wantTally()
	row := d.m.rows()[0]
	if row.Threshold != 0.6 {
		t.Errorf("threshold %v after two steps up", row.Threshold)
	}
	for range 30 {
		d.press("}")
	}
	if got := d.m.rows()[0].Threshold; got != 0.99 {
		t.Errorf("highest threshold %v", got)
	}
	for range 30 {
		d.press("{")
	}
	if got := d.m.rows()[0].Threshold; got != 0.01 {
		t.Errorf("lowest threshold %v", got)
	}
	d.press("}").has("threshold of " + d.m.labels.chosen + ": 0.05")
	// All of that is one step of undo.
	d.press("u")
	if got := d.m.rows()[0].Threshold; got != 0 {
		t.Errorf("threshold %v after undo", got)
	}
}

func TestLabels(t *testing.T) {
	var saved []label.Set
	d := open(t, 120, 40, photos(t, 8), func(o *Options) {
		o.Save = func(s label.Set) error {
			saved = append(saved, s)
			return nil
		}
	}).start()
	d.press("x").has("no label is chosen")
	d.press("a").write("yellow,  Green , dusk").press("enter")
	d.wantLabels("red", "green", "blue", "sunset", "yellow", "dusk")
	d.has("added 2 labels", "yellow", "dusk")
	d.wantTally()
	if len(saved) == 0 || len(saved[len(saved)-1].Labels) != 6 {
		t.Errorf("saved %v", saved)
	}
	if d.m.labels.chosen != "yellow" {
		t.Errorf("chosen: %q", d.m.labels.chosen)
	}

	d.press("x")
	d.wantLabels("red", "green", "blue", "sunset", "dusk")
	d.has("removed yellow; u brings it back").hasNot("  yellow ")
	d.wantTally()
	d.press("u").has("undone")
	d.wantLabels("red", "green", "blue", "sunset", "yellow", "dusk")
	d.press("u")
	d.wantLabels("red", "green", "blue", "sunset")
	d.wantTally()
	d.press("u").has("nothing to undo")
	if last := saved[len(saved)-1]; len(last.Labels) != 4 {
		t.Errorf("saved at last: %v", last)
	}

	d.press("a").write(" , ").press("enter").has("add label:  , ", "✗").press("esc")
	d.wantLabels("red", "green", "blue", "sunset")
	d.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	d.press("a").write("cat,Cat, a long label that takes all the room there is").press("enter")
	d.has("room there is", `✗ label "Cat" is there twice (case does not…`).press("esc")
	d.send(tea.WindowSizeMsg{Width: 120, Height: 40})
	d.press("a").write("blue").press("enter").has("blue is there already")
	d.press("a").write("cat").press("esc")
	d.press("a", "enter")
	d.wantLabels("red", "green", "blue", "sunset")
}

// TestRemoveAll takes every label away and begins again.
func TestRemoveAll(t *testing.T) {
	d := open(t, 120, 40, photos(t, 4), nil).start().press("tab")
	for range 4 {
		d.press("x")
	}
	d.wantLabels()
	d.has("No labels yet").press("x").has("press a to add one")
	d.press("a").write("blue").press("enter").hasNot("No labels yet")
	d.wantTally()
	if d.m.tally.tags != 2 {
		t.Errorf("%d tags, want those of the blue and the violet photo", d.m.tally.tags)
	}
}

// TestLabelCannotBeEmbedded: the label stays, unscored, and the line says why.
func TestLabelCannotBeEmbedded(t *testing.T) {
	d := open(t, 120, 40, photos(t, 4), nil).start()
	d.press("a").write("unspeakable").press("enter")
	d.has("unspeakable        …", "✗ embed label texts: encode text: no words for it")
	d.press("x").hasNot("unspeakable ")
	d.wantTally()
}

// TestSaveFails: the labels stay unsaved and are said to be until a save
// succeeds; the last chance is at the end.
func TestSaveFails(t *testing.T) {
	full := true
	var saved []int
	d := open(t, 120, 40, photos(t, 2), func(o *Options) {
		o.Save = func(s label.Set) error {
			if full {
				return errors.New("save labels: disk full")
			}
			saved = append(saved, len(s.Labels))
			return nil
		}
	}).start()
	d.press("tab", "}").has("✗ save labels: disk full")
	d.press("down").hasNot("disk full").has("✗ labels not saved")
	d.press("!").has("Labels not saved", "✗ save labels: disk full").press("esc")
	full = false
	d.press("x").hasNot("not saved")
	full = true
	d.press("x").has("not saved")
	full = false
	d.close()
	if !slices.Equal(saved, []int{3, 2}) {
		t.Errorf("saved sets of %v labels", saved)
	}
}

// wantShown checks that the chosen label is on screen.
func (d *driver) wantShown(why string) {
	d.t.Helper()
	if m := d.m; m.labelAt() < m.labels.top || m.labelAt() >= m.labels.top+m.lay.labelRows() {
		d.t.Errorf("%s: label %q at %d, but on screen are %d from %d", why, m.labels.chosen, m.labelAt(), m.lay.labelRows(), m.labels.top)
	}
	d.has("▸ " + clip(d.m.labels.chosen, 6))
}

// manyLabels are more than any screen has room for.
func manyLabels() label.Set {
	set := names("red", "green", "blue")
	for i := range 60 {
		set.Labels = append(set.Labels, label.Label{Name: fmt.Sprintf("%02d", i), Prompts: []string{[]string{"thing", "red", "blue"}[i%3]}})
	}
	return set
}

// TestChosenLabelShown: the chosen label is on screen after whatever moves it.
func TestChosenLabelShown(t *testing.T) {
	d := open(t, 120, 40, photos(t, 8), func(o *Options) { o.Labels = manyLabels() }).start()
	d.press("a").write("zebra").press("enter")
	d.wantShown("added")
	d.press("]", "]")
	d.wantShown("added, then the bias moved")
	d.press("x")
	d.press("u")
	if d.m.labels.chosen != "zebra" {
		t.Errorf("chosen after undo: %q", d.m.labels.chosen)
	}
	d.wantShown("removed and undone")
	d.press("u")
	d.wantShown("its addition undone")
	d.press("a").write("GREEN").press("enter")
	if d.m.labels.chosen != "green" {
		t.Errorf("chosen after adding what is there: %q", d.m.labels.chosen)
	}
	d.wantShown("there already")
	d.press("right")
	if d.m.labels.top != 0 {
		t.Error("the list of another photo does not begin with its best labels")
	}

	d.press("tab", "G")
	d.wantShown("G")
	for _, size := range [][2]int{{300, 80}, {80, 24}, {60, 20}, {120, 40}, {80, 24}} {
		d.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		if d.m.lay.labels.h > 0 {
			d.wantShown(fmt.Sprint("size ", size))
		}
	}
	for _, key := range strings.Fields("[ [ [ ] right left G g down pgdown } } { x u pgup pgup right") {
		d.press(key)
		d.wantShown(key)
	}
}

// TestRowsAreKept: the sorted list is made anew when, and only when, something
// that it depends on has changed.
func TestRowsAreKept(t *testing.T) {
	d := open(t, 120, 40, photos(t, 8), nil).start().press("tab")
	kept := d.m.rows()
	d.press("down", "?", "esc")
	if again := d.m.rows(); &again[0] != &kept[0] {
		t.Error("sorted again although nothing has changed")
	}
	for _, key := range strings.Fields("right ] } x u 0") {
		d.press(key)
		it, _ := d.m.chosen()
		if got, want := d.m.rows(), d.m.sorted(it.ID); !reflect.DeepEqual(got, want) {
			t.Errorf("after %s:\n%v, want\n%v", key, got, want)
		}
	}
}

// TestSavesInOrder: while a save runs, further changes become one more save,
// and the set that is kept is the last.
func TestSavesInOrder(t *testing.T) {
	gate := make(chan struct{})
	var saved []int
	d := open(t, 120, 40, photos(t, 2), func(o *Options) {
		o.Save = func(s label.Set) error {
			<-gate
			saved = append(saved, len(s.Labels))
			return nil
		}
	}).start()
	d.send(keyPress("tab"))
	for range 3 {
		d.send(keyPress("x"))
	}
	close(gate)
	d.rest()
	if !slices.Equal(saved, []int{3, 1}) {
		t.Errorf("saved sets of %v labels, want the first and the last", saved)
	}
}

// TestQuitWhileSaving: a change made just before leaving is kept.
func TestQuitWhileSaving(t *testing.T) {
	var saved []int
	d := open(t, 120, 40, photos(t, 2), func(o *Options) {
		o.Save = func(s label.Set) error {
			saved = append(saved, len(s.Labels))
			return nil
		}
	}).start().press("tab")
	d.m.update(keyPress("x")) // its command is never run
	d.close()
	if !slices.Equal(saved, []int{3}) {
		t.Errorf("saved %v", saved)
	}
}

func TestLabelList(t *testing.T) {
	many := names("red")
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		many.Labels = append(many.Labels, label.Label{Name: "thing " + string(c)})
	}
	d := open(t, 120, 40, photos(t, 8), func(o *Options) { o.Labels = many }).start()
	d.has("red ", "more below 0.").press("tab", "end").has("▸ thing", "above")
	d.press("pgup", "pgup", "pgup", "pgup").has("▸ red")
	d.press("down", "down", "right") // the chosen label stays chosen on the next photo
	if d.m.labelAt() < 0 || d.m.labels.chosen != "thing b" {
		t.Errorf("chosen %q at %d", d.m.labels.chosen, d.m.labelAt())
	}
	d.has("▸ thing b")
}
