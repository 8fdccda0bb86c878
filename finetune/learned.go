package finetune

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"sigla/model"
)

// NewCard begins the card of a run's result: figures and the gate's verdicts are
// the caller's to add. base is the model before the run, set what it learned
// from, program the version of the program.
func NewCard(r Record, base model.Info, set Set, program string) (Card, error) {
	options, err := json.Marshal(struct {
		Options
		Setup json.RawMessage `json:"setup,omitempty"`
	}{r.Options, r.Setup})
	if err != nil {
		return Card{}, fmt.Errorf("write the card of a training: %w", err)
	}
	return Card{
		Depth: Depth(r.Depth), Base: Base{base.Name, base.Digest}, Data: Summarize(set),
		Options: options, Seed: r.Options.Seed, Made: time.Now().UTC().Truncate(time.Second), Program: program,
	}, nil
}

// Adapter is what was learned so far, for the card of NewCard.
func (l *Towers) Adapter(c Card) (*Adapter, error) {
	p, err := l.t.Patch()
	if err != nil {
		return nil, fmt.Errorf("keep what was learned: %w", err)
	}
	if len(p.LowRank) > 0 {
		c.Alpha, c.Rank = p.LowRank[0].Alpha, p.LowRank[0].Rank
		c.Targets = targets(p.LowRank)
	}
	return &Adapter{Card: c, Tensors: p.Tensors, LowRank: p.LowRank}, nil
}

// targets names kinds of matrices, each once: "image q_proj".
func targets(list []model.LowRank) []string {
	var names []string
	for _, l := range list {
		tower := "image "
		if strings.HasPrefix(l.Name, "text_") {
			tower = "text "
		}
		if name := tower + path.Base(strings.ReplaceAll(strings.TrimSuffix(l.Name, ".weight"), ".", "/")); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Tuned is how heads read the labels of a set, for an adapter. They are read
// against the t' and b of before, which a person's other labels go on with: what
// heads have in other ones is in each label's s and δ. Labels that read exactly
// as before are left out.
func (h Heads) Tuned(before Heads, labels []Label) []Tuned {
	scale := math.Exp(float64(h.Score.LogScale) - float64(before.Score.LogScale))
	shift := float64(h.Score.Bias) - float64(before.Score.Bias)
	var list []Tuned
	for i, l := range h.Labels {
		t := Tuned{Name: labels[i].Name, Scale: l.Scale * scale, Delta: l.Delta + shift}
		if old := before.Labels[i]; !slices.Equal(l.Vector, old.Vector) {
			t.Vector = l.Vector
		} else if math.Abs(t.Scale-old.Scale) < 1e-9*old.Scale && math.Abs(t.Delta-old.Delta) < 1e-9 {
			continue
		}
		list = append(list, t)
	}
	return list
}

// Moved gives labels the thresholds that were fitted; those that have no reading
// of their own yet get one that is the threshold alone.
func Moved(list []Tuned, fitted []Threshold) []Tuned {
	for _, f := range fitted {
		if f.Reason != "" {
			continue
		}
		i := slices.IndexFunc(list, func(t Tuned) bool { return t.Name == f.Label })
		if i < 0 {
			i, list = len(list), append(list, Tuned{Name: f.Label})
		}
		list[i].Threshold = f.Value.Value
	}
	return list
}
