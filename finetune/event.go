// Package finetune learns from the tags of a person's own photos: the data they
// make, the loop that learns at any of four depths, what a run writes down, and
// whether the result is better than what was there before.
//
// The loss is the pairwise sigmoid loss of Zhai et al. 2023 (section 3.2), summed
// over pairs and divided by the number of photos. The package knows no photo
// file, no catalog and no screen: photos come as what a model prepared of them,
// or as cached embeddings, and what happens goes out as events.
package finetune

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// An Event is what is told of one step of a run, and a line of its log.
type Event struct {
	Step           int     `json:"step"` // counts from 1
	Steps          int     `json:"steps,omitempty"`
	Loss           float64 `json:"loss"`        // before the step's update, as t' and b
	LogScale       float64 `json:"t_prime"`     // t', as stored
	Temperature    float64 `json:"temperature"` // exp(t')
	Bias           float64 `json:"bias"`        // b
	LR             float64 `json:"lr"`
	GradNorm       float64 `json:"grad_norm"` // of all gradients, before clipping
	PairsPerSecond float64 `json:"pairs_per_s"`
	Seconds        float64 `json:"seconds"` // of training since the run began, pauses left out

	Validation *Validation `json:"validation,omitempty"` // after the update, on the steps that looked
	Note       string      `json:"note,omitempty"`       // what happened to the run before the step
}

// Validation is how a run does on photos that it does not learn from.
type Validation struct {
	Loss             float64 `json:"loss"`
	AveragePrecision float64 `json:"average_precision"` // mean over labels, in 0..1; see Towers.Validate for captions
	Photos           int     `json:"photos"`
	Labels           int     `json:"labels"` // with at least one photo of each kind
}

// WriteEvent writes a line of a log.
func WriteEvent(w io.Writer, e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write step %d: %w", e.Step, err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// ReadEvents reads a log. A last line that was cut off, as a killed run leaves
// it, is passed over; any other line that is no event is an error with its
// number.
func ReadEvents(r io.Reader) ([]Event, error) {
	var events []Event
	err := eachEvent(r, func(e Event, _ int64) { events = append(events, e) })
	return events, err
}

// eachEvent visits the events of a log, each with where its line ends.
func eachEvent(r io.Reader, visit func(e Event, end int64)) error {
	in, end := bufio.NewReader(r), int64(0)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		end += int64(len(line))
		visit(e, end)
	}
}

// logEnd is where the line of a step ends in a log, or of the last one before.
func logEnd(r io.Reader, step int) (end int64, err error) {
	err = eachEvent(r, func(e Event, at int64) {
		if e.Step <= step {
			end = at
		}
	})
	return end, err
}
