package label

import (
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

// randomText has letters of several scripts and everything TOML must quote.
func randomText(r *rand.Rand) string {
	const alphabet = `aZ09 '"\#[]={},.:` + "äß日е́🦉\u202e\ufeff"
	letters := []rune(alphabet)
	text := []rune{'x'}
	for range r.IntN(12) {
		text = append(text, letters[r.IntN(len(letters))])
	}
	return string(append(text, 'x'))
}

func randomTexts(r *rand.Rand) []string {
	var texts []string
	for range r.IntN(3) {
		texts = append(texts, randomText(r))
	}
	return texts
}

func randomSet(r *rand.Rand) Set {
	set := Set{Name: randomText(r)}
	for range r.IntN(3) {
		set.Templates = append(set.Templates, randomText(r)+"{}")
	}
	for range r.IntN(5) {
		l := Label{
			Name: randomText(r), Prompts: randomTexts(r), Negatives: randomTexts(r), Synonyms: randomTexts(r),
			Private: r.IntN(2) == 0, Group: randomText(r), Parent: randomText(r),
		}
		if r.IntN(2) == 0 {
			l.Name += "|" + randomText(r)
			l.Threshold = math.SmallestNonzeroFloat64 + r.Float64()*0.9
			l.Bias = r.NormFloat64() * math.Pow(10, float64(r.IntN(40)-20))
			l.Scale = r.ExpFloat64() + 1e-9
			l.Parent = ""
		}
		set.Labels = append(set.Labels, l)
	}
	return set
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	tried := 0
	for range 2000 {
		set := randomSet(r)
		if set.Validate() != nil { // two equal names
			continue
		}
		tried++
		data, err := set.TOML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("set.toml", data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if !reflect.DeepEqual(back, set) {
			t.Fatalf("got %+v\nwant %+v\n%s", back, set, data)
		}
	}
	if tried < 1900 {
		t.Errorf("only %d of 2000 random sets were valid", tried)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.toml", []byte(full))
	f.Add("a.txt", []byte("# pets\r\ncat\r\nanimals|owl"))
	f.Add("", []byte("[[label]]\nname='a'\nthreshold=0.0"))
	f.Add("x", []byte("label = [{name = 'a'}]\n[[label]]"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		set, err := Parse(name, data)
		if err != nil {
			return
		}
		out, err := set.TOML()
		if err != nil {
			t.Fatalf("what Parse accepts is not written: %v", err)
		}
		back, err := Parse("x.toml", out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if set.Name == "" {
			back.Name = ""
		}
		again, err := back.TOML()
		if err != nil || string(again) != string(out) {
			t.Fatalf("written %q, then %q, %v", out, again, err)
		}
	})
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "folder", "pets.toml")
	for _, want := range []Set{
		{Name: "pets", Labels: []Label{{Name: "cat"}, {Name: "dog", Threshold: 0.25}}},
		{Name: "pets"},
	} {
		if err := Save(path, want); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(path, data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	checkFiles(t, filepath.Dir(path), "pets.toml")
	checkMode(t, path, 0o644)
}

func TestSaveKeepsLinkAndMode(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real.toml")
	link := filepath.Join(dir, "link.toml")
	if err := os.WriteFile(real, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.toml", link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := Save(link, Set{Name: "x", Labels: []Label{{Name: "cat"}}}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(real); err != nil || len(data) == 0 {
		t.Errorf("the file behind the link has %q, %v", data, err)
	}
	checkMode(t, real, 0o600)
}

func TestSaveFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "folder.toml")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, Set{Name: "x"}); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if err := Save(filepath.Join(dir, "bad.toml"), Set{Labels: []Label{{Name: ""}}}); err == nil {
		t.Error("an invalid set was written")
	}
	checkFiles(t, dir, "folder.toml")
}

// checkFiles says that no temporary file was left behind.
func checkFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s has %q, want %q", dir, got, want)
	}
}

func checkMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
		t.Errorf("%s has mode %v, want %v", path, got, want)
	}
}
