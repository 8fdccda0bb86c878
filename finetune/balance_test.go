package finetune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigla/cpu"
)

// imbalanced takes up to 50 photos of half of the classes and 2 of the others.
func (c *collection) imbalanced(seed uint64) (photos []int, rare []bool) {
	rare = make([]bool, len(c.Labels))
	for i, class := range rand.New(rand.NewPCG(seed, 1)).Perm(len(rare)) {
		rare[class] = i%2 == 0
	}
	count := make([]int, len(c.Labels))
	for _, i := range c.examples(math.MaxInt, seed) {
		class := c.class[i]
		if count[class]++; !rare[class] && count[class] <= 50 || count[class] <= 2 {
			photos = append(photos, i)
		}
	}
	return photos, rare
}

// TestBalance measures what drawing photos of rare labels more often brings, on
// halves of a training list, and writes the table of docs/TRAINING.md. The test list
// has no part in it.
func TestBalance(t *testing.T) {
	u := openUnseen(t)
	for path := range u.tests { // nothing to embed
		os.Remove(filepath.Join(u.caltech, "caltech101", filepath.FromSlash(path)))
	}
	c := u.caltech101()
	c.halve()
	ways := []struct {
		name string
		o    Options
	}{
		{"every photo once", Options{}},
		{"**balance 2**", Options{Balance: 2}},
		{"every photo once, 8 epochs", Options{Epochs: 8}},
	}
	rows, means := "", make([]balanceRow, len(ways))
	for _, seed := range seeds {
		photos, rare := c.imbalanced(seed)
		for i, w := range ways {
			row := u.balanced(c, photos, rare, w.o, seed)
			rows += fmt.Sprintf("| %d | %s |%s\n", seed, w.name, row)
			for k := range row {
				means[i][k] += row[k] / float64(len(seeds))
			}
		}
	}
	for i, w := range ways {
		rows += fmt.Sprintf("| mean | %s |%s\n", w.name, means[i])
	}
	text := "| seed | drawn | steps | rare, not seen by the model | rare, seen | frequent, not seen | frequent, seen |\n|---|---|---:|---:|---:|---:|---:|\n" + rows +
		"\nAverage precision on the other half of the list. `go test ./finetune -run TestBalance$ -useful -timeout 60m`\n"
	t.Log("\n" + text)
	if err := writeBetween("../docs/TRAINING.md", "balance", text); err != nil {
		t.Error(err)
	}
}

// A balanceRow has steps, and the mean average precision of rare labels that the
// model has not seen, rare ones that it has, and frequent ones, too.
type balanceRow [5]float64

func (r balanceRow) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, " %.0f |", r[0])
	for _, v := range r[1:] {
		fmt.Fprintf(&b, " %.3f |", v)
	}
	return b.String()
}

func (u *unseenModel) balanced(c *collection, photos []int, rare []bool, o Options, seed uint64) (row balanceRow) {
	u.t.Helper()
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		u.t.Fatal(err)
	}
	defer e.Close()
	row[0] = float64(TowerOptions(DepthLoRA, c.Set, photos, o).total(newRepeats(len(photos), c.Repeats(photos, o.Balance)).photos()))
	r := trialRun{T: u.t, e: e, src: u.src, c: c, rows: photos, seed: seed}
	s, _ := r.lora(o, false)
	var labels balanceRow
	for k, l := range c.Labels {
		group := 1
		if !rare[k] {
			group = 3
		}
		if unseenCaltech[l.Name] == "" {
			group++
		}
		row[group] += c.column(s, k, c.test).measure(nil, 0)[averagePrecision]
		labels[group]++
	}
	for group := 1; group < len(row); group++ {
		row[group] /= labels[group]
	}
	return row
}
