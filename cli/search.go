package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"sigla/gallery"
	"sigla/gallery/photo"
	"sigla/model"
)

func (a *app) searchCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "search QUERY [PATH]",
		Short: "Rank photos by a text or by a photo",
		Long: `Rank the photos under PATH, the current folder if none is named, by how well they fit QUERY: a text, which is taken as it is, or the path of a photo.

Photos are embedded when they are first met and kept in the catalog, as sigla index does.

Text has rank, cosine, probability and path; with -0 it has paths only, ready for xargs -0. JSON has one object a line: {"path","rank","cosine","logit","probability"}. The model has no logit for two photos: with a photo as QUERY logit and probability are null.`,
		Example: `sigla search "a dog in the snow" Pictures
sigla search beach.jpg Pictures --limit 5
sigla search sunset Pictures -0 | xargs -0 ls -l`,
		Args: cobra.RangeArgs(1, 2),
		Run: a.configured(func(ctx context.Context, args []string) error {
			if limit < 1 {
				return usagef("search with --limit %d: want 1 or more", limit)
			}
			return a.runSearch(ctx, args[0], append(args[1:], ".")[:1], limit)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many photos to print")
	return cmd
}

func (a *app) runSearch(ctx context.Context, query string, args []string, limit int) error {
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
	out := a.output()
	if err := out.header("path", "rank", "cosine", "logit", "probability"); err != nil {
		return err
	}
	score := a.settings.score(enc.Info())
	for i, hit := range g.Rank(vector, limit, nil) {
		found := match{Path: g.Photo(hit.ID).Path, Rank: i + 1, Cosine: hit.Cosine}
		if !byPhoto {
			logit := score.Logit(hit.Cosine)
			p := score.Probability(logit, model.Adjust{})
			found.Logit, found.Probability = &logit, &p
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

// match is a photo found by a search. Logit and probability are those of a
// text; between two photos there are none.
type match struct {
	Path        string   `json:"path"`
	Rank        int      `json:"rank"`
	Cosine      float32  `json:"cosine"`
	Logit       *float32 `json:"logit"`
	Probability *float64 `json:"probability"`
}

func (o *output) match(m match) error {
	logit, probability := "", ""
	if m.Logit != nil {
		logit, probability = formatFloat(*m.Logit), formatProbability(*m.Probability)
	}
	switch {
	case o.format == "json":
		return o.object(m)
	case o.format == "csv":
		return o.row(m.Path, strconv.Itoa(m.Rank), formatFloat(m.Cosine), logit, probability)
	case o.end == 0:
		return o.text(m.Path + "\x00")
	case m.Logit != nil:
		probability = fmt.Sprintf("%6.4f", *m.Probability)
	default:
		probability = "     -"
	}
	return o.text(fmt.Sprintf("%4d  %7.4f  %s  %s\n", m.Rank, m.Cosine, probability, o.path(m.Path)))
}
