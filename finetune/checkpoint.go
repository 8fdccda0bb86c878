package finetune

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigla/internal/atomicfile"
	"sigla/model/safetensors"
)

// A checkpoint is all that a run is after one step: what its learner's Each
// visits, and the position beside it.
type position struct {
	Step    int     `json:"step"`
	Place   place   `json:"place"`
	Seconds float64 `json:"seconds"`
	// Open is the step's event while its validation is still to come.
	Open *Event `json:"open,omitempty"`
}

const (
	checkpointKind = "sigla checkpoint 1" // of the metadata "kind"
	checkpointName = "step-%08d.safetensors"
)

// checkpointSteps lists the checkpoints of a folder in order.
func checkpointSteps(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var steps []int
	for _, e := range entries {
		var step int
		if _, err := fmt.Sscanf(e.Name(), checkpointName, &step); err == nil && e.Name() == fmt.Sprintf(checkpointName, step) {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// writeCheckpoint writes one tensor after the other: no more memory is taken
// than the largest.
func writeCheckpoint(dir string, p position, l Learner) error {
	var layout []safetensors.Tensor
	err := l.Each(func(name string, shape []int, _ []float32) (bool, error) {
		layout = append(layout, safetensors.Tensor{Name: name, Type: safetensors.F32, Shape: shape})
		return false, nil
	})
	if err != nil {
		return err
	}
	where, err := json.Marshal(p)
	if err != nil {
		return err
	}
	header, err := safetensors.Header(layout, map[string]string{"kind": checkpointKind, "position": string(where)})
	if err != nil {
		return err
	}
	f, err := atomicfile.Create(filepath.Join(dir, fmt.Sprintf(checkpointName, p.Step)), 0o644)
	if err != nil {
		return err
	}
	defer f.Discard()
	out := bufio.NewWriterSize(f, 1<<20)
	out.Write(header)
	var raw []byte
	next := 0
	err = l.Each(func(name string, _ []int, values []float32) (bool, error) {
		if t := layout[next]; t.Name != name || t.Len() != len(values) {
			return false, fmt.Errorf("%s came where %s was before", name, t.Name)
		}
		next++
		for part := range slices.Chunk(values, 1<<16) {
			if raw, err = binary.Append(raw[:0], binary.LittleEndian, part); err != nil {
				return false, err
			}
			if _, err := out.Write(raw); err != nil {
				return false, err
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Commit()
}

// readCheckpoint gives a learner what it was at a step, or leaves it as it is
// if the file is not of such a learner.
func readCheckpoint(dir string, step int, l Learner) (position, error) {
	var p position
	path := filepath.Join(dir, fmt.Sprintf(checkpointName, step))
	f, err := safetensors.Open(path)
	if err != nil {
		return p, err
	}
	defer f.Close()
	if f.Metadata()["kind"] != checkpointKind {
		return p, fmt.Errorf("read %s: it is no checkpoint of a training", path)
	}
	if err := json.Unmarshal([]byte(f.Metadata()["position"]), &p); err != nil {
		return p, fmt.Errorf("read %s: its position: %w", path, err)
	}
	seen := 0
	err = l.Each(func(name string, shape []int, _ []float32) (bool, error) {
		t, ok := f.Tensor(name)
		if !ok || !slices.Equal(t.Shape, shape) || t.Type != safetensors.F32 {
			return false, fmt.Errorf("read %s: it has no tensor %s %v: it is not of this model, or of another depth", path, name, shape)
		}
		seen++
		return false, nil
	})
	if err == nil && seen != len(f.Names()) {
		err = fmt.Errorf("read %s: it has %d tensors, %d are trained: it is of another selection", path, len(f.Names()), seen)
	}
	if err != nil {
		return p, err
	}
	err = l.Each(func(name string, _ []int, values []float32) (bool, error) {
		t, _ := f.Tensor(name)
		_, err := t.Floats(values)
		t.Release()
		return true, err
	})
	return p, err
}

// surplus returns which of the steps, in order, to give up until no more than
// most, at least 4, are left: never the first or the last two, and of the
// others the one whose neighbours are closest together. So those that stay are
// spread over the whole run.
func surplus(steps []int, most int) []int {
	var out []int
	steps = slices.Clone(steps)
	for len(steps) > most {
		at := 1
		for i := 2; i < len(steps)-2; i++ {
			if steps[i+1]-steps[i-1] < steps[at+1]-steps[at-1] {
				at = i
			}
		}
		out = append(out, steps[at])
		steps = slices.Delete(steps, at, at+1)
	}
	return out
}

// removeParts deletes what a killed process has left of files not finished.
func removeParts(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".sigla-") {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
