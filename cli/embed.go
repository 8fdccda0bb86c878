package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sigla/gallery"
)

func (a *app) embedCommand() *cobra.Command {
	var texts []string
	cmd := &cobra.Command{
		Use:   "embed PATH...",
		Short: "Print embeddings of photos or texts",
		Long: `Print the embedding, a unit vector of f32 numbers, of photos, of all photos in folders, or of texts.

A text is taken as it is: no template is put around it. Everything is computed anew, in f32: what sigla index keeps, in half precision, is not used. JSON has one object a line: {"path":P,"embedding":[...]} or {"text":T,"embedding":[...]}.`,
		Example: `sigla embed --format json Pictures > pictures.jsonl
sigla embed --text "two dogs at a window" --text sunset`,
		Run: a.configured(func(ctx context.Context, args []string) error {
			switch {
			case len(args) > 0 && len(texts) > 0:
				return usagef("embed paths or texts: name either PATH or --text")
			case len(args) > 0:
				return a.embedPhotos(ctx, args)
			case len(texts) > 0:
				return a.embedTexts(ctx, texts)
			}
			return usagef("embed nothing: name a PATH or a --text")
		}),
	}
	cmd.Flags().StringArrayVar(&texts, "text", nil, "embed this text instead of photos; may be repeated")
	return cmd
}

func (a *app) embedTexts(ctx context.Context, texts []string) error {
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	for _, text := range texts {
		a.warnLong(enc, "text", text, text)
	}
	vectors, err := enc.EmbedTexts(ctx, texts)
	if err != nil {
		return err
	}
	out := a.output()
	if err := out.vectorHeader("text", enc); err != nil {
		return err
	}
	for i, text := range texts {
		if err := out.vector("text", text, vectors[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) embedPhotos(ctx context.Context, args []string) error {
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	out := a.output()
	if err := out.vectorHeader("path", enc); err != nil {
		return err
	}
	g := gallery.New()
	return a.eachPhoto(ctx, g, paths, enc, func(photo gallery.Photo) error {
		return out.vector("path", photo.Path, g.Vector(photo.ID))
	})
}

// vectorHeader names the columns of vectors: kind, v0, v1, ….
func (o *output) vectorHeader(kind string, enc *encoder) error {
	columns := []string{kind}
	for i := range enc.Info().Width {
		columns = append(columns, fmt.Sprintf("v%d", i))
	}
	return o.header(columns...)
}

// vector writes the embedding of a photo (kind "path") or a text (kind "text").
func (o *output) vector(kind, name string, vector []float32) error {
	if o.format == "json" {
		type embedding struct {
			Path      string    `json:"path,omitempty"`
			Text      string    `json:"text,omitempty"`
			Embedding []float32 `json:"embedding"`
			Adapter   string    `json:"adapter,omitempty"`
		}
		if kind == "text" {
			return o.object(embedding{Text: name, Embedding: vector, Adapter: *o.adapted})
		}
		return o.object(embedding{Path: name, Embedding: vector, Adapter: *o.adapted})
	}
	numbers := make([]string, len(vector))
	for i, x := range vector {
		numbers[i] = formatFloat(x)
	}
	if o.format == "csv" {
		return o.row(append([]string{name}, numbers...)...)
	}
	return o.text(o.path(name) + string(o.end) + strings.Join(numbers, " ") + string(o.end))
}
