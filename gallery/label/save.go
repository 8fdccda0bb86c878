package label

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"sigla/internal/atomicfile"
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
	// The folder of a link need not be that of its file, which is there then.
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, data, 0o644)
}
