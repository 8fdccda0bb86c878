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
	peeksAtOnce  = 2
)

// pictures has what there is to show of the photos: thumbnails, some larger
// pictures, and both as drawn last. What a camera has stored in the file comes
// first, because it is there at once; then the photo itself, from the gallery's
// workers, which decode every photo once to embed it and offer it for nothing,
// or, if they will not, from a command. A photo in full size is large, so that
// one is decoded here at a time.
type pictures struct {
	work *work

	mu      sync.Mutex // guards those up to large
	thumbs  *lru[int, thumb]
	large   *lru[int, *image.NRGBA]
	wanted  map[int]bool // on screen and next to it
	enlarge int          // the photo that is wanted large, or -1

	// Of the event loop alone:
	drawn   *lru[drawing, []string]
	peeked  map[int]bool  // photos whose stored thumbnails were asked for
	peeking int           // how many of these are on their way
	loading int           // photo that is being decoded, or -1
	broken  map[int]error // photos that could not be read here
}

// thumb is a thumbnail; a rough one is as the camera has stored it, smaller
// and perhaps older than the photo.
type thumb struct {
	*image.NRGBA
	rough bool
}

// drawing identifies a picture as strings.
type drawing struct {
	id, cols, rows int
	from           source
	style          pictureStyle
}

// source is the picture that a drawing was made from.
type source uint8

const (
	fromRough source = iota
	fromThumb
	fromLarge
)

// pictureStyle is how cells make pixels.
type pictureStyle uint8

const (
	inColour pictureStyle = iota
	onDark                // shapes without colour, on a dark background
	onLight
)

func newPictures(w *work) *pictures {
	return &pictures{
		work:   w,
		thumbs: newLRU[int, thumb](thumbBytes),
		large:  newLRU[int, *image.NRGBA](largeBytes),
		drawn:  newLRU[drawing, []string](drawnBytes),
		peeked: map[int]bool{}, broken: map[int]error{}, loading: -1, enlarge: -1,
	}
}

// thumb returns a thumbnail if it is there, and counts as a use of it.
func (p *pictures) thumb(id int) (thumb, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thumbs.get(id)
}

// keep keeps a thumbnail unless there is a better one.
func (p *pictures) keep(id int, t thumb) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, have := p.thumbs.get(id); !have || !t.rough {
		p.thumbs.put(id, t, len(t.Pix))
	}
}

// forget forgets the pictures of a photo whose file has changed.
func (p *pictures) forget(id int) {
	own := func(other int) bool { return other == id }
	p.mu.Lock()
	p.thumbs.forget(own)
	p.large.forget(own)
	p.mu.Unlock()
	delete(p.peeked, id)
	delete(p.broken, id)
	p.drawn.forget(func(d drawing) bool { return d.id == id })
}

// take makes what is wanted of a decoded photo.
func (p *pictures) take(id int, img image.Image, enlarge bool) {
	if enlarge {
		big := photo.Fit(img, largeSide, largeSide)
		p.mu.Lock()
		p.large.put(id, big, len(big.Pix))
		p.mu.Unlock()
		img = big
	}
	p.keep(id, thumb{photo.Fit(img, thumbSide, thumbSide), false})
}

// offer takes a decoded photo from a worker of the gallery. Once the cache is
// full only wanted ones are worth the reduction.
func (p *pictures) offer(id int, img image.Image) {
	p.mu.Lock()
	entry, have := p.thumbs.entries[id]
	if have {
		have = !entry.Value.(*lruEntry[int, thumb]).value.rough
	}
	full := p.thumbs.used >= p.thumbs.limit/2
	enlarge := p.enlarge == id
	welcome := enlarge || !have && (!full || p.wanted[id])
	p.mu.Unlock()
	if welcome {
		p.take(id, img, enlarge)
	}
}

// want says which thumbnails are needed, the most urgent first, and returns
// commands for as many as may be loaded now. Wishes not yet begun are
// forgotten. While the gallery embeds, it decodes what is on the screen before
// all else, and offers it: those photos are not decoded here as well.
func (p *pictures) want(photos *album, ids []int, embedding bool) []tea.Cmd {
	wanted := make(map[int]bool, len(ids))
	var cmds []tea.Cmd
	for _, id := range ids {
		wanted[id] = true
		it := photos.at(id)
		if it.State == gallery.Failed || p.broken[id] != nil {
			continue
		}
		switch t, ok := p.thumb(id); {
		case ok && !t.rough:
		case !ok && !p.peeked[id]:
			if p.peeking < peeksAtOnce {
				p.peeking++
				p.peeked[id] = true
				cmds = append(cmds, p.peek(it))
			}
		case p.loading < 0 && !(embedding && it.State == gallery.Waiting):
			cmds = append(cmds, p.load(it))
		}
	}
	p.mu.Lock()
	p.wanted = wanted
	p.mu.Unlock()
	return cmds
}

// peekedMsg says that a stored thumbnail has been looked for.
type peekedMsg struct{}

func (p *pictures) peek(it gallery.Photo) tea.Cmd {
	return p.work.command(func(context.Context) tea.Msg {
		if _, ok := p.thumb(it.ID); !ok { // no worker was faster
			if img, ok := photo.Thumbnail(it.Path); ok {
				p.keep(it.ID, thumb{photo.Fit(img, thumbSide, thumbSide), true})
			}
		}
		return peekedMsg{}
	})
}

type loadedMsg struct {
	id  int
	err error
}

// load decodes a photo. It is large as well if that is the one wanted large.
func (p *pictures) load(it gallery.Photo) tea.Cmd {
	p.loading = it.ID
	return p.work.command(func(context.Context) tea.Msg {
		standBack()
		p.mu.Lock()
		enlarge := p.enlarge == it.ID
		p.mu.Unlock()
		side := 2 * thumbSide // what Fit shrinks without loss
		if enlarge {
			side = largeSide
		}
		img, info, err := photo.ReadFor(it.Path, func(w, h int) bool { return max(w, h) >= side })
		if err == nil {
			p.mu.Lock()
			enlarge = p.enlarge == it.ID && (enlarge || img.Bounds().Dx() == info.Width)
			p.mu.Unlock()
			p.take(it.ID, img, enlarge)
		}
		return loadedMsg{it.ID, err}
	})
}

func (p *pictures) loadDone(msg loadedMsg) {
	p.loading = -1
	if msg.err != nil {
		p.broken[msg.id] = msg.err
	}
}

// wantLarge says which photo is shown in cols × rows cells, and returns a
// command if they can show more than its thumbnail has. Who leafs fast gets
// the picture of the photo where he stops.
func (p *pictures) wantLarge(it gallery.Photo, cols, rows int, embedding bool) tea.Cmd {
	t, ok := p.thumb(it.ID)
	enough := false
	if ok {
		size := t.Rect.Size()
		enough = !t.rough && max(size.X, size.Y) < thumbSide || cols <= size.X && 2*rows <= size.Y
	}
	if !ok && max(cols, 2*rows) <= thumbSide {
		enough = true // as far as can be told
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enlarge = -1
	if _, have := p.large.get(it.ID); have || enough || it.State == gallery.Failed || p.broken[it.ID] != nil {
		return nil
	}
	p.enlarge = it.ID
	if !ok || p.loading >= 0 || embedding && it.State == gallery.Waiting {
		return nil
	}
	return p.load(it)
}

// draw returns a photo in cols × rows cells from the best picture there is, or
// false if there is none yet. It keeps what it has drawn.
func (p *pictures) draw(id, cols, rows int, style pictureStyle) ([]string, bool) {
	t, ok := p.thumb(id)
	if !ok {
		return nil, false
	}
	img, key := t.NRGBA, drawing{id: id, cols: cols, rows: rows, from: fromThumb, style: style}
	if t.rough {
		key.from = fromRough
	}
	if big, ok := p.largePicture(id); ok && (cols > img.Rect.Dx() || 2*rows > img.Rect.Dy()) {
		img, key.from = big, fromLarge
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

func (p *pictures) largePicture(id int) (*image.NRGBA, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.large.get(id)
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
	var cmds []tea.Cmd
	if it, ok := m.chosen(); ok && m.lay.picture.h > 0 { // before others are decoded
		cmds = append(cmds, m.pics.wantLarge(it, m.lay.picture.w, m.lay.picture.h, m.decoding()))
	}
	around = append(m.trainShown(), around...)
	m.near = around[:min(len(around), thumbsAround)]
	cmds = append(cmds, m.pics.want(&m.photos, m.near, m.decoding())...)
	if !slices.Equal(visible, m.window) {
		m.window = visible
		cmds = append(cmds, m.lookAgain())
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
