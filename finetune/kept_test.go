package finetune

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Of many that keep an adapter under one name at once one does, and the file is
// that one's.
func TestKeptAtOnce(t *testing.T) {
	k := Kept(filepath.Join(t.TempDir(), "adapters"))
	const n = 8
	var errs [n]error
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			a := *adapters()[DepthHead]
			a.Card.Seed = uint64(i)
			errs[i] = k.Add("pets", &a)
		})
	}
	wait.Wait()
	kept := -1
	for i, err := range errs {
		switch {
		case err == nil && kept >= 0:
			t.Errorf("%d and %d both kept theirs", kept, i)
		case err == nil:
			kept = i
		case !strings.Contains(err.Error(), "there is one of that name"):
			t.Error(err)
		}
	}
	if read, err := ReadAdapter(k.Path("pets")); err != nil || kept < 0 || read.Card.Seed != uint64(kept) {
		t.Errorf("%d kept it, the file is %+v, %v", kept, read, err)
	}
}

func TestKept(t *testing.T) {
	k := Kept(filepath.Join(t.TempDir(), "adapters"))
	if list, err := k.List(); err != nil || list != nil {
		t.Fatalf("an absent folder: %v, %v", list, err)
	}
	all := adapters()
	base := all[DepthHead].Card.Base.Digest
	for name, depth := range map[string]Depth{"pets": DepthHead, "Urlaub-süd.2": DepthLoRA} {
		if err := k.Add(name, all[depth]); err != nil {
			t.Fatal(err)
		}
		if err := k.Add(name, all[depth]); err == nil || !strings.Contains(err.Error(), "there is one of that name") {
			t.Errorf("%s again: %v", name, err)
		}
	}
	if err := os.WriteFile(k.Path("torn"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := k.SetDefault(base, "pets"); err != nil {
		t.Fatal(err)
	}
	if err := k.SetDefault(base, "none such"); err == nil {
		t.Error("an absent adapter became the default")
	}
	list, err := k.List()
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, e := range list {
		if e.Default != (e.Name == "pets") || (e.Err != nil) != (e.Name == "torn") || e.Err == nil && (e.Bytes == 0 || e.Card.Base.Digest != base) {
			t.Errorf("%+v", e)
		}
	}
	if err := k.Remove("pets"); err != nil {
		t.Fatal(err)
	}
	if name, err := k.Default(base); name != "" || err != nil {
		t.Errorf("after its removal %q is the default, %v", name, err)
	}
	if err := k.Remove("pets"); err == nil || err.Error() != "remove adapter pets: there is none of that name" {
		t.Errorf("removed twice: %v", err)
	}
	if err := k.SetDefault(base, ""); err != nil {
		t.Errorf("no default, forgotten again: %v", err)
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"pets": true, "2026-01-02": true, "a.b_c": true, "": false, "none": false, ".hidden": false, "-x": false,
		"a/b": false, `a\b`: false, "a b": false, "a\nb": false, "..": false, strings.Repeat("x", 201): false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
