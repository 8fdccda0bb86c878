package finetune

import (
	"math"
	"slices"
)

// Measures are the figures of a label, or their means over labels.
type Measures struct {
	AveragePrecision Interval `json:"average_precision"`
	Precision        Interval `json:"precision"` // at the threshold
	Recall           Interval `json:"recall"`
	F1               Interval `json:"f1"`
	CalibrationError Interval `json:"calibration_error"`
	LogLoss          Interval `json:"log_loss"`
}

// A LabelReport is how well photos are told to show a label.
type LabelReport struct {
	Label     string  `json:"label"`
	Shown     int     `json:"shown"`     // photos known to show it
	NotShown  int     `json:"not_shown"` // and not to
	Unknown   int     `json:"unknown"`   // left out
	Threshold float64 `json:"threshold"`
	// Moved is the threshold after, where it is another one.
	Moved  float64   `json:"after_threshold,omitempty"`
	Before Measures  `json:"before"`
	After  *Measures `json:"after,omitempty"`
	Gain   *Interval `json:"gain,omitempty"` // of average precision, on the same resamples
}

// A Confusion is a pair of labels that are taken for each other: of the photos
// that show one and not the other, how many are above the threshold of the other.
type Confusion struct {
	Shown  string   `json:"shown"`
	Taken  string   `json:"taken_for"`
	Photos int      `json:"photos"` // above the threshold of what they do not show
	Of     int      `json:"of"`
	Share  Interval `json:"share"`
}

// A Report is how well photos are told to show labels, before and, if there is
// something to compare, after.
type Report struct {
	Photos   int           `json:"photos"`
	Groups   int           `json:"groups"` // of photos that show the same; what intervals are made of
	Labels   []LabelReport `json:"labels"`
	Before   Measures      `json:"before"` // means over the labels with photos of both sides
	After    *Measures     `json:"after,omitempty"`
	Gain     *Interval     `json:"gain,omitempty"`
	Confused []Confusion   `json:"confused"` // by the last scores, most photos first
}

// Evaluate measures scores of photos against what is known of them; pairs that
// nobody knows are left out. Row i of each scores is of photos[i]; one or two
// scores, before and after. thresholds are probabilities, by label, of the scores
// that have none of their own. Intervals are of bootstrap resamples of groups,
// see Groups.
func (s Set) Evaluate(photos []int, thresholds []float64, scores ...Scores) Report {
	e := evaluation{set: s, photos: photos, scores: scores}
	for _, one := range scores {
		cuts := make([]float64, len(s.Labels))
		for i := range cuts {
			p := one.threshold(i, thresholds)
			cuts[i] = math.Log(p / (1 - p))
		}
		e.cuts = append(e.cuts, cuts)
	}
	e.resample()
	r := Report{Photos: len(photos), Groups: e.boot.n, Labels: make([]LabelReport, len(s.Labels))}
	for i, l := range s.Labels {
		r.Labels[i] = e.label(i)
		r.Labels[i].Label, r.Labels[i].Threshold = l.Name, scores[0].threshold(i, thresholds)
		if moved := scores[len(scores)-1].threshold(i, thresholds); moved != r.Labels[i].Threshold {
			r.Labels[i].Moved = moved
		}
	}
	r.Before = e.means(0)
	if len(scores) > 1 {
		after := e.means(1)
		gain := e.meanGain()
		r.After, r.Gain = &after, &gain
	}
	r.Confused = e.confused()
	return r
}

// threshold is that of a label, of others where the scores have none.
func (s Scores) threshold(label int, others []float64) float64 {
	if s.Thresholds != nil {
		return s.Thresholds[label]
	}
	return others[label]
}

// An evaluation has every figure of every resample.
type evaluation struct {
	set    Set
	photos []int
	cuts   [][]float64 // by scores, label
	scores []Scores
	boot   bootstrap

	columns [][]column             // by scores, label
	few     []bool                 // by label: resamples of so few photos say nothing
	values  [][][figures]float64   // by scores, label
	drawn   [][][figures][]float64 // by scores, label: by resample
}

func (e *evaluation) resample() {
	pairs := 0
	for k, scores := range e.scores {
		columns := make([]column, len(e.set.Labels))
		values, drawn := make([][figures]float64, len(columns)), make([][figures][]float64, len(columns))
		for label := range columns {
			columns[label] = e.set.column(scores, label, e.photos)
			values[label] = columns[label].measure(nil, e.cuts[k][label])
			pairs += len(columns[label].rows)
		}
		e.columns, e.values, e.drawn = append(e.columns, columns), append(e.values, values), append(e.drawn, drawn)
	}
	groups := e.set.Groups()
	for _, c := range e.columns[0] {
		e.few = append(e.few, e.set.few(c, at(groups, e.photos)) != "")
	}
	e.boot = newBootstrap(groups, e.photos, resamples(pairs))
	for _, drawn := range e.drawn {
		for label := range drawn {
			for f := range figures {
				drawn[label][f] = make([]float64, e.boot.times)
			}
		}
	}
	e.boot.each(func(resample int, weights []float64) {
		for k, columns := range e.columns {
			for label, c := range columns {
				for f, x := range c.measure(weights, e.cuts[k][label]) {
					e.drawn[k][label][f][resample] = x
				}
			}
		}
	})
}

// at returns the values of some places.
func at[V any](values []V, places []int) []V {
	some := make([]V, len(places))
	for i, place := range places {
		some[i] = values[place]
	}
	return some
}

// measures makes figures of one label.
func (e *evaluation) measures(scores, label int) Measures {
	of := func(f figure) Interval { return interval(e.values[scores][label][f], e.drawn[scores][label][f]) }
	if e.few[label] {
		of = func(f figure) Interval { return Interval{e.values[scores][label][f], math.NaN(), math.NaN()} }
	}
	return measuresBy(of)
}

func measuresBy(of func(figure) Interval) Measures {
	return Measures{of(averagePrecision), of(precision), of(recall), of(f1), of(calibrationError), of(logLoss)}
}

func (e *evaluation) label(i int) LabelReport {
	var r LabelReport
	for _, y := range e.columns[0][i].truth {
		if y > 0 {
			r.Shown++
		} else {
			r.NotShown++
		}
	}
	r.Unknown = len(e.photos) - r.Shown - r.NotShown
	r.Before = e.measures(0, i)
	if len(e.scores) > 1 {
		after := e.measures(1, i)
		gain := e.gain(i, averagePrecision)
		r.After, r.Gain = &after, &gain
	}
	return r
}

// gain is by how much a figure is higher in the second scores, of the same
// resamples.
func (e *evaluation) gain(label int, f figure) Interval {
	drawn := make([]float64, e.boot.times)
	for r := range drawn {
		drawn[r] = e.drawn[1][label][f][r] - e.drawn[0][label][f][r]
	}
	value := e.values[1][label][f] - e.values[0][label][f]
	if e.few[label] {
		return Interval{value, math.NaN(), math.NaN()}
	}
	return interval(value, drawn)
}

// mean is the mean of a figure over labels for which it is defined.
func mean(labels int, of func(label int) float64) float64 {
	sum, n := 0.0, 0
	for label := range labels {
		if x := of(label); !math.IsNaN(x) {
			sum += x
			n++
		}
	}
	return sum / float64(n)
}

// means are of labels with photos of both sides.
func (e *evaluation) means(scores int) Measures {
	n := len(e.set.Labels)
	of := func(f figure, value func(label int) [figures]float64) float64 {
		return mean(n, func(label int) float64 {
			if math.IsNaN(e.values[scores][label][averagePrecision]) {
				return math.NaN()
			}
			return value(label)[f]
		})
	}
	return measuresBy(func(f figure) Interval {
		drawn := make([]float64, e.boot.times)
		for r := range drawn {
			drawn[r] = of(f, func(label int) (m [figures]float64) {
				m[f] = e.drawn[scores][label][f][r]
				return m
			})
		}
		return centred(of(f, func(label int) [figures]float64 { return e.values[scores][label] }), drawn)
	})
}

func (e *evaluation) meanGain() Interval {
	n := len(e.set.Labels)
	const f = averagePrecision
	drawn := make([]float64, e.boot.times)
	for r := range drawn {
		drawn[r] = mean(n, func(label int) float64 { return e.drawn[1][label][f][r] - e.drawn[0][label][f][r] })
	}
	return centred(mean(n, func(label int) float64 { return e.values[1][label][f] - e.values[0][label][f] }), drawn)
}

// mostConfused is how many pairs of labels are told.
const mostConfused = 20

// confused finds the pairs of labels that are taken for each other. Only photos
// above a threshold are looked at: most pairs of labels have none.
func (e *evaluation) confused() []Confusion {
	type pair struct{ shown, taken int }
	scores := e.scores[len(e.scores)-1]
	rows := make(map[pair][]int)
	shown := make([][]int, len(e.set.Labels)) // rows
	for row, photo := range e.photos {
		for _, k := range e.set.Photos[photo].Known {
			if k.Value > 0 {
				shown[k.Label] = append(shown[k.Label], row)
			}
		}
		for taken, cut := range e.cuts[len(e.cuts)-1] {
			if scores.At(row, taken) < cut || e.set.Value(photo, taken) >= 0 {
				continue
			}
			for _, k := range e.set.Photos[photo].Known {
				if k.Value > 0 {
					p := pair{k.Label, taken}
					rows[p] = append(rows[p], row)
				}
			}
		}
	}
	pairs := make([]pair, 0, len(rows))
	for p := range rows {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if d := len(rows[b]) - len(rows[a]); d != 0 {
			return d
		}
		if a.shown != b.shown {
			return a.shown - b.shown
		}
		return a.taken - b.taken
	})
	var list []Confusion
	for _, p := range pairs[:min(len(pairs), mostConfused)] {
		var of []int
		for _, row := range shown[p.shown] {
			if e.set.Value(e.photos[row], p.taken) < 0 {
				of = append(of, row)
			}
		}
		list = append(list, Confusion{e.set.Labels[p.shown].Name, e.set.Labels[p.taken].Name, len(rows[p]), len(of), e.share(rows[p], of)})
	}
	return list
}

// share is what part of the rows of are some of them.
func (e *evaluation) share(some, of []int) Interval {
	drawn := make([]float64, e.boot.times)
	sum := func(rows []int, weights []float64) (n float64) {
		for _, row := range rows {
			n += weights[row]
		}
		return n
	}
	e.boot.each(func(r int, weights []float64) { drawn[r] = sum(some, weights) / sum(of, weights) })
	return interval(float64(len(some))/float64(len(of)), drawn)
}
