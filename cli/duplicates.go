package cli

import (
	"context"
	"strconv"

	"sigla/gallery"
)

// runDuplicates prints the groups of photos that are the same picture.
func (a *app) runDuplicates(ctx context.Context, args []string) error {
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	g := catalogued(dataDir())
	defer a.closeCatalogued(g)
	g.UseScanner(enc.cpu)
	g.UseModel(enc.catalogModel())
	if err := a.eachPhoto(ctx, g, paths, enc, func(gallery.Photo) error { return nil }); err != nil {
		return err
	}
	pictures, err := gallery.NewPictures(ctx, g)
	if err != nil {
		return err
	}
	groups, err := pictures.Groups(ctx, gallery.DefaultAlike)
	if err != nil {
		return err
	}
	out := a.output()
	if err := out.header("group", "path"); err != nil {
		return err
	}
	for i, group := range groups {
		paths := make([]string, len(group))
		for k, id := range group {
			paths[k] = g.Photo(id).Path
		}
		if err := out.group(i+1, paths); err != nil {
			return err
		}
	}
	return nil
}

// group writes a group of photos, the best first. In text an empty line, or with
// -0 a second NUL, ends a group.
func (o *output) group(number int, paths []string) error {
	switch o.format {
	case "json":
		return o.object(struct {
			Paths []string `json:"paths"`
		}{paths})
	case "csv":
		for _, path := range paths {
			if err := o.row(strconv.Itoa(number), path); err != nil {
				return err
			}
		}
		return nil
	}
	text := ""
	for _, path := range paths {
		text += o.path(path) + string(o.end)
	}
	return o.text(text + string(o.end))
}
