// Package cli is sigla's command line: one file per command, one table of the
// flags they share. It picks the engine, wires model, gallery and screen
// together, and is the only package that prints to standard error or decides
// the exit status.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"unicode"

	"charm.land/fang/v2"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"sigla/gallery/label"
	"sigla/ui"
)

// Exit statuses. A signal gives 128 + its number: 130 for an interrupt.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitSome   = 3 // done, but some files failed; each was named
	exitSignal = 128
)

// app is one run of the program.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	progress       *progress
	threads        int // to compute with; the explorer itself runs beside them
	settings       settings
	adapted        string     // name of the adapter that is in use, or ""
	labels         *label.Set // that the settings name, once it was read
	broken         breakdown  // of the gpu
	root           *cobra.Command
	began          bool  // a command began its work
	err            error // of its work
	failed         int   // files that failed
}

// Run runs the command that args name and returns the exit status.
func Run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// A closed standard output is an error of Write here, not a signal, so
	// that `| head` ends the run through every deferred clean-up.
	signal.Ignore(syscall.SIGPIPE)
	cobra.MousetrapHelpText = "" // a double click on Windows opens the explorer

	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, threads: runtime.GOMAXPROCS(0)}
	a.progress = &progress{w: stderr, on: isTerminal(stderr)}
	a.root = a.commands()
	a.root.SetArgs(args)
	a.root.SetIn(stdin)
	a.root.SetOut(stdout)
	a.root.SetErr(stderr)

	ctx, stop := withSignals(context.Background())
	err := fang.Execute(ctx, a.root, fang.WithVersion(version()), fang.WithoutManpage(),
		fang.WithErrorHandler(func(io.Writer, fang.Styles, error) {})) // reported below, in one line
	if sig := stop(); sig != 0 {
		return exitSignal + int(sig)
	}
	if a.err != nil {
		err = a.err
	}
	switch {
	case err == nil && a.failed > 0:
		return exitSome
	case err == nil || closedPipe(err):
		return exitDone
	}
	a.complain(err)
	if !a.isUsage(err) {
		return exitFailed
	}
	if cmd, _, err := a.root.Find(args); err == nil {
		fmt.Fprintf(stderr, "Try \"%s --help\".\n", cmd.CommandPath())
	}
	return exitUsage
}

// usageError is a command line that cannot be carried out as it stands.
type usageError struct{ error }

func usagef(format string, v ...any) error { return usageError{fmt.Errorf(format, v...)} }

// isUsage reports whether err came from the command line rather than the work:
// cobra's own errors all come before a command begins.
func (a *app) isUsage(err error) bool {
	return !a.began || errors.As(err, new(usageError))
}

// fail names a file that failed; the work goes on.
func (a *app) fail(err error) {
	a.failed++
	a.complain(err)
}

// complain names what went wrong on standard error, from any goroutine.
func (a *app) complain(err error) {
	a.progress.above(func() {
		for _, err := range apart(err) {
			if crash := (*ui.Crash)(nil); errors.As(err, &crash) {
				fmt.Fprintf(a.stderr, "sigla: panic: %s\n\n%s\n", printable(fmt.Sprint(crash.Value)), crash.Stack)
				continue
			}
			fmt.Fprintln(a.stderr, "sigla: "+printable(err.Error()))
		}
	})
}

// apart returns the errors that were joined, each of which has a line.
func apart(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, apart(err)...)
	}
	return all
}

// printable makes text from files fit for a line of a terminal: control and
// format characters in a file's name must not move the cursor, begin a line or
// turn the direction of writing.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// A task is the work of a command.
type task func(ctx context.Context, args []string) error

// run makes a task cobra's. The error stays with us: before fang hears of one it
// asks the terminal for its colours, and the terminal may be gone.
func (a *app) run(work task) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, args []string) {
		a.began = true
		a.err = work(cmd.Context(), args)
	}
}

// configured is run for a task that follows the configuration file.
func (a *app) configured(work task) func(*cobra.Command, []string) {
	return a.run(func(ctx context.Context, args []string) error {
		if err := a.configure(configPath()); err != nil {
			return err
		}
		return work(ctx, args)
	})
}

// withSignals returns a context that ends with the first signal that asks the
// program to stop, and a function that ends the watch and returns the signal, 0
// if there was none.
func withSignals(parent context.Context) (ctx context.Context, stop func() syscall.Signal) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	got := make(chan syscall.Signal, 1)
	go func() {
		s, ok := (<-signals).(syscall.Signal) // nothing once closed
		if ok {
			cancel()
		}
		got <- s
	}()
	return ctx, func() syscall.Signal {
		signal.Stop(signals) // returns when nothing more will be sent
		close(signals)
		defer cancel()
		return <-got
	}
}

// closedPipe reports whether err says that the reader of standard output has
// gone, as head does when it has seen enough.
func closedPipe(err error) bool {
	const brokenPipe, noData = syscall.Errno(109), syscall.Errno(232) // Windows
	return errors.Is(err, syscall.EPIPE) ||
		runtime.GOOS == "windows" && (errors.Is(err, brokenPipe) || errors.Is(err, noData))
}

// isTerminal reports whether stream, a reader or a writer, is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(f.Fd())
}
