package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sigla/gallery"
	"sigla/gallery/photo"
	"sigla/model"
)

func (a *app) searchCommand() *cobra.Command {
	var limit int
	var all, duplicates bool
	cmd := &cobra.Command{
		Use:   "search QUERY [PATH] | search --duplicates [PATH...]",
		Short: "Rank photos by a text or by a photo",
		Long: `Rank the photos under PATH, the current folder if none is named, by how well they fit QUERY: a text, which is taken as it is, or the path of a photo.

Photos are embedded when they are first met and kept in the catalog, as sigla index does.

A photo that fits a text no better than nonsense would fit it is a weak hit. Text leaves weak hits out and says on standard error how many, or that nothing here matches and what the closest are; with -0 it is empty then. --all lists weak hits, too. JSON and CSV always have all hits and say of each whether it is confident.

Text has rank, cosine, probability and path; with -0 it has paths only, ready for xargs -0. JSON has one object a line: {"path","rank","cosine","logit","probability","confident"}. The model has no logit for two photos: with a photo as QUERY logit, probability and confident are null.

With --duplicates there is no QUERY: the photos under the PATHs that are the same picture are printed in groups, the best of each first: most pixels, then oldest. In text an empty line ends a group, with -0 a second NUL; JSON has {"paths":[...]} for a group, CSV group and path.`,
		Example: `sigla search "a dog in the snow" Pictures
sigla search beach.jpg Pictures --limit 5
sigla search sunset Pictures -0 | xargs -0 ls -l
sigla search --duplicates Pictures`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case duplicates:
				return nil
			case len(args) == 0:
				return usagef("search: say what for: a text in quotes, or a photo")
			case len(args) > 2:
				return usagef("search %s: want one text and one folder at most; put a text of several words in quotes", strings.Join(args, " "))
			}
			return nil
		},
		Run: a.configured(func(ctx context.Context, args []string) error {
			if duplicates {
				if len(args) == 0 {
					args = []string{"."}
				}
				return a.runDuplicates(ctx, args)
			}
			if limit < 1 {
				return usagef("search with --limit %d: want 1 or more", limit)
			}
			return a.runSearch(ctx, args[0], append(args[1:], ".")[:1], limit, all)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many photos to print")
	cmd.Flags().BoolVar(&all, "all", false, "list weak hits, too")
	cmd.Flags().BoolVar(&duplicates, "duplicates", false, "group photos that are the same picture")
	cmd.MarkFlagsMutuallyExclusive("duplicates", "limit")
	cmd.MarkFlagsMutuallyExclusive("duplicates", "all")
	return cmd
}

func (a *app) runSearch(ctx context.Context, query string, args []string, limit int, all bool) error {
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	vector, byPhoto, err := embedQuery(ctx, enc, query)
	if err != nil {
		return err
	}
	if !byPhoto {
		a.warnLong(enc, "text", query, query)
	}
	g := catalogued(dataDir())
	defer a.closeCatalogued(g)
	g.UseModel(enc.catalogModel())
	g.UseScanner(enc.engine)
	if err := a.eachPhoto(ctx, g, paths, enc, func(gallery.Photo) error { return nil }); err != nil {
		return err
	}
	found := search{score: a.settings.score(enc.Info()), hits: g.Rank(vector, 0, nil)}
	if !byPhoto {
		if found.verdict, err = a.judge(ctx, g, enc, vector); err != nil {
			return err
		}
		if a.settings.format == "text" && !all {
			a.fold(&found, query, limit)
		}
	}
	return a.print(g, found, limit)
}

// judge tells the photos that fit a text from those that fit it no better than
// noise does.
func (a *app) judge(ctx context.Context, g *gallery.Gallery, enc *encoder, vector []float32) (*gallery.Verdict, error) {
	a.progress.say("embedding null prompts, once for this model") // a large model takes seconds
	defer a.progress.clear()
	nulls, err := enc.EmbedTexts(ctx, gallery.NullPrompts())
	if err != nil {
		return nil, err
	}
	return gallery.NewFloor(g, nulls).Judge(ctx, vector)
}

// search is what a search has found.
type search struct {
	score   model.Score
	hits    []gallery.Hit
	verdict *gallery.Verdict // nil: the query is a photo
}

// fold leaves weak hits out, as long as there are others, and says so. Paths for
// a program (-0) have nobody who would read that they are the closest only.
func (a *app) fold(s *search, query string, limit int) {
	total := len(s.hits)
	if s.verdict.Count == 0 && total > 0 {
		if a.settings.null {
			s.hits = nil
			a.complain(fmt.Errorf("nothing here matches %q confidently; --all lists the closest", query))
			return
		}
		a.complain(fmt.Errorf("nothing here matches %q confidently; these are the closest", query))
		return
	}
	s.hits = slices.DeleteFunc(s.hits, func(h gallery.Hit) bool { return !s.verdict.Confident(h.ID) })
	if weak := min(total, limit) - min(len(s.hits), limit); weak > 0 {
		a.complain(fmt.Errorf("%d of %d photos match %q confidently; --all lists the next closest", len(s.hits), total, query))
	}
}

// print prints the first hits.
func (a *app) print(g *gallery.Gallery, s search, limit int) error {
	out := a.output()
	if err := out.header("path", "rank", "cosine", "logit", "probability", "confident"); err != nil {
		return err
	}
	for i, hit := range s.hits[:min(limit, len(s.hits))] {
		found := match{Path: g.Photo(hit.ID).Path, Rank: i + 1, Cosine: hit.Cosine}
		if s.verdict != nil {
			logit, confident := s.score.Logit(hit.Cosine), s.verdict.Confident(hit.ID)
			p := s.score.Probability(logit, model.Adjust{})
			found.Logit, found.Probability, found.Confident = &logit, &p, &confident
		}
		if err := out.match(found); err != nil {
			return err
		}
	}
	return nil
}

// embedQuery embeds a query, as a photo if it is the path of one.
func embedQuery(ctx context.Context, enc *encoder, query string) (vector []float32, byPhoto bool, err error) {
	if info, err := os.Stat(query); err == nil && info.Mode().IsRegular() && photo.IsPhoto(query) {
		img, _, err := photo.Read(query)
		if err != nil {
			return nil, true, err
		}
		x, err := enc.Prepare(img)
		if err != nil {
			return nil, true, err
		}
		vectors, err := enc.Embed(ctx, []any{x})
		if err != nil {
			return nil, true, err
		}
		return vectors[0], true, nil
	}
	vectors, err := enc.EmbedTexts(ctx, []string{query})
	if err != nil {
		return nil, false, err
	}
	return vectors[0], false, nil
}

// match is a photo found by a search. Logit, probability and confident are those
// of a text; between two photos there are none.
type match struct {
	Path        string   `json:"path"`
	Rank        int      `json:"rank"`
	Cosine      float32  `json:"cosine"`
	Logit       *float32 `json:"logit"`
	Probability *float64 `json:"probability"`
	Confident   *bool    `json:"confident"`
}

func (o *output) match(m match) error {
	logit, probability, confident := "", "", ""
	if m.Logit != nil {
		logit, probability, confident = formatFloat(*m.Logit), formatProbability(*m.Probability), strconv.FormatBool(*m.Confident)
	}
	switch {
	case o.format == "json":
		return o.object(m)
	case o.format == "csv":
		return o.row(m.Path, strconv.Itoa(m.Rank), formatFloat(m.Cosine), logit, probability, confident)
	case o.end == 0:
		return o.text(m.Path + "\x00")
	case m.Logit != nil:
		probability = fmt.Sprintf("%6.4f", *m.Probability)
	default:
		probability = "     -"
	}
	return o.text(fmt.Sprintf("%4d  %7.4f  %s  %s\n", m.Rank, m.Cosine, probability, o.path(m.Path)))
}
