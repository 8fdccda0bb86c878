package gallery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
	"sigla/gallery/sidecar"
)

// Inspect reads what there is of one photo, as PlanTags does of many, without a
// gallery. The path may be that of a twin: a raw file stands for its JPEG.
func Inspect(path string) (sidecar.Photo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return sidecar.Photo{}, err
	case !info.Mode().IsRegular() || !photo.IsPhoto(path):
		return sidecar.Photo{}, fmt.Errorf("%s is no photo", path)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return sidecar.Photo{}, err
	}
	stems := 0
	for _, e := range entries {
		if photo.IsPhoto(e.Name()) && stem(e.Name()) == stem(filepath.Base(path)) {
			stems++
		}
	}
	_, pairs := pair(slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return stem(e.Name()) != stem(filepath.Base(path)) }))
	p := Photo{Path: path, Twins: pairs[filepath.Base(path)]}
	for name, twins := range pairs {
		if slices.Contains(twins, filepath.Base(path)) {
			p = Photo{Path: beside(path, name), Twins: twins}
		}
	}
	files := p.Files()
	return sidecar.Photo{Path: p.Path, Twins: files[1:], Files: sidecar.Look(p.Path, files[1:]...), Shared: stems > 1}, nil
}

// Stored returns the vector that a catalog has of a content, of length 1, as a
// Gallery would have it; nil if there is none of the model.
func Stored(ctx context.Context, c *catalog.Catalog, m catalog.Model, content catalog.Hash) (v []float32, err error) {
	index, err := c.Vectors(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	row, ok := index.Find(content)
	if !ok {
		return nil, nil
	}
	k := keeper{index: index}
	h, ok := k.row(row)
	if !ok {
		return nil, nil
	}
	v = make([]float32, len(h.values))
	if err := catalog.Guard(func() { catalog.Widen(v, h.values) }); err != nil {
		return nil, err
	}
	for i := range v {
		v[i] *= h.inverse
	}
	return v, nil
}
