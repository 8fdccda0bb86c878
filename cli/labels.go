package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigla/assets"
	"sigla/gallery/label"
)

// everyday is the label set of whoever names none.
const everyday = "everyday"

// A labelStore is a folder of label sets, one TOML file each: what the
// explorer changes is saved there and is back next time.
type labelStore string

func userLabels() labelStore { return labelStore(filepath.Join(configDir(), "labels")) }

func (s labelStore) path(name string) string { return filepath.Join(string(s), name+".toml") }

// has reports whether a set of that name was saved.
func (s labelStore) has(name string) bool {
	if name == "" || name != filepath.Base(name) {
		return false
	}
	info, err := os.Stat(s.path(name))
	return err == nil && info.Mode().IsRegular()
}

// keep returns what saves changes of a set, or nil if the set has no name to be
// found by again. Templates of the command line are not the set's own.
func (s labelStore) keep(set label.Set) func(label.Set) error {
	if set.Name == "" || set.Name != filepath.Base(set.Name) {
		return nil
	}
	path, templates := s.path(set.Name), set.Templates
	return func(changed label.Set) error {
		changed.Templates = templates
		return label.Save(path, changed)
	}
}

// labelSet returns the labels to score and what saves changes of them, nil if
// they are not kept.
func (a *app) labelSet(store labelStore) (label.Set, func(label.Set) error, error) {
	set, err := findLabels(a.settings.labels, store)
	if err != nil {
		return label.Set{}, nil, err
	}
	save := store.keep(set)
	if a.settings.templates != nil {
		set.Templates = a.settings.templates
	}
	return set, save, nil
}

// findLabels reads what --labels names: a set saved in store, a file, or else
// the labels themselves. Nothing stands for the everyday set, as the user
// changed it or as it was built in.
func findLabels(named string, store labelStore) (label.Set, error) {
	switch {
	case named == "" && !store.has(everyday):
		return label.Parse(everyday+".toml", assets.Everyday())
	case named == "":
		named = everyday
	}
	path := named
	if store.has(named) {
		path = store.path(named)
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !isLabelFile(named) {
		return label.FromList(named)
	}
	if err != nil {
		return label.Set{}, fmt.Errorf("read labels: %w", err)
	}
	return label.Parse(path, data)
}

// isLabelFile reports whether the user can only have meant a file.
func isLabelFile(named string) bool {
	ext := strings.ToLower(filepath.Ext(named))
	return !strings.Contains(named, ",") && (ext == ".toml" || ext == ".txt" || strings.ContainsAny(named, `/\`))
}
