package ui

import (
	"cmp"
	"context"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	grammar "sigla/gallery/query"
)

// by is what photos can be sorted by.
type by uint8

const (
	byFolder by = iota // as Scan finds them
	byMatch            // how well they fit the query
	byName             // of the file, without its folder
	byDate             // taken, or else written
	bySize             // of the file
	byLabel            // how probable a label is
)

// order is how photos are sorted.
type order struct {
	by      by
	reverse bool
	label   string // of byLabel
}

// words says the order as it reads behind "12 photos"; "" for the usual one.
func (o order) words() string {
	words := [...][2]string{
		byFolder: {"", "last first"},
		byMatch:  {"best first", "worst first"},
		byName:   {"A–Z", "Z–A"},
		byDate:   {"newest first", "oldest first"},
		bySize:   {"largest first", "smallest first"},
		byLabel:  {"most " + clean(o.label) + " first", "least " + clean(o.label) + " first"},
	}[o.by]
	if o.reverse {
		return words[1]
	}
	return words[0]
}

// query is what is looked for; without a text nothing is.
type query struct {
	text    string        // as it was typed
	filters grammar.Query // only photos that pass them
	vector  []float32     // of length 1; nil: there are filters only, which rank nothing
	photo   bool          // vector is not that of one text, so there is no probability
	order   order         // of photos that are ranked
}

// wish is what the sheet is wanted to show.
type wish struct {
	order  order // while nothing is ranked
	query  query
	folder folder // only photos in it
}

// ordered is the order that the wish is for now.
func (w *wish) ordered() *order {
	if w.query.vector != nil {
		return &w.query.order
	}
	return &w.order
}

// listing is a wish come true: which photos the sheet has, and in which order.
type listing struct {
	wish
	ids     []int     // by position; nil: every photo, by its ID
	places  []int     // by ID: its position, or -1; nil like ids
	cosines []float32 // by ID, of the query; nil without one
}

// place is the position of a photo, or -1.
func (l *listing) place(id int) int {
	switch {
	case l.ids == nil:
		return id
	case id < 0 || id >= len(l.places):
		return -1
	}
	return l.places[id]
}

// desk is what a listing is made from. It belongs to a command.
type desk struct {
	g      *gallery.Gallery
	n      int             // photos to look at: those below
	scores *gallery.Scores // nil: none
	rank   func(gallery.Photo) int
	witness
}

// desk is that of now.
func (m *root) desk() desk {
	return desk{m.o.Gallery, m.photos.len(), m.scores, m.rank, witness{m.score, m.labels.set, m.labels.sides}}
}

// list makes a wish come true. It is of no use if ctx has ended.
func (d desk) list(ctx context.Context, w wish) listing {
	l := listing{wish: w}
	fits := d.selected(ctx, w.query.filters)
	if w.query.vector == nil {
		l.ids = make([]int, 0, d.n)
		for id := range d.n {
			if p := d.g.Photo(id); p.State != gallery.Gone && w.folder.has(p) && (fits == nil || fits(id)) {
				l.ids = append(l.ids, id)
			}
		}
	} else {
		l.ids, l.cosines = []int{}, make([]float32, d.n)
		for _, hit := range d.g.Rank(w.query.vector, 0, fits) {
			// A photo may have been embedded before it was seen; it joins later.
			if hit.ID < d.n && (w.folder.any() || w.folder.has(d.g.Photo(hit.ID))) {
				l.ids = append(l.ids, hit.ID)
				l.cosines[hit.ID] = hit.Cosine
			}
		}
	}
	if ctx.Err() == nil {
		d.sort(&l)
	}
	l.places = make([]int, d.n)
	for id := range l.places {
		l.places[id] = -1
	}
	for i, id := range l.ids {
		l.places[id] = i
	}
	return l
}

// sortKey is what a photo is sorted by: the number first, then the name. NaN is
// unknown and comes last, whatever the direction.
type sortKey struct {
	id     int
	number float64
	name   string
}

// sort puts the photos in order; equal ones stand by their ID.
func (d desk) sort(l *listing) {
	o := *l.ordered()
	column := -1
	if o.by == byLabel && d.scores != nil {
		column = d.scores.Classifier().Set().Index(o.label)
	}
	keys := make([]sortKey, len(l.ids))
	for i, id := range l.ids {
		keys[i] = d.key(id, o.by, column)
		if o.by == byMatch {
			keys[i].number = -float64(l.cosines[id])
		}
	}
	direction := 1
	if o.reverse {
		direction = -1
	}
	slices.SortFunc(keys, func(a, b sortKey) int {
		if x, y := math.IsNaN(a.number), math.IsNaN(b.number); x || y {
			return cmp.Or(compareBool(x, y), cmp.Compare(a.id, b.id))
		}
		c := cmp.Compare(a.number, b.number)
		if c == 0 && a.name != b.name {
			c = gallery.CompareNames(a.name, b.name)
		}
		return cmp.Or(direction*c, cmp.Compare(a.id, b.id))
	})
	for i, k := range keys {
		l.ids[i] = k.id
	}
}

func (d desk) key(id int, b by, column int) sortKey {
	k := sortKey{id: id}
	switch p := d.g.Photo(id); b {
	case byFolder:
		k.number, k.name = float64(d.rank(p)), p.Name
	case byName:
		k.name = path.Base(p.Name)
	case byDate:
		k.number = -float64(date(p).UnixMicro())
	case bySize:
		k.number = -float64(p.Size)
	case byLabel:
		k.number = math.NaN()
		if d.scores != nil && column >= 0 {
			if row, ok := d.scores.Row(id); ok {
				k.number = -float64(row[column])
			}
		}
	}
	return k
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// ranks returns which of the paths given to Scan a photo was reached from.
func ranks(paths []string) func(gallery.Photo) int {
	rank := map[string]int{}
	for i, p := range slices.Backward(paths) {
		rank[p] = i // a file that is named
		rank[strings.TrimSuffix(filepath.Join(p, "x"), "x")] = i
	}
	return func(p gallery.Photo) int {
		if i, ok := rank[p.Path]; ok {
			return i
		}
		if i, ok := rank[rootOf(p)]; ok {
			return i
		}
		return len(paths)
	}
}

// usual reports whether the wish is for all photos in the order of their IDs,
// which needs no list.
func (m *root) usual() bool {
	w := &m.want
	return w.query.text == "" && w.folder.any() && w.order == order{} && !m.unordered && m.gone == 0
}

// wished follows a change of the wish at once.
func (m *root) wished() { m.listPace.want(true) }

// relist brings the sheet up to the wish.
func (m *root) relist() tea.Cmd {
	p := &m.listPace
	if p.due && m.usual() {
		if p.running() {
			p.stop()
			p.stop = nil
			p.run++
		}
		p.due, p.hurry = false, false
		m.show(listing{wish: m.want})
		return nil
	}
	want := m.want
	d := m.desk()
	return m.spread(p, func(ctx context.Context) func(*root) {
		l := d.list(ctx, want)
		return func(m *root) { m.listed(l) }
	})
}

func (m *root) listed(l listing) {
	if l.query.vector != nil && !l.query.filters.Filtered() && len(l.ids) == 0 {
		m.say("nothing is embedded yet; search again in a moment")
		m.want.query = m.list.query
		return
	}
	m.show(l)
}

// nextIn is the position that the chosen photo, or the first one behind it that
// the listing has, is to have there.
func (m *root) nextIn(l listing) int {
	for position := m.cursor; position < m.shown(); position++ {
		if at := l.place(m.photo(position)); at >= 0 {
			return at
		}
	}
	return max(0, len(l.ids)-1)
}

// show puts a listing onto the sheet. The chosen photo stays chosen, in the row
// of the screen where it was; the answer to a question begins with the first.
func (m *root) show(l listing) {
	asked := l.query.text != "" && l.query.text != m.list.query.text
	it, ok := m.chosen()
	columns := max(1, m.lay.grid.cols)
	row := m.cursor/columns - m.top
	next := m.nextIn(l)
	m.list = l
	if l.cosines != nil && !l.query.photo {
		m.judged.pace.want(asked)
	}
	if asked {
		m.cursor, m.top, m.large, m.focus = 0, 0, false, onPhotos
		return
	}
	if !ok {
		return
	}
	switch at := l.place(it.ID); {
	case at >= 0:
		m.cursor = at
	case it.State == gallery.Gone:
		m.cursor = next
	default:
		m.cursor = 0
	}
	m.top = m.cursor/columns - row
}
