package hub

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestIsName(t *testing.T) {
	for name, want := range map[string]bool{
		"google/siglip2-base-patch16-224":         true,
		"laion/CLIP-ViT-B-32-laion2B-s34B-b79K":   true,
		"a/b":                                     true,
		"openai/clip-vit-base-patch32@refs/pr/15": true,
		"org/name@v1.0":                           true,
		"org/name@" + commitA:                     true,
		"org/na.me_x":                             true,
		"":                                        false,
		"name":                                    false,
		"org/name/more":                           false,
		"/name":                                   false,
		"org/":                                    false,
		"./name":                                  false,
		"../name":                                 false,
		"org/..":                                  false,
		"org/.name":                               false,
		"org/na..me":                              false,
		"org/a--b":                                false,
		"org/-name":                               false,
		"org/name.":                               false,
		"org/name.git":                            false,
		"org/na me":                               false,
		"org/näme":                                false,
		"org/name\n":                              false,
		`org\name`:                                false,
		"C:/name":                                 false,
		"~/name":                                  false,
		"org/name?x=y":                            false,
		"org/" + strings.Repeat("x", 97):          false,
		"org/name@":                               false,
		"org/name@..":                             false,
		"org/name@../main":                        false,
		"org/name@refs/../../x":                   false,
		"org/name@/main":                          false,
		"org/name@a//b":                           false,
		"org/name@main.lock":                      false,
		"org/name@a@b":                            false,
		`org/name@a\b`:                            false,
		"org/name@a\x00":                          false,
		"org/name@" + strings.Repeat("abcdefg/", 30): false,
	} {
		if got := IsName(name); got != want {
			t.Errorf("IsName(%q) = %v", name, got)
		}
		if !want {
			c := &Client{Cache: t.TempDir()}
			if _, ok := c.Find(name); ok {
				t.Errorf("Find(%q) finds", name)
			}
			if _, err := c.Pull(t.Context(), name, nil); err == nil {
				t.Errorf("Pull(%q) pulls", name)
			}
		}
	}
}

func TestParseETag(t *testing.T) {
	sha256 := strings.Repeat("0123456789abcdef", 4)
	for tag, want := range map[string]string{
		`"` + sha256 + `"`:       sha256,
		`W/"` + commitA + `"`:    commitA,
		commitA:                  commitA,
		`"` + commitA + `-gzip"`: "",
		strings.ToUpper(commitA): "",
		commitA + "\n":           "",
		"":                       "",
		`""`:                     "",
		"..":                     "",
	} {
		got, err := parseETag(tag)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseETag(%q) = %q, %v", tag, got, err)
		}
	}
}

// Find looks at what other programs have left: snapshots without locks, with
// files in place of links, complete or not.
func TestFindForeignSnapshots(t *testing.T) {
	vocab := []string{"vocab.json", "merges.txt"}
	for _, test := range []struct {
		name    string
		files   []string
		absent  []string
		missing []string
	}{
		{"all", needed, nil, nil},
		{"CLIP", slices.Concat([]string{configFile, weightsFile, "preprocessor_config.json", "tokenizer_config.json"}, vocab), nil, nil},
		{"newer layout", []string{configFile, weightsFile, "processor_config.json", "tokenizer_config.json", "tokenizer.json"}, nil, nil},
		{"known to have no settings", []string{configFile, weightsFile, "tokenizer.model"}, settings, nil},
		{"nothing", nil, nil, []string{configFile, "preprocessor_config.json", "tokenizer_config.json", "a tokenizer (" + vocabularyNames() + ")", weightsFile}},
		{"weights only", []string{configFile, weightsFile}, settings, []string{"a tokenizer (" + vocabularyNames() + ")"}},
		{"half a vocabulary", []string{configFile, weightsFile, "vocab.json"}, settings, []string{"a tokenizer (" + vocabularyNames() + ")"}},
		{"no preprocessor", []string{configFile, weightsFile, "tokenizer.json", "tokenizer_config.json"}, []string{"processor_config.json"}, []string{"preprocessor_config.json"}},
		{"no weights", needed[:5], nil, []string{weightsFile}},
		{"pickled", append(slices.Clone(needed[:5]), "pytorch_model.bin"), nil, []string{weightsFile}},
		{"broken index", append(slices.Clone(needed[:5]), indexFile), nil, []string{indexFile}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &Client{Cache: t.TempDir()}
			root := filepath.Join(c.Cache, folder)
			dir := filepath.Join(root, "snapshots", commitA)
			if err := os.MkdirAll(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			for _, name := range test.files {
				mustWrite(t, filepath.Join(dir, name), nil)
			}
			for _, name := range test.absent {
				mustWrite(t, filepath.Join(root, ".no_exist", commitA, name), nil)
			}
			if _, ok := c.Find(testName); ok {
				t.Error("found without a ref")
			}
			if got, ok := c.Find(testName + "@" + commitA); ok != (test.missing == nil) || ok && got != dir {
				t.Errorf("Find by commit says %q, %v", got, ok)
			}
			mustWrite(t, filepath.Join(root, "refs", "main"), []byte(commitA))
			if got, ok := c.Find(testName); ok != (test.missing == nil) || ok && got != dir {
				t.Errorf("Find says %q, %v", got, ok)
			}
			snap, _ := c.snapshot(repo{"acme", "tiny-siglip", defaultRev})
			if got := snap.missing(); !slices.Equal(got, test.missing) {
				t.Errorf("missing %q, want %q", got, test.missing)
			}
		})
	}
}

func TestFindDistrustsRefs(t *testing.T) {
	c := &Client{Cache: t.TempDir()}
	for _, name := range needed {
		mustWrite(t, filepath.Join(c.Cache, "elsewhere", name), nil)
		mustWrite(t, filepath.Join(c.Cache, folder, "snapshots", "main", name), nil)
	}
	for _, ref := range []string{"", "main", "../../elsewhere", commitB, strings.ToUpper(commitA)} {
		mustWrite(t, filepath.Join(c.Cache, folder, "refs", "main"), []byte(ref))
		if dir, ok := c.Find(testName); ok {
			t.Errorf("ref %q leads to %s", ref, dir)
		}
	}
}

func TestForeignFilesAreUsed(t *testing.T) {
	h := newHub(t)
	c := h.client()
	root := filepath.Join(c.Cache, folder)
	mustWrite(t, filepath.Join(root, "blobs", h.hash("model.safetensors")), h.files["model.safetensors"])
	mustWrite(t, filepath.Join(root, "snapshots", commitA, "tokenizer.json"), h.files["tokenizer.json"])
	h.checkSnapshot(mustPull(t, c, testName), needed...)
	for _, name := range []string{"model.safetensors", "tokenizer.json"} {
		if n := h.servedBytes(name); n != 0 {
			t.Errorf("%d bytes of %s served, which was there", n, name)
		}
	}
}

// A complete cache that cannot be written is as good as one that can.
func TestReadOnlyCache(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("rights do not bind this user")
	}
	h := newHub(t)
	c := h.client()
	dir := mustPull(t, c, testName)
	os.RemoveAll(filepath.Join(c.Cache, folder, ".no_exist"))
	for _, d := range []string{c.Cache, filepath.Join(c.Cache, folder), dir} {
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(d, 0o777)
	}
	if _, err := c.Pull(t.Context(), testName, nil); err != nil {
		t.Error(err)
	}
}

func TestFromEnv(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths as on Unix")
	}
	tokens := t.TempDir()
	mustWrite(t, filepath.Join(tokens, "token"), []byte("from-file\r\n"))
	mustWrite(t, filepath.Join(tokens, "other"), []byte(" other "))
	for _, test := range []struct {
		name string
		env  map[string]string
		want Client
	}{
		{"nothing", map[string]string{}, Client{}},
		{"home", map[string]string{"HOME": "/h"}, Client{Cache: "/h/.cache/huggingface/hub"}},
		{"XDG", map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "/x"}, Client{Cache: "/x/huggingface/hub"}},
		{"HF_HOME", map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "/x", "HF_HOME": "~/hf"}, Client{Cache: "/h/hf/hub"}},
		{"HF_HUB_CACHE", map[string]string{"HOME": "/h", "HF_HOME": "/hf", "HF_HUB_CACHE": "$BIG/hub", "BIG": "/big"}, Client{Cache: "/big/hub"}},
		{"older name", map[string]string{"HF_HOME": "/hf", "HUGGINGFACE_HUB_CACHE": "/old"}, Client{Cache: "/old"}},
		{"unknown variable", map[string]string{"HF_HUB_CACHE": "/a/$b"}, Client{Cache: "/a/$b"}},
		{"endpoint", map[string]string{"HF_ENDPOINT": "https://mirror.example/"}, Client{Endpoint: "https://mirror.example"}},
		{"token", map[string]string{"HF_HOME": tokens, "HF_TOKEN": " abc\n"}, Client{Token: "abc", Cache: tokens + "/hub"}},
		{"older token", map[string]string{"HUGGING_FACE_HUB_TOKEN": "abc"}, Client{Token: "abc"}},
		{"token file", map[string]string{"HF_HOME": tokens}, Client{Token: "from-file", Cache: tokens + "/hub"}},
		{"token path", map[string]string{"HF_HOME": tokens, "HF_TOKEN_PATH": tokens + "/other"}, Client{Token: "other", Cache: tokens + "/hub"}},
		{"no implicit token", map[string]string{"HF_TOKEN": "abc", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, Client{}},
		{"offline", map[string]string{"HF_HUB_OFFLINE": "yes"}, Client{Offline: true}},
		{"offline, older name", map[string]string{"TRANSFORMERS_OFFLINE": "1"}, Client{Offline: true}},
		{"not offline", map[string]string{"HF_HUB_OFFLINE": "0"}, Client{}},
		{"no links", map[string]string{"HF_HUB_DISABLE_SYMLINKS": "ON"}, Client{NoSymlinks: true}},
	} {
		c := FromEnv(func(name string) string { return test.env[name] })
		if c.Endpoint != test.want.Endpoint || c.Cache != test.want.Cache || c.Token != test.want.Token ||
			c.Offline != test.want.Offline || c.NoSymlinks != test.want.NoSymlinks {
			t.Errorf("%s: got %+v, want %+v", test.name, *c, test.want)
		}
	}
}
