package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sigla/model/safetensors"
)

// A Source is the folder that a checkpoint is loaded from.
type Source interface {
	// Name is what the user calls it: "starter", or a path.
	Name() string
	// Bytes returns a small file whole; fs.ErrNotExist says that it is absent.
	Bytes(file string) ([]byte, error)
	// Tensors opens a safetensors file; fs.ErrNotExist says that it is absent.
	Tensors(file string) (*safetensors.File, error)
	// Has reports whether there is a file of that name.
	Has(file string) bool
}

type dir string

// Dir is a checkpoint folder on disk. Its weights are mapped, not read.
func Dir(path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	if pickled(path) {
		return nil, fmt.Errorf("open model: %s %w", path, errPickled)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open model: %s is a file; name the folder that holds config.json and model.safetensors", path)
	}
	return dir(path), nil
}

func (d dir) Name() string { return filepath.Clean(string(d)) }

// maxSmall bounds what Bytes reads; the largest tokenizer.json has 34 MB.
const maxSmall = 256 << 20

func (d dir) Bytes(file string) ([]byte, error) {
	path := filepath.Join(string(d), file)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSmall {
		return nil, fmt.Errorf("read %s: %d bytes are too many for it", path, info.Size())
	}
	return os.ReadFile(path)
}

func (d dir) Has(file string) bool {
	info, err := os.Stat(filepath.Join(string(d), file))
	return err == nil && info.Mode().IsRegular()
}

func (d dir) Tensors(file string) (*safetensors.File, error) {
	return safetensors.Open(filepath.Join(string(d), file))
}

type memory struct {
	name  string
	files map[string][]byte
}

// Memory is a checkpoint folder that is part of the program.
func Memory(name string, files map[string][]byte) Source { return memory{name, files} }

func (m memory) Name() string { return m.name }

func (m memory) Bytes(file string) ([]byte, error) {
	data, ok := m.files[file]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: file, Err: fs.ErrNotExist}
	}
	return data, nil
}

func (m memory) Has(file string) bool { return m.files[file] != nil }

func (m memory) Tensors(file string) (*safetensors.File, error) {
	data, err := m.Bytes(file)
	if err != nil {
		return nil, err
	}
	return safetensors.Parse(file, data)
}

// errPickled is why weights in PyTorch's own format are not read.
var errPickled = errors.New("is a pickle, which can run any code when it is opened: convert it to safetensors, or fetch a revision of the model that has them")

// pickled reports whether a file is of PyTorch's own format, by its name.
func pickled(path string) bool {
	switch filepath.Ext(path) {
	case ".bin", ".pt", ".pth", ".ckpt", ".pkl":
		return true
	}
	return false
}

// first returns the first of the files that is there, or nil if none is.
func first(src Source, files ...string) ([]byte, error) {
	for _, file := range files {
		data, err := src.Bytes(file)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, nil
}
