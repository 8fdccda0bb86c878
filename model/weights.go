package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"sigla/backend"
	"sigla/model/safetensors"
)

// weights is every tensor of a checkpoint, in one file or in shards.
type weights struct {
	files  []*safetensors.File
	source map[string]found
	vision string // what stands before "embeddings.patch_embedding.weight"
	text   string // what stands before "embeddings.token_embedding.weight"
}

type found struct {
	file   string
	tensor safetensors.Tensor
}

const (
	singleFile = "model.safetensors"
	indexFile  = "model.safetensors.index.json"
)

func openWeights(src Source) (*weights, error) {
	w := &weights{source: map[string]found{}}
	shards, err := shards(src)
	if err != nil {
		return nil, err
	}
	for _, file := range shards {
		f, err := src.Tensors(file)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("read weights: %s has no %s", src.Name(), file)
		}
		if err != nil {
			w.Close()
			return nil, err
		}
		w.files = append(w.files, f)
		for _, name := range f.Names() {
			if other, ok := w.source[name]; ok {
				w.Close()
				return nil, fmt.Errorf("read weights: tensor %q is in both %s and %s", name, other.file, file)
			}
			t, _ := f.Tensor(name)
			w.source[name] = found{file, t}
		}
	}
	w.vision = w.prefix("embeddings.patch_embedding.weight", "vision_model.")
	w.text = w.prefix("embeddings.token_embedding.weight", "text_model.")
	return w, nil
}

// shards lists the weight files of a checkpoint.
func shards(src Source) ([]string, error) {
	data, err := src.Bytes(indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{singleFile}, nil
	} else if err != nil {
		return nil, err
	}
	var index struct {
		Files map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("read %s: %w", indexFile, err)
	}
	var list []string
	for _, file := range index.Files {
		if file != filepath.Base(file) || strings.ContainsAny(file, `/\`) || file == ".." {
			return nil, fmt.Errorf("read %s: %q is not a file of the same folder", indexFile, file)
		}
		list = append(list, file)
	}
	slices.Sort(list)
	if list = slices.Compact(list); len(list) == 0 {
		return nil, fmt.Errorf("read %s: weight_map names no file", indexFile)
	}
	return list, nil
}

// prefix finds what a library's version or a wrapping model put before the
// names of a tower. The published prefix wins if several keys end the same.
func (w *weights) prefix(suffix, published string) string {
	if _, ok := w.source[published+suffix]; ok {
		return published
	}
	best := published
	for name := range w.source {
		p, ok := strings.CutSuffix(name, suffix)
		if ok && (best == published || len(p) < len(best)) {
			best = p
		}
	}
	return best
}

// key is the name in the file of a tensor by its published name.
func (w *weights) key(name string) string {
	if rest, ok := strings.CutPrefix(name, "vision_model."); ok {
		return w.vision + rest
	}
	if rest, ok := strings.CutPrefix(name, "text_model."); ok {
		return w.text + rest
	}
	return name
}

// get finds a tensor by its published name and checks its shape. Sizes of one
// may be missing or added: a scalar is [] or [1].
func (w *weights) get(name string, shape []int) (found, error) {
	key := w.key(name)
	f, ok := w.source[key]
	if !ok {
		return f, fmt.Errorf("read weights: %s has no tensor %q", w.fileNames(), key)
	}
	if !slices.Equal(squeeze(f.tensor.Shape), squeeze(shape)) {
		return f, fmt.Errorf("read weights: %s: tensor %q is %v, config.json asks for %v", f.file, key, f.tensor.Shape, shape)
	}
	return f, nil
}

func (w *weights) fileNames() string {
	seen := map[string]bool{}
	for _, f := range w.source {
		seen[f.file] = true
	}
	if len(seen) == 1 {
		for name := range seen {
			return name
		}
	}
	return indexFile
}

func squeeze(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(n int) bool { return n == 1 })
}

// load copies the listed tensors into the engine. The list has memory already.
func (w *weights) load(e backend.Backend, list []tensor) error {
	var host []float32
	for _, t := range list {
		f, err := w.get(t.name, t.shape)
		if err != nil {
			return err
		}
		if host, err = f.tensor.Floats(host); err != nil {
			return err
		}
		if !finite(host) {
			return fmt.Errorf("read weights %s: tensor %q holds values that are no numbers: the file is damaged, or its training failed", f.file, f.tensor.Name)
		}
		values := host
		if len(t.shape) == 4 && t.shape[1] == 1 && t.shape[2] > 1 {
			values = channelsLast(host, t.shape[0])
		}
		e.Write(t.all(), values)
		f.tensor.Release()
	}
	return nil
}

// finite reports whether there is neither NaN nor infinity in x: such a value
// times zero is NaN, and stays so in a sum. Four sums keep the adder busy.
func finite(x []float32) bool {
	var s [4]float32
	for len(x) >= 4 {
		s[0] += x[0] * 0
		s[1] += x[1] * 0
		s[2] += x[2] * 0
		s[3] += x[3] * 0
		x = x[4:]
	}
	for _, v := range x {
		s[0] += v * 0
	}
	return s[0]+s[1]+s[2]+s[3] == 0
}

// match checks, before anything is copied, that the files have the listed
// tensors, in their shapes, and no others: else config.json describes another
// model. Buffers of old files do not count.
func (w *weights) match(list []tensor) error {
	known := map[string]bool{}
	for _, t := range list {
		if _, err := w.get(t.name, t.shape); err != nil {
			return err
		}
		known[w.key(t.name)] = true
	}
	var extra []string
	for name := range w.source {
		if !known[name] && !strings.HasSuffix(name, ".position_ids") {
			extra = append(extra, name)
		}
	}
	if len(extra) == 0 {
		return nil
	}
	slices.Sort(extra)
	more := ""
	if len(extra) > 1 {
		more = fmt.Sprintf(" and %d more", len(extra)-1)
	}
	return fmt.Errorf("read weights: %s has tensor %q%s, which a model as in config.json has not", w.source[extra[0]].file, extra[0], more)
}

// Close unmaps the files.
func (w *weights) Close() error {
	var errs []error
	for _, f := range w.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
