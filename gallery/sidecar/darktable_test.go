package sidecar

import (
	"database/sql"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"sigla/internal/require"
)

// spelled are the sidecars of the corpus in which darktable 4.2.1 reads other
// texts than we do, or nothing: it has exiv2 parse them.
var spelled = map[string]string{
	"alt":             "no alternatives",
	"comments":        "no value with a comment",
	"duplicates":      "no file with a property twice",
	"entities":        "no references to what is not ASCII",
	"latin1":          "no bytes that are not UTF-8",
	"mylio":           "white space is a tag",
	"numbered":        "no rdf:_1",
	"prefixes":        "no default namespace",
	"qualified-array": "no array with a qualifier",
	"qualifiers":      "no value with a qualifier",
	"rdf-only":        "no rdf:RDF without x:xmpmeta",
	"utf16-nomark":    "no UTF-16",
	"utf16be":         "no UTF-16",
	"utf16le":         "no UTF-16",
}

// TestDarktable: the model of darktable is darktable. It imports every sidecar
// of the corpus, as others wrote it and with tags of ours, and photos with tags
// in themselves, and its database is asked what they are tagged with.
func TestDarktable(t *testing.T) {
	if _, err := exec.LookPath("darktable-cli"); err != nil {
		require.Missing(t, "darktable", "darktable is not installed (Debian: darktable)")
	}
	dir := t.TempDir()
	pictures := filepath.Join(dir, "pictures")
	if err := os.Mkdir(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	tagged(t, pictures)
	shown := darktable(t, dir, pictures)
	photos, err := filepath.Glob(filepath.Join(pictures, "*.jpg"))
	if err != nil || len(photos) != len(shown) {
		t.Fatalf("%d photos, darktable has %d, %v", len(photos), len(shown), err)
	}
	for _, path := range photos {
		var files []File
		for _, k := range Look(path) {
			files = append(files, k.File)
		}
		got, want := Darktable.Shows(path, files), shown[filepath.Base(path)]
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		if spelled[strings.TrimSuffix(name, "-ours")] != "" {
			continue
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %q, darktable shows %q", filepath.Base(path), got, want)
		}
	}
}

// tagged fills a folder with photos: one for every sidecar of the corpus, one
// for each of those with tags of ours, and some with tags in themselves.
func tagged(t *testing.T, pictures string) {
	t.Helper()
	var blank strings.Builder
	if err := jpeg.Encode(&blank, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	// photo writes one with a sidecar, if there is any.
	photo := func(name, picture, doc string) {
		write(t, filepath.Join(pictures, name+".jpg"), picture)
		if doc != "" {
			write(t, filepath.Join(pictures, name+".jpg.xmp"), doc)
		}
	}
	tags := accept(auto("nature|sky & sea|strand"), user("AC/DC"), user("salt, pepper"))
	safe(t, func(t *testing.T, doc string) {
		photo(filepath.Base(t.Name()), blank.String(), doc)
		photo(filepath.Base(t.Name())+"-ours", blank.String(), edited(t, doc, tags))
	})
	photo("new", blank.String(), edited(t, string(template("")), tags))
	embedded, err := Embed([]byte(blank.String()), tags)
	if err != nil {
		t.Fatal(err)
	}
	photo("embedded", string(embedded), "")
	photo("embedded-and-sidecar", string(embedded), sidecarOf("forest"))
	photo("embedded-and-no-tags", string(embedded), strings.ReplaceAll(sidecarOf("forest"), "dc:subject", "dc:creator"))
	photo("keywords", string(embedded), "")
	photo("words-and-keywords", blank.String(), "")
	write(t, filepath.Join(pictures, "short.xmp"), sidecarOf("forest"))
	photo("short", blank.String(), "")
	requireExiftool(t)
	for name, arguments := range map[string][]string{"keywords": nil, "words-and-keywords": {"-XMP-dc:Subject=word"}} {
		arguments = append(arguments, "-q", "-overwrite_original", "-IPTC:Keywords=key", filepath.Join(pictures, name+".jpg"))
		if out, err := exec.Command("exiftool", arguments...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// darktable has darktable import a folder and returns what its library says that
// each photo is tagged with, in order and without its own tags.
func darktable(t *testing.T, scratch, pictures string) map[string][]string {
	t.Helper()
	library, config := filepath.Join(scratch, "library.db"), filepath.Join(scratch, "config")
	// It imports before it finds that it is not told what to export as, which
	// would take a minute.
	cmd := exec.Command("darktable-cli", pictures, filepath.Join(scratch, "none"), "--core", "--configdir", config, "--cachedir", filepath.Join(scratch, "cache"), "--disable-opencl", "--library", library)
	cmd.Env = append(os.Environ(), "HOME="+scratch)
	out, err := cmd.CombinedOutput()
	if !strings.Contains(string(out), "no output file extension") {
		t.Fatalf("%v: %s", err, out)
	}
	db, err := sql.Open("sqlite", library)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // what is attached is attached to a connection
	if _, err := db.Exec("attach ? as data", filepath.Join(config, "data.db")); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(`select filename, coalesce(t.name, '') from images i
		left join tagged_images on imgid = i.id left join data.tags t on t.id = tagid order by filename, t.name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	shown := make(map[string][]string)
	for rows.Next() {
		var photo, tag string
		if err := rows.Scan(&photo, &tag); err != nil {
			t.Fatal(err)
		}
		list := shown[photo]
		if tag != "" && !strings.HasPrefix(tag, "darktable|") {
			list = append(list, tag)
		}
		shown[photo] = list
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return shown
}
