package ui

import (
	"context"
	"errors"
	"image"
	"strings"
	"sync/atomic"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"sigla/gallery"
	"sigla/model"
)

// root is the state of the whole explorer. It belongs to the goroutine of the
// event loop; commands get what they need as values.
type root struct {
	o    Options
	work *work

	w, h   int // of the terminal; 0 until it has said
	lay    layout
	dark   bool
	colour bool
	theme  theme

	overlay    overlay
	overlayTop int // first line shown of a page
	overlayAt  int // chosen row of a panel
	prompt     *prompt
	toast      toast
	focus      focus
	large      bool
	zoom       int

	// The photos: what is known of them, and where we stand among them.
	photos   album
	known    atomic.Int64 // photos.len, for commands: what they need not look at again
	turns    atomic.Int64 // likewise: turns of photos seen, see gallery.Turned
	gone     int          // of photos
	progress gallery.Progress
	skipped  []gallery.Skip
	leftOut  gallery.LeftOut
	notices  []error // why folders are not followed by events
	failed   []error // why photos failed, as far as the page of problems lists them
	looking  bool    // a look at the gallery is on its way
	lookDue  bool    // and another must follow
	scanning bool
	scanErr  error
	unkept   error              // what is wrong with the catalog; said once
	seen     uint64             // version of the gallery that progress is of
	watches  int                // watches begun
	unwatch  context.CancelFunc // ends the one that runs; nil if none does
	pics     *pictures
	window   []int // ids on screen, as last told to the gallery
	near     []int // and those around them

	// The sheet: what is wanted on it, what is on it, where we stand.
	want      wish
	list      listing
	listPace  pace
	folders   folders
	rank      func(gallery.Photo) int // of the paths that the photos come from
	unordered bool                    // IDs are not in the order of folders
	cursor    int                     // position of the chosen photo
	top       int                     // first row of the sheet on screen
	searches  int                     // number of the search wanted last
	judged    judgement
	searched  history // texts that were searched for

	// The model.
	enc       Encoder // nil until loaded
	info      model.Info
	device    string
	opened    chan Encoder // of one: keeps what Load gave until close
	loadErr   error
	score     model.Score
	odds      func(logits []float32) // CLIP's reading of a label set; nil for SigLIP
	embedding bool
	broken    bool               // the model refuses everything: what comes is not embedded by itself
	stopEmbed context.CancelFunc // ends the embedding that runs
	paused    bool               // embedding is to wait
	stopped   bool               // embedding is not to begin

	train training

	tagging bool // tags are being read
	own     ownTags

	// The labels and what they say.
	labels    labels
	classes   *gallery.Classifier // nil until texts are embedded
	scores    *gallery.Scores     // nil until there are classes
	request   int                 // of the classifier wanted last
	scoring   bool                // scores are being brought up to date
	stale     bool                // and must be once more
	tally     tally
	tallyPace pace
}

// focus is the pane that the arrow keys act on.
type focus uint8

const (
	onPhotos focus = iota
	onLabels
)

// toast is a short message in the status line. It stays until the next key.
type toast struct {
	text   string
	warn   bool
	puzzle bool // a line was not understood; how the text begins matters most
}

func (t toast) line() string {
	if t.puzzle {
		return "? " + t.text
	}
	if t.warn {
		return "✗ " + t.text
	}
	return t.text
}

func newRoot(o Options, work *work) *root {
	if n := len(o.Paths); o.Title == "" && n > 3 {
		o.Title = plural(n, "path")
	} else if o.Title == "" {
		o.Title = strings.Join(o.Paths, ", ")
	}
	m := &root{
		o: o, work: work,
		dark: true, colour: !o.NoColor, zoom: defaultZoom,
		scanning: true,
		pics:     newPictures(work),
		opened:   make(chan Encoder, 1),
		score:    model.Score{Delta: o.Delta, Temperature: o.Temperature},
		labels:   labels{set: o.Labels},
		own:      ownTags{of: -1},
		rank:     ranks(o.Paths),
		searched: history{lines: o.History},
	}
	m.theme = newTheme(m.dark, m.colour)
	m.align()
	o.Gallery.Decoded(func(id int, img image.Image) {
		defer work.catch()
		m.pics.offer(id, img)
	})
	return m
}

// start is the first command: everything slow begins behind the first frame.
func (m *root) start() tea.Cmd {
	return tea.Batch(m.scan(), m.follow(), m.watch(), m.load(), m.replay(), tea.RequestBackgroundColor)
}

// close ends what the explorer started and releases the model.
func (m *root) close() error {
	m.work.close()
	var errs []error
	if run := m.train.run; run != nil { // it can be taken up again
		errs = append(errs, run.Close())
	}
	// What is not confirmed, or has failed, is tried once more.
	if l := m.labels; l.saving || l.unsaved || l.saveErr != nil {
		errs = append(errs, m.o.Save(l.set))
	}
	select {
	case enc := <-m.opened:
		errs = append(errs, enc.Close())
	default:
	}
	return errors.Join(errs...)
}

// update is the one event switch. What it changes is drawn by view.
func (m *root) update(msg tea.Msg) tea.Cmd {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		m.dark = msg.IsDark()
		m.theme = newTheme(m.dark, m.colour)
	case tea.ColorProfileMsg:
		m.colour = !m.o.NoColor && msg.Profile > colorprofile.ASCII
		m.theme = newTheme(m.dark, m.colour)
	case tea.KeyPressMsg:
		cmd = m.key(msg)
	case tea.PasteMsg:
		cmd = m.paste(msg)
	case tea.MouseMsg:
		cmd = m.mouse(msg)
	case scanMsg:
		cmd = m.scanDone(msg)
	case loadMsg:
		cmd = m.loadDone(msg)
	case movedMsg:
		cmd = m.moved(msg)
	case lookMsg:
		cmd = m.looked(msg)
	case embedMsg:
		cmd = m.embedDone(msg)
	case classMsg:
		cmd = m.classDone(msg)
	case scoreMsg:
		cmd = m.scoreDone(msg)
	case queryMsg:
		m.queryDone(msg)
	case wordsMsg:
		msg.prompt.complete = msg.complete
	case rememberMsg:
		m.remembered(msg)
	case spreadMsg:
		m.spreadDone(msg)
	case tagsMsg:
		cmd = m.tagsDone(msg)
	case ownTagsMsg:
		m.ownTagsDone(msg)
	case saveMsg:
		cmd = m.saveDone(msg)
	case planMsg, beganMsg, feedMsg, measuredMsg, keptMsg, droppedMsg, checkpointsMsg, wentBackMsg:
		cmd = m.trainMsg(msg)
	case peekedMsg:
		m.pics.peeking--
	case loadedMsg:
		m.pics.loadDone(msg)
	default:
		return nil
	}
	list := m.relist() // may show at once what is wanted
	m.settle()
	return tea.Batch(cmd, list, m.fetch(), m.recountAll(), m.survey(), m.askTags(), m.judge(), m.tellSides())
}

// decoding reports whether the gallery decodes photos, and offers them.
func (m *root) decoding() bool { return m.embedding && !m.paused }

// key sends a key to whatever is in front: the prompt, an overlay, the table.
func (m *root) key(msg tea.KeyPressMsg) tea.Cmd {
	m.toast = toast{}
	if !m.lay.usable() {
		return m.blindKey(msg.String())
	}
	if m.prompt != nil {
		return m.promptKey(msg)
	}
	if m.overlay != overlayNone {
		if cmd, ok := m.overlayKey(msg); ok {
			return cmd
		}
	}
	if do, ok := byKey[keyIn{key: msg.String()}]; ok {
		return do(m)
	}
	return nil
}

// blindKey takes a key where there is no room to see what it does: only those
// that leave do anything.
func (m *root) blindKey(key string) tea.Cmd {
	switch key {
	case "q", "ctrl+c", "ctrl+z":
		return byKey[keyIn{key: key}](m)
	}
	return nil
}

// settle makes the state consistent after any change: the layout, the cursor
// within the photos, the sheet around the cursor.
func (m *root) settle() {
	m.lay = newLayout(m.w, m.h, m.zoom, m.large)
	if m.focus == onLabels && m.lay.usable() && m.lay.labels.h == 0 {
		m.large = true // a narrow sheet shows no labels
		m.lay = newLayout(m.w, m.h, m.zoom, m.large)
	}
	m.cursor = max(0, min(m.cursor, m.shown()-1))
	if g := m.lay.grid; g.cols > 0 {
		row := m.cursor / g.cols
		m.top = max(min(m.top, row), row-g.rows+1)
		m.top = max(0, min(m.top, m.lastTop()))
	}
	if m.overlay == overlayFolders {
		m.settleFolders()
	}
	if m.overlay.isPage() && m.lay.usable() {
		m.overlayTop = max(0, min(m.overlayTop, len(m.page())-(m.lay.h-4)))
	}
	m.settleLabels()
}

// settleLabels scrolls the list of labels: to its beginning for another photo,
// and to the chosen label when that has moved away or the list has shrunk.
func (m *root) settleLabels() {
	l := &m.labels
	if l.of != m.cursor {
		l.of, l.top, l.changed, l.seen = m.cursor, 0, false, place{}
	}
	now := place{m.labelAt(), m.lay.labelRows()}
	if now.at >= 0 && now != l.seen && (m.focus == onLabels || l.changed) {
		m.revealLabel(now.at)
	}
	l.seen = now
	l.top = max(0, min(l.top, len(l.set.Labels)-m.lay.labelRows()))
}

// lastTop is the first row of the sheet when it is scrolled to its end.
func (m *root) lastTop() int {
	g := m.lay.grid
	return max(0, (m.shown()+g.cols-1)/g.cols-g.rows)
}

// shown is how many photos the sheet has; photo is the one at a position.
func (m *root) shown() int {
	if m.list.ids == nil {
		return m.photos.len()
	}
	return len(m.list.ids)
}

func (m *root) photo(position int) int {
	if m.list.ids == nil {
		return position
	}
	return m.list.ids[position]
}

// chosen is the chosen photo; false if there are none.
func (m *root) chosen() (gallery.Photo, bool) {
	if m.cursor >= m.shown() {
		return gallery.Photo{}, false
	}
	return m.photos.at(m.photo(m.cursor)), true
}
