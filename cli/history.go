package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/adrg/xdg"

	"sigla/internal/atomicfile"
)

// historyLines is how many lines a history keeps.
const historyLines = 200

// history is the file of what was searched for in the explorer, a line each,
// oldest first. Without a path nothing is read or kept.
type history struct {
	path string
	mu   *sync.Mutex // lines are added one at a time
}

func newHistory(path string) history { return history{path, new(sync.Mutex)} }

// searchHistory is the user's.
func searchHistory() history { return newHistory(filepath.Join(xdg.StateHome, "sigla", "history")) }

// lines returns what there is. A file that cannot be read is no history.
func (h history) lines() []string {
	if h.path == "" {
		return nil
	}
	data, err := os.ReadFile(h.path)
	if err != nil {
		return nil
	}
	var lines []string
	for line := range bytes.Lines(data) {
		if s := strings.ToValidUTF8(strings.TrimSpace(string(line)), ""); s != "" {
			lines = append(lines, s)
		}
	}
	return lines[max(0, len(lines)-historyLines):]
}

// add makes a line the newest. It begins with the file as it is now, to which
// another explorer may have added.
func (h history) add(line string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	line = strings.Join(strings.Fields(line), " ") // a line of one line
	lines := slices.DeleteFunc(h.lines(), func(old string) bool { return old == line })
	lines = append(lines, line)
	lines = lines[max(0, len(lines)-historyLines):]
	err := os.MkdirAll(filepath.Dir(h.path), 0o700)
	if err == nil {
		err = atomicfile.Write(h.path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the history of searches: %w", err)
	}
	return nil
}

// remember is what the explorer calls with a line; nil if none is kept.
func (h history) remember() func(string) error {
	if h.path == "" {
		return nil
	}
	return h.add
}
