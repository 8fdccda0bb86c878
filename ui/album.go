package ui

import "sigla/gallery"

// album is the explorer's own copy of the photos, as last seen, by ID. It has
// pages, so that a photo is added at the same price however many there are.
type album struct {
	pages [][]gallery.Photo
	n     int
}

const albumPage = 1024

func (a *album) len() int { return a.n }

// at returns the photo of an ID below len.
func (a *album) at(id int) gallery.Photo { return a.pages[id/albumPage][id%albumPage] }

// put replaces a photo, or adds the one whose ID is len; others are ignored.
func (a *album) put(p gallery.Photo) {
	switch {
	case p.ID < a.n:
		a.pages[p.ID/albumPage][p.ID%albumPage] = p
	case p.ID == a.n:
		if a.n%albumPage == 0 {
			a.pages = append(a.pages, make([]gallery.Photo, 0, albumPage))
		}
		last := &a.pages[len(a.pages)-1]
		*last = append(*last, p)
		a.n++
	}
}
