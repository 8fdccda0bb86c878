package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestHistory(t *testing.T) {
	h := newHistory(filepath.Join(t.TempDir(), "state", "history"))
	if lines := h.lines(); lines != nil {
		t.Errorf("before anything: %q", lines)
	}
	for _, line := range []string{"red", "a  dog\non  a beach", "red", "blue"} {
		if err := h.add(line); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"a dog on a beach", "red", "blue"}; !slices.Equal(h.lines(), want) {
		t.Errorf("%q, want %q", h.lines(), want)
	}
	for i := range 300 {
		if err := h.add(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	lines := h.lines()
	if len(lines) != 200 || lines[0] != "100" || lines[199] != "299" {
		t.Errorf("%d lines from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
	files, err := os.ReadDir(filepath.Dir(h.path))
	if err != nil || len(files) != 1 {
		t.Errorf("beside the history: %v, %v", files, err)
	}
	// Another program's lines stay, and what is no text is left out.
	if err := os.WriteFile(h.path, []byte("other\n\xff\n\nmine\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.add("new"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"other", "mine", "new"}; !slices.Equal(h.lines(), want) {
		t.Errorf("%q, want %q", h.lines(), want)
	}
}

func TestNoHistory(t *testing.T) {
	if h := newHistory(""); h.lines() != nil || h.remember() != nil {
		t.Error("a demo has a history")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newHistory(filepath.Join(file, "history")).add("x"); err == nil {
		t.Error("kept in a file that is no folder")
	}
}
