package gallery

import (
	"context"
	"fmt"
	"math"
	"slices"

	"sigla/gallery/label"
)

// textBatch is the most texts given to a TextEmbedder at once: few calls for a
// set, and yet a large set can be cancelled.
const textBatch = 64

// A TextEmbedder turns texts into unit vectors of the length that the photos'
// vectors have.
type TextEmbedder interface {
	EmbedTexts(ctx context.Context, texts []string) ([][]float32, error)
}

// A LabelEmbedder is a TextEmbedder that knows what some labels look like by
// more than their texts.
type LabelEmbedder interface {
	TextEmbedder
	// LabelVector returns what stands in the place of the texts of the label of
	// that name, a unit vector, or nil if they stand for it.
	LabelVector(name string) []float32
}

// A Classifier is a label set as vectors. It never changes.
//
// The texts of a label become one vector: each of length 1, their average, that
// again of length 1; or it has a vector of its own, see LabelEmbedder. Its negatives remain apart, for only the one closest to a
// photo counts.
type Classifier struct {
	set   label.Set
	dim   int         // values of a vector; 0 without labels
	parts [][]float32 // by label [1+negatives, dim]: its vector, its negatives
	all   [][]float32 // all vectors of the parts, one after the other

	rewrite func(logits []float32) // nil: logits stay as they are
}

// NewClassifier embeds the texts of a set.
func NewClassifier(ctx context.Context, set label.Set, e TextEmbedder) (*Classifier, error) {
	if err := set.Validate(); err != nil {
		return nil, err
	}
	set.Labels = slices.Clone(set.Labels)
	parts, dim, err := embedLabels(ctx, set.Templates, set.Labels, e)
	if err != nil {
		return nil, err
	}
	return (&Classifier{}).assemble(set, dim, parts), nil
}

// assemble returns a classifier of these labels that rewrites as c does.
func (c *Classifier) assemble(set label.Set, dim int, parts [][]float32) *Classifier {
	var all [][]float32
	for _, part := range parts {
		all = slices.AppendSeq(all, slices.Chunk(part, dim))
	}
	return &Classifier{set, dim, parts, all, c.rewrite}
}

// Rewrite returns a classifier that has f change the logits of a photo, one for
// each label, before anybody sees them: a model that chooses among labels reads
// each logit beside the others.
func (c *Classifier) Rewrite(f func(logits []float32)) *Classifier {
	next := *c
	next.rewrite = f
	return &next
}

// Set returns the labels of the classifier, in the order of their logits.
func (c *Classifier) Set() label.Set {
	set := c.set
	set.Labels = slices.Clone(set.Labels)
	return set
}

// Vectors returns the vector of each label, without its negatives.
func (c *Classifier) Vectors() [][]float32 {
	vectors := make([][]float32, len(c.parts))
	for i, part := range c.parts {
		vectors[i] = slices.Clone(part[:c.dim])
	}
	return vectors
}

// With returns a classifier that has l besides, at the end, or in the place of
// the label of the same name. Only the texts of l are embedded.
func (c *Classifier) With(ctx context.Context, l label.Label, e TextEmbedder) (*Classifier, error) {
	set, parts := c.Set(), slices.Clone(c.parts)
	if i := set.Index(l.Name); i >= 0 {
		set.Labels[i] = l
	} else {
		set.Labels = append(set.Labels, l)
	}
	if err := set.Validate(); err != nil {
		return nil, err
	}
	added, dim, err := embedLabels(ctx, set.Templates, []label.Label{l}, e)
	if err != nil {
		return nil, err
	}
	if c.dim != 0 && c.dim != dim {
		return nil, fmt.Errorf("embed label %q: %d values do not fit the %d of the other labels", l.Name, dim, c.dim)
	}
	if i := set.Index(l.Name); i < len(parts) {
		parts[i] = added[0]
	} else {
		parts = append(parts, added[0])
	}
	return c.assemble(set, dim, parts), nil
}

// Without returns a classifier that lacks the label of that name, or c itself
// if there is none.
func (c *Classifier) Without(name string) *Classifier {
	i := c.set.Index(name)
	if i < 0 {
		return c
	}
	set := c.Set()
	set.Labels = slices.Delete(set.Labels, i, i+1)
	dim := c.dim
	if len(set.Labels) == 0 {
		dim = 0
	}
	return c.assemble(set, dim, slices.Delete(slices.Clone(c.parts), i, i+1))
}

// Logits scores a photo's vector: one logit for each label, by the model's own
// logit of a cosine, less the logit of the closest negative where that is above
// zero: a negative only ever counts against its label. Those of Scores, whose
// Scanner adds up in another order, may differ in the last digits.
func (c *Classifier) Logits(vector []float32, logit func(cosine float32) float32) []float32 {
	c.fit(len(vector))
	cosines := make([]float32, len(c.all))
	plainScanner{}.Scan(cosines, c.all, [][]float32{vector})
	logits := make([]float32, len(c.parts))
	c.read(logits, cosines, logit)
	return logits
}

// fit panics if photos of vectors of dim values do not fit the labels.
func (c *Classifier) fit(dim int) {
	if len(c.parts) > 0 && dim != c.dim {
		panic(fmt.Sprintf("gallery: labels of %d values for photos of %d", c.dim, dim))
	}
}

// read makes of a photo's cosines, one for each of c.all, its logits, one for
// each label.
func (c *Classifier) read(logits, cosines []float32, logit func(float32) float32) {
	for i, part := range c.parts {
		n := len(part) / c.dim
		negative := float32(0)
		for _, x := range cosines[1:n] {
			negative = max(negative, logit(x))
		}
		logits[i] = logit(cosines[0]) - negative
		cosines = cosines[n:]
	}
	if c.rewrite != nil {
		c.rewrite(logits)
	}
}

// embedLabels returns the parts of labels and how many values a vector has. A
// text that occurs several times is embedded once, and not for a label that has
// a vector of its own.
func embedLabels(ctx context.Context, templates []string, labels []label.Label, e TextEmbedder) (parts [][]float32, dim int, err error) {
	var texts []string
	index := make(map[string]int)
	collect := func(list []string) {
		for _, t := range list {
			if _, known := index[t]; !known {
				index[t] = len(texts)
				texts = append(texts, t)
			}
		}
	}
	own := make([][]float32, len(labels))
	for i, l := range labels {
		if e, ok := e.(LabelEmbedder); ok {
			own[i] = e.LabelVector(l.Name)
		}
		if dim = max(dim, len(own[i])); own[i] == nil {
			collect(l.Texts(templates))
		}
		collect(l.NegativeTexts())
	}
	vectors, err := embedTexts(ctx, texts, e)
	if err != nil {
		return nil, 0, err
	}
	if len(vectors) > 0 {
		dim = len(vectors[0])
	}
	for i, l := range labels {
		vectorsOf := func(list []string) (v [][]float32) {
			for _, t := range list {
				v = append(v, vectors[index[t]])
			}
			return v
		}
		stands := [][]float32{own[i]}
		if own[i] == nil {
			stands = vectorsOf(l.Texts(templates))
		}
		part, err := direction(l.Name, stands, dim)
		if err != nil {
			return nil, 0, err
		}
		for _, v := range vectorsOf(l.NegativeTexts()) {
			part = append(part, addUnit(make([]float32, dim), v)...)
		}
		parts = append(parts, part)
	}
	return parts, dim, nil
}

// direction is the average of the vectors that stand for a label, each of length
// 1, again of length 1.
func direction(name string, vectors [][]float32, dim int) ([]float32, error) {
	sum := make([]float32, dim)
	for _, v := range vectors {
		if n := norm(v); len(v) != dim || !(n > 0 && n <= math.MaxFloat64) {
			return nil, fmt.Errorf("embed label %q: no usable vector among those of %d values", name, dim)
		}
		addUnit(sum, v)
	}
	if norm(sum) < 1e-6 {
		return nil, fmt.Errorf("embed label %q: its prompts cancel each other out", name)
	}
	return addUnit(make([]float32, dim), sum), nil
}

// embedTexts embeds texts batch by batch and checks that vectors came of it.
func embedTexts(ctx context.Context, texts []string, e TextEmbedder) ([][]float32, error) {
	var vectors [][]float32
	for batch := range slices.Chunk(texts, textBatch) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		got, err := e.EmbedTexts(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("embed label texts: %w", err)
		}
		if len(got) != len(batch) {
			return nil, fmt.Errorf("embed label texts: %d vectors for %d texts", len(got), len(batch))
		}
		vectors = append(vectors, got...)
	}
	for i, v := range vectors {
		if n := norm(v); !(n > 0 && n <= math.MaxFloat64) || len(v) != len(vectors[0]) {
			return nil, fmt.Errorf("embed label texts: no usable vector for %q", texts[i])
		}
	}
	return vectors, nil
}

// addUnit adds v, scaled to length 1, to sum and returns sum.
func addUnit(sum, v []float32) []float32 {
	n := norm(v)
	for i, x := range v {
		sum[i] += float32(float64(x) / n)
	}
	return sum
}

func norm(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
