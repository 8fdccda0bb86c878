package ui

import (
	"context"
	"errors"
	"testing"

	"sigla/gallery/catalog"
)

// A catalog that cannot be used is said once; the photos are embedded.
func TestCatalogOfNoUse(t *testing.T) {
	d := open(t, 120, 40, photos(t, 3), func(o *Options) {
		o.Gallery.UseCatalog(func(context.Context) (*catalog.Catalog, error) { return nil, errors.New("a newer version wrote it") })
	})
	d.start().rest()
	if text := d.m.toast.text; !d.m.toast.warn || text != "a newer version wrote it" {
		t.Errorf("toast %q", text)
	}
	if p := d.m.progress; p.Done != 3 {
		t.Errorf("progress %+v", p)
	}
	d.m.toast = toast{}
	d.m.see(d.m.lookAt(wanted{}))
	if text := d.m.toast.text; text != "" {
		t.Errorf("said again: %q", text)
	}
}
