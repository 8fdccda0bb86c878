package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
	root   string // what stands before the names of both towers
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
	shards, index, err := shards(src)
	if err != nil {
		return nil, err
	}
	for _, file := range shards {
		if err := w.open(src, file); err != nil {
			w.Close()
			return nil, err
		}
	}
	for name, file := range index {
		if f, ok := w.source[name]; !ok || f.file != file {
			w.Close()
			return nil, fmt.Errorf("read weights: %s says that tensor %q is in %s, where it is not", indexFile, name, file)
		}
	}
	w.vision = w.prefix("embeddings.patch_embedding.weight", "vision_model.")
	w.text = w.prefix("embeddings.token_embedding.weight", "text_model.")
	if root, ok := strings.CutSuffix(w.vision, "vision_model."); ok && root+"text_model." == w.text {
		w.root = root
	}
	w.repack()
	return w, nil
}

// open adds the tensors of one file.
func (w *weights) open(src Source, file string) error {
	f, err := src.Tensors(file)
	if errors.Is(err, fs.ErrNotExist) {
		if src.Has("pytorch_model.bin") {
			return fmt.Errorf("read weights: %s has no %s but pytorch_model.bin, which %w", src.Name(), file, errPickled)
		}
		return fmt.Errorf("read weights: %s has no %s", src.Name(), file)
	} else if err != nil {
		return err
	}
	w.files = append(w.files, f)
	for _, name := range f.Names() {
		if other, ok := w.source[name]; ok {
			return fmt.Errorf("read weights: tensor %q is in both %s and %s", name, other.file, file)
		}
		t, _ := f.Tensor(name)
		w.source[name] = found{file, t}
	}
	return nil
}

// shards lists the weight files of a checkpoint, and which tensor is in which
// if there is an index. A single file is all there is.
func shards(src Source) (files []string, index map[string]string, err error) {
	data, err := src.Bytes(indexFile)
	if errors.Is(err, fs.ErrNotExist) || src.Has(singleFile) {
		return []string{singleFile}, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	var j struct {
		Files map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", indexFile, err)
	}
	for _, file := range j.Files {
		if file != filepath.Base(file) || strings.ContainsAny(file, `/\`) || file == ".." {
			return nil, nil, fmt.Errorf("read %s: %q is not a file of the same folder", indexFile, file)
		}
		files = append(files, file)
	}
	slices.Sort(files)
	if files = slices.Compact(files); len(files) == 0 {
		return nil, nil, fmt.Errorf("read %s: weight_map names no file", indexFile)
	}
	return files, j.Files, nil
}

// prefix finds what a library's version or a wrapping model put before the
// names of a tower. The published prefix wins if several keys end the same,
// then the shortest.
func (w *weights) prefix(suffix, published string) string {
	if _, ok := w.source[published+suffix]; ok {
		return published
	}
	best, found := published, false
	for _, name := range slices.Sorted(maps.Keys(w.source)) {
		p, ok := strings.CutSuffix(name, suffix)
		if ok && (!found || len(p) < len(best)) {
			best, found = p, true
		}
	}
	return best
}

// repack brings queries, keys and values into the published form: apart in the
// blocks, packed in the pooling head.
func (w *weights) repack() {
	for name, f := range maps.Clone(w.source) {
		for _, kind := range []string{"weight", "bias"} {
			if base, ok := strings.CutSuffix(name, ".self_attn.in_proj_"+kind); ok && len(f.tensor.Shape) > 0 && f.tensor.Shape[0]%3 == 0 {
				n := f.tensor.Shape[0] / 3
				for i, part := range []string{"q", "k", "v"} {
					w.source[base+".self_attn."+part+"_proj."+kind] = found{f.file, f.tensor.Rows(i*n, n)}
				}
				delete(w.source, name)
			}
		}
	}
	const head = "head.attention."
	for _, kind := range []string{"weight", "bias"} {
		var parts []safetensors.Tensor
		for _, part := range []string{"q", "k", "v"} {
			if f, ok := w.source[w.vision+head+part+"_proj."+kind]; ok && len(f.tensor.Shape) > 0 {
				parts = append(parts, f.tensor)
			}
		}
		if len(parts) != 3 {
			continue
		}
		w.source[w.vision+head+"in_proj_"+kind] = found{w.source[w.vision+head+"q_proj."+kind].file, safetensors.Join(parts...)}
		for _, part := range []string{"q", "k", "v"} {
			delete(w.source, w.vision+head+part+"_proj."+kind)
		}
	}
}

// key is the name in the file of a tensor by its published name.
func (w *weights) key(name string) string {
	if rest, ok := strings.CutPrefix(name, "vision_model."); ok {
		return w.vision + rest
	}
	if rest, ok := strings.CutPrefix(name, "text_model."); ok {
		return w.text + rest
	}
	return w.root + name
}

// onlyImages reports whether there is an image tower and nothing of another.
func (w *weights) onlyImages() bool {
	images, texts := false, false
	for name := range w.source {
		images = images || strings.HasPrefix(name, w.vision)
		texts = texts || strings.HasPrefix(name, w.text)
	}
	return w.vision != "" && images && !texts
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
	return f, f.tensor.Numbers()
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
