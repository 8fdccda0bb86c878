package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/adrg/xdg"
	"github.com/pelletier/go-toml/v2"
)

// configDir is where the user's configuration and label sets live.
func configDir() string { return filepath.Join(xdg.ConfigHome, "sigla") }

// configPath is the configuration file that need not be named.
func configPath() string { return filepath.Join(configDir(), "config.toml") }

// configure sets what the command line leaves open: from the environment, then
// from the file that --config names or else from path, which need not exist.
func (a *app) configure(path string) error {
	defer func() { a.progress.on = a.progress.on && !a.settings.quiet }()
	open := map[string]*option{}
	for i, o := range options {
		text := os.Getenv(o.env)
		switch {
		case a.root.PersistentFlags().Changed(o.name):
		case o.env != "" && text != "":
			if err := o.check(&a.settings, text); err != nil {
				return usagef("%s=%q: %w", o.env, text, err)
			}
		default:
			open[o.name] = &options[i]
		}
	}
	named := a.settings.config != ""
	if named {
		path = a.settings.config
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil && named {
		return usagef("read configuration: %w", err)
	} else if err != nil {
		return fmt.Errorf("read configuration: %w", err) // nobody has typed its name
	}
	if err := applyConfig(path, data, open, &a.settings); err != nil {
		return usageError{err}
	}
	return nil
}

// applyConfig sets the open options as the file says. Unknown keys are errors:
// a misspelt one would otherwise be ignored in silence.
func applyConfig(path string, data []byte, open map[string]*option, s *settings) error {
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		return configError(path, err)
	}
	// A strict decoding into nothing names every key with its line.
	var keys *toml.StrictMissingError
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&struct{}{}); !errors.As(err, &keys) {
		return nil // an empty file
	}
	for _, key := range keys.Errors {
		line, _ := key.Position()
		name := key.Key()[0]
		if name == "config" || len(key.Key()) > 1 || !isOption(name) {
			return fmt.Errorf("%s:%d: unknown key %q; the keys are the names of the common flags", path, line, name)
		}
		if o := open[name]; o != nil {
			if err := o.assign(s, values[name]); err != nil {
				return fmt.Errorf("%s:%d: %s: %w", path, line, name, err)
			}
		}
	}
	return nil
}

// configError puts the line in front of what the TOML decoder found.
func configError(path string, err error) error {
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, _ := at.Position()
		return fmt.Errorf("%s:%d: %s", path, line, strings.TrimPrefix(err.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", path, err)
}

func isOption(name string) bool {
	for _, o := range options {
		if o.name == name {
			return true
		}
	}
	return false
}

// assign sets the option to a TOML value; a list stands for a repeated flag.
func (o *option) assign(s *settings, value any) error {
	switch value := value.(type) {
	case []any:
		if !o.many {
			return fmt.Errorf("want one value, not a list")
		}
		for _, v := range value {
			if err := o.assign(s, v); err != nil {
				return err
			}
		}
		return nil
	case string, bool, int64, float64:
		text := fmt.Sprint(value)
		if err := o.check(s, text); err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
		return nil
	}
	return fmt.Errorf("want text, a number, true or false")
}
