package query

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigla/gallery/photo"
)

// TestDocument holds docs/QUERIES.md to the package: its queries are read, its
// errors are these, and every filter, state and format is there.
func TestDocument(t *testing.T) {
	data, err := os.ReadFile("../../docs/QUERIES.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	_, example, _ := strings.Cut(text, "```\n")
	example, _, _ = strings.Cut(example, "```")
	lines := strings.Split(strings.TrimSpace(example), "\n")
	if len(lines) < 5 {
		t.Fatalf("examples: %q", lines)
	}
	code := regexp.MustCompile("`([^`]+)`")
	filters, mistakes, _ := strings.Cut(text, "## When")
	for row := range strings.Lines(filters) {
		if cell, _, ok := strings.Cut(strings.TrimPrefix(row, "| "), " | "); ok && strings.HasPrefix(row, "| `") {
			for _, m := range code.FindAllStringSubmatch(cell, -1) {
				lines = append(lines, strings.ReplaceAll(m[1], `\|`, "|"))
			}
		}
	}
	if len(lines) < 30 {
		t.Errorf("only %d queries", len(lines))
	}
	for _, line := range lines {
		if _, err := Parse(line, nil); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (query, .*) \\|$").FindAllStringSubmatch(mistakes, -1)
	if len(rows) < 5 {
		t.Errorf("only %d errors", len(rows))
	}
	for _, row := range rows {
		if _, err := Parse(row[1], nil); err == nil || err.Error() != row[2] {
			t.Errorf("%s:\n got %v\nwant %s", row[1], err, row[2])
		}
	}
	for _, k := range kinds {
		if !strings.Contains(filters, "\n| `"+k.name+":") {
			t.Errorf("filter %s is not there", k.name)
		}
	}
	for _, name := range stateNames() {
		if !strings.Contains(filters, "`is:"+name+"`") {
			t.Errorf("is:%s is not there", name)
		}
	}
	for _, name := range slices.Concat(formats, rawFormats) {
		if !strings.Contains(filters, "`"+name+"`") {
			t.Errorf("format %s is not there", name)
		}
	}
}

// TestFormats: photos of all these formats are read.
func TestFormats(t *testing.T) {
	for _, name := range rawFormats {
		if !photo.IsRaw("a." + name) {
			t.Errorf("no raw file is %s", name)
		}
	}
	for _, name := range formats {
		if !photo.IsPhoto("a." + name) {
			t.Errorf("no photo is %s", name)
		}
	}
}
