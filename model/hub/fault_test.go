package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A fault is something that goes wrong once, several times or always, and what
// Pull makes of it: an error that contains every one of want, or, if there is
// none, the right files.
type fault struct {
	name  string
	setup func(h *fakeHub, c *Client)
	want  []string
	after func(t *testing.T, h *fakeHub, c *Client)
}

func (f fault) run(t *testing.T) {
	h := newHub(t)
	c := h.client()
	f.setup(h, c)
	dir, err := c.Pull(t.Context(), testName, nil)
	switch {
	case len(f.want) == 0 && err != nil:
		t.Fatal(err)
	case len(f.want) == 0:
		h.checkSnapshot(dir, needed...)
	case err == nil:
		t.Fatalf("no error, want one with %q", f.want)
	default:
		for _, want := range append(f.want, "pull "+testName+": ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
		if _, ok := c.Find(testName); ok {
			t.Error("found in spite of the error")
		}
	}
	if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n")) {
		t.Errorf("the error tells a secret or has several lines: %q", err)
	}
	if f.after != nil {
		f.after(t, h, c)
	}
	// Whatever a server says, nothing is written beside the cache.
	outside := filepath.Dir(filepath.Dir(c.Cache))
	for _, line := range tree(t, outside) {
		if !strings.HasPrefix(line, "home/hub/"+folder+"/") && !strings.HasPrefix(line, "home/hub/.locks/"+folder+"/") {
			t.Errorf("written outside: %s", line)
		}
	}
}

// weights makes a fault of the second host that concerns the weights only.
func weights(times int, answer func(w http.ResponseWriter, r *http.Request, data []byte)) func(*fakeHub, *Client) {
	return func(h *fakeHub, c *Client) {
		var n atomic.Int32
		h.onCDN = func(w http.ResponseWriter, r *http.Request, data []byte) bool {
			if r.URL.Path != "/model.safetensors" || int(n.Add(1)) > times {
				return false
			}
			answer(w, r, data)
			return true
		}
	}
}

// leftover makes a fault with a part that an earlier run has left.
func leftover(part func(data []byte) []byte, setup func(*fakeHub, *Client)) func(*fakeHub, *Client) {
	return func(h *fakeHub, c *Client) {
		path := partOf(h, c)
		mustWrite(h.t, path, part(h.files["model.safetensors"]))
		if setup != nil {
			setup(h, c)
		}
	}
}

func firstHalf(data []byte) []byte { return data[:1<<20] }

const always = 1000

func noPart(t *testing.T, h *fakeHub, c *Client) {
	if _, err := os.Stat(partOf(h, c)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the part is still there: %v", err)
	}
}

func status(code int, headers ...string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

// stumbling answers every fifth request, and that with a mebibyte and a cut.
func stumbling() func(http.ResponseWriter, *http.Request, []byte) {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request, data []byte) {
		if n.Add(1)%5 != 0 {
			panic(http.ErrAbortHandler)
		}
		start := 0
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-start))
		if start > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
		}
		end := min(start+enough, len(data))
		w.Write(data[start:end])
		if end < len(data) {
			cut(w)
		}
	}
}

func TestDownloadFaults(t *testing.T) {
	for _, f := range slices.Concat(connectionFaults, partFaults, contentFaults, diskFaults) {
		t.Run(f.name, f.run)
	}
}

var connectionFaults = []fault{
	{name: "cut three times", setup: weights(3, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		if r.Header.Get("Range") != "" {
			panic(http.ErrAbortHandler) // before the first byte
		}
		w.Write(data[:1000])
		cut(w)
	})},
	{name: "always cut", setup: weights(always, func(w http.ResponseWriter, r *http.Request, data []byte) {
		if r.Header.Get("Range") != "" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:1000])
		cut(w)
	}), want: []string{"model.safetensors", "given up after 6 tries", "kept"}, after: func(t *testing.T, h *fakeHub, c *Client) {
		if !isFile(partOf(h, c), 1000) {
			t.Error("what had come is gone")
		}
	}},
	{name: "cut more often than it is tried, but moving on", setup: weights(always, stumbling())},
	{name: "short body without a length", setup: weights(1, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Write(data[:5000])
		http.NewResponseController(w).Flush() // chunked: ends as if it were all
	})},
}

// What an earlier run has left, and servers that cannot continue it.
var partFaults = []fault{
	{name: "range ignored", setup: leftover(firstHalf, weights(always, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Write(data)
	}))},
	{name: "another range", setup: leftover(firstHalf, weights(1, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", len(data)-1, len(data)))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(data[5:])
	}))},
	{name: "range without its header", setup: leftover(firstHalf, weights(1, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.WriteHeader(http.StatusPartialContent)
		w.Write(data[1<<20:])
	}))},
	{name: "range of another size", setup: leftover(firstHalf, weights(1, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", 1<<20, len(data), len(data)+1))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(data[1<<20:])
	})), want: []string{"does not send the 3145745 bytes"}, after: noPart},
	{name: "416 for a part", setup: leftover(firstHalf, weights(1, status(416)))},
	{name: "416 for the whole", setup: weights(always, status(416)), want: []string{"nothing after 0 bytes"}},
	{name: "part longer than the file", setup: leftover(func(data []byte) []byte { return append(data[:len(data):len(data)], 1) }, nil)},
	{name: "part with wrong bytes", setup: leftover(func(data []byte) []byte { return make([]byte, 1<<20) }, nil)},
	{name: "part with wrong bytes and the right length", setup: leftover(func(data []byte) []byte { return make([]byte, len(data)) }, nil)},
	{name: "part that is complete", setup: leftover(func(data []byte) []byte { return data }, nil), after: func(t *testing.T, h *fakeHub, c *Client) {
		if got := h.requests("CDN GET model.safetensors"); len(got) > 0 {
			t.Errorf("requests %q", got)
		}
	}},
}

// Bytes that are not those of the file.
var contentFaults = []fault{
	{name: "wrong bytes", setup: weights(always, func(w http.ResponseWriter, r *http.Request, data []byte) {
		bad := bytes.Clone(data)
		bad[99] ^= 1
		w.Write(bad)
	}), want: []string{"model.safetensors", "wrong content", "deleted"}, after: noPart},
	{name: "wrong bytes of a small file", setup: func(h *fakeHub, c *Client) {
		h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == "GET" && strings.HasSuffix(r.URL.Path, "config.json") && strings.Contains(r.URL.Path, "resolve-cache") {
				w.Write(bytes.Repeat([]byte{' '}, len(h.files[filepath.Base(r.URL.Path)])))
				return true
			}
			return false
		}
	}, want: []string{"config.json", "wrong content"}},
	{name: "longer than described", setup: weights(always, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Write(data)
		w.Write([]byte("x"))
	}), want: []string{"more than the 3145745 bytes"}, after: noPart},
	{name: "another length", setup: weights(always, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Length", "1000")
		w.Write(data[:1000])
	}), want: []string{"does not send the 3145745 bytes"}, after: noPart},
	{name: "compressed", setup: weights(always, func(w http.ResponseWriter, r *http.Request, data []byte) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			panic("compression was asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(data)
	}), want: []string{"compressed"}},
	{name: "denied by the second host", setup: weights(always, status(403)), want: []string{"model.safetensors", "403 Forbidden"}},
	{name: "silence", setup: func(h *fakeHub, c *Client) {
		c.stall = 30 * time.Millisecond
		weights(1, func(w http.ResponseWriter, r *http.Request, data []byte) {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			w.Write(data[:1000])
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})(h, c)
	}},
}

var diskFaults = []fault{
	{name: "full disk", setup: func(h *fakeHub, c *Client) {
		if runtime.GOOS != "linux" {
			h.t.Skip("needs /dev/full")
		}
		mustWrite(h.t, partOf(h, c), nil)
		os.Remove(partOf(h, c))
		if err := os.Symlink("/dev/full", partOf(h, c)); err != nil {
			h.t.Fatal(err)
		}
	}, want: []string{"store model.safetensors", "no space left", "make room", "HF_HUB_CACHE"}, after: func(t *testing.T, h *fakeHub, c *Client) {
		if _, err := os.Lstat(partOf(h, c)); err != nil {
			t.Errorf("the part was not kept: %v", err)
		}
	}},
	{name: "too little space", setup: func(h *fakeHub, c *Client) {
		c.free = func(string) (int64, bool) { return 1e6, true }
	}, want: []string{"3.4 MB more are needed", "1.0 MB left", "HF_HUB_CACHE"}, after: func(t *testing.T, h *fakeHub, c *Client) {
		if got := h.requests("CDN"); len(got) > 0 {
			t.Errorf("fetched in spite of that: %q", got)
		}
	}},
	{name: "space for the rest", setup: leftover(firstHalf, func(h *fakeHub, c *Client) {
		rest := int64(-1 << 20)
		for _, name := range needed {
			rest += int64(len(h.files[name]))
		}
		c.free = func(string) (int64, bool) { return rest, true }
	})},
	{name: "blob of another size", setup: func(h *fakeHub, c *Client) {
		mustWrite(h.t, strings.TrimSuffix(partOf(h, c), ".incomplete"), []byte("cut off"))
	}},
	{name: "link to nothing", setup: func(h *fakeHub, c *Client) {
		path := filepath.Join(c.Cache, folder, "snapshots", commitA, "model.safetensors")
		os.MkdirAll(filepath.Dir(path), 0o777)
		if err := os.Symlink("../../blobs/gone", path); err != nil {
			h.t.Skip("no symbolic links here: ", err)
		}
	}},
}

func TestBusyHub(t *testing.T) {
	for _, test := range []struct {
		name  string
		times int
		fault func(http.ResponseWriter, *http.Request, []byte)
		waits []time.Duration
		want  string
	}{
		{"503 twice", 2, status(503), []time.Duration{time.Second, 2 * time.Second}, ""},
		{"429 with its own time", 1, status(429, "Retry-After", "7"), []time.Duration{7 * time.Second}, ""},
		{"429 for an hour", 1, status(429, "Retry-After", "3600"), nil, "asks to wait for 1h0m0s"},
		{"500 for ever", always, status(500), []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9}, "500 Internal Server Error (given up after 6 tries"},
	} {
		for _, at := range []string{"/api/", "/resolve/"} {
			t.Run(test.name+" at "+at, func(t *testing.T) {
				h := newHub(t)
				c := h.client()
				var n atomic.Int32
				h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
					hit := strings.Contains(r.URL.Path, at) && int(n.Add(1)) <= test.times
					if hit {
						test.fault(w, r, nil)
					}
					return hit
				}
				var waits []time.Duration
				c.sleep = func(_ context.Context, d time.Duration) error {
					waits = append(waits, d)
					return nil
				}
				_, err := c.Pull(t.Context(), testName, nil)
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("error %v, want %q", err, test.want)
				}
				if !slices.Equal(waits, test.waits) {
					t.Errorf("waited %v, want %v", waits, test.waits)
				}
			})
		}
	}
}

func TestWaitingToTryAgainEndsWithTheContext(t *testing.T) {
	h := newHub(t)
	c := h.client()
	c.sleep = nil // the real one
	ctx, cancel := context.WithCancel(t.Context())
	h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
		time.AfterFunc(10*time.Millisecond, cancel)
		w.WriteHeader(503)
		return true
	}
	if _, err := c.Pull(ctx, testName, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Pull says %v", err)
	}
}

func TestTokenStaysWithTheHub(t *testing.T) {
	h := newHub(t)
	h.token = "secret"
	c := h.client()
	c.Token = h.token
	h.checkSnapshot(mustPull(t, c, testName), needed...) // serveCDN looks at the rest
}

func TestNoRedirectFromHTTPSToHTTP(t *testing.T) {
	plain := newHub(t)
	safe := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.hub.URL+r.URL.Path, http.StatusFound)
	}))
	defer safe.Close()
	c := plain.client()
	c.Endpoint, c.HTTP = safe.URL, safe.Client()
	_, err := c.Pull(t.Context(), testName, nil)
	if err == nil || !strings.Contains(err.Error(), "unsafe address, http://127.0.0.1") {
		t.Errorf("error %v", err)
	}
	if got := plain.requests(""); len(got) > 0 {
		t.Errorf("requests %q", got)
	}
}

func TestUnknownCertificate(t *testing.T) {
	h := newHub(t)
	safe := httptest.NewUnstartedServer(http.HandlerFunc(h.serveHub))
	safe.Config.ErrorLog = quiet()
	safe.StartTLS()
	defer safe.Close()
	c := h.client()
	c.Endpoint = safe.URL
	c.sleep = func(context.Context, time.Duration) error {
		t.Error("tried again")
		return nil
	}
	_, err := c.Pull(t.Context(), testName, nil)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}
