package label

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
	"golang.org/x/text/encoding/unicode"
)

// Parse reads a label set from the contents of the file called name: TOML if
// the name ends in .toml or a line says [[label]], a keyword list (see
// ParseKeywords) if a line is indented by a tab, else plain text.
//
// TOML has [[label]] entries with the keys name, prompts, negatives, synonyms,
// private, threshold, bias, scale, group and parent, and before them, if
// wanted, the set's name and templates. Other keys are errors.
//
// Plain text has one name a line. Lines that start with # and empty lines do
// not count. A byte order mark, UTF-16 behind one, and any line ends are
// accepted in all of them.
//
// Errors say file and line: "read labels pets.toml:3: …".
func Parse(name string, data []byte) (Set, error) {
	data, err := decode(name, data)
	switch {
	case err != nil:
		return Set{}, err
	case isTOML(name, data):
		return finish(name, parseTOML, data)
	case isKeywords(data):
		return finish(name, readKeywords, data)
	}
	return finish(name, parsePlain, data)
}

// decode returns the text of a file in UTF-8, without byte order marks.
func decode(name string, data []byte) ([]byte, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("read labels %s: %d bytes are no label set (the limit is %d)", name, len(data), maxFile)
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			var err error
			if data, err = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data); err != nil {
				return nil, fmt.Errorf("read labels %s: %w", name, err)
			}
		}
	}
	if !bytes.ContainsRune(data, '\n') { // lines may end as they did on the first Macs
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	}
	return bytes.TrimLeft(data, "\ufeff"), nil
}

// finish reads a set and checks it.
func finish(name string, read func(string, []byte) (Set, places, error), data []byte) (Set, error) {
	set, at, err := read(name, data)
	if err != nil {
		return Set{}, err
	}
	if set.Name == "" {
		base := filepath.Base(name)
		set.Name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	f := set.check()
	if f == nil {
		f = explicitZero(set, at)
	}
	if f != nil {
		return Set{}, located(name, at.line(f.label, f.key), f.what)
	}
	return set, nil
}

// FromList reads the names of a comma list: "cat, dog". What is empty between
// two commas is passed over, but there must be a name.
func FromList(list string) (Set, error) {
	var set Set
	for name := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(name) != "" {
			set.Labels = append(set.Labels, Label{Name: tidy(name)})
		}
	}
	if len(set.Labels) == 0 {
		return Set{}, fmt.Errorf("read label list %q: no name in it", list)
	}
	if f := set.check(); f != nil {
		return Set{}, fmt.Errorf("read label list %q: %s", list, f.what)
	}
	return set, nil
}

func located(name string, line int, what string) error {
	if line == 0 {
		return fmt.Errorf("read labels %s: %s", name, what)
	}
	return fmt.Errorf("read labels %s:%d: %s", name, line, what)
}

// places has where every key of every label (-1: of the set itself) stands in
// a file; the empty key is where the label starts.
type places struct {
	data    []byte
	offsets map[place]int
}

type place struct {
	label int
	key   string
}

// line returns the line of a label's key, or the line where the label starts,
// or 0 if neither is known.
func (p places) line(label int, key string) int {
	offset, ok := p.offsets[place{label, key}]
	if !ok {
		offset, ok = p.offsets[place{label, ""}]
	}
	if !ok {
		return 0
	}
	return 1 + bytes.Count(p.data[:offset], []byte("\n"))
}

func isTOML(name string, data []byte) bool {
	if strings.EqualFold(filepath.Ext(name), ".toml") {
		return true
	}
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("[[label]]")) {
			return true
		}
	}
	return false
}

func parsePlain(_ string, data []byte) (Set, places, error) {
	var set Set
	at := places{data, make(map[place]int)}
	offset := 0
	for line := range bytes.Lines(data) {
		text := string(bytes.TrimSpace(line))
		if text != "" && text[0] != '#' {
			at.offsets[place{len(set.Labels), ""}] = offset
			set.Labels = append(set.Labels, Label{Name: tidy(text)})
		}
		offset += len(line)
	}
	return set, at, nil
}

// tidy takes the spaces off a name and off its parts: "animals | owl".
func tidy(name string) string {
	parts := strings.Split(name, "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, "|")
}

func parseTOML(name string, data []byte) (Set, places, error) {
	var set Set
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&set)
	var unknown *toml.StrictMissingError
	var broken *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		e := unknown.Errors[0]
		line, _ := e.Position()
		return Set{}, places{}, located(name, line, fmt.Sprintf("unknown key %q", strings.Join(e.Key(), ".")))
	case errors.As(err, &broken):
		line, _ := broken.Position()
		return Set{}, places{}, located(name, line, strings.TrimPrefix(broken.Error(), "toml: "))
	case err != nil:
		return Set{}, places{}, located(name, 0, strings.TrimPrefix(err.Error(), "toml: "))
	}
	for i := range set.Labels {
		set.Labels[i].Name = tidy(set.Labels[i].Name)
		set.Labels[i].Parent = tidy(set.Labels[i].Parent)
	}
	return set, locate(data), nil
}

// locate finds the places in a document that has already been decoded, for the
// errors that the decoder cannot know of.
func locate(data []byte) places {
	at := places{data, make(map[place]int)}
	label := -1
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind != unstable.ArrayTable && e.Kind != unstable.KeyValue {
			continue
		}
		keys := e.Key()
		keys.Next()
		// The decoder does not mind the case of keys.
		key := place{label, strings.ToLower(string(keys.Node().Data))}
		if e.Kind == unstable.ArrayTable {
			label++
			key = place{label, ""}
		}
		at.offsets[key] = int(keys.Node().Raw.Offset)
	}
	return at
}

// explicitZero refuses a threshold or scale written as 0: in a Label it means
// that none was set, which is not what the writer of the file meant.
func explicitZero(set Set, at places) *flaw {
	for i, l := range set.Labels {
		if _, written := at.offsets[place{i, "threshold"}]; written && l.Threshold == 0 {
			return &flaw{i, "threshold", fmt.Sprintf("label %q: threshold 0 is not between 0 and 1", l.Name)}
		}
		if _, written := at.offsets[place{i, "scale"}]; written && l.Scale == 0 {
			return &flaw{i, "scale", fmt.Sprintf("label %q: scale 0 is not a number above 0", l.Name)}
		}
	}
	return nil
}
