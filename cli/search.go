package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sigla/gallery"
	"sigla/gallery/query"
	"sigla/model"
)

func (a *app) searchCommand() *cobra.Command {
	var limit int
	var all, duplicates bool
	cmd := &cobra.Command{
		Use:   "search QUERY [PATH] | search --duplicates [PATH...]",
		Short: "Find photos by texts, by photos and by filters",
		Long: `Rank the photos under PATH, the current folder if none is named, by how well they fit QUERY: a text, which is taken as it is, the path of a photo, or a sum of both with weights and minus. Filters leave photos out before: tag:beach, label:dog>0.8, folder:2024, after:2023-05-01, is:untagged, format:raw and more; a query of filters alone lists what passes. A QUERY that begins with - goes behind --. docs/QUERIES.md has all of it.

Photos are embedded when they are first met and kept in the catalog, as sigla index does.

A photo that fits a text no better than nonsense would fit it is a weak hit. Text leaves weak hits out and says on standard error how many, or that nothing here matches and what the closest are; with -0 it is empty then. --all lists weak hits, too. JSON and CSV always have all hits and say of each whether it is confident.

Text has rank, cosine, probability and path; with -0 it has paths only, ready for xargs -0. JSON has one object a line: {"path","rank","cosine","logit","probability","confident"}. The model has a logit for a photo and a text only: with a photo, or with several terms, as QUERY logit, probability and confident are null; with filters alone the cosine is, too.

With --duplicates there is no QUERY: the photos under the PATHs that are the same picture are printed in groups, the best of each first: most pixels, then oldest. In text an empty line ends a group, with -0 a second NUL; JSON has {"paths":[...]} for a group, CSV group and path.`,
		Example: `sigla search "a dog in the snow" Pictures
sigla search beach.jpg Pictures --limit 5
sigla search "beach + 0.5*sunset - people after:2023 -tag:private" Pictures
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

func (a *app) runSearch(ctx context.Context, line string, args []string, limit int, all bool) error {
	q, err := a.parseQuery(line)
	if err != nil {
		return err
	}
	if err := a.checkLabels(ctx, q); err != nil {
		return err
	}
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	var vector []float32
	if len(q.Terms) > 0 {
		if vector, err = a.embedTerms(ctx, enc, q.Terms); err != nil {
			return err
		}
	}
	g := catalogued(dataDir())
	defer a.closeCatalogued(g)
	g.UseModel(enc.catalogModel())
	g.UseScanner(enc.engine)
	if q.Filtered() {
		err = a.indexPhotos(ctx, g, paths, enc)
	} else {
		err = a.eachPhoto(ctx, g, paths, enc, func(gallery.Photo) error { return nil })
	}
	if err != nil {
		return err
	}
	found, err := a.find(ctx, g, enc, q, vector)
	if err != nil {
		return err
	}
	if found.verdict != nil && a.settings.format == "text" && !all {
		a.fold(&found, line, limit)
	}
	return a.print(g, found, limit)
}

// find ranks the photos that pass the filters by the vector; without one they
// stay in the order in which they were found.
func (a *app) find(ctx context.Context, g *gallery.Gallery, enc *encoder, q query.Query, vector []float32) (search, error) {
	s := search{score: a.settings.score(enc.Info()), ranked: vector != nil}
	var keep func(id int) bool
	if q.Filtered() {
		selected, err := a.selection(ctx, g, enc, q)
		if err != nil {
			return s, err
		}
		keep = selected.Has
		if vector == nil {
			for _, id := range selected.IDs() {
				s.hits = append(s.hits, gallery.Hit{ID: id})
			}
			return s, nil
		}
	}
	s.hits = g.Rank(vector, 0, keep)
	if len(q.Terms) > 1 || q.Terms[0].Photo || q.Terms[0].Weight < 0 {
		return s, nil // the model has a logit, and null prompts a floor, for a text only
	}
	var err error
	s.verdict, err = a.judge(ctx, g, enc, vector)
	return s, err
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
	ranked  bool             // hits have cosines
	verdict *gallery.Verdict // nil: the query is not one text
}

// fold leaves weak hits out, as long as there are others, and says so. Paths for
// a program (-0) have nobody who would read that they are the closest only.
func (a *app) fold(s *search, query string, limit int) {
	total := len(s.hits)
	if total == 0 {
		return
	}
	strong := slices.DeleteFunc(slices.Clone(s.hits), func(h gallery.Hit) bool { return !s.verdict.Confident(h.ID) })
	if len(strong) == 0 {
		if a.settings.null {
			s.hits = nil
			a.complain(fmt.Errorf("nothing here matches %q confidently; --all lists the closest", query))
			return
		}
		a.complain(fmt.Errorf("nothing here matches %q confidently; these are the closest", query))
		return
	}
	s.hits = strong
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
		found := match{Path: g.Photo(hit.ID).Path, Rank: i + 1}
		if s.ranked {
			found.Cosine = &hit.Cosine
		}
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

// match is a photo found by a search. A cosine is that of a ranking, which filters
// alone do not make; logit, probability and confident are those of a text.
type match struct {
	Path        string   `json:"path"`
	Rank        int      `json:"rank"`
	Cosine      *float32 `json:"cosine"`
	Logit       *float32 `json:"logit"`
	Probability *float64 `json:"probability"`
	Confident   *bool    `json:"confident"`
}

func (o *output) match(m match) error {
	cosine, logit, probability, confident := "", "", "", ""
	if m.Cosine != nil {
		cosine = formatFloat(*m.Cosine)
	}
	if m.Logit != nil {
		logit, probability, confident = formatFloat(*m.Logit), formatProbability(*m.Probability), strconv.FormatBool(*m.Confident)
	}
	switch {
	case o.format == "json":
		return o.object(m)
	case o.format == "csv":
		return o.row(m.Path, strconv.Itoa(m.Rank), cosine, logit, probability, confident)
	case o.end == 0:
		return o.text(m.Path + "\x00")
	}
	cosine, probability = "      -", "     -"
	if m.Cosine != nil {
		cosine = fmt.Sprintf("%7.4f", *m.Cosine)
	}
	if m.Logit != nil {
		probability = fmt.Sprintf("%6.4f", *m.Probability)
	}
	return o.text(fmt.Sprintf("%4d  %s  %s  %s\n", m.Rank, cosine, probability, o.path(m.Path)))
}
