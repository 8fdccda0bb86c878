package gallery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"sigla/gallery/catalog"
)

// RAW and JPEG share photo.xmp unless it says whose it is; if it is broken it
// is told once. Side by side they are one photo, with the tags of both.
func TestSharedSidecars(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	both := []string{"a.cr2", "a.jpg", "b.cr2", "b.jpg", "c.cr2", "c.jpg", "d.tif", "d.tif.jpg"}
	for i, name := range both {
		writePhoto(t, filepath.Join(dir, name), i)
	}
	writeFile(t, filepath.Join(dir, "a.xmp"), xmp("owl"))
	writeFile(t, filepath.Join(dir, "b.xmp"), xmpFor("CR2", "owl"))
	writeFile(t, filepath.Join(dir, "c.xmp"), nil)
	writeFile(t, filepath.Join(dir, "d.tif.xmp"), xmp("moth"))
	for range 2 {
		g := readTags(t, data, dir)
		checkTags(t, g)
		checkCounted(t, data, g)
		if p := g.Progress(); p.Found != 5 || p.Tagged != 3 || len(g.TagProblems()) != 1 {
			t.Errorf("%+v, problems %v", p, g.TagProblems())
		}
	}
	// Named alone, a photo has no listing, and the same sidecars.
	for _, name := range both {
		checkTags(t, readTags(t, data, filepath.Join(dir, name)))
	}
}

// Twins and their sidecars come, change and go, as in TestTagsFollow; and what
// one sidecar says may be the twin's alone.
func TestTagsOfTwins(t *testing.T) {
	for _, mode := range []string{"in memory", "one run", "many runs"} {
		t.Run(mode, func(t *testing.T) {
			dir, data := t.TempDir(), t.TempDir()
			g := New()
			if mode == "one run" {
				g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
			}
			rnd := rand.New(rand.NewPCG(3, 4))
			ends := []string{".jpg", ".CR2", ".nef", ".jpg.xmp", ".CR2.xmp", ".nef.XMP", ".xmp"}
			tagged, twins := 0, 0
			for round := range 60 {
				for range 1 + rnd.IntN(3) {
					end := ends[rnd.IntN(len(ends))]
					path := filepath.Join(dir, fmt.Sprint(rnd.IntN(3), end))
					switch n := rnd.IntN(5); {
					case n == 0:
						os.Remove(path)
						continue
					case !isSidecar(path):
						writePhoto(t, path, round)
					case n == 1:
						writeFile(t, path, []byte("<broken"))
					case n == 2 && end == ".xmp":
						writeFile(t, path, xmpFor([]string{"CR2", "nef", "jpg", "dng"}[rnd.IntN(4)], fmt.Sprint("word ", rnd.IntN(9))))
					default:
						writeFile(t, path, xmp(fmt.Sprint("word ", rnd.IntN(9))))
					}
					if err := os.Chtimes(path, time.Time{}, time.Unix(int64(1e9+round), 0)); err != nil {
						t.Fatal(err)
					}
				}
				if mode == "many runs" {
					g = readTags(t, data, dir)
					checkCounted(t, data, g)
				} else {
					scan(t, g, dir)
					if err := g.ReadTags(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				checkTags(t, g)
				tagged += g.Progress().Tagged
				for _, p := range g.Photos() {
					twins += len(p.Twins)
				}
			}
			if tagged < 60 || twins < 60 {
				t.Errorf("%d tagged, %d twins", tagged, twins)
			}
			if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
				t.Error(err)
			}
			if mode == "one run" {
				checkCounted(t, data, g)
				checkTags(t, readTags(t, data, dir))
			}
		})
	}
}

// What is known of a twin and its sidecars is not read again.
func TestTagsOfTwinsAreReadOnce(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writePhoto(t, at("a.jpg"), 1)
	writePhoto(t, at("a.CR2"), 2)
	writeFile(t, at("a.CR2.xmp"), xmp("owl"))
	writeFile(t, at("a.xmp"), xmpFor("CR2", "dusk"))
	first := readTags(t, data, dir)
	checkTags(t, first)
	if names := first.TagNames(); len(names) != 2 {
		t.Errorf("names %v", names)
	}
	for name, words := range map[string][]byte{"a.CR2.xmp": xmp("cat"), "a.xmp": xmpFor("CR2", "dawn")} {
		before, err := os.Stat(at(name))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, at(name), words)
		if err := os.Chtimes(at(name), time.Time{}, before.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	g := readTags(t, data, dir)
	if have := g.Tags(0); !reflect.DeepEqual(have, first.Tags(0)) {
		t.Errorf("they were read again: %+v", have)
	}
	checkCounted(t, data, g)
	later(t, at("a.CR2.xmp"))
	later(t, at("a.xmp"))
	g = readTags(t, data, dir)
	checkTags(t, g)
	checkCounted(t, data, g)
}

// xmpFor is one that says which of the photos of its name it is for.
func xmpFor(ext string, words ...string) []byte {
	return bytes.Replace(xmp(words...), []byte("<rdf:Description "), []byte(`<rdf:Description xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:SidecarForExtension="`+ext+`" `), 1)
}
