package ui

import (
	"context"
	"image"
	"slices"
	"sync"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/photo"
	"sigla/ui/pixels"
)

const (
	thumbSide  = 160      // pixels: more than a pane of a usual terminal has
	thumbBytes = 64 << 20 // for thumbnails
	largeBytes = 32 << 20 // for pictures above thumbSide
	drawnBytes = 8 << 20  // for pictures as strings
	largeSide  = 1024     // pixels: more than any terminal has

	// thumbsAround bounds what is wanted at once well below what the cache
	// holds, or wishes would throw each other out for ever.
	thumbsAround = thumbBytes / (thumbSide * thumbSide * 4) / 2
	loadsAtOnce  = 2
)

// pictures has what there is to show of the photos: thumbnails, some larger
// pictures, and both as drawn last. Thumbnails come from commands, and for
// nothing from the gallery's workers, which decode every photo once to embed
// it.
type pictures struct {
	work *work

	mu     sync.Mutex // guards thumbs and wanted
	thumbs *lru[int, *image.NRGBA]
	wanted map[int]bool // on screen and next to it

	// Of the event loop alone:
	large   *lru[int, *image.NRGBA]
	drawn   *lru[drawing, []string]
	loading map[int]bool  // thumbnails on their way
	picture int           // large picture on its way, or -1
	broken  map[int]error // photos that could not be read here
}

// drawing identifies a picture as strings.
type drawing struct {
	id, cols, rows int
	large          bool // made from the large picture
	style          pictureStyle
}

// pictureStyle is how cells make pixels.
type pictureStyle uint8

const (
	inColour pictureStyle = iota
	onDark                // shapes without colour, on a dark background
	onLight
)

func newPictures(w *work) *pictures {
	return &pictures{
		work:    w,
		thumbs:  newLRU[int, *image.NRGBA](thumbBytes),
		large:   newLRU[int, *image.NRGBA](largeBytes),
		drawn:   newLRU[drawing, []string](drawnBytes),
		loading: map[int]bool{}, broken: map[int]error{}, picture: -1,
	}
}

// thumb returns a thumbnail if it is there, and counts as a use of it.
func (p *pictures) thumb(id int) (*image.NRGBA, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thumbs.get(id)
}

func (p *pictures) keep(id int, thumb *image.NRGBA) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thumbs.put(id, thumb, len(thumb.Pix))
}

// offer takes a decoded photo from a worker of the gallery. Once the cache is
// full only wanted ones are worth the reduction.
func (p *pictures) offer(id int, img image.Image) {
	p.mu.Lock()
	_, have := p.thumbs.entries[id]
	full := p.thumbs.used >= p.thumbs.limit/2
	welcome := !have && (!full || p.wanted[id])
	p.mu.Unlock()
	if welcome {
		p.keep(id, photo.Fit(img, thumbSide, thumbSide))
	}
}

// want says which thumbnails are needed, the most urgent first, and returns
// commands for as many as may be loaded now. Wishes not yet begun are
// forgotten. While the gallery embeds, it decodes what is on the screen before
// all else, and offers it: those photos are not decoded here as well.
func (p *pictures) want(photos []gallery.Photo, ids []int, embedding bool) []tea.Cmd {
	wanted := make(map[int]bool, len(ids))
	var cmds []tea.Cmd
	for _, id := range ids {
		wanted[id] = true
		if len(p.loading) >= loadsAtOnce || p.loading[id] || p.broken[id] != nil {
			continue
		}
		if _, ok := p.thumb(id); ok {
			continue
		}
		it := photos[id]
		if it.State == gallery.Failed || embedding && it.State == gallery.Waiting {
			continue
		}
		p.loading[id] = true
		cmds = append(cmds, p.loadThumb(it))
	}
	p.mu.Lock()
	p.wanted = wanted
	p.mu.Unlock()
	return cmds
}

type thumbMsg struct {
	id  int
	err error
}

func (p *pictures) loadThumb(it gallery.Photo) tea.Cmd {
	return p.work.command(func(context.Context) tea.Msg {
		if _, ok := p.thumb(it.ID); ok { // a worker was faster
			return thumbMsg{id: it.ID}
		}
		standBack()
		img, _, err := photo.Read(it.Path)
		if err == nil {
			p.keep(it.ID, photo.Fit(img, thumbSide, thumbSide))
		}
		return thumbMsg{it.ID, err}
	})
}

func (p *pictures) thumbDone(msg thumbMsg) {
	delete(p.loading, msg.id)
	if msg.err != nil {
		p.broken[msg.id] = msg.err
	}
}

// enlarge returns a command for the large picture of a photo if cols × rows
// cells can show more than its thumbnail has. One is on its way at a time: who
// leafs fast gets that of the photo where he stops.
func (p *pictures) enlarge(it gallery.Photo, cols, rows int) tea.Cmd {
	if p.picture >= 0 || p.broken[it.ID] != nil || it.State == gallery.Failed {
		return nil
	}
	thumb, ok := p.thumb(it.ID)
	if _, have := p.large.get(it.ID); have || !ok {
		return nil
	}
	size := thumb.Rect.Size()
	if max(size.X, size.Y) < thumbSide || cols <= size.X && 2*rows <= size.Y {
		return nil
	}
	p.picture = it.ID
	return p.work.command(func(context.Context) tea.Msg {
		standBack()
		img, _, err := photo.Read(it.Path)
		if err != nil {
			return pictureMsg{id: it.ID, err: err}
		}
		return pictureMsg{id: it.ID, img: photo.Fit(img, largeSide, largeSide)}
	})
}

type pictureMsg struct {
	id  int
	img *image.NRGBA
	err error
}

func (p *pictures) pictureDone(msg pictureMsg) {
	p.picture = -1
	if msg.err != nil {
		p.broken[msg.id] = msg.err
		return
	}
	p.large.put(msg.id, msg.img, len(msg.img.Pix))
}

// draw returns a photo in cols × rows cells from the best picture there is, or
// false if there is none yet. It keeps what it has drawn.
func (p *pictures) draw(id, cols, rows int, style pictureStyle) ([]string, bool) {
	img, ok := p.thumb(id)
	if !ok {
		return nil, false
	}
	key := drawing{id: id, cols: cols, rows: rows, style: style}
	if big, ok := p.large.get(id); ok && (cols > img.Rect.Dx() || 2*rows > img.Rect.Dy()) {
		img, key.large = big, true
	}
	if lines, ok := p.drawn.get(key); ok {
		return lines, true
	}
	var lines []string
	if style == inColour {
		lines = pixels.Blocks(img, cols, rows)
	} else {
		lines = pixels.Shapes(img, cols, rows, style == onDark)
	}
	cost := 0
	for _, l := range lines {
		cost += len(l)
	}
	p.drawn.put(key, lines, cost)
	return lines, true
}

// pictureStyle is the one that the terminal can show.
func (m *root) pictureStyle() pictureStyle {
	switch {
	case m.colour:
		return inColour
	case m.dark:
		return onDark
	}
	return onLight
}

// fetch asks for the pictures that the screen needs now: the visible ones
// first, then a page either way; and tells the gallery what is on screen.
func (m *root) fetch() tea.Cmd {
	if !m.lay.usable() || m.shown() == 0 {
		return nil
	}
	from, to := m.cursor, m.cursor+1
	page := 4 // how far one leafs ahead in the large view
	if g := m.lay.grid; g.cols > 0 {
		from, to = m.top*g.cols, (m.top+g.rows)*g.cols
		page = g.cols * g.rows
	}
	visible := m.at(from, to)
	around := slices.Concat(visible, m.at(to, to+page), m.at(from-page, from))
	cmds := m.pics.want(m.photos, around[:min(len(around), thumbsAround)], m.embedding)
	if !slices.Equal(visible, m.window) {
		m.window = visible
		cmds = append(cmds, m.lookAgain())
	}
	if it, ok := m.chosen(); ok && m.lay.picture.h > 0 {
		cmds = append(cmds, m.pics.enlarge(it, m.lay.picture.w, m.lay.picture.h))
	}
	return tea.Batch(cmds...)
}

// at are the photos at the positions from ≤ i < to that exist.
func (m *root) at(from, to int) []int {
	var ids []int
	for i := max(from, 0); i < min(to, m.shown()); i++ {
		ids = append(ids, m.photo(i))
	}
	return ids
}
