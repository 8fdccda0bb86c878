package finetune

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"sigla/internal/atomicfile"
	"sigla/internal/filelock"
)

// Kept is the folder of the adapters that a person keeps, NAME.safetensors
// each. Beside them a file default-DIGEST names the one that a base model is
// used with where nobody asks for another.
type Kept string

const (
	adapterSuffix = ".safetensors"
	defaultPrefix = "default-"
)

// Entry is an adapter of the folder.
type Entry struct {
	Name    string
	Card    Card
	Bytes   int64
	Default bool  // its base is used with it
	Err     error // the file is no adapter; the card is empty
}

// Path is the file of an adapter.
func (k Kept) Path(name string) string { return filepath.Join(string(k), name+adapterSuffix) }

// CheckName says what a name must not be. "none" means no adapter.
func CheckName(name string) error {
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	})
	if name == "" || name == "none" || len(name) > 200 || odd || strings.ContainsRune("-.", rune(name[0])) {
		return fmt.Errorf("%q cannot be an adapter's name: want letters, digits and the signs - . _", name)
	}
	return nil
}

// Add keeps an adapter under a name that is free. Of two processes that keep one
// under the same name at once, the second is told that there is one.
func (k Kept) Add(name string, a *Adapter) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("keep adapter: %w", err)
	}
	if err := os.MkdirAll(string(k), 0o755); err != nil {
		return fmt.Errorf("keep adapter %s: %w", name, err)
	}
	lock, err := k.lock()
	if err != nil {
		return fmt.Errorf("keep adapter %s: %w", name, err)
	}
	defer lock.Close()
	if _, err := os.Lstat(k.Path(name)); err == nil {
		return fmt.Errorf("keep adapter %s: there is one of that name: remove it, or choose another name", name)
	}
	return WriteAdapter(k.Path(name), a)
}

// addPatience is how long Add waits for others: as long as a large file may take.
const addPatience = time.Minute

// lock waits until nobody else keeps an adapter. The lock ends with the file,
// which stays.
func (k Kept) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(string(k), ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		ok, err := filelock.TryLock(f, true)
		switch {
		case ok:
			return f, nil
		case err == nil && time.Since(begun) > addPatience:
			err = errors.New("another sigla has been keeping one for a minute; try again when it has ended")
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
}

// List returns all adapters by name, damaged ones too.
func (k Kept) List() ([]Entry, error) {
	files, err := os.ReadDir(string(k))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("list adapters: %w", err)
	}
	var list []Entry
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), adapterSuffix)
		if !ok || CheckName(name) != nil {
			continue
		}
		e := Entry{Name: name}
		if info, err := file.Info(); err == nil {
			e.Bytes = info.Size()
		}
		if e.Card, e.Err = ReadCard(k.Path(name)); e.Err == nil {
			used, err := k.Default(e.Card.Base.Digest)
			if err != nil {
				return nil, err
			}
			e.Default = used == name
		}
		list = append(list, e)
	}
	return list, nil
}

// Remove forgets an adapter. A model that is used with it is used as it was
// published again.
func (k Kept) Remove(name string) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("remove adapter: %w", err)
	}
	if err := os.Remove(k.Path(name)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove adapter %s: there is none of that name", name)
	} else if err != nil {
		return fmt.Errorf("remove adapter: %w", err)
	}
	marks, err := filepath.Glob(filepath.Join(string(k), defaultPrefix+"*"))
	for _, mark := range marks {
		if data, e := os.ReadFile(mark); e == nil && strings.TrimSpace(string(data)) == name {
			err = errors.Join(err, os.Remove(mark))
		}
	}
	return err
}

// Default is the name of the adapter that a base model is used with, "" if it
// is used as it is.
func (k Kept) Default(digest string) (string, error) {
	data, err := os.ReadFile(filepath.Join(string(k), defaultPrefix+digest))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("read the default adapter: %w", err)
	}
	name := strings.TrimSpace(string(data))
	if err := CheckName(name); err != nil {
		return "", fmt.Errorf("read the default adapter: %w", err)
	}
	return name, nil
}

// SetDefault has a base model be used with the adapter from now on; with "" as
// it is.
func (k Kept) SetDefault(digest, name string) error {
	mark := filepath.Join(string(k), defaultPrefix+digest)
	if name == "" {
		if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the default adapter: %w", err)
		}
		return nil
	}
	if _, err := os.Stat(k.Path(name)); err != nil || CheckName(name) != nil {
		return fmt.Errorf("make adapter %s the default: there is none of that name", name)
	}
	if err := atomicfile.Write(mark, []byte(name+"\n"), 0o644); err != nil {
		return fmt.Errorf("make adapter %s the default: %w", name, err)
	}
	return nil
}
