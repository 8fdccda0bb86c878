// Package hub gets checkpoints from the Hugging Face hub and finds those that
// are already on the machine.
//
// It keeps the cache of the hub's own client, huggingface_hub, so that a model
// fetched by one program serves the other:
//
//	models--ORG--NAME/
//	  refs/main                    the commit that a branch, tag or pull request was at
//	  blobs/HASH                   the files, named by what they contain
//	  blobs/HASH.incomplete        a download that has not ended, continued by the next
//	  snapshots/COMMIT/config.json -> ../../blobs/HASH
//	  .no_exist/COMMIT/FILE        the commit is known not to have this file
//	.locks/models--ORG--NAME/HASH.lock
//
// HASH is the entity tag that the hub gives: the SHA-256 of a file in its large
// file storage, or the SHA-1 that git gives any other file. A file gets its
// name in blobs only when its bytes have that hash, and a ref is written only
// when everything a commit is needed for is in its snapshot.
//
// So Pull checks what it fetches. A file that is in place already, put there by
// an earlier Pull or by another program, is known by its name and its size; Find
// looks only whether files are present. What they contain is for their readers to
// check.
package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// DefaultEndpoint is the hub itself; a Client can be pointed at a mirror.
const DefaultEndpoint = "https://huggingface.co"

// A Client talks to one hub and keeps one cache. Its fields are not changed
// while it is in use; its methods may be called from several goroutines and
// several processes at once.
type Client struct {
	Endpoint   string       // address of the hub; empty: DefaultEndpoint
	Token      string       // access token, sent to Endpoint and nowhere else; may be empty
	Cache      string       // folder of the cache, ".../huggingface/hub"
	Offline    bool         // use what is in the cache and open no connection
	NoSymlinks bool         // place files in snapshots themselves, not links to blobs
	HTTP       *http.Client // nil: http.DefaultTransport, which obeys the proxy variables

	// Tests replace these; zero values stand for the real thing.
	sleep func(ctx context.Context, d time.Duration) error
	free  func(dir string) (bytes int64, ok bool)
	stall time.Duration // how long a server may send nothing

	tryLock func(f *os.File) (held bool, err error)
}

// Progress is the state of one Pull. It counts the bytes of all files that the
// checkpoint needs, those that were there before included. Done falls when a
// partial file turns out to be useless.
type Progress struct {
	File        string // the one being fetched
	Done, Total int64
}

// Find returns the snapshot folder of a model in the cache: the commit that
// refs/main names or, for "org/name@revision", that revision. It is found if
// every file that a checkpoint needs is there, whoever put it there; what the
// files contain is not looked at.
func (c *Client) Find(name string) (dir string, ok bool) {
	r, err := parseName(name)
	if err != nil {
		return "", false
	}
	return c.find(r)
}

func (c *Client) find(r repo) (dir string, ok bool) {
	snap, ok := c.snapshot(r)
	if !ok || len(snap.missing()) > 0 {
		return "", false
	}
	return snap.dir, true
}

// Pull brings a model into the cache, as far as it is not there, and returns
// its snapshot folder. A revision that has moved on the hub is followed; if the
// hub cannot be reached, or the client is offline, a complete snapshot in the
// cache is the answer. What an interrupted Pull has fetched is kept and used by
// the next. report may be nil; it is called from one goroutine.
func (c *Client) Pull(ctx context.Context, name string, report func(Progress)) (dir string, err error) {
	r, err := parseName(name)
	if err != nil {
		return "", err
	}
	dir, err = c.pull(ctx, r, report)
	if err != nil {
		return "", fmt.Errorf("pull %s: %w", name, err)
	}
	return dir, nil
}

func (c *Client) pull(ctx context.Context, r repo, report func(Progress)) (string, error) {
	if c.Cache == "" {
		return "", errors.New("no home folder, and so no cache: set HF_HOME")
	}
	if c.Offline || commitID.MatchString(r.rev) { // a commit does not change
		if dir, ok := c.find(r); ok {
			return dir, nil
		}
	}
	if c.Offline {
		return "", c.offlineError(r, "HF_HUB_OFFLINE is set")
	}
	s, err := c.newSession(r, report)
	if err != nil {
		return "", err
	}
	var dir string
	// A repository that changes during the download is planned anew.
	for range 3 {
		if dir, err = s.run(ctx); !errors.Is(err, errChanged) {
			break
		}
	}
	if errors.Is(err, errUnreachable) {
		if dir, ok := c.find(r); ok {
			return dir, nil
		}
		err = c.offlineError(r, err.Error())
	}
	return dir, err
}

// offlineError says what the cache lacks of a model and how to get it.
func (c *Client) offlineError(r repo, why string) error {
	what := "nothing of it is in " + c.Cache
	if snap, ok := c.snapshot(r); ok {
		what = fmt.Sprintf("%s lacks %s", snap.dir, list(snap.missing()))
	}
	return fmt.Errorf("%s, and %s; run \"sigla pull %s\" with a connection, or copy the folder %s from the cache of a machine that has it",
		why, what, r, r.folder())
}

// run makes one plan and carries it out.
func (s *session) run(ctx context.Context) (string, error) {
	s.done, s.total = 0, 0
	commit, files, err := s.list(ctx)
	if err != nil {
		return "", err
	}
	chosen, err := s.choose(ctx, files)
	if err != nil {
		return "", err
	}
	snap := s.snapshotAt(s.repo, commit)
	plan, err := s.describe(ctx, snap, chosen)
	if err != nil {
		return "", err
	}
	if files[indexFile] && !files[weightsFile] {
		// Only the index tells the shards, so it comes before the sum of sizes.
		if plan, err = s.addShards(ctx, snap, plan, files); err != nil {
			return "", err
		}
	}
	if err := s.checkSpace(snap, plan); err != nil {
		return "", err
	}
	s.done = 0
	for _, f := range plan {
		s.total += f.size
	}
	for _, f := range plan {
		if err := s.fetch(ctx, snap, f); err != nil {
			return "", err
		}
	}
	snap.markAbsent(files)
	return snap.dir, s.writeRef(s.repo, commit)
}

// addShards fetches the index of sharded weights and adds the files that it
// names to the plan.
func (s *session) addShards(ctx context.Context, snap snapshot, plan []remote, files map[string]bool) ([]remote, error) {
	for _, f := range plan {
		if f.name == indexFile {
			if err := s.fetch(ctx, snap, f); err != nil {
				return nil, err
			}
		}
	}
	shards, err := readIndex(filepath.Join(snap.dir, indexFile))
	if err != nil {
		return nil, err
	}
	for _, name := range shards {
		if !files[name] {
			return nil, fmt.Errorf("%s names %s, which the repository does not have", indexFile, name)
		}
	}
	more, err := s.describe(ctx, snap, shards)
	return append(plan, more...), err
}

// checkSpace fails if the disk cannot hold what is still to come: better now
// than after an hour.
func (s *session) checkSpace(snap snapshot, plan []remote) error {
	var need int64
	for _, f := range plan {
		if snap.holds(f) || isFile(snap.blob(f), f.size) {
			continue
		}
		need += f.size
		if info, err := os.Stat(snap.part(f)); err == nil {
			need -= min(info.Size(), f.size)
		}
	}
	if need == 0 {
		return nil
	}
	if err := os.MkdirAll(s.Cache, 0o777); err != nil {
		return err
	}
	free := diskFree
	if s.free != nil {
		free = s.free
	}
	if have, ok := free(s.Cache); ok && have < need {
		return fmt.Errorf("%s more are needed and %s has %s left; make room, or set HF_HUB_CACHE to a folder on another disk",
			size(need), s.Cache, size(have))
	}
	return nil
}
