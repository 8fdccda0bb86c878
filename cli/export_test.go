package cli

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/gallery/catalog"
	"sigla/internal/require"
)

// exportFolder is a folder with demo photos, in which exiftool may write.
func exportFolder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join("../assets/demo", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestExiftoolImports: what is exported for exiftool is what it then reads from
// the photos.
func TestExiftoolImports(t *testing.T) {
	exiftool, err := exec.LookPath("exiftool")
	if err != nil {
		require.Missing(t, "exiftool", "exiftool is not here: "+err.Error())
	}
	atHome(t)
	const labels = "animals|cat,person,coffee"
	for _, form := range []string{"csv", "json"} {
		t.Run(form, func(t *testing.T) {
			dir := exportFolder(t, "cat.jpg", "astronaut.jpg", "coffee-cup.jpg")
			file := filepath.Join(t.TempDir(), "tags."+form)
			run(t, "export", dir, "--as", "exiftool-"+form, "-o", file, "--labels", labels, "--bias", "3", "--from", "model")
			args := []string{"-" + form + "=" + file, "-overwrite_original", "-q", dir}
			if form == "csv" {
				args = append([]string{"-sep", ", "}, args...)
			}
			if out, err := exec.Command(exiftool, args...).CombinedOutput(); err != nil {
				t.Fatalf("exiftool: %v\n%s", err, out)
			}
			out, err := exec.Command(exiftool, "-j", "-sep", "\x1f", "-XMP:Subject", "-XMP:HierarchicalSubject", filepath.Join(dir, "cat.jpg")).Output()
			if err != nil {
				t.Fatal(err)
			}
			var read []struct{ Subject, HierarchicalSubject any }
			if err := json.Unmarshal(out, &read); err != nil || len(read) != 1 {
				t.Fatalf("%s: %v", out, err)
			}
			if s, h := words(read[0].Subject), words(read[0].HierarchicalSubject); !slices.Contains(s, "cat") || !slices.Contains(h, "animals|cat") || len(s) != len(h) {
				t.Errorf("exiftool reads %q and %q", s, h)
			}
		})
	}
}

// words are a value of exiftool's JSON: a text, or several with -sep between.
func words(v any) []string {
	text, _ := v.(string)
	return strings.Split(text, "\x1f")
}

// TestExportFollowsAnswers: what a person rejected is not exported, what a
// person accepted is, whatever the model says.
func TestExportFollowsAnswers(t *testing.T) {
	atHome(t)
	dir := exportFolder(t, "cat.jpg")
	export := func() (labels []exportedLabel) {
		var e exported
		out, _ := run(t, "export", dir, "--as", "jsonl", "--labels", "cat,person", "--bias", "3")
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(err)
		}
		return e.Labels
	}
	if l := export(); len(l) != 1 || l[0].Name != "cat" || l[0].Source != "model" || l[0].Probability == nil {
		t.Fatalf("exported %+v", l)
	}
	c, err := catalog.Open(context.Background(), dataDir())
	if err != nil {
		t.Fatal(err)
	}
	content, err := hashFile(filepath.Join(dir, "cat.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	err = c.Decide(context.Background(),
		catalog.Decision{Photo: content, Label: "Cat", Verdict: catalog.Reject},
		catalog.Decision{Photo: content, Label: "person", Verdict: catalog.Accept})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if l := export(); len(l) != 1 || l[0].Name != "person" || l[0].Source != "person" || l[0].Probability == nil {
		t.Errorf("exported %+v after the answers", l)
	}
}

// TestExportKnowsSynonyms: an answer counts under every name of a label, and a
// tag that is a synonym is not exported a second time as the label.
func TestExportKnowsSynonyms(t *testing.T) {
	atHome(t)
	dir := exportFolder(t, "cat.jpg")
	labels := filepath.Join(t.TempDir(), "labels.toml")
	const set = "[[label]]\nname = 'cat'\nparent = 'animals'\nsynonyms = ['Katze']\nthreshold = 0.0001\n"
	if err := os.WriteFile(labels, []byte(set), 0o644); err != nil {
		t.Fatal(err)
	}
	export := func() (names []string) {
		var e exported
		out, _ := run(t, "export", dir, "--as", "jsonl", "--labels", labels)
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(err)
		}
		for _, l := range e.Labels {
			names = append(names, l.Name+" "+l.Source)
		}
		return names
	}
	if got, want := export(), []string{"animals|cat model"}; !slices.Equal(got, want) {
		t.Errorf("exported %q, want %q", got, want)
	}
	answer(t, filepath.Join(dir, "cat.jpg"), "katze")
	if got, want := export(), []string{"animals|cat person"}; !slices.Equal(got, want) {
		t.Errorf("accepted: %q, want %q", got, want)
	}
	sidecar := strings.NewReplacer("clientele", "Katze", "sofa", "at home").Replace(privateSidecar)
	if err := os.WriteFile(filepath.Join(dir, "cat.jpg.xmp"), []byte(sidecar), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := export(), []string{"Katze tag", "at home tag"}; !slices.Equal(got, want) {
		t.Errorf("tagged: %q, want %q", got, want)
	}
}
