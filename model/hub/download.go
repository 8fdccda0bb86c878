package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	chunk       = 256 << 10             // bytes read at a time
	enough      = 1 << 20               // bytes after which a download counts as moving
	reportEvery = 50 * time.Millisecond // progress, at most
)

// fetch brings one file into the snapshot.
func (s *session) fetch(ctx context.Context, snap snapshot, f remote) error {
	if snap.holds(f) {
		s.done += f.size
		s.tell(f.name, 0)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(snap.blob(f)), 0o777); err != nil {
		return err
	}
	partName := snap.part(f)
	try := tryLock
	if s.tryLock != nil {
		try = s.tryLock
	}
	release, err := lock(ctx, filepath.Join(s.Cache, ".locks", s.repo.folder(), f.hash+".lock"), try, func() {
		// Another program is fetching it: show how far it is.
		if info, err := os.Stat(partName); err == nil {
			s.tell(f.name, min(info.Size(), f.size))
		}
	})
	switch {
	case errors.Is(err, errNoLocks):
		// Two downloads must not write into one file. This one is not resumed.
		partName = temporary(partName)
		defer os.Remove(partName)
	case err != nil:
		return err
	default:
		defer release()
	}
	if !snap.holds(f) { // the holder of the lock before us may have placed it
		fresh := !isFile(snap.blob(f), f.size)
		if fresh {
			if err := s.download(ctx, f, partName, snap.blob(f)); err != nil {
				return err
			}
		}
		if err := snap.place(f, fresh, !s.NoSymlinks); err != nil {
			return explainWrite(f, err)
		}
	}
	s.done += f.size
	s.tell(f.name, 0)
	return nil
}

// tell reports the progress, with so many bytes of the file in flight. The end
// of a file is always told.
func (s *session) tell(file string, flying int64) {
	if s.report == nil || s.total == 0 {
		return
	}
	if now := time.Now(); flying == 0 || now.Sub(s.reported) >= reportEvery {
		s.reported = now
		s.report(Progress{file, s.done + flying, s.total})
	}
}

// download fetches a file as partName, checks it and renames it to blob.
func (s *session) download(ctx context.Context, f remote, partName, blob string) error {
	p, err := openPart(ctx, f, partName)
	if err != nil {
		return explainWrite(f, err)
	}
	defer p.close()
	for leftover := p.n > 0; ; leftover = false {
		err := s.retry(ctx, func() (bool, error) {
			before := p.n
			err := s.receive(ctx, f, p)
			return p.n-before >= enough, err
		})
		if err != nil {
			return err
		}
		if err = p.check(f); err == nil {
			break
		}
		if !leftover {
			// Kept, it would be found wrong again every time.
			p.close()
			os.Remove(partName)
			return err
		}
		// The bytes of an earlier run may be what is wrong.
		if err := p.restart(f); err != nil {
			return err
		}
	}
	if err := p.file.Sync(); err != nil {
		return explainWrite(f, err)
	}
	if err := p.close(); err != nil {
		return explainWrite(f, err)
	}
	return os.Rename(partName, blob)
}

// receive makes one request for what a part lacks and appends what comes.
func (s *session) receive(ctx context.Context, f remote, p *part) error {
	if p.n == f.size {
		return nil
	}
	resp, err := s.get(ctx, f, p.n)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := p.align(f, resp); err != nil {
		return err
	}
	buf := make([]byte, chunk)
	src := io.LimitReader(resp.Body, f.size-p.n+1) // one more shows that there is more
	for {
		n, err := src.Read(buf)
		if p.n+int64(n) > f.size {
			return p.discard(fmt.Errorf("get %s: the server sends more than the %d bytes that the file has", f.name, f.size))
		}
		if _, err := p.Write(buf[:n]); err != nil {
			return explainWrite(f, err)
		}
		if n > 0 {
			s.tell(f.name, p.n)
		}
		switch {
		case err == io.EOF && p.n == f.size:
			return nil
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
			fallthrough
		case err != nil:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return passing{error: fmt.Errorf("get %s from %s: the connection broke after %s of %s: %w",
				f.name, resp.Request.URL.Host, size(p.n), size(f.size), err)}
		}
	}
}

// get asks for a file from an offset on and follows redirects to whatever
// answers.
func (s *session) get(ctx context.Context, f remote, offset int64) (*http.Response, error) {
	u := f.url
	for range maxRedirects {
		resp, err := s.do(ctx, http.MethodGet, u, offset)
		if err != nil {
			return nil, fmt.Errorf("get %s: %w", f.name, err)
		}
		// Only the hub's own answers carry this tag; see head.
		if tag := resp.Header.Get("X-Linked-Etag"); tag != "" {
			if hash, err := parseETag(tag); err != nil || hash != f.hash {
				resp.Body.Close()
				return nil, errChanged
			}
		}
		switch {
		case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusPartialContent,
			resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
			return resp, nil
		case !isRedirect(resp):
			resp.Body.Close()
			return nil, s.statusError(resp, f.name)
		}
		resp.Body.Close()
		if u, err = next(resp); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("get %s: more than %d redirects", f.name, maxRedirects)
}

// A part is a file during its download, with the hash of what it holds.
type part struct {
	file *os.File
	hash hash.Hash
	n    int64 // bytes in the file and in the hash
}

// openPart opens what an earlier download has left, or a new file. Nobody
// knows who wrote it and how it ended, so its bytes are hashed like new ones.
func openPart(ctx context.Context, f remote, name string) (*part, error) {
	p := &part{hash: f.newHash()}
	var err error
	if p.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	info, err := p.file.Stat()
	if err != nil || info.Size() > f.size {
		return p, p.restart(f)
	}
	src := io.LimitReader(p.file, info.Size())
	buf := make([]byte, chunk)
	for ctx.Err() == nil {
		n, err := src.Read(buf)
		p.hash.Write(buf[:n])
		p.n += int64(n)
		if err == io.EOF {
			return p, nil
		}
		if err != nil {
			return p, p.restart(f)
		}
	}
	p.close()
	return nil, ctx.Err()
}

// newHash is the hash that f.hash is a value of.
func (f remote) newHash() hash.Hash {
	if len(f.hash) == 2*sha256.Size {
		return sha256.New()
	}
	// Git hashes a header together with the file.
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.size)
	return h
}

func (p *part) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.hash.Write(b[:n])
	p.n += int64(n)
	return n, err
}

func (p *part) close() error {
	if err := p.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return err
	}
	return nil
}

// restart begins the file anew. The old one is removed, not shortened: should
// another program have renamed it in the meantime, it stays whole.
func (p *part) restart(f remote) error {
	name := p.file.Name()
	p.close()
	if err := os.Remove(name); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	p.file, p.hash, p.n = file, f.newHash(), 0
	return nil
}

// discard removes a file that is not worth being resumed, and passes on why.
func (p *part) discard(why error) error {
	p.close()
	os.Remove(p.file.Name())
	return why
}

// align makes the part ready for the body of an answer. One that ignores the
// range starts the file anew; where the range cannot be used, the next request
// will ask for the whole file.
func (p *part) align(f remote, resp *http.Response) error {
	host := resp.Request.URL.Host
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return fmt.Errorf("get %s: %s sends it compressed (%.20q) without being asked to; is there a proxy that does so?", f.name, host, coding)
	}
	start, total := int64(0), f.size
	useless := error(nil)
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if start, total = contentRange(resp, f.size); start != p.n {
			useless = fmt.Errorf("get %s: %s sends another part than the one asked for", f.name, host)
		}
	case http.StatusRequestedRangeNotSatisfiable:
		useless = fmt.Errorf("get %s: %s has nothing after %d bytes", f.name, host, p.n)
	}
	if start != p.n || useless != nil {
		if err := p.restart(f); err != nil {
			return explainWrite(f, err)
		}
	}
	if useless != nil {
		return passing{error: useless}
	}
	if total != f.size || resp.ContentLength >= 0 && resp.ContentLength != f.size-p.n {
		return p.discard(fmt.Errorf("get %s: %s does not send the %d bytes that the hub says it has", f.name, host, f.size))
	}
	return nil
}

// contentRange reads the header "bytes 200-999/1000" of a partial answer: where
// it starts, or -1, and the size of the whole, if it is told.
func contentRange(resp *http.Response, size int64) (start, total int64) {
	span, of, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "/")
	first, _, _ := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return -1, size
	}
	if total, err = strconv.ParseInt(of, 10, 64); err != nil {
		total = size
	}
	return start, total
}

// check compares the hash of a whole file with the hub's.
func (p *part) check(f remote) error {
	if got := hex.EncodeToString(p.hash.Sum(nil)); got != f.hash {
		return fmt.Errorf("%s arrived with the wrong content (hash %s, the hub says %s) and was deleted; run it again, and if it stays so, look for a proxy or a mirror that changes files", f.name, got, f.hash)
	}
	return nil
}

// explainWrite says what to do when the disk is full.
func explainWrite(f remote, err error) error {
	if isDiskFull(err) {
		return fmt.Errorf("store %s: %w; make room and run it again (what is there is kept), or set HF_HUB_CACHE to a folder on another disk", f.name, err)
	}
	return err
}
