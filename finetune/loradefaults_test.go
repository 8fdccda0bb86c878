package finetune

import (
	"fmt"
	"testing"

	"sigla/cpu"
)

// TestLoRADefaults measures steps and rates of low-rank updates on halves of the
// training lists, and writes the table of docs/TRAINING.md. The test lists have no
// part in it.
func TestLoRADefaults(t *testing.T) {
	u := openUnseen(t)
	caltech, clothing := u.caltech101(), u.clothing()
	u.plant(caltech, invented)
	tried := []struct {
		fewest int // steps; 0: 5 epochs
		rate   float64
	}{{0, 1e-3}, {0, 3e-3}, {100, 1e-3}, {100, 3e-3}, {200, 3e-3}, {100, 1e-2}}
	text := "| photos | examples a class |"
	for _, o := range tried {
		length := "5 epochs"
		if o.fewest > 0 {
			length = fmt.Sprintf("%d steps", o.fewest)
		}
		text += fmt.Sprintf(" %s, %g |", length, o.rate)
	}
	text += "\n|---|---:|---:|---:|---:|---:|---:|---:|\n"
	for _, c := range []struct {
		name string
		*collection
	}{{"caltech101", caltech}, {"clothing", clothing}} {
		c.halve()
		for _, n := range shots {
			text += fmt.Sprintf("| %s | %d |", c.name, n)
			rows := c.examples(n, 1)
			perEpoch := batches(len(rows), 32)
			for _, o := range tried {
				e, err := cpu.New(cpu.Options{})
				if err != nil {
					t.Fatal(err)
				}
				r := trialRun{T: t, e: e, src: u.src, c: c.collection, rows: rows, seed: 1}
				s, _ := r.lora(Options{Epochs: max(5, (o.fewest+perEpoch-1)/perEpoch), LR: o.rate}, false)
				precision, loss := 0.0, 0.0
				for k := range c.Labels {
					f := c.column(s, k, c.test).measure(nil, 0)
					precision, loss = precision+f[averagePrecision]/float64(len(c.Labels)), loss+f[logLoss]
				}
				text += fmt.Sprintf(" %.3f, %.2f |", precision, loss)
				e.Close()
			}
			text += "\n"
		}
	}
	text += "\nAverage precision, and loss a photo, on the other half. `go test ./finetune -run LoRADefaults -useful`\n"
	t.Log("\n" + text)
	if err := writeBetween("../docs/TRAINING.md", "lora", text); err != nil {
		t.Error(err)
	}
}
