package finetune

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Depth is how much of a model is trained.
type Depth string

// The depths, each with what those before it have.
const (
	DepthCalibrate Depth = "calibrate" // t', b, and s and δ of each label
	DepthHead      Depth = "head"      // a vector in place of each label's texts
	DepthLoRA      Depth = "lora"      // low-rank updates of matrices of the towers
	DepthFull      Depth = "full"      // whole tensors of the towers
)

// A Card says what an adapter is, of what it was made, and how good it is.
type Card struct {
	Depth Depth   `json:"depth"`
	Base  Base    `json:"base"`
	Data  Summary `json:"data"`

	Alpha   float64  `json:"alpha,omitempty"`   // α of all LowRank
	Rank    int      `json:"rank,omitempty"`    // r
	Targets []string `json:"targets,omitempty"` // what is updated, as "image q_proj"

	Options json.RawMessage `json:"options,omitempty"` // of the run, as it writes them down
	Seed    uint64          `json:"seed"`

	Before *Validation `json:"before,omitempty"` // of the base
	After  *Validation `json:"after,omitempty"`
	Gate   []Verdict   `json:"gate,omitempty"`
	// Thresholds were fitted on photos that were not learned from.
	Thresholds []Threshold `json:"thresholds,omitempty"`

	Made    time.Time `json:"made"`
	Program string    `json:"program"` // version of the program
}

// Base is the model that an adapter belongs to.
type Base struct {
	Name   string `json:"name"`   // what its user calls it
	Digest string `json:"digest"` // model.Info's, without any adapter
}

// Summary is what a Set held.
type Summary struct {
	Photos   int            `json:"photos"`
	Labels   int            `json:"labels,omitempty"`
	Captions int            `json:"captions,omitempty"`
	Known    map[string]int `json:"known,omitempty"` // pairs by Origin
	Complete bool           `json:"complete,omitempty"`
}

// Summarize counts what is in a set.
func Summarize(s Set) Summary {
	sum := Summary{Photos: len(s.Photos), Labels: len(s.Labels), Complete: s.Complete}
	for _, p := range s.Photos {
		if p.Caption != "" {
			sum.Captions++
		}
		for _, k := range p.Known {
			if sum.Known == nil {
				sum.Known = map[string]int{}
			}
			sum.Known[k.By.String()]++
		}
	}
	return sum
}

// A Verdict is what the gate says of a label: what was learned is kept only if
// photos that were not learned from say that it is better.
type Verdict struct {
	Label  string  `json:"label"`
	Kept   bool    `json:"kept"`
	As     Method  `json:"as,omitempty"` // what of it is kept: calibration only, or all
	Before float64 `json:"before"`       // average precision without what was learned
	After  float64 `json:"after"`
	Low    float64 `json:"low"` // interval of After − Before
	High   float64 `json:"high"`
	Reason string  `json:"reason,omitempty"` // why it is not kept, where the figures do not say it
}

// String is the card for people, several lines.
func (c Card) String() string {
	var b strings.Builder
	line := func(name, format string, v ...any) { fmt.Fprintf(&b, "%-9s  %s\n", name, fmt.Sprintf(format, v...)) }
	line("depth", "%s", c.Depth)
	line("base", "%s (%s)", c.Base.Name, short(c.Base.Digest))
	line("learned", "from %s", c.Data)
	line("made", "%s by sigla %s, seed %d", c.Made.Local().Format("2006-01-02 15:04"), c.Program, c.Seed)
	if c.Rank != 0 {
		line("updates", "rank %d, alpha %g, of %s", c.Rank, c.Alpha, strings.Join(c.Targets, ", "))
	}
	if len(c.Options) > 0 {
		line("options", "%s", c.Options)
	}
	for _, v := range []struct {
		name string
		*Validation
	}{{"before", c.Before}, {"after", c.After}} {
		if v.Validation != nil {
			line(v.name, "average precision %.3f, loss %.4f, of %s and %s not learned from", v.AveragePrecision, v.Loss, plural(v.Photos, "photo"), plural(v.Labels, "label"))
		}
	}
	for _, v := range c.Gate {
		line("label", "%s", v)
	}
	for _, t := range c.Thresholds {
		line("threshold", "%s", t)
	}
	return b.String()
}

func (s Summary) String() string {
	parts := []string{plural(s.Photos, "photo")}
	if s.Labels > 0 {
		parts = append(parts, plural(s.Labels, "label"))
	}
	if s.Captions > 0 {
		parts = append(parts, plural(s.Captions, "caption"))
	}
	var origins []string
	for origin := range s.Known {
		origins = append(origins, origin)
	}
	slices.Sort(origins)
	for _, origin := range origins {
		parts = append(parts, fmt.Sprintf("%d known by %s", s.Known[origin], origin))
	}
	if s.Complete {
		parts = append(parts, "what is absent counts as wrong")
	}
	return strings.Join(parts, ", ")
}

func (v Verdict) String() string {
	verdict := "as it was"
	if v.Kept {
		verdict = "kept"
		if v.As == Calibrate {
			verdict = "calibrated"
		}
	}
	if v.Reason != "" {
		verdict += ": " + v.Reason
	}
	if v.After == 0 { // there were too few photos
		return fmt.Sprintf("%s: %s", v.Label, verdict)
	}
	return fmt.Sprintf("%s: %s, average precision %.3f → %.3f (%+.3f to %+.3f)", v.Label, verdict, v.Before, v.After, v.Low, v.High)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// short is enough of a digest to tell models apart by eye.
func short(digest string) string { return digest[:min(12, len(digest))] }
