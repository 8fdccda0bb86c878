package sidecar

import (
	"encoding/json"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"sigla/internal/require"
)

// exiftoolNames are the fields in exiftool's words.
var exiftoolNames = map[string]Field{
	"XMP-dc:Subject":                    Subject,
	"XMP-lr:HierarchicalSubject":        HierarchicalSubject,
	"XMP-digiKam:TagsList":              TagsList,
	"XMP-microsoft:LastKeywordXMP":      LastKeyword,
	"XMP-mediapro:CatalogSets":          CatalogSets,
	"XMP-acdsee:Categories":             Categories,
	"XMP-iptcExt:PersonInImage":         Person,
	"XMP-xmp:Rating":                    Rating,
	"XMP-microsoft:RatingPercent":       MicrosoftRating,
	"XMP-photoshop:SidecarForExtension": ForExtension,
	"IPTC:Keywords":                     Keywords,
	"IFD0:XPKeywords":                   XPKeywords,
}

// requireExiftool skips the test where exiftool is missing, or fails it if it
// is required.
func requireExiftool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("exiftool"); err != nil {
		require.Missing(t, "exiftool", "exiftool is not installed (Debian: libimage-exiftool-perl)")
	}
}

// exiftool returns what exiftool reads of all files in a folder: by file, the
// values of each field, cleaned, sorted, and each once.
func exiftool(t *testing.T, dir string) map[string]map[Field][]string {
	t.Helper()
	requireExiftool(t)
	args := []string{"-json", "-struct", "-G1", "-charset", "utf8", "-q", "-r", "-api", "StructFormat=JSON"}
	for name := range exiftoolNames {
		args = append(args, "-"+name)
	}
	cmd := exec.Command("exiftool", append(args, dir)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PERL_HASH_SEED=0") // which of two properties wins depends on it
	out, err := cmd.Output()                                             // which it fills even if a file is an error
	var rows []map[string]any
	if e := json.Unmarshal(out, &rows); e != nil {
		t.Fatal(err, e)
	}
	read := make(map[string]map[Field][]string)
	for _, row := range rows {
		found := make(map[Field][]string)
		for name, field := range exiftoolNames {
			values, ok := row[name].([]any)
			if row[name] != nil && !ok {
				values = []any{row[name]}
			}
			for _, v := range values {
				found[field] = append(found[field], parts(field, fmt.Sprint(v))...)
			}
		}
		read[filepath.Clean(row["SourceFile"].(string))] = tidy(found)
	}
	return read
}

// parts splits what exiftool leaves in one text.
func parts(field Field, text string) []string {
	switch field {
	case XPKeywords:
		return strings.Split(text, ";")
	case Categories:
		if list, err := categories(text); err == nil {
			var paths []string
			for _, c := range list {
				paths = append(paths, c.path)
			}
			return paths
		}
	}
	return []string{text}
}

func tidy(found map[Field][]string) map[Field][]string {
	tidy := make(map[Field][]string)
	for field, values := range found {
		var list []string
		for _, v := range values {
			if v = clean(v); v != "" {
				list = append(list, v)
			}
		}
		slices.Sort(list)
		if list = slices.Compact(list); len(list) > 0 {
			tidy[field] = list
		}
	}
	return tidy
}

func ours(values []Value) map[Field][]string {
	found := make(map[Field][]string)
	for _, v := range values {
		if v.Field != Provenance {
			found[v.Field] = append(found[v.Field], v.Text)
		}
	}
	return tidy(found)
}

// TestExiftoolCorpus: exiftool reads the same values of every sidecar of the
// corpus, but for what exiftool 12.57 cannot read.
func TestExiftoolCorpus(t *testing.T) {
	others := map[string]string{
		"acdsee-cdata": "takes elements in CDATA for a structure",
		"cdata":        "keeps comments, and does not read several CDATA sections",
		"comments":     "keeps comments in values",
		"crlf":         "keeps carriage returns",
		"duplicates":   "lets one property overwrite the other",
		"latin1":       "reads bytes that are not UTF-8 as ?",
		"numbered":     "does not read rdf:_1",
		"prefixes":     "does not read the default namespace",
		"two-packets":  "lets one packet overwrite the other",
		"utf16be":      "does not read surrogates",
		"utf16le":      "does not read surrogates",
		"utf16-nomark": "does not recognise it",
	}
	read := exiftool(t, "testdata")
	for _, c := range corpus {
		path := filepath.Join("testdata", c.name+".xmp")
		values, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, want := fmt.Sprint(ours(values)), fmt.Sprint(read[path])
		if got = strings.ReplaceAll(got, "3.0", "3"); others[c.name] == "" && got != want {
			t.Errorf("%s: %s, exiftool reads %s", c.name, got, want)
		}
	}
}

// TestSamples reads photos of many makers, some with broken metadata.
func TestSamples(t *testing.T) {
	dir := require.Unpack(t, "metadata", "exif-samples.tar")
	files, rated := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		tags, err := Read(path)
		if err != nil {
			t.Error(err)
		}
		if tags.Rated {
			rated++
		}
		want := map[string]string{"BlueSquare.jpg": "XMP; Blue Square; test file; Photoshop; .jpg", "no_exif.jpg": "tag"}[d.Name()]
		if got := list(tags.Tags); got != want || len(tags.People) > 0 {
			t.Errorf("%s: %s, want %s", d.Name(), got, want)
		}
		return nil
	})
	if err != nil || files != 83 || rated != 9 {
		t.Errorf("%d files, %d rated, %v, want 83 and 9", files, rated, err)
	}
}

// TestExiftoolSamples: exiftool reads the same values of real photos.
func TestExiftoolSamples(t *testing.T) {
	dir := require.Unpack(t, "metadata", "exif-samples.tar")
	read := exiftool(t, dir)
	if len(read) != 83 {
		t.Errorf("exiftool reads %d files", len(read))
	}
	for path, want := range read {
		values, err := ReadFile(path)
		if got := ours(values); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, %v, exiftool reads %v", filepath.Base(path), got, err, want)
		}
	}
}

// TestExiftoolWrites: what exiftool writes into photos of each kind is read
// back, with XMP that is too long for one segment of a JPEG among it.
func TestExiftoolWrites(t *testing.T) {
	requireExiftool(t)
	dir := t.TempDir()
	m := image.NewGray(image.Rect(0, 0, 8, 8))
	for name, encode := range map[string]func(io.Writer) error{
		"a.jpg":    func(w io.Writer) error { return jpeg.Encode(w, m, nil) },
		"long.jpg": func(w io.Writer) error { return jpeg.Encode(w, m, nil) },
		"a.png":    func(w io.Writer) error { return png.Encode(w, m) },
		"a.gif":    func(w io.Writer) error { return gif.Encode(w, m, nil) },
		"a.tif":    func(w io.Writer) error { return tiff.Encode(w, m, nil) },
		"a.webp": func(w io.Writer) error {
			b, err := os.ReadFile("../photo/testdata/levels.webp")
			if err == nil {
				_, err = w.Write(b)
			}
			return err
		},
	} {
		var b strings.Builder
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), b.String())
	}
	keywords := "-XMP-dc:Subject=Käuzchen\n-XMP-lr:HierarchicalSubject=animals|owl\n-XMP-xmp:Rating=4\n" +
		"-XMP-dc:Subject=owl\n-IPTC:CodedCharacterSet=UTF8\n-IPTC:Keywords=Käuzchen\n-XPKeywords=owl;夜\n"
	long := "-XMP-dc:Subject=" + strings.Repeat("owl", 40_000) + "\n"
	common := "-charset\nutf8\n-overwrite_original\n-m\n-q\n"
	arguments := filepath.Join(dir, "arguments")
	write(t, arguments, common+keywords+filepath.Join(dir, "a.jpg")+"\n"+filepath.Join(dir, "a.png")+"\n"+filepath.Join(dir, "a.gif")+"\n"+
		filepath.Join(dir, "a.tif")+"\n"+filepath.Join(dir, "a.webp")+"\n-execute\n"+common+keywords+long+filepath.Join(dir, "long.jpg")+"\n")
	if out, err := exec.Command("exiftool", "-@", arguments).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	read := exiftool(t, dir)
	for _, name := range []string{"a.jpg", "long.jpg", "a.png", "a.gif", "a.tif", "a.webp"} {
		path := filepath.Join(dir, name)
		values, err := ReadFile(path)
		got, want := fmt.Sprint(ours(values)), fmt.Sprint(read[path])
		if err != nil || got != want || !strings.Contains(got, "Käuzchen") || !strings.Contains(got, "animals|owl") {
			t.Errorf("%s: %.300s, %v, exiftool reads %.300s", name, got, err, want)
		}
		if name == "long.jpg" && len(got) < 120_000 {
			t.Errorf("%s: %d bytes of values", name, len(got))
		}
	}
}
