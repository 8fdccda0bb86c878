package finetune

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"sigla/model"
)

var (
	scratchEpochs = flag.Int("scratch", 0, "compare losses, batches and biases from scratch in so many `epochs`")
	scratchSeeds  = flag.Int("seeds", 1, "with -scratch, `how many` seeds")
)

// A scratchTrial is a row of the table of docs/TRAINING.md.
type scratchTrial struct {
	loss  model.Loss
	batch int
	bias  float64 // at the beginning
	mask  bool    // pairs of the same captions are left out
	steps int     // instead of epochs
	once  bool    // with one seed only
	rows  []scratchRow
}

// scratchTrials are the grid, and beside it the same captions left out and an
// equal number of steps.
func scratchTrials() (trials []*scratchTrial) {
	batches := []int{16, 64, 256, 512}
	for _, batch := range batches {
		prior := -math.Log(float64(batch - 1))
		trials = append(trials, &scratchTrial{loss: model.Softmax, batch: batch}, &scratchTrial{batch: batch, bias: -10},
			&scratchTrial{batch: batch, bias: prior}, &scratchTrial{batch: batch, once: true})
	}
	for _, batch := range batches {
		prior := -math.Log(float64(batch - 1))
		trials = append(trials, &scratchTrial{batch: batch, bias: prior, mask: true, once: true}, &scratchTrial{batch: batch, bias: -10, mask: true, once: true})
	}
	const equal = 180 // 6 epochs of batches of 256
	for _, batch := range batches {
		prior := -math.Log(float64(batch - 1))
		trials = append(trials, &scratchTrial{loss: model.Softmax, batch: batch, steps: equal, once: true}, &scratchTrial{batch: batch, bias: -10, steps: equal, once: true},
			&scratchTrial{batch: batch, bias: prior, steps: equal, once: true})
	}
	return trials
}

func (tr *scratchTrial) same() string {
	if tr.mask {
		return "left out"
	}
	return "right"
}

// train learns once more, from another beginning and in another order.
func (tr *scratchTrial) train(t *testing.T, s *scratch, c model.Config, seed uint64) {
	o := Options{Steps: tr.steps, Batch: tr.batch, LR: 1e-3, Decay: 1e-4, Seed: seed, ValidateEvery: -1}
	if tr.steps == 0 {
		o.Epochs = *scratchEpochs
	}
	o.Warmup = o.total(len(s.rows)-len(s.flickr)) / 10
	r := s.train(t, initialModel(t, c, float32(math.Log(10)), float32(tr.bias), seed), tr.loss, tr.mask, o)
	t.Logf("%+v", r)
	tr.rows = append(tr.rows, r)
}

// String is a line of the table: means, and of figures that matter the range over
// seeds.
func (tr *scratchTrial) String() string {
	mean := func(of func(scratchRow) float64) (sum float64) {
		for _, r := range tr.rows {
			sum += of(r) / float64(len(tr.rows))
		}
		return sum
	}
	percent := func(decimals int, of func(scratchRow) float64) string {
		at := func(r scratchRow) float64 { return 100 * of(r) }
		text := fmt.Sprintf("%.*f %%", decimals, mean(at))
		if len(tr.rows) > 1 {
			by := func(a, b scratchRow) int { return cmp.Compare(of(a), of(b)) }
			text += fmt.Sprintf(" (%.*f–%.*f)", decimals, at(slices.MinFunc(tr.rows, by)), decimals, at(slices.MaxFunc(tr.rows, by)))
		}
		return text
	}
	begin, end := "none", fmt.Sprintf("%.1f", mean(func(r scratchRow) float64 { return r.temperature }))
	if tr.loss == model.Sigmoid {
		begin = strings.ReplaceAll(fmt.Sprintf("%.4g", tr.bias), "-", "−")
		end += strings.ReplaceAll(fmt.Sprintf(", %.2f", mean(func(r scratchRow) float64 { return float64(r.b) })), "-", "−")
	}
	length := fmt.Sprintf("%d epochs", *scratchEpochs)
	if tr.steps > 0 {
		length = fmt.Sprintf("%d steps", tr.steps)
	}
	return fmt.Sprintf("| %s | %d | %s | %s | %s | %d | %.2f → %.2f | %s | %s | %s | %s |", tr.loss, tr.batch, begin, tr.same(), length, len(tr.rows),
		mean(func(r scratchRow) float64 { return r.first }), mean(func(r scratchRow) float64 { return r.last }), end,
		percent(1, func(r scratchRow) float64 { return r.accuracy }), percent(0, func(r scratchRow) float64 { return r.recall1 }), percent(0, func(r scratchRow) float64 { return r.five }))
}

// TestScratchTable compares losses, batches and biases. It takes long and is for
// docs/TRAINING.md; -run chooses trials.
func TestScratchTable(t *testing.T) {
	if *scratchEpochs == 0 {
		t.Skip("takes long; ask for it with -scratch EPOCHS")
	}
	c := scratchConfig()
	s := readScratch(t, initialModel(t, c, 0, 0, 1), 101, 6096)
	t.Logf("%d pairs, %d test photos of %d classes, %d captions held back", len(s.rows)-len(s.flickr), len(s.test), len(s.classes), len(s.flickr))
	trials := scratchTrials()
	for seed := 1; seed <= *scratchSeeds; seed++ {
		for _, tr := range trials {
			if tr.once && seed > 1 {
				continue
			}
			t.Run(fmt.Sprintf("seed %d/%s,%d,%.2f,%s,%d", seed, tr.loss, tr.batch, tr.bias, tr.same(), tr.steps), func(t *testing.T) { tr.train(t, s, c, uint64(seed)) })
		}
		var table strings.Builder
		for _, tr := range trials {
			if len(tr.rows) > 0 {
				fmt.Fprintln(&table, tr)
			}
		}
		t.Logf("with %d seeds\n%s", seed, table.String())
	}
}
