package label

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"
)

// TOML writes the set so that Parse reads the same set back.
func (s Set) TOML() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	data, err := toml.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("label set %q: %w", s.Name, err)
	}
	return data, nil
}

// Save writes the set to path as TOML. A reader, or a crash, sees the old file
// or the new one, never a part; a symbolic link stays one. The folder is made
// if it is missing. Comments in a file that was there are lost.
func Save(path string, s Set) error {
	data, err := s.TOML()
	if err != nil {
		return err
	}
	if err := save(path, data); err != nil {
		return fmt.Errorf("save labels %s: %w", path, err)
	}
	return nil
}

func save(path string, data []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if old, err := os.Stat(path); err == nil {
		mode = old.Mode().Perm()
	}
	f, err := os.CreateTemp(dir, ".labels-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	syncFolder(dir)
	return nil
}

// syncFolder makes a rename last through a power cut. Not every system can
// sync a folder, and the file is whole without it, so failing is no error.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
