package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
)

// exported is what is exported of a photo.
type exported struct {
	Path   string          `json:"path"`
	SHA256 string          `json:"sha256"`
	Labels []exportedLabel `json:"labels"`
	Model  string          `json:"model,omitempty"` // empty: no label is the model's
	Bias   float64         `json:"bias"`

	name string // below the path that was exported
	file string // absolute
}

// exportedLabel is a label of a photo, a path with "|".
type exportedLabel struct {
	Name        string   `json:"name"`
	Probability *float64 `json:"p"`      // null: the model does not say
	Source      string   `json:"source"` // tag (it was there), person or model
}

// leaves returns the last names of the labels, each once.
func (e exported) leaves() []string {
	var names []string
	for _, l := range e.Labels {
		if leaf := l.Name[strings.LastIndexByte(l.Name, '|')+1:]; !slices.Contains(names, leaf) {
			names = append(names, leaf)
		}
	}
	return names
}

// paths returns the labels, those without parents among them: programs that
// read hierarchies drop a flat keyword that no hierarchy has.
func (e exported) paths() []string {
	names := make([]string, len(e.Labels))
	for i, l := range e.Labels {
		names[i] = l.Name
	}
	return names
}

// collector says what photos of a gallery are labelled with.
type collector struct {
	x       *exportRun
	g       *gallery.Gallery
	scorer  *scorer // nil: the model is not asked
	answers map[catalog.Hash][]catalog.Decision
}

// photo returns what is exported of a photo.
func (c *collector) photo(p gallery.Photo) (exported, error) {
	e := exported{Path: p.Path, Labels: []exportedLabel{}, Model: c.x.model, Bias: c.x.bias, name: p.Name}
	var err error
	if e.file, err = filepath.Abs(p.Path); err != nil {
		return e, err
	}
	content := c.g.Content(p.ID)
	if content == (catalog.Hash{}) {
		if content, err = hashFile(p.Path); err != nil {
			return e, err
		}
	}
	e.SHA256 = content.String()

	e.Labels = c.labels(p, c.answers[content])
	return e, nil
}

// labels returns the labels of a photo: tags, then what a person said, then
// what the model says that neither does.
func (c *collector) labels(p gallery.Photo, answers []catalog.Decision) []exportedLabel {
	list := []exportedLabel{}
	var scores []labelScore
	if c.scorer != nil {
		scores = c.scorer.scores(c.g.Vector(p.ID))
	}
	answers = c.x.words.Answers(answers)
	rejected := make(map[string]bool)
	for _, d := range answers {
		names := []string{d.Label}
		if i := c.x.words.Find(d.Label); i >= 0 {
			names = c.x.words.Names(i)
		}
		for _, name := range names {
			rejected[sidecar.Fold(name)] = d.Verdict == catalog.Reject
		}
	}
	meant := make(map[int]bool) // labels that are listed, by whatever name
	// add lists a tag, with the probability of the label that it is.
	add := func(name, source string) {
		means := c.x.words.Means(name)
		if rejected[sidecar.Fold(name)] || c.x.words.Hides(name) {
			return
		}
		l := exportedLabel{Name: name, Source: source}
		for i := range scores {
			if slices.Contains(means, c.x.words.Find(scores[i].Label)) {
				l.Probability = &scores[i].Probability
				break
			}
		}
		for _, i := range means {
			meant[i] = true
		}
		list = append(list, l)
	}
	if c.x.from != "model" {
		tags := c.g.Tags(p.ID)
		for _, t := range tags.Tags { // but not people, who are in the picture
			add(t.String(), "tag")
		}
		tags.People = nil
		for _, d := range answers {
			if i := c.x.words.Find(d.Label); d.Verdict == catalog.Accept && !meant[i] && !tags.Set().Has(d.Label) {
				add(d.Label, "person")
			}
		}
	}
	for _, s := range scores {
		if i := c.x.words.Find(s.Label); s.above && !meant[i] {
			add(c.x.words.Path(i), "model")
		}
	}
	return list
}

func hashFile(path string) (catalog.Hash, error) {
	f, err := os.Open(path)
	if err != nil {
		return catalog.Hash{}, err
	}
	defer f.Close()
	return catalog.HashOf(f)
}

// exportTo exports the photos under paths.
func (a *app) exportTo(ctx context.Context, x *exportRun, kind exportKind, paths []string) (err error) {
	g := catalogued(dataDir())
	defer a.closeCatalogued(g)
	c := &collector{x: x, g: g}
	if x.from == "tags" {
		err = a.tagPhotos(ctx, g, paths)
	} else {
		err = a.labelPhotos(ctx, c, paths)
	}
	if err != nil {
		return err
	}
	if g.Len() == 0 && a.failed > 0 {
		return errors.New("export nothing: no photo was found") // what was exported before stays
	}
	if c.answers, err = g.Decisions(ctx); err != nil {
		return err
	}
	out, err := kind.open(x)
	if err != nil {
		return err
	}
	for _, p := range g.Photos() {
		if p.State == gallery.Failed || err != nil {
			continue
		}
		var e exported
		if e, err = c.photo(p); err != nil {
			a.fail(exportError(e, err.Error()))
			err = nil
			continue
		}
		err = cmp.Or(ctx.Err(), out.photo(e))
	}
	return cmp.Or(err, out.end(err == nil))
}

// labelPhotos embeds the photos under paths and reads their tags.
func (a *app) labelPhotos(ctx context.Context, c *collector, paths []string) error {
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	if c.scorer, err = newScorer(ctx, c.x.set, enc, &a.settings); err != nil {
		return err
	}
	c.x.model = enc.Info().Name
	c.g.UseModel(enc.catalogModel())
	c.g.UseScanner(enc.engine)
	return a.indexPhotos(ctx, c.g, paths, enc)
}

// tagPhotos reads the tags of the photos under paths, for which no model is
// needed.
func (a *app) tagPhotos(ctx context.Context, g *gallery.Gallery, paths []string) error {
	scanErr := g.Scan(ctx, paths...)
	if err := cmp.Or(ctx.Err(), g.ReadTags(ctx)); err != nil {
		return err
	}
	a.failScan(g, scanErr)
	for _, p := range g.TagProblems() {
		a.fail(p.Err)
	}
	return nil
}
