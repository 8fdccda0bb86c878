package sidecar

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/internal/require"
)

// complaints are what exiftool finds wrong with the files of a folder, by name.
func complaints(t *testing.T, dir string) map[string]string {
	t.Helper()
	requireExiftool(t)
	out, err := exec.Command("exiftool", "-q", "-r", "-validate", "-warning", "-error", "-a", "-G1", "-struct", "-json", dir).Output()
	var rows []map[string]any
	if e := json.Unmarshal(out, &rows); e != nil {
		t.Fatal(err, e)
	}
	found := make(map[string]string)
	for _, row := range rows {
		path := row["SourceFile"].(string)
		delete(row, "SourceFile")
		found[filepath.Base(path)] = fmt.Sprint(row)
	}
	return found
}

// TestEmbedOracles: exiftool and exiv2 read from photos with embedded tags what
// sigla does, exiftool finds nothing wrong that was not so before, and the digest
// of IPTC is the one that it computes itself.
func TestEmbedOracles(t *testing.T) {
	requireExiftool(t)
	requireProgram(t, "exiv2")
	before, after := t.TempDir(), t.TempDir()
	put := func(name, file string) {
		out, err := Embed([]byte(file), accept(auto("nature|strand"), user("Käuzchen & <Co>")))
		if err == nil {
			write(t, filepath.Join(before, name), file)
			write(t, filepath.Join(after, name), string(out))
		}
	}
	for name, v := range variants(t) {
		put(strings.ReplaceAll(name, " ", "-")+".jpg", v.file)
	}
	if os.Getenv("SIGLA_DATA") != "" {
		for path := range filesOf(t, require.Unpack(t, "metadata", "exif-samples.tar")) {
			if b, err := os.ReadFile(path); err == nil {
				put("sample-"+filepath.Base(path), string(b))
			}
		}
	}
	was, is, read := complaints(t, before), complaints(t, after), exiftool(t, after)
	if len(is) < 20 || len(is) != len(was) {
		t.Fatalf("%d files, %d before", len(is), len(was))
	}
	for name := range is {
		if is[name] != was[name] {
			t.Errorf("%s: exiftool finds %s, before %s", name, is[name], was[name])
		}
		path := filepath.Join(after, name)
		values, err := ReadFile(path)
		if got, want := ours(values), read[path]; err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, %v, exiftool reads %v", name, got, err, want)
		}
		inXMP := slices.DeleteFunc(slices.Clone(values), func(v Value) bool { return v.Field == Keywords })
		if got, want := fmt.Sprint(asExiv2(inXMP)), fmt.Sprint(onlyWritten(exiv2(t, path))); got != want && !undecoded(filepath.Join(before, name)) {
			t.Errorf("%s: %s, exiv2 reads %s", name, got, want)
		}
	}
	out, err := exec.Command("exiftool", "-q", "-r", "-json", "-IPTCDigest", "-CurrentIPTCDigest", after).Output()
	var rows []struct{ SourceFile, IPTCDigest, CurrentIPTCDigest string }
	if e := json.Unmarshal(out, &rows); e != nil {
		t.Fatal(err, e)
	}
	digests := 0
	for _, row := range rows {
		if row.IPTCDigest == "" {
			continue
		}
		digests++
		if stale := strings.Contains(row.SourceFile, "stale"); stale == (row.IPTCDigest == row.CurrentIPTCDigest) {
			t.Errorf("%+v", row)
		}
	}
	if digests < 2 {
		t.Errorf("%d digests", digests)
	}
}

// undecoded reports whether exiv2 does not read the XMP of a file as it was.
func undecoded(path string) bool {
	out, _ := exec.Command("exiv2", "-PXk", path).CombinedOutput()
	return strings.Contains(string(out), "Failed to decode XMP metadata")
}

// onlyWritten leaves the fields of XMP that tags are written to.
func onlyWritten(found map[Field][]string) map[Field][]string {
	found = maps.Clone(found)
	maps.DeleteFunc(found, func(f Field, _ []string) bool {
		return !slices.Contains(written, f) && !slices.Contains(alsoWritten, f)
	})
	return found
}
