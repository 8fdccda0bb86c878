package gallery

import (
	"slices"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
	"sigla/gallery/sidecar/journal"
)

// A Story is what is known of one tag of one photo.
type Story struct {
	Path string `json:"path"`
	Tag  string `json:"tag"` // as it was asked for
	// Label is the path of the label that the tag means; "" if the set has none.
	Label   string `json:"label,omitempty"`
	Nearest string `json:"nearest,omitempty"` // the label that may be meant, if none is
	Private bool   `json:"private,omitempty"`
	// Places are where it stands; none: the photo does not have it.
	Places  []Place   `json:"places,omitempty"`
	Set     []Setting `json:"set,omitempty"`
	Answers []Answer  `json:"answers,omitempty"` // the oldest first
	// Model is what the model says now; nil if that is not known.
	Model  *Opinion `json:"model,omitempty"`
	Ruling Ruling   `json:"ruling"` // what a plan would do
	// Problems are files of the photo that could not be read.
	Problems []string `json:"problems,omitempty"`
}

// A Place is a value of a field that stands for a tag.
type Place struct {
	File  string        `json:"file"`
	Field sidecar.Field `json:"field"`
	Text  string        `json:"text"` // as it is written
	Flat  bool          `json:"flat"` // a word, and no path
	// Tag is what the value is part of: the label, or a synonym, or a tag below.
	Tag string `json:"tag"`
}

// A Setting is what a sidecar says of who set the tag.
type Setting struct {
	File string `json:"file"`
	sidecar.Mark
	// Gone: somebody has taken it out of all fields since.
	Gone bool   `json:"gone,omitempty"`
	Name string `json:"name,omitempty"` // of the model
	// Run wrote it; "" if that is not known any more.
	Run    string `json:"run,omitempty"`
	Undone bool   `json:"undone,omitempty"` // the run was taken back
}

// An Answer is what a person said.
type Answer struct {
	Label   string          `json:"label"` // as it was called then
	Verdict catalog.Verdict `json:"verdict"`
	When    time.Time       `json:"when,omitzero"`
	// Elsewhere: the tag was taken out of a sidecar by another program, or by
	// hand, and sigla has taken that for a rejection.
	Elsewhere bool `json:"elsewhere,omitempty"`
}

// An Opinion is what a model says of a label.
type Opinion struct {
	Model       string  `json:"model"` // digest
	Name        string  `json:"name"`
	Logit       float64 `json:"logit"`
	Probability float64 `json:"probability"`
	Threshold   float64 `json:"threshold"`
	Above       bool    `json:"above"`
}

// An Inquiry has what a Story is told from.
type Inquiry struct {
	Photo sidecar.Photo      // without a change
	Words *Vocabulary        // of all labels, private ones too
	Said  []catalog.Decision // about the photo: the answers that count
	// History has all answers that were ever given; nil: those of Said.
	History []catalog.Decision
	Models  map[string]string // names of models by their digests
	Runs    string            // folder of the journal; "" if there is none
	// Model is the digest of the model that is asked now, Judge what it says of a
	// label of the set; nil if it has not seen the photo.
	Model string
	Judge func(label int) (Judgement, error)
}

// Why tells the story of a tag. It reads nothing but the journal. The error is
// that of Judge.
func (q Inquiry) Why(tag string) (Story, error) {
	s := Story{Path: q.Photo.Path, Tag: tag}
	h := hearing{at: q.Words.Find(tag)}
	if h.no = h.at < 0; h.no {
		s.Nearest = q.Words.Nearest(tag)
		set := q.Words.Set()
		h.at = len(set.Labels)
		set.Labels = append(slices.Clip(set.Labels), label.Label{Name: tag})
		q.Words = NewVocabulary(set)
	} else {
		s.Label = q.Words.Path(h.at)
	}
	s.Private = q.Words.Private(h.at)
	read := make([]sidecar.File, len(q.Photo.Files))
	for i, k := range q.Photo.Files {
		read[i] = k.File
		if k.Err != nil {
			s.Problems = append(s.Problems, k.Err.Error())
		}
	}
	tags := sidecar.Merge(read...)
	e := q.Words.gather(tags, q.Photo.Files, q.Said)
	h.evidence = &e
	s.Places = h.places(tags, read)
	s.Set = h.settings(q)
	if q.History == nil {
		q.History = q.Said
	}
	for _, d := range q.History {
		if q.Words.resolve(d.Label) == h.at {
			s.Answers = append(s.Answers, Answer{d.Label, d.Verdict, d.When, d.Who == inSidecar})
		}
	}
	slices.SortStableFunc(s.Answers, func(a, b Answer) int { return a.When.Compare(b.When) })
	if !h.no && q.Judge != nil {
		j, err := q.Judge(h.at)
		if err != nil {
			return s, err
		}
		h.judge = &j
		s.Model = &Opinion{q.Model, q.Models[q.Model], j.Logit, j.P, q.Words.set.Labels[h.at].Cutoff(), j.Holds}
	}
	s.Ruling = h.ruling()
	if s.Ruling.Act == Set {
		q.Photo.Accept = []sidecar.Mark{{Label: h.words.Path(h.at), Source: sidecar.User}}
	}
	if refused := sidecar.NewPlan([]sidecar.Photo{q.Photo}, sidecar.Full).Photos[0].Refused; refused != "" {
		s.Ruling = Ruling{Refuse, RuleRefused, refused}
	}
	return s, nil
}

// places returns the values that stand for the label.
func (h hearing) places(tags sidecar.Tags, read []sidecar.File) (list []Place) {
	for _, t := range tags.Tags {
		name := t.String()
		if !slices.Contains(h.words.Means(name), h.at) {
			continue
		}
		for _, source := range t.Sources {
			i := slices.IndexFunc(read, func(f sidecar.File) bool { return f.Path == source.File })
			for _, text := range read[i].Spells(source.Field, t) {
				list = append(list, Place{source.File, source.Field, text, source.Field.Flat(), name})
			}
		}
	}
	return list
}

// settings returns what sidecars say of who set the label.
func (h hearing) settings(q Inquiry) (list []Setting) {
	for _, k := range q.Photo.Files {
		missing := sidecar.Missing(k.Values)
		for _, m := range sidecar.Marks(k.Values) {
			if h.words.resolve(m.Label) != h.at {
				continue
			}
			s := Setting{File: k.Path, Mark: m, Name: q.Models[m.Model]}
			s.Gone = slices.ContainsFunc(missing, func(g sidecar.Mark) bool { return g.Label == m.Label })
			if q.Runs != "" && !m.When.IsZero() {
				if run, ok := journal.Wrote(q.Runs, k.Path, m.When); ok {
					s.Run, s.Undone = run.ID, run.Undone
				}
			}
			list = append(list, s)
		}
	}
	return list
}
