package journal

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"
)

// suffix is that of the files of runs: a JSON object a line. First the run,
// then an entry for each file, then how far it is.
const suffix = ".jsonl"

const version = 1

// idLayout is the ID of a run, the time of its beginning in UTC.
const idLayout = "20060102-150405.000"

// A state is how far a run is. Without one, no file was touched.
type state string

const (
	ready   state = "ready"   // all entries are written
	applied state = "applied" // all files were changed, or failed
	undoing state = "undoing"
	undone  state = "undone"
)

// A record is a line of a run.
type record struct {
	Version int       `json:"version,omitempty"` // of the first line
	At      time.Time `json:"at,omitzero"`
	Entry   *entry    `json:"entry,omitempty"`
	State   state     `json:"state,omitempty"`
	Failed  []fileErr `json:"failed,omitempty"`
}

type fileErr struct {
	Path   name   `json:"path"`
	Reason string `json:"reason"`
}

// An entry is what becomes of a file: New takes the place of Old at byte From.
type entry struct {
	Path   name   `json:"path"`   // as it was asked for
	Target name   `json:"target"` // the file itself, behind links
	Before string `json:"before"` // SHA-256; "" if there is no file
	After  string `json:"after"`
	Mode   uint32 `json:"mode,omitempty"` // permissions of what was there
	Size   int    `json:"size,omitempty"` // of the new content
	Photo  bool   `json:"photo,omitempty"`
	From   int    `json:"from"`
	Old    []byte `json:"old"`
	New    []byte `json:"new"`
}

// A name is a path. JSON has no place for bytes that are not UTF-8.
type name string

func (n name) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(n)) {
		return json.Marshal(string(n))
	}
	return json.Marshal([]string{base64.StdEncoding.EncodeToString([]byte(n))})
}

func (n *name) UnmarshalJSON(text []byte) error {
	var coded []string
	if json.Unmarshal(text, &coded) != nil {
		return json.Unmarshal(text, (*string)(n))
	}
	if len(coded) != 1 {
		return errors.New("no path")
	}
	b, err := base64.StdEncoding.DecodeString(coded[0])
	*n = name(b)
	return err
}

// A run is one as its file has it.
type run struct {
	id, path string
	at       time.Time
	entries  []entry
	state    state
	failed   []fileErr
}

// create writes a new run, and all of it to the disk before it returns.
func (j *Journal) create(entries []entry, o Options) (*run, error) {
	now := time.Now().UTC()
	r := &run{at: now, entries: entries, state: ready}
	var f *os.File
	for n := 0; ; n++ {
		r.id = now.Add(time.Duration(n) * time.Millisecond).Format(idLayout)
		r.path = filepath.Join(j.dir, r.id+suffix)
		var err error
		if f, err = os.OpenFile(r.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
			break
		} else if !os.IsExist(err) {
			return nil, fmt.Errorf("begin a run: %w", err)
		}
	}
	w := bufio.NewWriterSize(f, 1<<16)
	lines := json.NewEncoder(w)
	err := lines.Encode(record{Version: version, At: now})
	for i := range entries {
		if err == nil {
			err = lines.Encode(record{Entry: &entries[i]})
		}
	}
	if err == nil {
		err = lines.Encode(record{State: ready})
	}
	err = errors.Join(err, w.Flush())
	if err == nil && !o.NoSync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(r.path)
		return nil, fmt.Errorf("begin a run: %w", err)
	}
	if !o.NoSync {
		syncFolder(j.dir)
	}
	return r, nil
}

// append adds a line to a run.
func (r *run) append(line record, o Options) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_RDWR, 0)
	if err == nil {
		// A line that was cut off by a power cut stays one of its own.
		last := []byte{'\n'}
		if size, e := f.Seek(0, io.SeekEnd); e == nil && size > 0 {
			f.ReadAt(last, size-1)
		}
		if last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
		_, err = f.Write(append(text, '\n'))
		if err == nil && !o.NoSync {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write to the run %s: %w", r.id, err)
	}
	r.state, r.failed = line.State, line.Failed
	return nil
}

// read reads a run. A last line that was cut off did not count yet.
func (j *Journal) read(id string) (*run, error) {
	r := &run{id: id, path: filepath.Join(j.dir, id+suffix)}
	text, err := os.ReadFile(r.path)
	if err != nil {
		return nil, fmt.Errorf("read the run %s: %w", id, err)
	}
	for n := 1; len(text) > 0; n++ {
		line, rest, whole := bytes.Cut(text, []byte{'\n'})
		text = rest
		var l record
		if err := json.Unmarshal(line, &l); err != nil {
			if !whole || r.state != "" || len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			return nil, fmt.Errorf("the run %s is damaged in line %d of %s", id, n, r.path)
		}
		switch {
		case n == 1 && l.Version != version:
			return nil, fmt.Errorf("the run %s is of version %d; this sigla knows %d", id, l.Version, version)
		case n == 1:
			r.at = l.At
		case l.Entry != nil:
			r.entries = append(r.entries, *l.Entry)
		case l.State != "":
			r.state, r.failed = l.State, l.Failed
		}
	}
	return r, nil
}
