package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
	"sigla/gallery/sidecar/journal"
)

// File is one that is written whole or not at all.
type File interface {
	io.Writer
	Commit() error // gives it its name
	Discard()      // forgets it, unless it was committed
}

// writing is an application, or an undoing, under way.
type writing struct {
	number int // of the one begun last
	doing  string
	progress
	stop    context.CancelFunc // nil: none is under way
	leaving bool               // the user has been told, and may leave
}

type progress struct {
	stage    journal.Stage
	done, of int
}

func (w *writing) running() bool { return w.stop != nil }

// words says how far it is.
func (w *writing) words() string {
	doing := w.doing
	if w.stage == journal.Reading && w.of > 0 {
		doing = "reading"
	}
	if w.of == 0 {
		return doing
	}
	return doing + " " + right(count(w.done), width(count(w.of))) + "/" + count(w.of)
}

// askApply asks whether to write what the page shows.
func (m *root) askApply() tea.Cmd {
	d := &m.tags.draft
	switch n := d.fresh + d.changed; {
	case m.o.Journal == nil:
		m.say("nothing can be written here")
	case m.tags.writing.running():
		m.say("tags are being written already")
	case !m.tags.ready():
		m.tags.wanted = true
		m.say("the plan is being made; it asks when it is ready")
	case n+d.missing == 0:
		m.say("there is nothing to write")
	case n == 0:
		return m.confirm("remember what was taken out elsewhere as rejected, "+plural(d.missing, "tag")+"?", (*root).apply)
	default:
		return m.confirm(fmt.Sprintf("write %s, +%s -%s tags?", plural(n, "sidecar"), count(d.added), count(d.removed)), (*root).apply)
	}
	return nil
}

// askUndo asks whether to take the last run back.
func (m *root) askUndo() tea.Cmd {
	last := m.tags.last
	switch {
	case m.o.Journal == nil, last.ID == "":
		m.say("there is nothing to take back")
	case m.tags.writing.running():
		m.say("tags are being written; " + keyOf("stop writing") + " stops that")
	default:
		question := fmt.Sprintf("take back the run of %s, %s?", when(last.At), plural(len(last.Files), "sidecar"))
		return m.confirm(question, func(m *root) tea.Cmd {
			return m.write("taking back", func(ctx context.Context, w tagWriter) writtenMsg { return w.undo(ctx, last.ID) })
		})
	}
	return nil
}

// when writes a time of the day, with the date if that is another.
func when(at time.Time) string { return at.Local().Format("2006-01-02 15:04") }

func (m *root) apply() tea.Cmd {
	draft := m.tags.draft
	return m.write("writing", func(ctx context.Context, w tagWriter) writtenMsg { return w.apply(ctx, draft) })
}

// stopWriting ends what is under way as soon as no file is half done.
func (m *root) stopWriting() tea.Cmd {
	if !m.tags.writing.running() {
		m.say("nothing is being written")
		return nil
	}
	m.tags.writing.stop()
	m.say("stopping")
	return nil
}

// quit leaves, unless that would stop what is being written: then once more.
func (m *root) quit() tea.Cmd {
	if w := &m.tags.writing; w.running() && !w.leaving {
		w.leaving = true
		m.say("tags are being written: " + keyOf("quit") + " again stops that and leaves")
		return nil
	}
	return tea.Quit
}

// tagWriter writes beside the event loop.
type tagWriter struct {
	g       *gallery.Gallery
	journal func(context.Context) (*journal.Journal, error)
	options journal.Options
}

// writingMsg says how far a writing is.
type writingMsg struct {
	number int
	progress
	hear <-chan progress
}

// writtenMsg says what came of it.
type writtenMsg struct {
	doing   string
	result  journal.Result
	left    int // files that it was stopped before
	last    journal.Run
	answers map[catalog.Hash][]catalog.Decision // nil: not known
	err     error
}

// write begins a writing. The latest that is heard of it is what is shown.
func (m *root) write(doing string, do func(context.Context, tagWriter) writtenMsg) tea.Cmd {
	ctx, stop := context.WithCancel(m.work.ctx)
	w := &m.tags.writing
	*w = writing{number: w.number + 1, doing: doing, stop: stop}
	m.tags.failed, m.tags.note = nil, ""
	latest := make(chan progress, 1)
	hear := func(s journal.Stage, done, of int) {
		select {
		case <-latest: // nobody has heard it
		default:
		}
		latest <- progress{s, done, of}
	}
	writer := tagWriter{m.o.Gallery, m.o.Journal, journal.Options{Progress: hear}}
	if follow := m.o.Follow; follow != nil {
		writer.options.Begin = func(list []journal.Replacement) error { return follow(ctx, list) }
	}
	said := &m.cutOff
	return tea.Batch(m.hear(w.number, latest), m.work.command(func(context.Context) tea.Msg {
		defer stop()
		defer close(latest)
		msg := do(ctx, writer)
		msg.doing = doing
		if err := m.work.ctx.Err(); err != nil { // nobody is left to hear it
			text := fmt.Errorf("%s tags was stopped: %s done, %d left; \"sigla undo\" takes them back", doing, plural(msg.result.Written, "sidecar"), msg.left)
			said.Store(&text)
		}
		return msg
	}))
}

// hear waits for the next that is heard of a writing.
func (m *root) hear(number int, latest <-chan progress) tea.Cmd {
	return m.work.command(func(context.Context) tea.Msg {
		p, ok := <-latest
		if !ok {
			return nil
		}
		time.Sleep(minGap)
		return writingMsg{number, p, latest}
	})
}

func (m *root) writingMoved(msg writingMsg) tea.Cmd {
	if w := &m.tags.writing; w.running() && w.number == msg.number {
		w.progress = msg.progress
	}
	return m.hear(msg.number, msg.hear)
}

// apply writes what a draft shows. A file that is not as it was then is left
// alone.
func (w tagWriter) apply(ctx context.Context, d tagDraft) (msg writtenMsg) {
	ids := d.ids()
	drafted, err := d.planner.Draft(ctx, ids)
	if err != nil {
		return writtenMsg{err: err}
	}
	plan, err := d.planner.Plan(ctx, drafted.IDs)
	if err != nil {
		return writtenMsg{err: err}
	}
	for i := range plan.Photos {
		if !sameFiles(plan.Photos[i], drafted.Photos[i]) {
			plan.Photos[i] = drafted.Photos[i] // the journal refuses what has changed
		}
	}
	if err := w.g.Decide(ctx, drafted.Rejections...); err != nil {
		return writtenMsg{err: err}
	}
	j, err := w.journal(ctx)
	if err != nil {
		return writtenMsg{err: err}
	}
	defer func() { msg.err = errors.Join(msg.err, j.Close()) }()
	msg.result, msg.err = plan.Apply(ctx, j, w.options)
	w.conclude(&msg, j)
	w.g.RecheckTags(plan.IDs)
	return msg
}

// sameFiles reports whether two plans of a photo are for the same files, as they
// are.
func sameFiles(a, b sidecar.PhotoPlan) bool {
	return slices.EqualFunc(a.Files, b.Files, func(f, g sidecar.FilePlan) bool {
		return f.Path == g.Path && f.Size == g.Size && f.Modified.Equal(g.Modified)
	})
}

// undo takes a run back.
func (w tagWriter) undo(ctx context.Context, run string) (msg writtenMsg) {
	j, err := w.journal(ctx)
	if err != nil {
		return writtenMsg{err: err}
	}
	defer func() { msg.err = errors.Join(msg.err, j.Close()) }()
	runs, _ := j.Runs() // what cannot be read cannot be undone either, which Undo says
	msg.result, msg.err = j.Undo(ctx, run, w.options)
	w.conclude(&msg, j)
	if i := slices.IndexFunc(runs, func(r journal.Run) bool { return r.ID == run }); i >= 0 {
		w.g.RecheckTags(w.photosOf(runs[i].Files))
	}
	return msg
}

// conclude tells what failed from what was left, and asks for what comes next.
func (w tagWriter) conclude(msg *writtenMsg, j *journal.Journal) {
	msg.result.Failed = slices.DeleteFunc(msg.result.Failed, func(f journal.Failure) bool {
		stopped := errors.Is(f.Err, context.Canceled)
		if stopped {
			msg.left++
		}
		return stopped
	})
	if errors.Is(msg.err, context.Canceled) {
		msg.err = nil
	}
	msg.last = lastRun(j)
	if answers, err := w.g.Decisions(context.Background()); err == nil {
		msg.answers = answers
	}
}

// lastRun is the last run that was not taken back.
func lastRun(j *journal.Journal) journal.Run {
	runs, _ := j.Runs() // those that can be read
	if i := slices.IndexFunc(runs, func(r journal.Run) bool { return !r.Undone }); i >= 0 {
		return runs[i]
	}
	return journal.Run{}
}

// photosOf returns the photos that have these sidecars.
func (w tagWriter) photosOf(files []string) []int {
	want := make(map[string]bool, len(files))
	for _, path := range files {
		want[absolute(path)] = true
	}
	var ids []int
	for _, p := range w.g.Photos() {
		if p.State != gallery.Gone && slices.ContainsFunc(sidecar.Names(p.Path, p.Files()[1:]...), func(path string) bool { return want[absolute(path)] }) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// written says what came of a writing, and lets the screen follow.
func (m *root) written(msg writtenMsg) tea.Cmd {
	m.tags.writing.stop = nil
	m.tags.failed, m.tags.last = msg.result.Failed, msg.last
	n := plural(msg.result.Written, "sidecar")
	switch done := map[string]string{"writing": "written", "taking back": "taken back"}[msg.doing]; {
	case msg.err != nil:
		m.warn(msg.err)
	case msg.left > 0:
		m.say(fmt.Sprintf("stopped: %s %s, %s left", n, done, count(msg.left)))
	case len(msg.result.Failed) > 0:
		m.warn(fmt.Errorf("%s %s, %s not; %s lists them", n, done, count(len(msg.result.Failed)), keyOf("problems")))
	case msg.doing == "writing":
		m.say("✓ " + n + " " + done + "; " + keyOf("undo last") + " takes that back")
	default:
		m.say("✓ " + n + " " + done)
	}
	if msg.answers != nil && !m.answering.busy {
		m.answers.Load(msg.answers)
	}
	m.answered()
	m.own.stale = true
	return tea.Batch(m.readTags(), m.lookAgain())
}

// recoveredMsg says what a program that was cut off had left, and which run can
// be taken back.
type recoveredMsg struct {
	results []journal.Result
	last    journal.Run
	err     error
}

// recoverRuns finishes what a program that was cut off has left.
func (m *root) recoverRuns() tea.Cmd {
	open := m.o.Journal
	if open == nil || m.tags.writing.running() {
		return nil
	}
	return m.work.command(func(ctx context.Context) tea.Msg {
		j, err := open(ctx)
		if err != nil {
			return recoveredMsg{err: err}
		}
		msg := recoveredMsg{results: j.Recovered, last: lastRun(j)}
		msg.err = j.Close()
		return msg
	})
}

func (m *root) runsRecovered(msg recoveredMsg) tea.Cmd {
	switch {
	case errors.Is(msg.err, journal.ErrLocked): // another one is at work
		return nil
	case msg.err != nil:
		m.warn(msg.err)
		return nil
	}
	m.tags.last = msg.last
	if len(msg.results) == 0 {
		return nil
	}
	files := 0
	for _, r := range msg.results {
		files += r.Written + r.Unchanged
		m.tags.failed = append(m.tags.failed, r.Failed...)
	}
	m.tags.note = "what a program that was cut off had begun is finished: " + plural(files, "sidecar")
	m.say(m.tags.note + " · " + keyOf("tags") + " shows tags")
	if m.scanning { // it may have come by before
		m.scanAgain = true
		return nil
	}
	return m.scanOnce()
}

type exportedMsg struct {
	path   string
	photos int
	err    error
}

// openExport asks where to write the plan.
func (m *root) openExport() tea.Cmd {
	d := m.tags.draft
	switch {
	case m.o.Create == nil:
		m.say("nothing can be written here")
		return nil
	case d.planner == nil || len(d.rows) == 0:
		m.say("there is no plan to export")
		return nil
	}
	m.prompt = newPrompt("export plan to: ", "JSON, an object a photo · Enter writes · Esc back", func(m *root, path string) (tea.Cmd, bool) {
		if path == "" {
			return nil, true
		}
		create := m.o.Create
		return m.work.command(func(ctx context.Context) tea.Msg {
			n, err := d.export(ctx, func() (File, error) { return create(path) })
			return exportedMsg{path, n, err}
		}), true
	})
	m.prompt.input.SetValue("sigla-plan.jsonl")
	m.prompt.input.CursorEnd()
	return nil
}

// export writes the plan of each photo as a line, as sigla tag does.
func (d tagDraft) export(ctx context.Context, create func() (File, error)) (photos int, err error) {
	f, err := create()
	if err != nil {
		return 0, err
	}
	defer f.Discard()
	lines := json.NewEncoder(f)
	lines.SetEscapeHTML(false)
	for some := range slices.Chunk(d.ids(), draftSize) {
		plan, err := d.planner.Plan(ctx, some)
		if err != nil {
			return 0, err
		}
		for _, p := range plan.Photos {
			if err := lines.Encode(p); err != nil {
				return 0, fmt.Errorf("export the plan: %w", err)
			}
			photos++
		}
	}
	return photos, f.Commit()
}

func (m *root) exported(msg exportedMsg) {
	if msg.err != nil {
		m.warn(msg.err)
		return
	}
	m.say("the plan of " + plural(msg.photos, "photo") + " is in " + clean(msg.path))
}
