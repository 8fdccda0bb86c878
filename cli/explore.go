package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gallery/sidecar/journal"
	"sigla/internal/atomicfile"
	"sigla/model"
	"sigla/ui"
)

// starterHint tells, on the status line, what the starter is and is not.
const starterHint = "starter model: sigla pull for SigLIP 2"

func (a *app) runExplore(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	if _, err := os.Stat(args[0]); args[0] != "-" && errors.Is(err, fs.ErrNotExist) {
		hint := ""
		if similar := a.root.SuggestionsFor(args[0]); len(similar) > 0 {
			hint = fmt.Sprintf(`; did you mean "sigla %s"?`, similar[0])
		}
		return fmt.Errorf("open %s: no such file or folder%s", args[0], hint)
	}
	name := func(p gallery.Photo) string { return p.Path }
	e := exploration{paths: paths, store: userLabels(), data: dataDir(), name: name, history: searchHistory()}
	if len(args) == 1 {
		e.title = args[0]
	}
	return a.explore(ctx, e)
}

// exploration is a set of photos to look at.
type exploration struct {
	title string
	paths []string
	store labelStore
	data  string                     // folder of the catalog
	name  func(gallery.Photo) string // what a list calls a photo

	history history
}

// explore opens the explorer or, where standard output is no terminal, lists
// the photos with their labels above the threshold.
func (a *app) explore(ctx context.Context, e exploration) error {
	set, save, err := a.labelSet(ctx, e.store)
	if err != nil {
		return err
	}
	if !isTerminal(a.stdout) || os.Getenv("TERM") == "dumb" { // it has no cursor to move
		return a.list(ctx, e, set)
	}
	hint := ""
	if a.isStarter() {
		hint = starterHint
	}
	src, err := a.source(ctx) // a model that must be fetched is, before the screen opens
	if err != nil {
		return err
	}
	for {
		err := a.screen(ctx, e, src, set, save, hint)
		if !errors.Is(err, ui.ErrReopen) {
			return err
		}
		if set, save, err = a.labelSet(ctx, e.store); err != nil { // as it was left
			return err
		}
	}
}

// screen opens the explorer once. It ends with ui.ErrReopen when a training has
// changed the model.
func (a *app) screen(ctx context.Context, e exploration, src model.Source, set label.Set, save func(label.Set) error, hint string) error {
	g := catalogued(e.data)
	defer a.closeCatalogued(g)
	t := &trainer{app: a, g: g, src: src, data: e.data, paths: e.paths}
	return ui.Run(ctx, ui.Options{
		Title:   e.title,
		Gallery: g,
		Paths:   e.paths,
		Watch:   true,
		Labels:  set,
		Save:    save,

		Journal: func(ctx context.Context) (*journal.Journal, error) { return journal.Open(ctx, runsOf(e.data)) },
		Follow:  func(ctx context.Context, list []journal.Replacement) error { return follow(ctx, e.data)(list) },
		Create:  func(path string) (ui.File, error) { return atomicfile.Create(path, 0o644) },

		History:  e.history.lines(),
		Remember: e.history.remember(),
		Load: func(ctx context.Context) (ui.Encoder, error) {
			enc, err := a.use(ctx, src)
			if err != nil {
				return nil, err
			}
			g.UseModel(enc.catalogModel())
			g.UseScanner(enc.cpu)
			t.setModel(enc)
			return enc, nil
		},
		Trainer:     t,
		Delta:       a.settings.bias,
		Temperature: a.settings.temperature,
		Hint:        hint,
		NoColor:     os.Getenv("NO_COLOR") != "",
	})
}

// list prints each photo with its labels above the threshold.
func (a *app) list(ctx context.Context, e exploration, set label.Set) error {
	out := a.output()
	if err := out.scoreHeader(); err != nil {
		return err
	}
	return a.scorePhotos(ctx, set, e.paths, func(photo gallery.Photo, scores []labelScore) error {
		above := scores[:0]
		for _, s := range scores {
			if s.above {
				above = append(above, s)
			}
		}
		return out.listed(e.name(photo), above)
	})
}

// listed writes a photo and the labels that it has.
func (o *output) listed(name string, labels []labelScore) error {
	if o.format != "text" {
		return o.scores(name, labels)
	}
	shown := make([]string, len(labels))
	for i, l := range labels {
		shown[i] = fmt.Sprintf("%s %.2f", l.Label, l.Probability)
	}
	line := fmt.Sprintf("%-24s  %s", o.path(name), strings.Join(shown, ", "))
	return o.text(strings.TrimRight(line, " ") + string(o.end))
}
