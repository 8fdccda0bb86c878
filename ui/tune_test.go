package ui

import (
	"math"
	"slices"
	"testing"

	"sigla/gallery/label"
)

// What the model knows of a label is in every number of it, and never in the set
// that is saved.
func TestTuned(t *testing.T) {
	var saved label.Set
	d := open(t, 120, 40, photos(t, 8), func(o *Options) {
		o.Labels = label.Set{Labels: []label.Label{{Name: "tuned", Prompts: []string{"red"}}, {Name: "plain", Prompts: []string{"red"}}}}
		o.Save = func(s label.Set) error { saved = s; return nil }
	}).start()
	row := func(name string) labelRow {
		rows := d.m.rows()
		return rows[slices.IndexFunc(rows, func(r labelRow) bool { return r.Name == name })]
	}
	tuned, plain := row("tuned"), row("plain")
	logit := func(p float64) float64 { return math.Log(p / (1 - p)) }
	if tuned.logit != plain.logit || math.Abs(logit(tuned.p)-logit(plain.p)-1) > 1e-6 || tuned.Cutoff() != 0.3 || plain.Cutoff() != 0.5 {
		t.Errorf("logits %g and %g, p %g and %g, thresholds %g and %g", tuned.logit, plain.logit, tuned.p, plain.p, tuned.Cutoff(), plain.Cutoff())
	}
	if cuts := d.m.labels.cuts; !(cuts[0] < cuts[1]-1) {
		t.Errorf("tuned holds from %g on, plain from %g", cuts[0], cuts[1])
	}
	d.m.labels.chosen = "tuned"
	d.press("tab")
	d.m.labels.chosen = "tuned"
	d.press("}")
	d.has("threshold of tuned: 0.35")
	if got := row("tuned"); got.Threshold != 0.35 || got.Bias != 1 {
		t.Errorf("after a step up %+v", got.Label)
	}
	if i := saved.Index("tuned"); i < 0 || saved.Labels[i].Bias != 0 || saved.Labels[i].Threshold != 0.35 {
		t.Errorf("saved %+v", saved)
	}
}
