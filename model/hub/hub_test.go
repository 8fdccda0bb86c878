package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fakeHub answers as the hub does: the list of files as JSON, small files by a
// redirect to another of its own addresses, large ones by a redirect to a second
// host that knows nothing of hashes and must not see the token.
type fakeHub struct {
	t        *testing.T
	hub, cdn *httptest.Server
	token    string // required if set

	mu     sync.Mutex
	commit string
	files  map[string][]byte
	hashes map[string]string
	log    []string         // "GET /path" of the hub, "CDN GET name bytes=5-"
	served map[string]int64 // body bytes of large files, by name

	// A test sets these to answer in the hub's place: true means answered.
	onHub func(w http.ResponseWriter, r *http.Request) bool
	onCDN func(w http.ResponseWriter, r *http.Request, data []byte) bool
}

const (
	testName = "acme/tiny-siglip"
	commitA  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	folder   = "models--acme--tiny-siglip"
)

// noise is data that no two calls with different seeds share.
func noise(n int, seed uint64) []byte {
	src := rand.NewChaCha8([32]byte{byte(seed)})
	data := make([]byte, n)
	src.Read(data)
	return data
}

const weightsLen = 3<<20 + 17

var tinyWeights = noise(weightsLen, 3)

func newHub(t *testing.T) *fakeHub {
	h := &fakeHub{t: t, commit: commitA, files: map[string][]byte{}, hashes: map[string]string{}, served: map[string]int64{}}
	for name, data := range map[string][]byte{
		".gitattributes":           []byte("*.bin lfs"),
		"README.md":                []byte("# tiny"),
		"config.json":              []byte(`{"model_type":"siglip"}`),
		"preprocessor_config.json": []byte(`{"size":{"height":224}}`),
		"tokenizer_config.json":    []byte(`{}`),
		"tokenizer.json":           noise(200_000, 1),
		"spiece.model":             noise(50_000, 2),
		"model.safetensors":        tinyWeights,
		"pytorch_model.bin":        noise(1000, 4),
		"flax_model.msgpack":       noise(1000, 5),
		"tf_model.h5":              noise(1000, 6),
		"onnx/model.onnx":          noise(1000, 7),
	} {
		h.set(name, data)
	}
	h.hub = httptest.NewServer(http.HandlerFunc(h.serveHub))
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveCDN))
	t.Cleanup(h.hub.Close)
	t.Cleanup(h.cdn.Close)
	return h
}

// client makes a client with an empty cache that never waits.
func (h *fakeHub) client() *Client {
	return &Client{
		Endpoint: h.hub.URL,
		Cache:    filepath.Join(h.t.TempDir(), "home", "hub"),
		sleep:    func(ctx context.Context, d time.Duration) error { return ctx.Err() },
	}
}

func isLarge(data []byte) bool { return len(data) > 20_000 }

func (h *fakeHub) set(name string, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.files[name] = data
	if isLarge(data) {
		h.hashes[name] = fmt.Sprintf("%x", sha256.Sum256(data))
	} else {
		h.hashes[name] = fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))
	}
}

func (h *fakeHub) hash(name string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hashes[name]
}

func (h *fakeHub) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// requests returns those whose text contains s.
func (h *fakeHub) requests(s string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.log), func(line string) bool { return !strings.Contains(line, s) })
}

func (h *fakeHub) servedBytes(name string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.served[name]
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(status)
}

func (h *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	h.note("%s %s", r.Method, r.URL.EscapedPath())
	h.mu.Lock()
	answer := h.onHub
	h.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	auth := r.Header.Get("Authorization")
	if h.token != "" && auth != "Bearer "+h.token {
		refuse(w, 401, "", "Invalid username or password.")
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	path := r.URL.EscapedPath()
	if rev, ok := strings.CutPrefix(path, "/api/models/"+testName+"/revision/"); ok {
		if !slices.Contains([]string{"main", h.commit, "v1.0", "refs%2Fpr%2F15"}, rev) {
			refuse(w, 404, "RevisionNotFound", "Invalid rev id: "+rev)
			return
		}
		var siblings []map[string]string
		for _, name := range slices.Sorted(maps.Keys(h.files)) {
			siblings = append(siblings, map[string]string{"rfilename": name})
		}
		json.NewEncoder(w).Encode(map[string]any{"id": testName, "sha": h.commit, "siblings": siblings, "gated": false})
		return
	}
	if name, ok := strings.CutPrefix(path, "/"+testName+"/resolve/"+h.commit+"/"); ok && h.files[name] != nil {
		data := h.files[name]
		w.Header().Set("X-Repo-Commit", h.commit)
		w.Header().Set("X-Linked-Etag", `"`+h.hashes[name]+`"`)
		if isLarge(data) {
			w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
			http.Redirect(w, r, h.cdn.URL+"/"+name+"?Signature=secret", http.StatusFound)
		} else {
			http.Redirect(w, r, "/api/resolve-cache/models/"+testName+"/"+h.commit+"/"+name, http.StatusTemporaryRedirect)
		}
		return
	}
	if name, ok := strings.CutPrefix(path, "/api/resolve-cache/models/"+testName+"/"+h.commit+"/"); ok && h.files[name] != nil {
		w.Header().Set("X-Repo-Commit", h.commit)
		w.Header().Set("ETag", `"`+h.hashes[name]+`"`)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(h.files[name]))
		return
	}
	refuse(w, 404, "RepoNotFound", "Repository not found")
}

func (h *fakeHub) serveCDN(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	h.note("CDN %s %s %s", r.Method, name, r.Header.Get("Range"))
	if r.Header.Get("Authorization") != "" {
		h.t.Error("the token was sent to another host")
	}
	if r.URL.Query().Get("Signature") != "secret" {
		h.t.Error("the signature got lost")
	}
	h.mu.Lock()
	data, answer := h.files[name], h.onCDN
	h.mu.Unlock()
	counted := &counter{ResponseWriter: w, add: func(n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.served[name] += int64(n)
	}}
	if answer != nil && answer(counted, r, data) {
		return
	}
	w.Header().Set("ETag", `"not-the-hash"`)
	http.ServeContent(counted, r, name, time.Time{}, bytes.NewReader(data))
}

type counter struct {
	http.ResponseWriter
	add func(n int)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.add(n)
	return n, err
}

func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// cut ends a connection without the rest of the body.
func cut(w http.ResponseWriter) {
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// checkSnapshot fails unless the folder holds what the hub has of these files
// and nothing else.
func (h *fakeHub) checkSnapshot(dir string, names ...string) {
	h.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			h.t.Error(err)
		} else if !bytes.Equal(data, h.files[e.Name()]) {
			h.t.Errorf("%s has other bytes than the hub's", e.Name())
		}
	}
	if want := slices.Sorted(slices.Values(names)); !slices.Equal(got, want) {
		h.t.Errorf("snapshot has %q, want %q", got, want)
	}
}

// needed are the files of the fake repository that a checkpoint needs.
var needed = []string{"config.json", "preprocessor_config.json", "tokenizer_config.json", "tokenizer.json", "spiece.model", "model.safetensors"}

// tree lists the files below a folder, links with their targets.
func tree(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		line := filepath.ToSlash(name)
		if target, err := os.Readlink(path); err == nil {
			line += " -> " + filepath.ToSlash(target)
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustPull(t *testing.T, c *Client, name string) string {
	t.Helper()
	dir, err := c.Pull(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if found, ok := c.Find(name); !ok || found != dir {
		t.Fatalf("Find says %q, %v after Pull gave %q", found, ok, dir)
	}
	return dir
}

func mustWrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
