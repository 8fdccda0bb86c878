package finetune

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigla/backend"
	"sigla/backend/ref"
)

// line learns y = w·x + b by least squares, on the reference engine.
type line struct {
	e          backend.Backend
	w, g, m, v backend.Buf // [2]: w and b
	x, y       []float32
	poison     int // the call of Gradient, from 1, that gives what is no number
	calls      int
	held       func(call int) // called by Gradient, and with -1 by Validate
}

func newLine() *line {
	l := &line{e: ref.New()}
	for _, b := range []*backend.Buf{&l.w, &l.g, &l.m, &l.v} {
		*b = l.e.Alloc(2, backend.Weight)
	}
	for i := range 10 {
		x := float32(math.Sin(float64(7 * i)))
		l.x, l.y = append(l.x, x), append(l.y, 3*x-1+0.1*float32(math.Cos(float64(31*i))))
	}
	return l
}

func (l *line) values(b backend.Buf) []float32 {
	out := make([]float32, b.Len)
	if err := l.e.Read(out, b); err != nil {
		panic(err)
	}
	return out
}

func (l *line) Rows() int { return len(l.x) }

func (l *line) Repeats(balance float64) []float64 {
	if balance == 0 {
		return nil
	}
	factors := make([]float64, len(l.x))
	for i := range factors {
		factors[i] = 1 + balance*float64(i)
	}
	return factors
}

func (l *line) Gradient(ctx context.Context, batch []int) (float64, int, error) {
	if l.calls++; l.held != nil {
		l.held(l.calls)
	}
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	loss, w, g := 0.0, l.values(l.w), l.values(l.g)
	for _, i := range batch {
		d := w[0]*l.x[i] + w[1] - l.y[i]
		loss += float64(d*d) / float64(len(batch))
		g[0] += 2 * d * l.x[i] / float32(len(batch))
		g[1] += 2 * d / float32(len(batch))
	}
	if l.calls == l.poison {
		g[1] = float32(math.Inf(1))
	}
	l.e.Write(l.g, g)
	return loss, len(batch), nil
}

func (l *line) SumSquares() (float64, string, error) {
	sum := 0.0
	for _, g := range l.values(l.g) {
		sum += float64(g) * float64(g)
	}
	return sum, "line", nil
}

func (l *line) Update(a backend.Adam) error {
	l.e.AdamW(l.w, l.g, l.m, l.v, a)
	l.e.Zero(l.g)
	return nil
}

func (l *line) Scalars() (float32, float32) { w := l.values(l.w); return w[0], w[1] }

func (l *line) Validate(ctx context.Context) (Validation, error) {
	if l.held != nil {
		l.held(-1)
	}
	w := l.values(l.w)
	return Validation{Loss: math.Abs(float64(w[0]-3)) + math.Abs(float64(w[1]+1))}, ctx.Err()
}

func (l *line) Each(visit func(string, []int, []float32) (bool, error)) error {
	for i, b := range []backend.Buf{l.w, l.m, l.v} {
		values := l.values(b)
		changed, err := visit([]string{"line", "m.line", "v.line"}[i], []int{2}, values)
		if err != nil {
			return err
		}
		if changed {
			l.e.Write(b, values)
			l.e.Zero(l.g)
		}
	}
	return nil
}

func record(o Options) Record { return Record{Depth: "line", Base: "none", Options: o} }

// timeless is what does not depend on how fast a machine is.
func timeless(events []Event) []Event {
	out := make([]Event, len(events))
	for i, e := range events {
		e.Seconds, e.PairsPerSecond = 0, 0
		out[i] = e
	}
	return out
}

func logged(t *testing.T, dir string) []Event {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, eventsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := ReadEvents(f)
	if err != nil {
		t.Fatal(err)
	}
	return timeless(events)
}

// train makes a run and trains it to its end.
func train(t *testing.T, dir string, o Options) ([]Event, *line) {
	t.Helper()
	l := newLine()
	r, err := New(dir, l, record(o))
	if err != nil {
		t.Fatal(err)
	}
	var events []Event
	err = r.Train(context.Background(), Watch{Event: func(e Event) { events = append(events, e) }, Warn: func(err error) { t.Error(err) }})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return timeless(events), l
}

var lineOptions = Options{Epochs: 40, Batch: 4, LR: 0.2, Warmup: 10, ValidateEvery: 7, Seed: 3}

func TestRunLearns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	events, l := train(t, dir, lineOptions)
	if len(events) != 120 || events[119].Step != 120 || events[0].Steps != 120 {
		t.Fatalf("%d events, the last %+v", len(events), events[len(events)-1])
	}
	if w := l.values(l.w); math.Abs(float64(w[0])-3) > 0.1 || math.Abs(float64(w[1])+1) > 0.1 {
		t.Errorf("learned %v, want [3 -1]", w)
	}
	if !reflect.DeepEqual(logged(t, dir), events) {
		t.Error("the log has other events than were told")
	}
	for _, e := range events {
		if looked := e.Validation != nil; looked != (e.Step%7 == 0 || e.Step == 120) {
			t.Errorf("step %d: validation %v", e.Step, e.Validation)
		}
	}
	if steps, err := Checkpoints(dir); err != nil || !reflect.DeepEqual(steps, []int{0, 120}) {
		t.Errorf("checkpoints %v, %v", steps, err)
	}
	again, _ := train(t, "", lineOptions)
	if !reflect.DeepEqual(again, events) {
		t.Error("the same seed gives another run")
	}
	o := lineOptions
	o.Seed = 4
	if other, _ := train(t, "", o); other[5].Loss == events[5].Loss {
		t.Error("another seed gives the same run")
	}
}

func TestPauseResumeStop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	want, _ := train(t, "", lineOptions)
	l := newLine()
	r, err := New(dir, l, record(lineOptions))
	if err != nil {
		t.Fatal(err)
	}
	at := make(chan int)
	go func() {
		for step := range at {
			switch step {
			case 20:
				r.Pause()
				time.AfterFunc(10*time.Millisecond, r.Resume)
			case 50:
				r.Stop()
			}
			at <- 0
		}
	}()
	watch := Watch{Event: func(e Event) { at <- e.Step; <-at }, Warn: func(err error) { t.Error(err) }}
	if err := r.Train(context.Background(), watch); err != nil || r.Step() != 50 {
		t.Fatalf("stopped at step %d: %v", r.Step(), err)
	}
	if steps, _ := Checkpoints(dir); !reflect.DeepEqual(steps, []int{0, 20, 50}) {
		t.Errorf("checkpoints %v", steps)
	}
	if err := r.Train(context.Background(), watch); err != nil || r.Step() != 120 {
		t.Fatalf("at step %d: %v", r.Step(), err)
	}
	if got := logged(t, dir); !reflect.DeepEqual(got, want) {
		t.Error("a run that waited is another one")
	}
	close(at)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// A run that is broken off while it learns, or while it looks, has a checkpoint
// of the last step, and goes on as if nothing had been.
func TestCancel(t *testing.T) {
	want, _ := train(t, "", lineOptions)
	for name, c := range map[string]struct{ call, step int }{"learning": {21, 20}, "looking": {-1, 7}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			ctx, cancel := context.WithCancel(context.Background())
			l := newLine()
			l.held = func(call int) {
				if call == c.call {
					cancel()
				}
			}
			r, err := New(dir, l, record(lineOptions))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Train(ctx, Watch{}); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if r, err = Open(dir, newLine()); err != nil || r.Step() != c.step {
				t.Fatalf("step %d, %v", r.Step(), err)
			}
			defer r.Close()
			if err := r.Train(context.Background(), Watch{}); err != nil {
				t.Fatal(err)
			}
			if got := logged(t, dir); !reflect.DeepEqual(got, want) {
				t.Error("a run that was broken off is another one")
			}
		})
	}
}

func TestNonFinite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	want, _ := train(t, "", lineOptions)
	l := newLine()
	r, err := New(dir, l, record(lineOptions))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Stop()
	l.poison = 31
	watch := Watch{Event: func(e Event) {
		if e.Step == 25 {
			if err := r.Checkpoint(); err != nil {
				t.Error(err)
			}
		}
	}}
	if err := r.Train(context.Background(), watch); err != nil || r.Step() != 0 {
		t.Fatalf("a run that was stopped before it began: step %d, %v", r.Step(), err)
	}
	err = r.Train(context.Background(), watch)
	var bad *NonFiniteError
	if !errors.As(err, &bad) || bad.Step != 31 || bad.BackAt != 25 || !strings.Contains(err.Error(), "the gradient of line") {
		t.Fatal(err)
	}
	if err := r.Train(context.Background(), Watch{}); err != nil {
		t.Fatal(err)
	}
	if got := logged(t, dir); !reflect.DeepEqual(got, want) {
		t.Error("a run that went back is another one")
	}
}

// mortal is a learner whose device fails, and stays so.
type mortal struct {
	*line
	at   string // the method that fails first
	on   int    // at this call of it
	done map[string]int
	dead bool
}

var errDevice = errors.New("the device was reset")

func (l *mortal) alive(method string) error {
	if l.done[method]++; method == l.at && l.done[method] == l.on {
		l.dead = true
	}
	if l.dead {
		return errDevice
	}
	return nil
}

func (l *mortal) Gradient(ctx context.Context, batch []int) (float64, int, error) {
	if err := l.alive("gradient"); err != nil {
		return 0, 0, err
	}
	return l.line.Gradient(ctx, batch)
}

func (l *mortal) Update(a backend.Adam) error {
	err := l.line.Update(a)
	return errors.Join(err, l.alive("update"))
}

func (l *mortal) Validate(ctx context.Context) (Validation, error) {
	if err := l.alive("validate"); err != nil {
		return Validation{}, err
	}
	return l.line.Validate(ctx)
}

func (l *mortal) Each(visit func(string, []int, []float32) (bool, error)) error {
	if err := l.alive("each"); err != nil {
		return err
	}
	return l.line.Each(visit)
}

// A run whose device fails, in whatever part of a step, goes on with another
// learner from its last checkpoint, and is the run that it would have been.
func TestReplace(t *testing.T) {
	want, _ := train(t, "", lineOptions)
	for name, c := range map[string]struct {
		call int // of the method, from 1
		back int // the checkpoint that is gone back to
	}{
		"gradient": {31, 25}, "update": {32, 25}, "validate": {6, 25},
		// Twice for each checkpoint: at steps 0, 25 and 120.
		"each": {5, 25},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			r, err := New(dir, &mortal{line: newLine(), at: name, on: c.call, done: map[string]int{}}, record(lineOptions))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var notes []string
			watch := Watch{Event: func(e Event) {
				if e.Step == 25 && len(notes) == 0 {
					if err := r.Checkpoint(); err != nil {
						t.Error(err)
					}
				}
				if e.Note != "" {
					notes = append(notes, e.Note)
					if e.Step != c.back+1 {
						t.Errorf("the note comes with step %d", e.Step)
					}
				}
			}}
			if err := r.Train(context.Background(), watch); !errors.Is(err, errDevice) {
				t.Fatal(err)
			}
			if err := r.Replace(newLine()); err != nil || r.Step() != c.back {
				t.Fatalf("at step %d: %v", r.Step(), err)
			}
			r.Note("the processor goes on")
			if err := r.Train(context.Background(), watch); err != nil || len(notes) != 1 {
				t.Fatalf("%v, notes %v", err, notes)
			}
			got := logged(t, dir)
			got[c.back].Note = ""
			if !reflect.DeepEqual(got, want) {
				t.Error("a run that went on with another learner is another one")
			}
		})
	}
}

// A learner that cannot go on leaves the run as it is.
func TestReplaceRefuses(t *testing.T) {
	r, err := New(filepath.Join(t.TempDir(), "run"), newLine(), record(lineOptions))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	watch := Watch{Event: func(e Event) {
		if e.Step != 30 {
			return
		}
		few := newLine()
		few.x = few.x[1:]
		if err := r.Replace(few); err == nil {
			t.Error("a learner of other photos is taken")
		}
		if err := r.Replace(&mortal{line: newLine(), done: map[string]int{}, dead: true}); !errors.Is(err, errDevice) || r.Step() != 30 {
			t.Errorf("a learner that fails: %v, at step %d", err, r.Step())
		}
	}}
	if err := r.Train(context.Background(), watch); err != nil || r.Step() != 120 {
		t.Errorf("at step %d: %v", r.Step(), err)
	}
	if r, err = New("", newLine(), record(lineOptions)); err != nil {
		t.Fatal(err)
	}
	if err := r.Replace(newLine()); err == nil {
		t.Error("a run without checkpoints goes back to one")
	}
}
