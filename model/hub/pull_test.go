package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestMain makes the test binary a second program that pulls.
func TestMain(m *testing.M) {
	if name := os.Getenv("HUB_TEST_PULL"); name != "" {
		dir, err := FromEnv(os.Getenv).Pull(context.Background(), name, nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(dir)
		return
	}
	os.Exit(m.Run())
}

func TestPullMakesTheLayoutOfHuggingFace(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a right that users of Windows may lack")
	}
	h := newHub(t)
	c := h.client()
	if dir, ok := c.Find(testName); ok {
		t.Fatalf("found in an empty cache: %s", dir)
	}
	var last Progress
	var total int64
	for _, name := range needed {
		total += int64(len(h.files[name]))
	}
	dir, err := c.Pull(t.Context(), testName, func(p Progress) {
		if p.Done < last.Done || p.Total != total || p.File == "" {
			t.Errorf("progress %+v after %+v", p, last)
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	if last.Done != total {
		t.Errorf("last progress %+v, want %d bytes", last, total)
	}
	if want := filepath.Join(c.Cache, folder, "snapshots", commitA); dir != want {
		t.Errorf("Pull returns %s, want %s", dir, want)
	}
	h.checkSnapshot(dir, needed...)

	var want []string
	for _, name := range needed {
		want = append(want,
			".locks/"+folder+"/"+h.hash(name)+".lock",
			folder+"/blobs/"+h.hash(name),
			folder+"/snapshots/"+commitA+"/"+name+" -> ../../blobs/"+h.hash(name))
	}
	want = append(want, folder+"/refs/main",
		folder+"/.no_exist/"+commitA+"/processor_config.json",
		folder+"/.no_exist/"+commitA+"/special_tokens_map.json")
	slices.Sort(want)
	got := tree(t, c.Cache)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("cache has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if ref, _ := os.ReadFile(filepath.Join(c.Cache, folder, "refs", "main")); string(ref) != commitA {
		t.Errorf("refs/main is %q", ref)
	}
	if found, ok := c.Find(testName); !ok || found != dir {
		t.Errorf("Find says %q, %v", found, ok)
	}
}

func TestPullAgainFetchesNothing(t *testing.T) {
	h := newHub(t)
	c := h.client()
	mustPull(t, c, testName)
	before := maps.Clone(h.served)
	mustPull(t, c, testName)
	if !maps.Equal(before, h.served) {
		t.Errorf("served %v, then %v", before, h.served)
	}
	if got := h.requests("CDN HEAD"); len(got) > 0 {
		t.Errorf("the second host was asked for hashes: %q", got)
	}
}

func TestPullFollowsTheHub(t *testing.T) {
	h := newHub(t)
	c := h.client()
	old := mustPull(t, c, testName)
	h.mu.Lock()
	h.commit = commitB
	h.mu.Unlock()
	h.set("config.json", []byte(`{"model_type":"siglip","revised":true}`))
	dir := mustPull(t, c, testName)
	if dir == old || filepath.Base(dir) != commitB {
		t.Errorf("still at %s", dir)
	}
	h.checkSnapshot(dir, needed...)
	if n := h.servedBytes("model.safetensors"); n != weightsLen {
		t.Errorf("%d bytes of weights served for two commits, want %d", n, weightsLen)
	}
}

func TestPullRevisions(t *testing.T) {
	for _, rev := range []string{"v1.0", "refs/pr/15", commitA} {
		h := newHub(t)
		c := h.client()
		mustPull(t, c, testName+"@"+rev)
		if _, ok := c.Find(testName); ok {
			t.Errorf("%s is found as main", rev)
		}
		ref, err := os.ReadFile(filepath.Join(c.Cache, folder, "refs", filepath.FromSlash(rev)))
		if rev == commitA {
			before := len(h.requests(""))
			mustPull(t, c, testName+"@"+rev)
			if n := len(h.requests("")); n != before {
				t.Errorf("%d requests for a commit that is there", n-before)
			}
			if !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a ref for a commit: %q, %v", ref, err)
			}
		} else if string(ref) != commitA {
			t.Errorf("refs/%s is %q, %v", rev, ref, err)
		}
	}
}

func TestPullShards(t *testing.T) {
	h := newHub(t)
	delete(h.files, "model.safetensors")
	h.set("model-00001-of-00002.safetensors", noise(300_000, 8))
	h.set("model-00002-of-00002.safetensors", noise(100_000, 9))
	h.set("model-00003-of-00002.safetensors", noise(100_000, 10)) // not named by the index
	h.set(indexFile, []byte(`{"metadata":{"total_size":400000},"weight_map":{
		"a":"model-00002-of-00002.safetensors","b":"model-00001-of-00002.safetensors","c":"model-00001-of-00002.safetensors"}}`))
	c := h.client()
	dir := mustPull(t, c, testName)
	shards := []string{indexFile, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}
	h.checkSnapshot(dir, slices.Concat(needed[:5], shards)...)

	if err := os.Remove(filepath.Join(dir, shards[2])); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Find(testName); ok {
		t.Error("found without its second shard")
	}
	mustPull(t, c, testName)
	if n := h.servedBytes(shards[2]); n != 100_000 {
		t.Errorf("%d bytes of a shard served whose blob was there", n)
	}
}

func TestPullWithoutLinks(t *testing.T) {
	h := newHub(t)
	c := h.client()
	c.NoSymlinks = true
	dir := mustPull(t, c, testName)
	h.checkSnapshot(dir, needed...)
	for _, line := range tree(t, c.Cache) {
		if strings.Contains(line, "->") || strings.Contains(line, "/blobs/") {
			t.Errorf("unexpected %s", line)
		}
	}
	mustPull(t, c, testName)
	if n := h.servedBytes("model.safetensors"); n != weightsLen {
		t.Errorf("%d bytes of weights served, want %d", n, weightsLen)
	}
	// A blob that another program has linked to is copied, not taken away.
	linked := h.client()
	mustPull(t, linked, testName)
	linked.NoSymlinks = true
	h.mu.Lock()
	h.commit = commitB
	h.mu.Unlock()
	h.checkSnapshot(mustPull(t, linked, testName), needed...)
	if !isFile(filepath.Join(linked.Cache, folder, "blobs", h.hash("model.safetensors")), weightsLen) {
		t.Error("the blob is gone")
	}
}

// pullUntil pulls and cancels when the part of the weights has grown to n bytes.
func pullUntil(t *testing.T, h *fakeHub, c *Client, n int64) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := c.Pull(ctx, testName, nil)
		done <- err
	}()
	for {
		select {
		case err := <-done:
			t.Fatalf("Pull ended by itself: %v", err)
		case <-time.After(time.Millisecond):
		}
		if isFile(partOf(h, c), n) {
			cancel()
			return <-done
		}
	}
}

func partOf(h *fakeHub, c *Client) string {
	return filepath.Join(c.Cache, folder, "blobs", h.hash("model.safetensors")+".incomplete")
}

func TestInterruptedPullIsResumed(t *testing.T) {
	h := newHub(t)
	c := h.client()
	const half = 1 << 20
	h.onCDN = func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		if len(data) != weightsLen || r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:half])
		http.NewResponseController(w).Flush()
		<-r.Context().Done() // until the client goes away
		return true
	}
	if err := pullUntil(t, h, c, half); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted Pull says %v", err)
	}
	if _, ok := c.Find(testName); ok {
		t.Fatal("found before it is complete")
	}
	h.checkSnapshot(mustPull(t, c, testName), needed...)
	if n := h.servedBytes("model.safetensors"); n != weightsLen {
		t.Errorf("%d bytes of weights served for both, want %d", n, weightsLen)
	}
	if got := h.requests("CDN GET model.safetensors"); len(got) != 2 || !strings.HasSuffix(got[1], fmt.Sprintf("bytes=%d-", half)) {
		t.Errorf("requests %q", got)
	}
}

// gate holds large files back until open is called.
func (h *fakeHub) gate() (open func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gate := make(chan struct{})
	h.onCDN = func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		<-gate
		return false
	}
	return sync.OnceFunc(func() { close(gate) })
}

// gateFor holds large files back until n programs know what they want, so that
// their downloads overlap.
func (h *fakeHub) gateFor(n int) {
	open := h.gate()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
		if len(h.requests("HEAD /"+testName+"/resolve/"+commitA+"/model.safetensors")) >= n {
			open()
		}
		return false
	}
}

func TestPullsAtOnceDownloadOnce(t *testing.T) {
	for _, links := range []bool{true, false} {
		h := newHub(t)
		c := h.client()
		c.NoSymlinks = !links
		open := h.gate()
		c.tryLock = func(f *os.File) (bool, error) {
			held, err := tryLock(f)
			if !held && filepath.Base(f.Name()) == h.hash("tokenizer.json")+".lock" {
				open() // somebody waits for it
			}
			return held, err
		}
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if _, err := c.Pull(t.Context(), testName, func(Progress) {}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		h.checkOnce(c)
	}
}

// Without locks two downloads cost twice the bytes, and nothing else.
func TestPullsAtOnceWithoutLocks(t *testing.T) {
	h := newHub(t)
	c := h.client()
	c.tryLock = func(*os.File) (bool, error) { return false, errNoLocks }
	h.gateFor(2)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, err := c.Pull(t.Context(), testName, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	dir, _ := c.Find(testName)
	h.checkSnapshot(dir, needed...)
	blobs, err := os.ReadDir(filepath.Join(c.Cache, folder, "blobs"))
	if err != nil || len(blobs) != len(needed) {
		t.Errorf("left in blobs: %v, %v", blobs, err)
	}
}

func (h *fakeHub) checkOnce(c *Client) {
	h.t.Helper()
	for _, name := range needed {
		if want := int64(len(h.files[name])); isLarge(h.files[name]) && h.servedBytes(name) != want {
			h.t.Errorf("%d bytes of %s served, want %d", h.servedBytes(name), name, want)
		}
	}
	dir, ok := c.Find(testName)
	if !ok {
		h.t.Fatal("not found")
	}
	h.checkSnapshot(dir, needed...)
}

// child is this test binary as a program that pulls.
func child(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), append(env, "HUB_TEST_PULL="+name)...)
	return cmd
}

func TestProcessesAtOnceDownloadOnce(t *testing.T) {
	h := newHub(t)
	c := h.client()
	h.gateFor(2)
	var group sync.WaitGroup
	for range 2 {
		cmd := child(t, testName, "HF_ENDPOINT="+h.hub.URL, "HF_HUB_CACHE="+c.Cache, "HF_TOKEN=secret")
		group.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	group.Wait()
	h.checkOnce(c)
}

func TestProxyVariables(t *testing.T) {
	h := newHub(t)
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Host != "hub.test" {
			t.Errorf("the proxy is asked for %s", r.URL)
		}
		h.serveHub(w, r)
	}))
	defer proxy.Close()
	c := h.client()
	cmd := child(t, testName, "HF_ENDPOINT=http://hub.test", "HF_HUB_CACHE="+c.Cache, "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if asked.Load() == 0 {
		t.Error("the proxy was not asked")
	}
	h.checkOnce(c)
}

func TestWaitingForALockEndsWithTheContext(t *testing.T) {
	h := newHub(t)
	c := h.client()
	path := filepath.Join(c.Cache, ".locks", folder, h.hash("model.safetensors")+".lock")
	release, err := lock(t.Context(), path, tryLock, func() { t.Error("a free lock was waited for") })
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, partOf(h, c), noise(1<<20, 3)[:1<<20])
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.Pull(ctx, testName, func(p Progress) {
		if p.File == "model.safetensors" && p.Done > 1<<20 {
			cancel() // the other program's part is what has been counted
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Pull says %v", err)
	}
	release()
	h.checkSnapshot(mustPull(t, c, testName), needed...)
}

// Some versions of huggingface_hub remove the file before they unlock it. Who
// has waited then holds a lock that nobody else will ever meet.
func TestLockFileMayBeRemoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be removed")
	}
	path := filepath.Join(t.TempDir(), "x.lock")
	tries := 0
	release, err := lock(t.Context(), path, func(f *os.File) (bool, error) {
		if tries++; tries == 1 {
			os.Remove(path)
		}
		return tryLock(f)
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := lock(ctx, path, tryLock, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a second lock: %v", err)
	}
}
