package finetune

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"sigla/backend"
)

// A Method is how much a Linear learns on embeddings that stay as they are.
type Method string

const (
	// Calibrate learns t' and b, and s and δ of each label.
	Calibrate Method = "calibrate"
	// LinearHead is Calibrate and the vectors of the labels, which begin as the
	// embeddings of their texts.
	LinearHead Method = "head"
	// Prototype is Calibrate after the vectors were moved once, towards the mean
	// of the label's photos; see prototypes.
	Prototype Method = "prototype"
)

// A Prior says how far learning is expected to go from the model as it is: the
// standard deviations of what is learned, of a normal distribution around the
// zero-shot values. It counts as much as few photos do, and little beside many.
type Prior struct {
	Vector float64 // of a label's logit of a photo, by its vector
	Scale  float64 // of log s
	Delta  float64 // of δ, in logits
	Global float64 // of b, and of what t' does to logits
}

// A Linear learns on cached embeddings, by the engine's loss. It is a Learner.
//
// The pairs of a label of which only one side is known say nothing of where the
// line between the two is: they are left out, and the label stays as it is. No
// pair weighs more than another: each label has parameters of its own, which a
// frequent label does not drown, and the probabilities are those of the photos
// as they are.
//
// t' and b learn from the labels' texts alone: the vectors fit the photos that
// they learn from, and would drive the temperature up and the bias down without
// end. What is learned is measured in logits: by a step of AdamW at a rate of 1 no
// logit moves by much more than 1, whatever temperature and dimension are.
type Linear struct {
	*work
	d       Embedded
	method  Method
	prior   Prior
	rows    []int // photos to learn from
	held    []int // photos to look at
	columns []int // labels that are learned

	start [][]float32 // by column: its vector before
	scale float64     // exp(t') before
	reach float64     // by how much a logit moves when its logarithm moves by 1
	mean  []float32   // of the photos' vectors, taken off them: vectors and δ then learn apart
	ones  float64     // stands behind each photo's vector: δ is learned as one more value of a label's

	// Parameters and their gradients and moments, a row for each column: the
	// vector, or log s, and then what a photo in the middle scores, in units of
	// exp(t')·ones.
	w, g, m, v backend.Buf
	t, b       scalar

	ofTexts, ofStart []float32 // cosines of photos, [rows, columns], with texts and with start

	batch    []int           // rows that lie in the engine, in order
	pairs    backend.Pairs   // of photos and vectors
	texts    backend.Pairs   // of all known pairs, a column each
	readings []backend.Pairs // by column: of its known pairs, a column each
}

// scalar is a parameter by itself, [1].
type scalar struct{ w, g, m, v backend.Buf }

// ErrNothingToLearn says that no label has both photos that show it and photos
// that do not.
var ErrNothingToLearn = errors.New("nothing to learn: no label has photos that are known to show it and others that are known not to")

// NewLinear learns from the photos rows of a set and looks at held.
func NewLinear(e backend.Backend, d Embedded, m Method, p Prior, rows, held []int) (*Linear, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	for _, deviation := range []float64{p.Vector, p.Scale, p.Delta, p.Global} {
		if !(deviation > 0) {
			return nil, fmt.Errorf("learn on embeddings: the prior %v has a deviation that is not above 0", p)
		}
	}
	l := &Linear{work: newWork(e), d: d, method: m, prior: p}
	return l, l.restart(rows, held)
}

// restart forgets what was learned and takes other photos.
func (l *Linear) restart(rows, held []int) error {
	l.rows, l.held, l.batch = rows, held, nil
	l.columns = l.d.Decided(rows)
	if len(l.columns) == 0 {
		return ErrNothingToLearn
	}
	l.start = at(l.d.Texts, l.columns)
	if l.method == Prototype {
		l.start = l.d.prototypes(l.columns, rows)
	}
	if err := l.measure(); err != nil {
		return err
	}
	var first []float32
	for _, v := range l.start {
		if l.method == LinearHead {
			first = append(first, v...)
		} else {
			first = append(first, 0)
		}
		first = append(first, l.middle(v))
	}
	l.w, l.g = l.put("w", first), l.zero("g", len(first))
	l.m, l.v = l.zero("m", len(first)), l.zero("v", len(first))
	l.t, l.b = l.scalar("t", l.d.LogScale), l.scalar("b", l.d.Bias)
	return nil
}

func (l *Linear) scalar(name string, value float32) scalar {
	return scalar{l.put(name, []float32{value}), l.zero("d"+name, 1), l.zero("m"+name, 1), l.zero("v"+name, 1)}
}

// middle is what a photo in the middle scores, in units of exp(t')·ones.
func (l *Linear) middle(v []float32) float32 { return float32(dot(v, l.mean) / l.ones) }

// width is how many parameters a label has.
func (l *Linear) width() int {
	if l.method == LinearHead {
		return len(l.start[0]) + 1
	}
	return 2
}

// Decided returns the labels of which both sides are known among photos.
func (s Set) Decided(photos []int) (labels []int) {
	yes, no := make([]int, len(s.Labels)), make([]int, len(s.Labels))
	for _, i := range photos {
		for _, k := range s.Photos[i].Known {
			if k.Value > 0 {
				yes[k.Label]++
			} else {
				no[k.Label]++
			}
		}
	}
	for i := range s.Labels {
		if s.Complete {
			no[i] = len(photos) - yes[i]
		}
		if yes[i] > 0 && no[i] > 0 {
			labels = append(labels, i)
		}
	}
	return labels
}

// prototypes moves the vector u of a label to u + n/(n + shrink)·(p − m), where p
// is the mean of the n photos known to show it and m that of all: the less is
// known, the less it moves. (Means of classes: Snell et al. 2017; they differ
// from the means of texts by what all photos have in common, which m takes off.)
func (d Embedded) prototypes(labels, photos []int) [][]float32 {
	const shrink = 4
	dim := len(d.Texts[0])
	all, sums, counts := make([]float64, dim), make(map[int][]float64), make(map[int]float64)
	for _, label := range labels {
		sums[label] = make([]float64, dim)
	}
	for _, i := range photos {
		for k, x := range d.Images[i] {
			all[k] += float64(x) / float64(len(photos))
		}
		for _, known := range d.Photos[i].Known {
			if sum := sums[known.Label]; sum != nil && known.Value > 0 {
				counts[known.Label]++
				for k, x := range d.Images[i] {
					sum[k] += float64(x)
				}
			}
		}
	}
	vectors := make([][]float32, len(labels))
	for i, label := range labels {
		v, n := slices.Clone(d.Texts[label]), counts[label]
		for k, sum := range sums[label] {
			v[k] += float32(n / (n + shrink) * (sum/n - all[k]))
		}
		vectors[i] = v
	}
	return vectors
}

// measure finds where the photos lie and how far steps reach.
func (l *Linear) measure() error {
	images := l.images(l.rows)
	l.mean = make([]float32, len(images[0]))
	for _, x := range images {
		for k, v := range x {
			l.mean[k] += v / float32(len(images))
		}
	}
	var err error
	if l.ofTexts, err = l.cosines(images, at(l.d.Texts, l.columns)); err != nil {
		return err
	}
	l.ofStart = l.ofTexts
	if l.method == Prototype {
		if l.ofStart, err = l.cosines(images, l.start); err != nil {
			return err
		}
	}
	l.scale = math.Exp(float64(l.d.LogScale))
	l.reach = max(1, l.scale*math.Sqrt(dot(l.ofTexts, l.ofTexts)/float64(len(l.ofTexts))))
	l.ones = l.reach / l.scale
	if l.method == LinearHead {
		l.ones = 0
		for _, x := range images {
			for k, v := range x {
				l.ones += math.Abs(float64(v-l.mean[k])) / float64(len(images))
			}
		}
		l.ones = max(l.ones, 0.01) // photos may be all the same
	}
	return nil
}

func (l *Linear) images(photos []int) [][]float32 {
	images := make([][]float32, len(photos))
	for i, p := range photos {
		images[i] = l.d.Images[p]
	}
	return images
}

// Rows implements Learner.
func (l *Linear) Rows() int { return len(l.rows) }

// Repeats implements Learner: each label has parameters of its own, which no other
// label's photos move.
func (l *Linear) Repeats(float64) []float64 { return nil }

// Scalars implements Learner.
func (l *Linear) Scalars() (logScale, bias float32) {
	t, _ := l.read(l.t.w) // a failure is told by Gradient and Update
	b, _ := l.read(l.b.w)
	return t[0], b[0]
}
