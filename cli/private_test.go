package cli

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigla/gallery/catalog"
)

const privateLabels = `
[[label]]
name = "Kundschaft"
private = true
synonyms = ["Clientele"]
threshold = 0.0001
[[label]]
name = "Mustermann"
parent = "Kundschaft"
threshold = 0.0001
[[label]]
name = "cat"
threshold = 0.0001
`

// A sidecar of another program, with private words in one field only.
const privateSidecar = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>clientele</rdf:li><rdf:li>sofa</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>`

// TestPrivateStays: whatever is private, by itself or by what it lies below,
// under whichever name, and whoever set it, goes into no sidecar and no export
// that has photos.
func TestPrivateStays(t *testing.T) {
	atHome(t)
	dir := exportFolder(t, "cat.jpg", "coffee-cup.jpg", "two-dogs.jpg")
	labels := filepath.Join(t.TempDir(), "labels.toml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(labels, privateLabels)
	write(filepath.Join(dir, "cat.jpg.xmp"), privateSidecar)
	run(t, "index", dir)
	answer(t, filepath.Join(dir, "cat.jpg"), "Mustermann", "Kundschaft|Mustermann", "CLIENTELE", "kundschaft|anyone")
	answer(t, filepath.Join(dir, "two-dogs.jpg"), "Kundschaft", "Mustermann")

	out, _ := run(t, "tag", dir, "--labels", labels, "--apply")
	if !strings.Contains(out, "+ cat") {
		t.Fatalf("nothing was written, so that nothing is tested:\n%s", out)
	}
	secret := regexp.MustCompile(`(?i)kundschaft|mustermann|clientele`)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".xmp" {
			return err
		}
		text, err := os.ReadFile(path)
		found := secret.FindAll(text, -1)
		if want := map[string]int{"cat.jpg.xmp": 1}[d.Name()]; len(found) != want {
			t.Errorf("%s has %q\n%s", path, found, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range exportKinds {
		target := filepath.Join(t.TempDir(), "out")
		run(t, "export", dir, "--labels", labels, "--as", kind.name, "-o", target)
		hits := 0
		filepath.WalkDir(target, func(path string, d fs.DirEntry, _ error) error {
			text, _ := os.ReadFile(path)
			rel, _ := filepath.Rel(target, path)
			hits += len(secret.FindAllString(rel, -1)) + len(secret.FindAll(text, -1))
			return nil
		})
		if listed := kind.name == "keywords"; (hits > 0) != listed {
			t.Errorf("%s has %d private words", kind.name, hits)
		}
	}
}

// answer stores that a person accepts labels of a photo.
func answer(t *testing.T, photo string, labels ...string) {
	t.Helper()
	c, err := catalog.Open(context.Background(), dataDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	content, err := hashFile(photo)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range labels {
		if err := c.Decide(context.Background(), catalog.Decision{Photo: content, Label: l, Verdict: catalog.Accept}); err != nil {
			t.Fatal(err)
		}
	}
}
