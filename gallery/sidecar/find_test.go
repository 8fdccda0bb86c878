package sidecar

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// folder makes files in a new folder and returns it. A sidecar whose text is a
// word gets it as its dc:subject; one that is ".ext" is for that extension.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if strings.EqualFold(filepath.Ext(name), ".xmp") && text != "" && text[0] != '<' {
			text = sidecarOf(text)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sidecarOf(word string) string {
	property := `xmlns:dc="http://purl.org/dc/elements/1.1/" dc:subject="` + word + `"`
	if ext, ok := strings.CutPrefix(word, "."); ok {
		property = `xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:SidecarForExtension="` + ext + `"`
	}
	return `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="` + spaceRDF + `"><rdf:Description ` + property + `/></rdf:RDF></x:xmpmeta>`
}

func TestFind(t *testing.T) {
	tests := []struct {
		what  string
		files string
		photo string // and its twins
		want  string
	}{
		{"none", "a.jpg b.jpg.xmp", "a.jpg", ""},
		{"digiKam's name", "a.jpg a.jpg.xmp", "a.jpg", "a.jpg.xmp"},
		{"Adobe's name", "a.jpg a.xmp", "a.jpg", "a.xmp"},
		{"both", "a.jpg a.xmp a.jpg.xmp", "a.jpg", "a.jpg.xmp a.xmp"},
		{"upper case", "A.JPG A.JPG.XMP A.XMP", "A.JPG", "A.JPG.XMP A.XMP"},
		{"darktable's duplicates are other pictures", "a.jpg a_01.jpg.xmp a_02.jpg.xmp", "a.jpg", ""},
		{"raw and JPEG share", "a.cr2 a.jpg a.xmp", "a.jpg", "a.xmp"},
		{"raw and JPEG share", "a.cr2 a.jpg a.xmp", "a.cr2", "a.xmp"},
		{"it is the raw's", "a.cr2 a.jpg a.xmp=.CR2", "a.jpg", ""},
		{"it is the raw's", "a.cr2 a.jpg a.xmp=.CR2", "a.cr2", "a.xmp"},
		{"it is the longer extension's", "a.x a.xm a.xmp=.xm", "a.x", ""},
		{"it is the JPEG's, in upper case", "a.cr2 a.JPG a.xmp=.jpg", "a.JPG", "a.xmp"},
		{"the full name is never shared", "a.jpg a.jpg.xmp=.cr2", "a.jpg", "a.jpg.xmp"},
		{"a name in between", "a.tif a.tif.jpg a.tif.xmp", "a.tif.jpg", ""},
		{"a name in between", "a.tif a.tif.jpg a.tif.xmp", "a.tif", "a.tif.xmp"},
		{"no other photo of that name", "a.tif.jpg a.tif.xmp", "a.tif.jpg", "a.tif.xmp"},
		{"broken ones belong", "a.jpg a.xmp=<broken", "a.jpg", "a.xmp"},
		{"no extension", "a a.xmp", "a", "a.xmp"},
		{"nothing but an extension", ".jpg .xmp .jpg.xmp", ".jpg", ".jpg.xmp"},
		{"a sidecar is not its own", "a.xmp", "a.xmp", ""},
		{"the twin's own", "a.cr2 a.jpg a.cr2.xmp a.xmp", "a.jpg a.cr2", "a.xmp a.cr2.xmp"},
		{"it is the twin's", "a.cr2 a.jpg a.xmp=.CR2", "a.jpg a.cr2", "a.xmp"},
		{"it is neither's", "a.cr2 a.jpg a.xmp=.dng", "a.jpg a.cr2", ""},
		{"the twin's own may say what it likes", "a.cr2 a.jpg a.cr2.XMP=.dng", "a.jpg a.cr2", "a.cr2.XMP"},
		{"that of a photo named after the twin", "a.cr2 a.cr2.jpg a.jpg a.cr2.xmp", "a.cr2.jpg", ""},
		{"two twins", "a.cr2 a.heic a.jpg a.heic.xmp a.cr2.xmp", "a.jpg a.cr2 a.heic", "a.cr2.xmp a.heic.xmp"},
	}
	for _, c := range tests {
		files := make(map[string]string)
		for file := range strings.FieldsSeq(c.files) {
			name, text, ok := strings.Cut(file, "=")
			if files[name] = text; !ok && isSidecar(name) {
				files[name] = "word"
			}
		}
		dir := folder(t, files)
		var got []string
		photos := strings.Fields(c.photo)
		in := make([]string, len(photos))
		for i, name := range photos {
			in[i] = filepath.Join(dir, name)
		}
		for _, path := range Find(in[0], in[1:]...) {
			got = append(got, filepath.Base(path))
		}
		if want := strings.Fields(c.want); !slices.Equal(got, want) {
			t.Errorf("%s: %s of %s has %v, want %v", c.what, c.photo, c.files, got, want)
		}
		if listed := listedIn(dir, files, photos[0], photos[1:]...); !slices.Equal(listed, got) {
			t.Errorf("%s: %s of %s has %v by the listing, want %v", c.what, c.photo, c.files, listed, got)
		}
	}
}

// listedIn finds the sidecars of a photo as Find does, from names and values.
func listedIn(dir string, files map[string]string, photo string, twins ...string) (found []string) {
	which := Listed(func(path string) bool {
		_, ok := files[path]
		return ok
	}, photo, twins...)
	for i, name := range Names(photo, twins...) {
		if which>>i&1 == 0 {
			continue
		}
		if values, _ := ReadFile(filepath.Join(dir, name)); Belongs(name, values, photo, twins...) {
			found = append(found, name)
		}
	}
	return found
}

func TestFindSkipsFolders(t *testing.T) {
	dir := folder(t, map[string]string{"a.jpg": ""})
	if err := os.Mkdir(filepath.Join(dir, "a.jpg.xmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := Find(filepath.Join(dir, "a.jpg")); len(got) > 0 {
		t.Error(got)
	}
}

// TestFindOnce: where .xmp and .XMP are one file, as on file systems without
// case and through links, it counts once.
func TestFindOnce(t *testing.T) {
	dir := folder(t, map[string]string{"a.jpg": "", "a.jpg.xmp": "owl"})
	path := filepath.Join(dir, "a.jpg.xmp")
	if err := os.Link(path, filepath.Join(dir, "a.jpg.XMP")); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Skip("no hard links here: ", err)
	}
	if got := Find(filepath.Join(dir, "a.jpg")); !slices.Equal(got, []string{path}) {
		t.Error(got)
	}
}

func TestNames(t *testing.T) {
	want := []string{"d.x/a.jpg.xmp", "d.x/a.jpg.XMP", "d.x/a.xmp", "d.x/a.XMP"}
	if got := Names("d.x/a.jpg"); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Names("d.x/a"); !slices.Equal(got, []string{"d.x/a.xmp", "d.x/a.XMP"}) {
		t.Error(got)
	}
}

// TestRead: the union of both sidecars and the photo; what is broken is named,
// the rest is there.
func TestRead(t *testing.T) {
	dir := folder(t, map[string]string{"a.jpg.xmp": "owl", "a.xmp": "forest"})
	photo := filepath.Join(dir, "a.jpg")
	write(t, photo, jpegWith(segment(0xe1, markXMP+sidecarOf("dusk"))))
	tags, err := Read(photo)
	if got := list(tags.Tags); err != nil || got != "owl; forest; dusk" {
		t.Errorf("%s, %v", got, err)
	}
	if want := (Source{Subject, photo}); tags.Tags[2].Sources[0] != want {
		t.Errorf("%v, want %v", tags.Tags[2].Sources, want)
	}

	write(t, filepath.Join(dir, "a.jpg.xmp"), "<x:xmpmeta")
	write(t, filepath.Join(dir, "a.xmp"), sidecarOf(".cr2"))
	tags, err = Read(photo)
	if got := list(tags.Tags); got != "dusk" {
		t.Errorf("%s next to a broken sidecar", got)
	}
	if want := "read tags of " + photo + ".xmp: byte 0: the tag <x:xmpmeta has no end"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestReadMissing(t *testing.T) {
	dir := folder(t, map[string]string{"a.jpg.xmp": "owl"})
	photo := filepath.Join(dir, "a.jpg")
	tags, err := Read(photo)
	if got := list(tags.Tags); got != "owl" || !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), photo) != 1 {
		t.Errorf("%s, %v", got, err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Offset != -1 {
		t.Errorf("%#v has a place in a file that is not there", e)
	}
	if _, err := ReadFile(dir); !errors.Is(err, errNotRegular) {
		t.Errorf("a folder: %v", err)
	}
	if runtime.GOOS == "linux" {
		if _, err := ReadFile("/dev/zero"); !errors.Is(err, errNotRegular) {
			t.Errorf("a device: %v", err)
		}
	}
}

func TestReadTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jpg.xmp")
	write(t, path, "")
	if err := os.Truncate(path, maxFile+1); err != nil {
		t.Skip("no sparse files here: ", err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "larger than 50 MB") {
		t.Error(err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
