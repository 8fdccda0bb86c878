package ui

import (
	"testing"

	"sigla/gallery"
)

func TestAlbum(t *testing.T) {
	var a album
	const n = 2*albumPage + 1
	for id := range n {
		a.put(gallery.Photo{ID: id, Size: int64(id)})
		a.put(gallery.Photo{ID: id + 2}) // of which the one before is missing
	}
	if a.len() != n {
		t.Fatalf("%d photos, want %d", a.len(), n)
	}
	for id := range n {
		a.put(gallery.Photo{ID: id, Size: a.at(id).Size + 1})
	}
	for id := range n {
		if p := a.at(id); p.ID != id || p.Size != int64(id)+1 {
			t.Fatalf("at %d is %+v", id, p)
		}
	}
}

// TestManyProblems: the page of problems is bounded and counts all of them.
func TestManyProblems(t *testing.T) {
	d := open(t, 80, 24, mixed(t), nil).start().press("!")
	for len(d.m.failed) < mostReasons {
		d.m.failed = append(d.m.failed, d.m.failed[0])
	}
	d.m.progress.Failed = 12_345
	d.press("home").has("Could not be read: 12,345")
	if page := d.m.page(); len(page) > 4*mostReasons {
		t.Errorf("%d lines", len(page))
	}
	for range 200 {
		d.send(keyPress("pgdown"))
	}
	d.has("11,845 more; sigla index --status lists all")
}
