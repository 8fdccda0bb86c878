// Package atomicfile writes files so that a reader, or a crash, sees the old
// content or the new, never a part of it.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A File is written under a temporary name and gets its own when it is whole.
type File struct {
	*os.File
	path string
}

// Create begins the file at path, whose folder is there. If path is a symbolic
// link to a file, that file is meant: the link stays. A file that is there keeps
// its mode, a new one has the mode given.
func Create(path string, mode fs.FileMode) (*File, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if old, err := os.Stat(path); err == nil {
		mode = old.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".sigla-*")
	if err != nil {
		return nil, err
	}
	file := &File{f, path}
	if err := f.Chmod(mode); err != nil {
		file.Discard()
		return nil, err
	}
	return file, nil
}

// Commit gives the file its name, for good: also a power cut leaves it whole.
func (f *File) Commit() error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	syncFolder(filepath.Dir(f.path))
	return nil
}

// Discard forgets what was written. After Commit there is nothing to forget.
func (f *File) Discard() {
	if f.Close() == nil {
		os.Remove(f.Name())
	}
}

// Write replaces the content of the file at path, as Create and Commit do.
func Write(path string, data []byte, mode fs.FileMode) error {
	f, err := Create(path, mode)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// syncFolder makes a rename last through a power cut. Not every system can
// sync a folder, and the file is whole without it, so failing is no error.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
