package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answer makes the hub answer requests whose path contains part.
func answer(part string, with func(w http.ResponseWriter, r *http.Request)) func(*fakeHub, *Client) {
	return func(h *fakeHub, c *Client) {
		h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, part) {
				return false
			}
			with(w, r)
			return true
		}
	}
}

func refusal(status int, code, message string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, code, message) }
}

func withToken(setup func(*fakeHub, *Client)) func(*fakeHub, *Client) {
	return func(h *fakeHub, c *Client) {
		c.Token = "secret"
		setup(h, c)
	}
}

// described makes the hub describe config.json by these headers.
func described(headers ...string) func(*fakeHub, *Client) {
	return answer("/resolve/"+commitA+"/config.json", func(w http.ResponseWriter, _ *http.Request) {
		status(200, headers...)(w, nil, nil)
	})
}

func nothingStored(t *testing.T, h *fakeHub, c *Client) {
	if lines := tree(t, filepath.Dir(filepath.Dir(c.Cache))); len(lines) > 0 {
		t.Errorf("stored %q", lines)
	}
}

func TestRefusals(t *testing.T) {
	const hashA = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	page := "/" + testName
	for _, f := range []fault{
		{name: "no such model, no token", setup: answer("/api/", refusal(401, "", "Invalid username or password.")),
			want: []string{"no such model without a token", "check the name", page, "HF_TOKEN"}},
		{name: "bad token", setup: withToken(answer("/api/", refusal(401, "", "Invalid credentials in Authorization header"))),
			want: []string{"does not accept the token", "Invalid credentials", "HF_TOKEN"}},
		{name: "no such model", setup: withToken(answer("/api/", refusal(404, "RepoNotFound", "Repository not found"))),
			want: []string{"has no such model", "check the name"}},
		{name: "gated, no token", setup: answer("/resolve/", refusal(401, "GatedRepo", "Access to model is restricted.")),
			want: []string{"gated", "restricted", "accept its licence on", page, "set HF_TOKEN"}},
		{name: "gated, not granted", setup: withToken(answer("/resolve/", refusal(403, "GatedRepo", "You are not in the authorized list."))),
			want: []string{"gated", "accept its licence on", "set HF_TOKEN"}},
		{name: "forbidden", setup: withToken(answer("/api/", refusal(403, "", ""))),
			want: []string{"refuses access", "accept the model's licence on", "HF_TOKEN"}},
		{name: "no such revision", setup: answer("/api/", refusal(404, "RevisionNotFound", "Invalid rev id")),
			want: []string{`no revision "main"`}},
		{name: "listed but absent", setup: answer("tokenizer.json", refusal(404, "EntryNotFound", "Entry not found")),
			want: []string{"lists tokenizer.json and does not have it"}},
		{name: "message that plays tricks", setup: answer("/api/", refusal(400, "", "\u202eowned")),
			want: []string{": 400 Bad Request"}, after: func(t *testing.T, h *fakeHub, c *Client) {
				if _, err := c.Pull(t.Context(), testName, nil); strings.Contains(err.Error(), "owned") {
					t.Errorf("repeated: %q", err)
				}
			}},
		{name: "login page of a network", setup: answer("/api/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Welcome") }),
			want: []string{"does not answer as a hub does", "HF_ENDPOINT", "login"}},
		{name: "endless redirect", setup: answer("/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }),
			want: []string{"more than 10 redirects"}},
		{name: "endless redirect of a file", setup: answer("/resolve/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }),
			want: []string{"config.json", "more than 10 redirects"}},
		{name: "redirect to a file", setup: answer("/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		}), want: []string{"unsafe address"}},
		{name: "redirect to nowhere", setup: answer("/", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(302) }),
			want: []string{"redirect to nowhere"}},
		{name: "commit that climbs", setup: answer("/api/", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"sha":"../../../../evil","siblings":[{"rfilename":"config.json"}]}`)
		}), want: []string{"as the commit, which is none"}},
		{name: "tag that climbs", setup: described("ETag", `"../../../evil"`), want: []string{"config.json", "no SHA-256"}},
		{name: "linked tag that climbs", setup: described("ETag", hashA, "X-Linked-Etag", `../../../evil`), want: []string{"config.json", "no SHA-256"}},
		{name: "no tag", setup: described(), want: []string{"config.json", "no hash"}},
		{name: "no size", setup: described("ETag", hashA), want: []string{"config.json", `gives "" as its size`}},
		{name: "negative size", setup: described("ETag", hashA, "X-Linked-Size", "-5"), want: []string{`gives "-5" as its size`}},
		{name: "size beyond all disks", setup: described("ETag", hashA, "X-Linked-Size", "9223372036854775807"), want: []string{"as its size"}},
		{name: "always another commit", setup: described("X-Repo-Commit", commitB), want: []string{"changed during the download"}},
		{name: "address without a scheme", setup: func(h *fakeHub, c *Client) { c.Endpoint = "hf-mirror.example" }, want: []string{"HF_ENDPOINT", "no http address"}},
		{name: "no cache", setup: func(h *fakeHub, c *Client) { c.Cache = "" }, want: []string{"set HF_HOME"},
			after: func(t *testing.T, h *fakeHub, c *Client) { c.Cache = filepath.Join(t.TempDir(), "home", "hub") }},
	} {
		if f.after == nil {
			f.after = nothingStored
		}
		t.Run(f.name, f.run)
	}
}

// without makes a repository without these files.
func without(setup func(*fakeHub, *Client), names ...string) func(*fakeHub, *Client) {
	return func(h *fakeHub, c *Client) {
		for _, name := range names {
			delete(h.files, name)
		}
		if setup != nil {
			setup(h, c)
		}
	}
}

func index(text string) func(*fakeHub, *Client) {
	return without(func(h *fakeHub, c *Client) { h.set(indexFile, []byte(text)) }, "model.safetensors")
}

func discussions(author string) func(*fakeHub, *Client) {
	return without(answer("/discussions", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"discussions": []map[string]any{
			{"num": 3, "title": "Adding `safetensors` variant of this model", "status": "open", "isPullRequest": false, "author": map[string]string{"name": author}},
			{"num": 66, "title": "Adding `safetensors` variant of this model", "status": "open", "isPullRequest": true, "author": map[string]string{"name": author}},
		}})
	}), "model.safetensors")
}

func TestUnfitRepositories(t *testing.T) {
	pickled := []string{"pickled (pytorch_model.bin)", "can run any program", "spaces/safetensors/convert", testName + "@refs/pr/NUMBER"}
	for _, f := range []fault{
		{name: "no config", setup: without(nil, "config.json"), want: []string{"no config.json"}},
		{name: "no tokenizer", setup: without(nil, "tokenizer.json", "spiece.model"), want: []string{"no tokenizer (tokenizer.json, spiece.model, tokenizer.model, vocab.json with merges.txt)"}},
		{name: "pickled", setup: without(nil, "model.safetensors"), want: pickled},
		{name: "pickled, conversion proposed", setup: discussions("SFconvertbot"), want: []string{"can run any program", "sigla pull " + testName + "@refs/pr/66"}},
		{name: "pickled, conversion proposed by anybody", setup: discussions("SFc0nvertbot"), want: pickled},
		{name: "other forms only", setup: without(nil, "model.safetensors", "pytorch_model.bin"), want: []string{"no model.safetensors"}},
		{name: "other layout", setup: without(func(h *fakeHub, c *Client) { h.set("open_clip_model.safetensors", []byte("x")) }, "model.safetensors"),
			want: []string{"another layout (open_clip_model.safetensors)"}},
		{name: "index that climbs", setup: index(`{"weight_map":{"a":"../../../evil.safetensors"}}`), want: []string{indexFile, "no plain file name"}},
		{name: "index with an absolute path", setup: index(`{"weight_map":{"a":"/etc/evil.safetensors"}}`), want: []string{indexFile, "no plain file name"}},
		{name: "index with a drive", setup: index(`{"weight_map":{"a":"C:evil.safetensors"}}`), want: []string{indexFile, "no plain file name"}},
		{name: "index with a pickle", setup: index(`{"weight_map":{"a":"pytorch_model.bin"}}`), want: []string{indexFile, "no plain file name"}},
		{name: "index of an absent shard", setup: index(`{"weight_map":{"a":"model-00001-of-00001.safetensors"}}`), want: []string{"names model-00001-of-00001.safetensors, which the repository does not have"}},
		{name: "index of nothing", setup: index(`{}`), want: []string{"names 0 files"}},
		{name: "index that is none", setup: index(`<html>`), want: []string{"is no index"}},
		{name: "files that climb", setup: func(h *fakeHub, c *Client) {
			for _, name := range []string{"../../evil", "/etc/evil", `..\evil`, "config.json/../../evil", "..", ""} {
				h.files[name] = []byte("evil")
			}
		}},
	} {
		t.Run(f.name, f.run)
	}
}

func TestRepositoryChangesDuringTheDownload(t *testing.T) {
	h := newHub(t)
	c := h.client()
	first := true
	h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
		if first && r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/tokenizer.json") {
			// The commit is the same, the bytes are not: a mirror that is being filled.
			first = false
			h.set("tokenizer.json", noise(70_000, 20))
		}
		return false
	}
	h.checkSnapshot(mustPull(t, c, testName), needed...)
	if n := h.servedBytes("tokenizer.json"); n != 70_000 {
		t.Errorf("%d bytes of the tokenizer served", n)
	}
}

func TestOffline(t *testing.T) {
	h := newHub(t)
	c := h.client()
	c.Offline = true
	check := func(want ...string) {
		t.Helper()
		_, err := c.Pull(t.Context(), testName, nil)
		for _, want := range append(want, "sigla pull "+testName, folder) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
	}
	check("HF_HUB_OFFLINE is set", "nothing of it is in "+c.Cache)
	c.Offline = false
	dir := mustPull(t, c, testName)
	before := len(h.requests(""))
	c.Offline = true
	if got, err := c.Pull(t.Context(), testName, nil); got != dir || err != nil {
		t.Errorf("offline Pull of what is there says %q, %v", got, err)
	}
	os.Remove(filepath.Join(dir, "model.safetensors"))
	os.Remove(filepath.Join(dir, "config.json"))
	check("HF_HUB_OFFLINE is set", dir+" lacks config.json, model.safetensors")
	if n := len(h.requests("")); n != before {
		t.Errorf("%d requests while offline", n-before)
	}

	// The same without a network, which is not waited for.
	c.Offline = false
	c.sleep = func(context.Context, time.Duration) error {
		t.Error("waited for a network")
		return nil
	}
	h.hub.Close()
	check("the hub cannot be reached", "connection refused", dir+" lacks config.json, model.safetensors")
	c.Endpoint = "http://no-such-host.invalid"
	check("the hub cannot be reached", "no-such-host.invalid")
	c.Endpoint = h.cdn.URL
	c.HTTP = &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: 1}).DialContext}}
	check("the hub cannot be reached", "i/o timeout")
	mustWrite(t, filepath.Join(dir, "config.json"), h.files["config.json"])
	mustWrite(t, filepath.Join(dir, "model.safetensors"), h.files["model.safetensors"])
	if got, err := c.Pull(t.Context(), testName, nil); got != dir || err != nil {
		t.Errorf("Pull without a network of what is there says %q, %v", got, err)
	}
}
