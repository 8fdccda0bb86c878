package finetune

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigla/model"
)

var (
	shots = []int{1, 5, 15, 50}
	seeds = []uint64{1, 2, 3}
)

// usefulTables are the tables of docs/TRAINING.md, a row for some classes and a
// number of examples.
type usefulTables struct {
	src    model.Source
	rows   []usefulRow
	labels int           // of all trials
	trials []usefulTrial // all
}

type usefulRow struct {
	name   string
	n      int
	trials []usefulTrial
	labels []int // of the trials' that count
}

// run tries every number of examples, three times.
func (u *usefulTables) run(t *testing.T, name string, c *collection) map[int][]usefulTrial {
	t.Helper()
	trials := make(map[int][]usefulTrial)
	var mu sync.Mutex
	t.Run(name, func(t *testing.T) {
		for _, n := range shots {
			for _, seed := range seeds {
				t.Run(fmt.Sprintf("%d examples, seed %d", n, seed), func(t *testing.T) {
					t.Parallel()
					r := c.try(t, u.src, n, seed)
					mu.Lock()
					defer mu.Unlock()
					trials[n] = append(trials[n], r)
					u.labels, u.trials = u.labels+len(c.Labels), append(u.trials, r)
				})
			}
		}
	})
	return trials
}

func (u *usefulTables) add(name string, c *collection, trials map[int][]usefulTrial, counts func(class string) bool) {
	var labels []int
	for i, l := range c.Labels {
		if counts(l.Name) {
			labels = append(labels, i)
		}
	}
	for _, n := range shots {
		u.rows = append(u.rows, usefulRow{name, n, trials[n], labels})
	}
}

// write puts what there is into docs/TRAINING.md.
func (u *usefulTables) write(t *testing.T) {
	t.Helper()
	t.Log("\n" + u.text())
	if err := writeBetween("../docs/TRAINING.md", "what it brings", u.text()); err != nil {
		t.Error(err)
	}
}

// text has a table for each of some figures.
func (u *usefulTables) text() string {
	var b strings.Builder
	for _, table := range []struct {
		f    figure
		name string
	}{{averagePrecision, "Average precision"}, {f1, "F1 at the threshold 0.5"}, {calibrationError, "Expected calibration error (less is better)"}} {
		fmt.Fprintf(&b, "%s, mean over classes:\n\n| photos | examples a class |", table.name)
		var names []string
		for _, w := range ways {
			names = append(names, w.name)
		}
		for _, name := range names {
			fmt.Fprintf(&b, " %s |", name)
		}
		b.WriteString("\n|---|---:|" + strings.Repeat("---:|", len(names)) + "\n")
		for _, r := range u.rows {
			fmt.Fprintf(&b, "| %s | %d |", r.name, r.n)
			for _, name := range names {
				fmt.Fprintf(&b, " %s |", r.cell(name, table.f))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	u.harm(&b)
	return b.String()
}

// harm says how many labels became worse by the ways that change their order.
func (u *usefulTables) harm(b *strings.Builder) {
	fmt.Fprintf(b, "Of %d labels of all trials, what was learned was used for so many, and so many of these ranked the test photos worse than zero-shot by more than their 95 %% interval; of as many that are no better and no worse one would expect the last column:\n\n| | used | worse | by chance |\n|---|---:|---:|---:|\n", u.labels)
	for _, w := range ways[2:] { // no calibration changes the order
		used, harmed := 0, 0
		for _, trial := range u.trials {
			used, harmed = used+trial.used[w.name], harmed+trial.harmed[w.name]
		}
		fmt.Fprintf(b, "| %s | %d | %d | %.0f |\n", w.name, used, harmed, 0.025*float64(used))
	}
}

// cell is the mean over seeds of the mean over classes, and by how much seeds
// differ from it at most.
func (r usefulRow) cell(way string, f figure) string {
	var values []float64
	sum := 0.0
	for _, trial := range r.trials {
		list := trial.figures[way]
		v := mean(len(r.labels), func(i int) float64 { return list[r.labels[i]][f] })
		values = append(values, v)
		sum += v / float64(len(r.trials))
	}
	spread := max(slices.Max(values)-sum, sum-slices.Min(values))
	if math.Round(spread*1000) == 0 {
		return fmt.Sprintf("%.3f", sum)
	}
	return fmt.Sprintf("%.3f ±%.3f", sum, spread)
}

// writeBetween replaces what a file has between the marks of a name.
func writeBetween(path, name, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	open, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	head, rest, ok := strings.Cut(string(data), open)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has lost its marks", path)
	}
	return os.WriteFile(path, []byte(head+open+"\n"+text+"\n"+end+tail), 0o644)
}
