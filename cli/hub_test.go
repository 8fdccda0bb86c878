package cli

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/adrg/xdg"
)

const (
	hubModel  = "acme/tiny"
	hubCommit = "0123456789abcdef0123456789abcdef01234567"
)

// hubServer plays a hub with one repository, the golden folder of that name:
// the list of files, and each with the hash that the hub knows it by, SHA-256
// for weights and git's SHA-1 for all else. hold, if not nil, is waited for
// before weights are sent.
func hubServer(t *testing.T, folder string, hold <-chan struct{}) *httptest.Server {
	t.Helper()
	root := os.DirFS(filepath.Join(golden, folder))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/models/"+hubModel+"/revision/main", func(w http.ResponseWriter, _ *http.Request) {
		entries, err := os.ReadDir(filepath.Join(golden, folder))
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, fmt.Sprintf(`{"rfilename":%q}`, e.Name()))
		}
		fmt.Fprintf(w, `{"id":%q,"sha":%q,"siblings":[%s]}`, hubModel, hubCommit, strings.Join(names, ","))
	})
	mux.HandleFunc("GET /"+hubModel+"/resolve/"+hubCommit+"/{file}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("file")
		f, err := root.Open(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		if err != nil {
			t.Error(err)
		}
		hash := fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))
		if filepath.Ext(name) == ".safetensors" {
			hash = fmt.Sprintf("%x", sha256.Sum256(data))
			w.Header().Set("X-Linked-Etag", `"`+hash+`"`)
			w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
			if r.Method == http.MethodGet && hold != nil {
				select {
				case <-hold:
				case <-r.Context().Done(): // the program has ended
				}
			}
		}
		w.Header().Set("X-Repo-Commit", hubCommit)
		w.Header().Set("ETag", `"`+hash+`"`)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

const golden = "../model/testdata/golden/hf"

// atHome gives the program a home of its own for the rest of the test.
func atHome(t *testing.T) {
	t.Helper()
	t.Cleanup(xdg.Reload) // after the variables are as they were
	home := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"} {
		t.Setenv(name, filepath.Join(home, name))
	}
	for _, name := range []string{"HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "SIGLA_CPU", "SIGLA_THREADS", "SIGLA_DEVICE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HUB_CACHE", filepath.Join(home, "hub"))
	xdg.Reload()
}

// run runs a command that must succeed.
func run(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	if status := Run(args, strings.NewReader(""), &out, &errs); status != exitDone {
		t.Fatalf("sigla %s: exit status %d\n%s", strings.Join(args, " "), status, errs.String())
	}
	return out.String(), errs.String()
}

// The first use of a model's name fetches it; from then on no hub is needed.
func TestFirstUsePulls(t *testing.T) {
	atHome(t)
	server := hubServer(t, "siglip-bicubic", nil)
	t.Setenv("HF_ENDPOINT", server.URL)
	score := []string{"score", "--model", hubModel, "--labels", "cat,dog", "--format", "json", "../assets/demo/cat.jpg"}
	quiet := func(args ...string) string {
		t.Helper()
		stdout, stderr := run(t, args...)
		if stderr != "" {
			t.Errorf("standard error, which is no terminal, has %q", stderr)
		}
		return stdout
	}
	list := []string{"models", "--model", hubModel, "--format", "json"}

	if got := quiet(list...); strings.Contains(got, hubModel) {
		t.Errorf("a model that is not here is listed, or was fetched:\n%s", got)
	}
	first := quiet(score...)
	if !strings.Contains(first, `"label":"cat"`) {
		t.Errorf("score printed\n%s", first)
	}
	server.Close()
	if again := quiet(score...); again != first {
		t.Errorf("with the hub:\n%swithout:\n%s", first, again)
	}
	if dir := strings.TrimSpace(quiet("pull", hubModel)); filepath.Base(dir) != hubCommit {
		t.Errorf("the model is in %s, want the snapshot %s", dir, hubCommit)
	}
	weights, err := os.Stat(filepath.Join(golden, "siglip-bicubic", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`"bytes":%d,"where":"on disk"}`, weights.Size())
	if got := quiet(list...); !strings.Contains(got, `{"name":"acme/tiny","kind":"SigLIP",`) || !strings.Contains(got, want) {
		t.Errorf("want acme/tiny with %s in\n%s", want, got)
	}
}

// A file that is not what the hub says it is does not become a model.
func TestPullChecksWeights(t *testing.T) {
	atHome(t)
	good := hubServer(t, "siglip-bicubic", nil)
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && filepath.Ext(r.URL.Path) == ".safetensors" {
			w.Header().Set("X-Repo-Commit", hubCommit)
			info, err := os.Stat(filepath.Join(golden, "siglip-bicubic", "model.safetensors"))
			if err != nil {
				t.Error(err)
			}
			w.Write(make([]byte, info.Size()))
			return
		}
		good.Config.Handler.ServeHTTP(w, r)
	}))
	defer bad.Close()
	t.Setenv("HF_ENDPOINT", bad.URL)
	var stdout, stderr strings.Builder
	status := Run([]string{"score", "--model", hubModel, "../assets/demo/cat.jpg"}, strings.NewReader(""), &stdout, &stderr)
	if status != exitFailed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "sigla: pull acme/tiny: ") || !strings.Contains(stderr.String(), "model.safetensors") {
		t.Errorf("exit status %d\n%s%s", status, stdout.String(), stderr.String())
	}
}
