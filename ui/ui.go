// Package ui is the explorer: a folder of photos as a contact sheet, the chosen
// photo large, and beside it the probability of every label.
//
// One model (root) holds all state. Its Update does no I/O and waits for no
// lock of a worker: whatever may take longer than a frame runs as a command
// (commands.go) and comes back as a message that says what it answers, so that
// late answers can be dropped. Its View is a function of state and size; each
// pane is a file with plain methods that return finished lines.
//
//	keys, mouse, size ───────────────────────▶ Update ──▶ View ──▶ terminal
//	the gallery moves ──▶ look (latest wins) ──▶ │ ▲
//	                                             ▼ │
//	commands: scan, follow, load, embed, classify, score, rank, thumbnail, picture, save
package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gallery/sidecar/journal"
	"sigla/model"
)

// Encoder is the model as the explorer needs it. Texts are embedded, and a
// photo that is searched by, while the gallery embeds its photos.
type Encoder interface {
	gallery.Embedder
	gallery.TextEmbedder
	Info() model.Info
	Device() string // for the status line: "cpu avx512 · f32"
	// Tune returns a label with the calibration that the model has for it.
	Tune(l label.Label) label.Label
	Close() error
}

// Options say what to explore and with what.
type Options struct {
	Title   string           // what the header calls the photos, such as the folder; "": the paths
	Gallery *gallery.Gallery // empty; Run fills it from Paths
	Paths   []string         // files and folders
	Watch   bool             // follow what changes in them

	Labels label.Set
	Save   func(label.Set) error // keeps a changed set; nil: changes are not kept

	// Load opens the model; it runs behind the first frame.
	Load func(ctx context.Context) (Encoder, error)

	History  []string                // what was searched for before, oldest first
	Remember func(line string) error // keeps what is searched for; nil: it is not kept
	Complete Completer               // of what is searched for; nil: the grammar of queries

	Trainer Trainer  // nil: nothing can be trained
	Replay  Training // a run of the past to show, and nothing else
	// Journal opens the journal of what is written to sidecars, and finishes what a
	// program that was cut off had left; nil: nothing is written.
	Journal func(context.Context) (*journal.Journal, error)
	// Follow is told of photos before tags are written to them or taken out of them
	// again: the catalog has to know them by their new content.
	Follow func(context.Context, []journal.Replacement) error
	Create func(path string) (File, error) // for what is exported; nil: nothing is

	Delta       float64 // δ at the start
	Temperature float64 // exp(t') wanted; 0: the checkpoint's

	Hint    string // right end of the status line
	NoColor bool   // no colours at all, whatever the terminal can
}

// fps is how often the renderer looks whether the view has changed. A key is
// painted within one such period.
const fps = 120

// Run shows the explorer on the terminal until the user leaves it, ctx ends or
// something of it breaks. The terminal is as it was before when Run returns,
// and everything that Run started has ended. A model that could not be loaded
// and labels that could not be saved are errors, too, once the user has left.
//
// A panic, in whatever goroutine, comes back as a *Crash.
func Run(ctx context.Context, o Options) error {
	return run(ctx, o)
}

func run(parent context.Context, o Options, extra ...tea.ProgramOption) (err error) {
	ctx, stop := context.WithCancelCause(parent)
	defer stop(nil)
	hangUp(ctx, stop)

	work := newWork(ctx, stop)
	m := newRoot(o, work)
	defer func() { err = errors.Join(err, m.close()) }()

	_, err = tea.NewProgram(guarded{m}, append([]tea.ProgramOption{
		tea.WithContext(ctx), tea.WithFPS(fps),
	}, extra...)...).Run()

	// What ended the program says more than that Bubble Tea was killed.
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return cause
	case errors.Is(err, tea.ErrInterrupted):
		return context.Canceled
	case err != nil:
		return fmt.Errorf("run the explorer: %w", err)
	}
	return m.loadErr // the screen had no room for all of it
}

// ErrHangUp is why Run returned when the terminal has gone away (SIGHUP).
var ErrHangUp = errors.New("the terminal hung up")

// hangUp ends the program on SIGHUP; Bubble Tea sees to SIGINT and SIGTERM.
func hangUp(ctx context.Context, stop context.CancelCauseFunc) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer signal.Stop(signals)
		select {
		case <-signals:
			stop(ErrHangUp)
		case <-ctx.Done():
		}
	}()
}
