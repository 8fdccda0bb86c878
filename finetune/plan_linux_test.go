// The race detector takes memory of its own.

//go:build !race

package finetune

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigla/model"
)

// planned is a run that takes some 300 MB, on a checkpoint of random weights.
func planned(dir string, batch int) (model.Config, Set, TowersOptions, Options) {
	tower := model.Tower{Width: 320, MLP: 1280, Heads: 5, Layers: 4, Eps: 1e-6}
	c := model.Config{Vision: tower, Text: tower, ImageSize: 160, Patch: 16, Vocab: 8000, Tokens: 16, Dim: 320}
	var set Set
	for i := range 48 {
		set.Photos = append(set.Photos, Photo{Path: fmt.Sprint(i), Caption: fmt.Sprint("photo ", i)})
	}
	return c, set, TowersOptions{Cache: 4 << 20, Micro: 8}, Options{Steps: 4, Batch: batch, LR: 1e-5, ValidateEvery: -1}
}

// The memory that a process has taken at its peak is what was foreseen, within
// the margin that Plan.Memory adds, and not far below: the cpu engine lends what
// activations have left to gradients.
func TestPlanIsWhatIsTaken(t *testing.T) {
	for _, batch := range []int{8, 24} {
		dir := t.TempDir()
		c, set, o, run := planned(dir, batch)
		if err := model.WriteRandom(dir, c, 1); err != nil {
			t.Fatal(err)
		}
		plan, err := NewPlan(c, func(m *model.Model) (*model.Trainer, error) { return m.NewTrainer() }, set, o, run)
		if err != nil {
			t.Fatal(err)
		}
		child := child(t, "", dir)
		child.Args = []string{child.Path, "-test.run=^TestTakeMemoryAsChild$", "-test.v"}
		child.Env = append(child.Env, childEnv+"="+dir, fmt.Sprintf("FINETUNE_TEST_BATCH=%d", batch))
		out, err := child.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var taken, disk int64
		for line := range strings.Lines(string(out)) {
			fmt.Sscanf(line, "taken %d, checkpoint %d", &taken, &disk)
		}
		t.Logf("batch %d: foreseen %d MB of tensors, at most %d MB; taken %d MB", batch, plan.Need.Total()>>20, plan.Memory()>>20, taken>>20)
		if taken > plan.Memory() || taken < plan.Need.Total()*3/4 {
			t.Errorf("batch %d: taken %d, foreseen %d to %d", batch, taken, plan.Need.Total(), plan.Memory())
		}
		if disk > plan.Checkpoint+1<<17 || disk < plan.Checkpoint*99/100 {
			t.Errorf("a checkpoint has %d bytes, foreseen %d", disk, plan.Checkpoint)
		}
	}
}

func TestTakeMemoryAsChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("another test starts it")
	}
	var batch int
	fmt.Sscan(os.Getenv("FINETUNE_TEST_BATCH"), &batch)
	_, set, o, run := planned(dir, batch)
	_, before := memory(t)
	src, err := model.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(cpuEngine(t), src)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	o.Photo = func(context.Context, int) (any, error) { return m.Prepare(image.NewGray(image.Rect(0, 0, 99, 99))) }
	at := filepath.Join(dir, "run")
	r, err := New(at, towers(t, m, set, o), record(run))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Train(context.Background(), Watch{}); err != nil {
		t.Fatal(err)
	}
	peak, _ := memory(t)
	info, err := os.Stat(filepath.Join(at, checkpointFolder, fmt.Sprintf(checkpointName, run.Steps)))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("taken %d, checkpoint %d\n", peak-before, info.Size())
}

// memory reads what the process has of memory: the most ever, and now.
func memory(t *testing.T) (peak, now int64) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(data)) {
		fmt.Sscanf(line, "VmHWM: %d", &peak)
		fmt.Sscanf(line, "VmRSS: %d", &now)
	}
	return peak << 10, now << 10
}
