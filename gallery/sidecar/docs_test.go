package sidecar

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated table of docs/TAGS.md")

// TestTagsDoc holds the table of docs/TAGS.md to what the models of programs,
// exiftool and exiv2 read of the corpus.
func TestTagsDoc(t *testing.T) {
	requireExiftool(t)
	requireProgram(t, "exiv2")
	versions := say(t, "exiftool", "-ver") + ", " + say(t, "exiv2", "-V")
	if !strings.HasPrefix(versions, "12.57, exiv2 0.27.6") {
		t.Skipf("the table is that of exiftool 12.57 and exiv2 0.27.6, not %s", versions)
	}
	const path = "../../docs/TAGS.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), "-update -->\n")
	_, tail, ok2 := strings.Cut(rest, "<!-- /tags -->")
	if !ok || !ok2 {
		t.Fatalf("%s has lost its marks", path)
	}
	want := head + "-update -->\n\n" + interoperability(t) + "\n<!-- /tags -->" + tail
	if string(data) == want {
		return
	}
	if !*update {
		t.Errorf("%s is not what the programs read; run go test ./gallery/sidecar -run TagsDoc -update", path)
	} else if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// say returns the first line that a program prints.
func say(t *testing.T, name, argument string) string {
	t.Helper()
	out, err := exec.Command(name, argument).Output()
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// interoperability has a line for each sidecar of the corpus: how many of its
// tags each program shows, and how many with one more.
func interoperability(t *testing.T) string {
	dir := t.TempDir()
	type line struct{ before, after []Value }
	lines := make(map[string]line)
	safe(t, func(t *testing.T, doc string) {
		out := edited(t, doc, accept(auto("nature|strand")))
		var l line
		var err, err2 error
		l.before, err = valuesOf(doc)
		if l.after, err2 = valuesOf(out); err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		name := filepath.Base(t.Name())
		lines[name] = l
		write(t, filepath.Join(dir, name+"-before.xmp"), doc)
		write(t, filepath.Join(dir, name+"-after.xmp"), out)
	})
	byExiftool := exiftool(t, dir)
	var b strings.Builder
	b.WriteString("| sidecar |")
	for _, r := range Readers {
		b.WriteString(" " + string(r) + " |")
	}
	b.WriteString(" exiftool | exiv2 |\n|---|" + strings.Repeat("---|", len(Readers)+2) + "\n")
	for _, c := range corpus {
		l, ok := lines[c.name]
		if !ok {
			continue
		}
		b.WriteString("| " + c.name + " |")
		for _, r := range Readers {
			b.WriteString(" " + cell(count(timesShown(r, l.before)), count(timesShown(r, l.after))) + " |")
		}
		var read [2][2]string
		for i, values := range [][]Value{l.before, l.after} {
			path := filepath.Join(dir, c.name+[]string{"-before.xmp", "-after.xmp"}[i])
			tags := len(alone(Merge(File{"", values}).Tags))
			read[0][i] = seen(ours(values), byExiftool[path], tags)
			read[1][i] = seen(asExiv2(values), exiv2(t, path), tags)
		}
		fmt.Fprintf(&b, " %s | %s |\n", cell(read[0][0], read[0][1]), cell(read[1][0], read[1][1]))
	}
	return b.String()
}

func count(times []int) string {
	return fmt.Sprint(len(times)-len(slices.DeleteFunc(slices.Clone(times), func(n int) bool { return n > 0 })), " of ", len(times))
}

// seen counts the tags of a file that a program reads as we do in all fields
// that it has in common with us, or none: fields are compared whole.
func seen(ours, theirs map[Field][]string, tags int) string {
	for f, want := range ours {
		if _, keywords := f.keywords(); keywords && !slices.Equal(theirs[f], want) && (f != Categories || theirs[f] != nil) {
			return fmt.Sprint("0 of ", tags)
		}
	}
	return fmt.Sprint(tags, " of ", tags)
}

// cell shortens what is the same for most.
func cell(before, after string) string {
	if some, all, _ := strings.Cut(after, " of "); some == all {
		after = "all " + all
	}
	return before + " → " + after
}
