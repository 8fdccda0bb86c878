package model

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigla/model/safetensors"
)

// companions are the files of a checkpoint beside its weights, in every form
// that is read, and those that other programs look for.
var companions = []string{
	"config.json", "preprocessor_config.json", "processor_config.json",
	"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
	"tokenizer.json", "spiece.model", "tokenizer.model", "vocab.json", "merges.txt", "bpe_simple_vocab_16e6.txt.gz",
}

// Export writes the model as it is now, patches and all, as a checkpoint in the
// published layout to a new folder. src is what it was loaded from, card the
// text of its README.md. Weights are float32 whatever they were in src: an
// update may be smaller than a step of 16 bits. The folder appears when it is
// whole.
func (m *Model) Export(dir string, src Source, card string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("export model to %s: %w", dir, err)
		}
	}()
	if _, err := os.Lstat(dir); err == nil {
		return fs.ErrExist
	}
	part, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".sigla-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	if err := copyCompanions(part, src); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(part, "README.md"), []byte(card), 0o644); err != nil {
		return err
	}
	if err := m.exportWeights(filepath.Join(part, singleFile)); err != nil {
		return err
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return err
	}
	return os.Rename(part, dir)
}

func copyCompanions(dir string, src Source) error {
	for _, file := range companions {
		data, err := src.Bytes(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && file == "config.json" {
			data, err = inFloat32(data)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inFloat32 has a config.json say that the weights are float32, if it says what
// they are; else it stays byte for byte.
func inFloat32(config []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(config, &fields); err != nil {
		return nil, err
	}
	changed := false
	for _, tower := range []string{"text_config", "vision_config"} {
		var inner map[string]json.RawMessage
		if json.Unmarshal(fields[tower], &inner) == nil && sayFloat32(inner) {
			changed = true
			fields[tower], _ = json.Marshal(inner)
		}
	}
	if !sayFloat32(fields) && !changed {
		return config, nil
	}
	data, err := json.MarshalIndent(fields, "", "  ")
	return append(data, '\n'), err
}

func sayFloat32(fields map[string]json.RawMessage) (changed bool) {
	const want = `"float32"`
	for _, key := range []string{"dtype", "torch_dtype"} { // its name in newer and older files
		if v, ok := fields[key]; ok && string(v) != want && string(v) != "null" {
			fields[key], changed = json.RawMessage(want), true
		}
	}
	return changed
}

// exportWeights writes one tensor after the other, so that no more memory is
// taken than by the largest.
func (m *Model) exportWeights(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.w.list(m.cfg)
	if m.cfg.Stem != nil {
		var frozen stem
		list = append(list, frozen.list(m.cfg.Stem)...)
	}
	slices.SortFunc(list, func(a, b tensor) int { return strings.Compare(a.name, b.name) })
	var layout []safetensors.Tensor
	for _, t := range list {
		layout = append(layout, safetensors.Tensor{Name: t.name, Type: safetensors.F32, Shape: t.shape})
	}
	header, err := safetensors.Header(layout, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	out.Write(header)
	var host []float32
	var data []byte
	for _, t := range list {
		if host, err = m.values(t, host); err != nil {
			return err
		}
		for part := range slices.Chunk(host, 1<<16) {
			data, _ = binary.Append(data[:0], binary.LittleEndian, part)
			if _, err := out.Write(data); err != nil {
				return err
			}
		}
	}
	return errors.Join(out.Flush(), f.Sync(), f.Close())
}

// values reads a tensor as it is now: from the engine, or from where it was
// loaded, if that is what there is.
func (m *Model) values(t tensor, host []float32) ([]float32, error) {
	switch {
	case t.name == tokenTable && m.w.tokens.Len == 0:
		defer m.table.Release()
		return m.table.Floats(host)
	case t.dst[0].Len == 0: // of the stem, which never learns
		f, err := m.files.get(t.name, t.shape)
		if err != nil {
			return nil, err
		}
		defer f.tensor.Release()
		return f.tensor.Floats(host)
	}
	host = slices.Grow(host[:0], t.len())[:t.len()]
	return host, m.e.Read(host, t.all())
}
