package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A remote is a file as the hub describes it.
type remote struct {
	name string
	url  *url.URL // of this commit's file
	hash string   // SHA-256 or git's SHA-1, by its length
	size int64    // bytes
}

// maxListing bounds the answer to a query; repositories of models list some
// dozens of files.
const maxListing = 16 << 20

// maxSize is more than any file has, and little enough that sizes can be summed.
const maxSize = 1 << 50

// query gets JSON from the hub.
func (s *session) query(ctx context.Context, u *url.URL, what string, into any) error {
	resp, err := s.follow(ctx, u, what)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxListing+1))
	if err != nil {
		return passing{error: fmt.Errorf("get %s from %s: %w", what, u.Host, err)}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s does not answer as a hub does (%w); check HF_ENDPOINT, the proxy, or whether this network wants a login", u.Host, err)
	}
	return nil
}

// follow sends a GET and follows redirects to a success.
func (s *session) follow(ctx context.Context, u *url.URL, what string) (*http.Response, error) {
	for range maxRedirects {
		resp, err := s.do(ctx, http.MethodGet, u, 0)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == http.StatusOK {
			return resp, nil
		}
		resp.Body.Close()
		if !isRedirect(resp) {
			return nil, s.statusError(resp, what)
		}
		if u, err = next(resp); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("get %s: more than %d redirects", what, maxRedirects)
}

// list asks which commit a revision is at, and what files it has.
func (s *session) list(ctx context.Context) (commit string, files map[string]bool, err error) {
	var answer struct {
		Commit string `json:"sha"`
		Files  []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	u := s.address("api", "models", s.repo.org, s.repo.name, "revision", s.repo.rev)
	err = s.retry(ctx, func() (moved bool, err error) {
		return false, s.query(ctx, u, "the list of files", &answer)
	})
	if err != nil {
		return "", nil, err
	}
	if !commitID.MatchString(answer.Commit) {
		return "", nil, fmt.Errorf("%s names %.60q as the commit, which is none; check HF_ENDPOINT", u.Host, answer.Commit)
	}
	// The names are only compared with those of a checkpoint's files, and so
	// need no check.
	files = map[string]bool{}
	for _, f := range answer.Files {
		files[f.Name] = true
	}
	return answer.Commit, files, nil
}

// converted looks for the pull request that the hub's converter to safetensors
// has opened, and returns its revision. Anybody can open one, so its author
// counts and not its title. None is no error: it would only have been a hint.
func (s *session) converted(ctx context.Context) string {
	var answer struct {
		Discussions []struct {
			Number int    `json:"num"`
			Title  string `json:"title"`
			Status string `json:"status"`
			Pull   bool   `json:"isPullRequest"`
			Author struct {
				Name string `json:"name"`
			} `json:"author"`
		} `json:"discussions"`
	}
	u := s.address("api", "models", s.repo.org, s.repo.name, "discussions")
	if s.query(ctx, u, "the pull requests", &answer) != nil {
		return ""
	}
	for _, d := range answer.Discussions {
		if d.Pull && d.Status == "open" && d.Number > 0 && strings.EqualFold(d.Author.Name, "SFconvertbot") && strings.Contains(d.Title, "safetensors") {
			return fmt.Sprintf("refs/pr/%d", d.Number)
		}
	}
	return ""
}

// describe asks the hub about each of the named files of a commit.
func (s *session) describe(ctx context.Context, snap snapshot, names []string) ([]remote, error) {
	plan := make([]remote, len(names))
	for i, name := range names {
		err := s.retry(ctx, func() (moved bool, err error) {
			plan[i], err = s.head(ctx, snap.commit, name)
			return false, err
		})
		if err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// head asks for the hash and the size of a file. The hub gives both with the
// redirect to the host that stores large files, which has other tags for them
// and is not asked; for a small file it redirects to another of its own
// addresses, which gives the size.
func (s *session) head(ctx context.Context, commit, name string) (remote, error) {
	f := remote{name: name, url: s.address(s.repo.org, s.repo.name, "resolve", commit, name)}
	tag, length := "", ""
	for u, hop := f.url, 0; ; hop++ {
		if hop > maxRedirects {
			return f, fmt.Errorf("describe %s: more than %d redirects", name, maxRedirects)
		}
		resp, err := s.do(ctx, http.MethodHead, u, 0)
		if err != nil {
			return f, fmt.Errorf("describe %s: %w", name, err)
		}
		resp.Body.Close()
		h := resp.Header
		if at := h.Get("X-Repo-Commit"); at != "" && at != commit {
			return f, errChanged
		}
		if tag == "" {
			tag = h.Get("X-Linked-Etag")
		}
		if length == "" {
			length = h.Get("X-Linked-Size")
		}
		if isRedirect(resp) && (tag == "" || length == "") {
			if u, err = next(resp); err != nil {
				return f, err
			}
			continue
		}
		if !isRedirect(resp) && resp.StatusCode != http.StatusOK {
			return f, s.statusError(resp, name)
		}
		if tag == "" {
			tag = h.Get("ETag")
		}
		if length == "" {
			length = h.Get("Content-Length")
		}
		break
	}
	var err error
	if f.hash, err = parseETag(tag); err != nil {
		return f, fmt.Errorf("describe %s: %w", name, err)
	}
	if f.size, err = strconv.ParseInt(length, 10, 64); err != nil || f.size < 0 || f.size > maxSize {
		return f, fmt.Errorf("describe %s: the server gives %.40q as its size; is HF_ENDPOINT a hub?", name, length)
	}
	return f, nil
}
