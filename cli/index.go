package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sigla/gallery"
	"sigla/gallery/catalog"
)

// keepMissing is how long what is known of a photo outlives its last file: it
// may be on a drive that comes back.
const keepMissing = 30 * 24 * time.Hour

func (a *app) indexCommand() *cobra.Command {
	var status, verify, repair, prune bool
	cmd := &cobra.Command{
		Use:   "index PATH...",
		Short: "Embed folders of photos once and keep the result",
		Long: `Find and embed all photos in folders and keep their embeddings in the catalog, from which the explorer and search take them. Only new and changed photos are embedded; one that was moved, renamed or copied is known by its content, and one that failed is read again when its file has changed. Photos are only read.

So are the tags that photos have already, in XMP sidecars (photo.jpg.xmp, photo.xmp) and in themselves. A sidecar that is broken is named and does not make its photo fail; it is read again when it has changed.

What is known of a file that is gone is kept for 30 days. The catalog is in $XDG_DATA_HOME/sigla; --status, --verify, --repair and --prune look after it and take no PATH.

A file named .siglaignore leaves out what its lines name, by the rules of .gitignore. A JPEG and the raw file of its name are one photo. Videos, and photos of formats that are not read, are counted.

JSON has one object: {"found","embedded","from_catalog","failed","seconds","photos_per_s","raw_twins","left_out":{"formats":{".mp4":1},"ignored"},"failures":[{"path","reason"}],"tagged","tags","tag_problems":[{"path","reason"}]}: "tagged" photos have "tags" different tags.`,
		Example: `sigla index Pictures
sigla index --status
sigla index --verify || sigla index --repair`,
		Run: a.configured(func(ctx context.Context, args []string) error {
			if a.settings.format == "csv" {
				return usagef("index --format csv: want text or json")
			}
			for _, job := range []struct {
				on   bool
				work func(context.Context, string) error
			}{{status, a.catalogStatus}, {verify, a.verifyCatalog}, {repair, a.repairCatalog}, {prune, a.pruneCatalog}} {
				switch {
				case job.on && len(args) > 0:
					return usagef("look after the catalog and index %q: do one after the other", args[0])
				case job.on:
					return job.work(ctx, dataDir())
				}
			}
			if len(args) == 0 {
				return usagef("index nothing: name a PATH")
			}
			return a.runIndex(ctx, args)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&status, "status", false, "print what the catalog holds, and which photos failed")
	f.BoolVar(&verify, "verify", false, "read the whole catalog and print what is damaged")
	f.BoolVar(&repair, "repair", false, "make a damaged catalog whole; what is damaged is moved aside")
	f.BoolVar(&prune, "prune", false, "forget at once what is known of files that are gone")
	cmd.MarkFlagsMutuallyExclusive("status", "verify", "repair", "prune")
	return cmd
}

// runIndex embeds what the catalog does not have.
func (a *app) runIndex(ctx context.Context, args []string) (err error) {
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	run := catalog.Run{Kind: "index", Started: time.Now(), Model: enc.Info().Name, Device: enc.Device()}
	c, err := catalog.Open(ctx, dataDir())
	if err != nil {
		return err
	}
	if err := c.PutRun(ctx, &run); err != nil {
		return errors.Join(err, c.Close())
	}
	g := gallery.New()
	g.UseCatalog(func(context.Context) (*catalog.Catalog, error) { return c, nil })
	defer func() { err = errors.Join(err, g.Close()) }()
	g.UseModel(enc.catalogModel())

	err = a.indexPhotos(ctx, g, paths, enc)
	if err == nil {
		err = g.CatalogErr()
	}
	if err == nil {
		_, err = c.Forget(ctx, time.Now(), keepMissing)
	}
	p := g.Progress()
	run.Ended, run.Found, run.Done, run.Failed = time.Now(), p.Found, p.Done, p.Failed
	if err != nil {
		run.Error = err.Error()
	}
	// A run that was called off has ended, too.
	if err := errors.Join(err, c.PutRun(context.WithoutCancel(ctx), &run)); err != nil {
		return err
	}
	s := summarize(g, run.Ended.Sub(run.Started))
	s.Adapter = a.adapted
	return a.output().indexed(s)
}

// indexPhotos embeds the photos under paths and reads their tags beside it.
func (a *app) indexPhotos(ctx context.Context, g *gallery.Gallery, paths []string, enc gallery.Embedder) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tags := make(chan error, 1)
	go func() { tags <- g.ReadTags(ctx) }()
	err := a.eachPhoto(ctx, g, paths, enc, func(gallery.Photo) error { return nil })
	if err != nil {
		cancel()
	}
	tagsErr := <-tags
	if err == nil && tagsErr == nil {
		tagsErr = g.ReadTags(ctx) // the first may have ended before the scan began
	}
	if err != nil || tagsErr != nil {
		return cmp.Or(err, tagsErr)
	}
	for _, p := range g.TagProblems() {
		a.fail(p.Err)
	}
	return nil
}

// summary is what an index run did.
type summary struct {
	Found       int             `json:"found"`
	Embedded    int             `json:"embedded"`
	FromCatalog int             `json:"from_catalog"`
	Failed      int             `json:"failed"`
	Seconds     float64         `json:"seconds"`
	Rate        float64         `json:"photos_per_s"` // embedded
	Twins       int             `json:"raw_twins"`    // photos found with a raw file, or a HEIC, beside them
	LeftOut     gallery.LeftOut `json:"left_out"`
	Failures    []failure       `json:"failures"`     // photos, and folders that could not be read
	Tagged      int             `json:"tagged"`       // photos that have tags
	Tags        int             `json:"tags"`         // different ones, people among them
	TagProblems []failure       `json:"tag_problems"` // sidecars and photos whose tags could not be read
	Adapter     string          `json:"adapter,omitempty"`
}

// failure is a photo or a folder that could not be read.
type failure struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

func summarize(g *gallery.Gallery, took time.Duration) summary {
	p := g.Progress()
	s := summary{
		Found: p.Found, Embedded: p.Done - p.Remembered, FromCatalog: p.Remembered, Failed: p.Failed,
		Seconds: took.Seconds(), LeftOut: g.LeftOut(), Failures: []failure{},
		Tagged: p.Tagged, Tags: len(g.TagNames()), TagProblems: []failure{},
	}
	s.Rate = float64(s.Embedded) / s.Seconds
	for _, photo := range g.Photos() {
		if photo.State != gallery.Gone && len(photo.Twins) > 0 {
			s.Twins++
		}
		if photo.State == gallery.Failed {
			s.Failures = append(s.Failures, failure{photo.Path, photo.Err.Error()})
		}
	}
	for _, skip := range g.Skipped() {
		s.Failures = append(s.Failures, failure{skip.Path, skip.Err.Error()})
	}
	for _, skip := range g.TagProblems() {
		s.TagProblems = append(s.TagProblems, failure{skip.Path, skip.Err.Error()})
	}
	return s
}

// indexed writes a summary. Failures have been named on standard error.
func (o *output) indexed(s summary) error {
	if o.format == "json" {
		return o.object(s)
	}
	photos := fmt.Sprintf("%d photos", s.Found)
	if s.Twins > 0 {
		photos += fmt.Sprintf(" (%d with a raw file beside it)", s.Twins)
	}
	line := fmt.Sprintf("%s: %d embedded, %d from the catalog, %d failed; %.1f s", photos, s.Embedded, s.FromCatalog, s.Failed, s.Seconds)
	if s.Embedded > 0 {
		line += fmt.Sprintf(", %.1f photos/s", s.Rate)
	}
	line += fmt.Sprintf("\n%d tags on %d photos", s.Tags, s.Tagged)
	if n := len(s.TagProblems); n > 0 {
		line += fmt.Sprintf("; unreadable: %d", n)
	}
	if left := s.LeftOut.String(); left != "" {
		line += "\nleft out: " + left
	}
	return o.text(line + "\n")
}
