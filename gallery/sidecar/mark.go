package sidecar

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Provenance is the field that says which tags this program wrote, and why.
// The text of a value is a Mark as JSON; in the file it is a structure.
const Provenance Field = "sigla:tags"

// marksLocal is the local name of Provenance. Other properties of the
// namespace are sigla:padding, the bytes taken from a packet's padding, and
// properties of others that were set aside; see aside.
const (
	marksLocal   = "tags"
	paddingLocal = "padding"
)

// An Origin is who set a tag.
type Origin string

const (
	Auto   Origin = "auto"   // a model whose probability passed the threshold
	User   Origin = "user"   // a person, in this program
	Import Origin = "import" // someone else, in another field or file; copied for programs that do not look there
)

// A Mark says who set a tag, and where it was written. Numbers that are not
// known are 0.
type Mark struct {
	Label     string    `json:"label"` // path with "|"
	Source    Origin    `json:"source"`
	P         float64   `json:"p,omitempty"`         // probability
	Logit     float64   `json:"logit,omitempty"`     // as the model gave it
	Model     string    `json:"model,omitempty"`     // digest
	Bias      float64   `json:"bias,omitempty"`      // δ that was added to the logit
	Threshold float64   `json:"threshold,omitempty"` // of the probability
	When      time.Time `json:"when,omitzero"`       // to the second
	Fields    []Field   `json:"fields,omitempty"`    // that it was written to; others had it
}

// A rawMark has the fields of an item of sigla:tags, in any spelling.
type rawMark []rawField

type rawField struct {
	local      string
	characters span
	quoted     bool
}

// mark returns what an item of sigla:tags says. What makes no sense is left
// out: a mark must not keep anybody from reading the tags themselves.
func (d *document) mark(raw rawMark) Mark {
	var m Mark
	for _, f := range raw {
		text, err := decode(d.text, f.characters, f.quoted)
		if err != nil {
			continue
		}
		text = strings.Clone(strings.TrimSpace(text))
		number := func() float64 {
			x, err := strconv.ParseFloat(text, 64)
			if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
				return 0
			}
			return x
		}
		switch f.local {
		case "label":
			m.Label = text
		case "source":
			m.Source = Origin(text)
		case "p":
			m.P = number()
		case "logit":
			m.Logit = number()
		case "model":
			m.Model = text
		case "bias":
			m.Bias = number()
		case "threshold":
			m.Threshold = number()
		case "when":
			m.When, _ = time.Parse(time.RFC3339, text)
		case "fields":
			for name := range strings.FieldsSeq(text) {
				m.Fields = append(m.Fields, Field(name))
			}
		}
	}
	return m
}

// attributes returns the fields of a mark as attributes, in one order.
func (m Mark) attributes() (list [][2]string) {
	add := func(name, text string) {
		if text != "" {
			list = append(list, [2]string{name, text})
		}
	}
	number := func(x float64) string {
		if x == 0 {
			return ""
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	add("label", m.Label)
	add("source", string(m.Source))
	add("p", number(m.P))
	add("logit", number(m.Logit))
	add("model", m.Model)
	add("bias", number(m.Bias))
	add("threshold", number(m.Threshold))
	if !m.When.IsZero() {
		add("when", m.When.UTC().Format(time.RFC3339))
	}
	names := make([]string, len(m.Fields))
	for i, f := range m.Fields {
		names[i] = string(f)
	}
	add("fields", strings.Join(names, " "))
	return list
}

// value returns the mark as a value of Provenance.
func (m Mark) value() Value {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // NaN; see Change.check
	}
	return Value{Provenance, string(text)}
}

// Marks returns what the values of Provenance among these say: which tags this
// program wrote, and why.
func Marks(values []Value) []Mark {
	var marks []Mark
	for _, v := range values {
		if v.Field != Provenance {
			continue
		}
		var m Mark
		if json.Unmarshal([]byte(v.Text), &m) == nil && m.Label != "" {
			marks = append(marks, m)
		}
	}
	return marks
}
