package hub

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A session is one Pull: its requests, its progress.
type session struct {
	*Client
	repo   repo
	base   *url.URL // the endpoint
	http   http.Client
	report func(Progress)

	online      bool // the hub has answered
	done, total int64
	reported    time.Time
}

// patience is how long a server may send nothing before the connection is cut.
const patience = time.Minute

// retries is how often a request is tried again. A download that has moved on
// by enough in between starts to count anew.
const (
	retries   = 5
	firstWait = time.Second
	lastWait  = 30 * time.Second
	longest   = 5 * time.Minute // the longest wait that a server can ask for
)

const maxRedirects = 10

var (
	// errUnreachable says that no connection to the hub came about.
	errUnreachable = errors.New("the hub cannot be reached")
	// errChanged says that the repository is no longer what was planned with.
	errChanged = errors.New("the repository changed during the download; run it again")

	errStalled = errors.New("the server sends nothing")
)

// A passing error goes away if the request is made again, after a while.
type passing struct {
	error
	after time.Duration // what the server asks for
}

func (p passing) Unwrap() error { return p.error }

func (c *Client) newSession(r repo, report func(Progress)) (*session, error) {
	endpoint := cmp.Or(strings.TrimRight(c.Endpoint, "/"), DefaultEndpoint)
	base, err := url.Parse(endpoint)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("the endpoint %q (HF_ENDPOINT) is no http address", endpoint)
	}
	s := &session{Client: c, repo: r, base: base, report: report}
	if c.HTTP != nil {
		s.http = *c.HTTP
	}
	// Redirects are followed here: the hub's answer to HEAD is the redirect, and
	// the token must not follow it to another host.
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, nil
}

// address makes a URL of path elements, each escaped as a whole.
func (s *session) address(elements ...string) *url.URL {
	escaped := make([]string, len(elements))
	for i, e := range elements {
		escaped[i] = url.PathEscape(e)
	}
	return s.base.JoinPath(escaped...)
}

// do sends one request and returns the answer, whatever its status. Reading the
// body fails when it stalls; closing it frees the connection.
func (s *session) do(user context.Context, method string, u *url.URL, offset int64) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(user)
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	req.Header.Set("User-Agent", "sigla")
	// Sizes and ranges are those of the file itself, not of a compressed form.
	req.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	if s.Token != "" && u.Scheme == s.base.Scheme && u.Host == s.base.Host {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	b := &body{ctx: ctx, cancel: cancel, patience: cmp.Or(s.stall, patience)}
	b.timer = time.AfterFunc(b.patience, func() { cancel(errStalled) })
	resp, err := s.http.Do(req)
	if err != nil {
		err = b.cause(err)
		b.stop()
		// Looking at err would not do: a dial that timed out is a DeadlineExceeded too.
		if user.Err() != nil {
			return nil, user.Err()
		}
		return nil, s.connectionError(err, u)
	}
	b.timer.Stop()
	s.online = true
	b.ReadCloser = resp.Body
	resp.Body = b
	return resp, nil
}

// body is a response's body that watches the clock while it is read.
type body struct {
	io.ReadCloser
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	patience time.Duration
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.patience)
	defer b.timer.Stop()
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.cause(err)
	}
	return n, err
}

func (b *body) Close() error {
	defer b.stop()
	return b.ReadCloser.Close()
}

func (b *body) stop() {
	b.timer.Stop()
	b.cancel(nil)
}

// cause puts the reason for which a context ended in place of what net/http
// made of it.
func (b *body) cause(err error) error {
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	return err
}

// connectionError sorts the reasons for which no answer came.
func (s *session) connectionError(err error, u *url.URL) error {
	// The address in a url.Error may be a signed one that grants access.
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if untrusted := (*tls.CertificateVerificationError)(nil); errors.As(err, &untrusted) {
		return fmt.Errorf("connect to %s: %w; is there a proxy whose certificate this machine does not know?", u.Host, err)
	}
	dial := (*net.OpError)(nil)
	noHost := (*net.DNSError)(nil)
	if !s.online && (errors.As(err, &noHost) || errors.As(err, &dial) && (dial.Op == "dial" || dial.Op == "proxyconnect")) {
		// A machine without a network should hear so at once.
		return fmt.Errorf("%w (%v)", errUnreachable, err)
	}
	return passing{error: fmt.Errorf("connect to %s: %w", u.Host, err)}
}

// retry calls f until it succeeds, fails for good, or has failed too often. f
// reports whether it has come far enough to be given all its tries again.
func (s *session) retry(ctx context.Context, f func() (moved bool, err error)) error {
	wait := sleep
	if s.sleep != nil {
		wait = s.sleep
	}
	for try := 0; ; try++ {
		moved, err := f()
		var p passing
		if err == nil || !errors.As(err, &p) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if moved {
			try = 0
		}
		if try == retries {
			return fmt.Errorf("%w (given up after %d tries; what is there is kept, so run it again later)", err, retries+1)
		}
		if p.after > longest {
			return fmt.Errorf("%w (it asks to wait for %v)", err, p.after)
		}
		if err := wait(ctx, max(p.after, min(firstWait<<try, lastWait))); err != nil {
			return err
		}
	}
}

// next returns where a redirect leads to.
func next(resp *http.Response) (*url.URL, error) {
	from := resp.Request.URL
	to, err := resp.Location()
	if err != nil {
		return nil, fmt.Errorf("%s sends a redirect to nowhere: %w", from.Host, err)
	}
	if to.Scheme != "https" && (to.Scheme != "http" || from.Scheme == "https") {
		return nil, fmt.Errorf("%s sends a redirect to an unsafe address, %s://%s", from.Host, to.Scheme, to.Host)
	}
	return to, nil
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// safeText is what may be repeated from a server on the user's terminal.
var safeText = regexp.MustCompile(`^[ -~]{1,300}$`)

// statusError makes an error of an answer that is no success.
func (s *session) statusError(resp *http.Response, what string) error {
	said := ""
	if msg := resp.Header.Get("X-Error-Message"); safeText.MatchString(msg) {
		said = ": " + msg
	}
	host := resp.Request.URL.Host
	code := resp.StatusCode
	plain := fmt.Errorf("get %s from %s: %d %s%s", what, host, code, http.StatusText(code), said)
	page := s.address(s.repo.org, s.repo.name)
	switch kind := resp.Header.Get("X-Error-Code"); {
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return passing{plain, retryAfter(resp)}
	case host != s.base.Host:
		return plain
	case kind == "GatedRepo":
		return fmt.Errorf("the model is gated%s: accept its licence on %s, then set HF_TOKEN to a token of that account", said, page)
	case kind == "RevisionNotFound":
		return fmt.Errorf("the model has no revision %q: see %s", s.repo.rev, page)
	case kind == "EntryNotFound":
		return fmt.Errorf("the hub lists %s and does not have it%s", what, said)
	case code == http.StatusUnauthorized && s.Token == "":
		return fmt.Errorf("the hub shows no such model without a token: check the name, or, if it is private or gated, accept its licence on %s and set HF_TOKEN", page)
	case code == http.StatusUnauthorized:
		return fmt.Errorf("the hub does not accept the token%s: set HF_TOKEN to a valid one (or unset it, if the model is public), and check the name", said)
	case code == http.StatusForbidden:
		return fmt.Errorf("the hub refuses access%s: accept the model's licence on %s, and see that the token in HF_TOKEN may read it", said, page)
	case code == http.StatusNotFound:
		return fmt.Errorf("the hub has no such model%s: check the name; if it is private, set HF_TOKEN to a token that may read it", said)
	}
	return plain
}

// retryAfter reads the seconds that a server asks to wait.
func retryAfter(resp *http.Response) time.Duration {
	text := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(min(n, 1e6)) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil {
		return time.Until(t)
	}
	return 0
}
