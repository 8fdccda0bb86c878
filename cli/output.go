package cli

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// output writes results in the form that --format asks for. Every record is
// flushed at once: whoever reads the pipe sees a photo when it is done.
//
// Text and CSV carry a path byte for byte, except that on a terminal control
// characters are replaced. JSON is UTF-8 by definition, so there bytes of a
// path that are not become U+FFFD.
type output struct {
	w        *bufio.Writer
	format   string
	end      byte // behind a path in text: new line, or NUL with -0
	terminal bool
	adapted  *string // name of the adapter that is in use, or "": for JSON
	json     *json.Encoder
	csv      *csv.Writer
}

func (a *app) output() *output {
	o := &output{w: bufio.NewWriter(a.stdout), format: a.settings.format, end: '\n', terminal: isTerminal(a.stdout), adapted: &a.adapted}
	if a.settings.null {
		o.end = 0
	}
	o.json = json.NewEncoder(o.w)
	o.json.SetEscapeHTML(false)
	o.csv = csv.NewWriter(o.w)
	return o
}

// header writes the names of the columns, if the form has any.
func (o *output) header(columns ...string) error {
	if o.format != "csv" {
		return nil
	}
	return o.row(columns...)
}

// row writes a row of CSV.
func (o *output) row(fields ...string) error {
	if err := o.csv.Write(fields); err != nil {
		return err
	}
	o.csv.Flush()
	return o.flush()
}

// object writes v as a line of JSON.
func (o *output) object(v any) error {
	if err := o.json.Encode(v); err != nil {
		return err
	}
	return o.flush()
}

// text writes text as it is.
func (o *output) text(text string) error {
	if _, err := io.WriteString(o.w, text); err != nil {
		return err
	}
	return o.flush()
}

// path returns a path as text shows it.
func (o *output) path(path string) string {
	if o.terminal && o.end != 0 {
		return printable(path)
	}
	return path
}

func (o *output) flush() error { return o.w.Flush() }

// float32s and probabilities as text: the shortest that reads back the same.
func formatFloat(x float32) string       { return strconv.FormatFloat(float64(x), 'g', -1, 32) }
func formatProbability(p float64) string { return strconv.FormatFloat(p, 'g', -1, 64) }

// counted says how many there are: 1 sidecar, 2 sidecars.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
