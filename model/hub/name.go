package hub

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// A repo is a parsed model name. Its parts can be used in paths and addresses.
type repo struct {
	org, name string
	rev       string // branch, tag, commit, or "refs/pr/1"
}

const defaultRev = "main"

func (r repo) id() string { return r.org + "/" + r.name }

// folder is the name of the repository's folder in the cache.
func (r repo) folder() string { return "models--" + r.org + "--" + r.name }

// String is the name as the user gives it.
func (r repo) String() string {
	if r.rev == defaultRev {
		return r.id()
	}
	return r.id() + "@" + r.rev
}

var (
	partName     = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$`)
	revisionPart = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._+-]{0,94}[A-Za-z0-9_+-])?$`)
	commitID     = regexp.MustCompile(`^[0-9a-f]{40}$`)
	fileHash     = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	shardName    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,120}\.safetensors$`)
)

// IsName reports whether s has the form of a model on the hub, "org/name" or
// "org/name@revision". A relative path can have it too: look for a file first.
func IsName(s string) bool {
	_, err := parseName(s)
	return err == nil
}

func parseName(s string) (repo, error) {
	id, rev, found := strings.Cut(s, "@")
	org, name, ok := strings.Cut(id, "/")
	if !ok || !isPart(org) || !isPart(name) {
		return repo{}, fmt.Errorf("%q is not the name of a model on the hub; one looks like google/siglip2-base-patch16-224 or org/name@revision", s)
	}
	if !found {
		rev = defaultRev
	}
	if !isRevision(rev) {
		return repo{}, fmt.Errorf("%q has no valid revision after @: give a branch, a tag, a commit or refs/pr/NUMBER", s)
	}
	return repo{org, name, rev}, nil
}

// isPart holds the hub's rules for the two halves of a name. It leaves out "--",
// which separates them in the name of the cache folder.
func isPart(s string) bool {
	return partName.MatchString(s) && !strings.Contains(s, "--") && !strings.Contains(s, "..") && !strings.HasSuffix(s, ".git")
}

// isRevision accepts what can be a git ref and a path below refs/ on every
// system.
func isRevision(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if !revisionPart.MatchString(part) || strings.Contains(part, "..") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return len(s) <= 200 && filepath.IsLocal(filepath.FromSlash(s))
}

// parseETag takes the hash out of an entity tag. Anything else is refused: it
// is going to be a file name, and the file could not be checked.
func parseETag(tag string) (string, error) {
	hash := strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	switch {
	case tag == "":
		return "", errors.New("the server gives no hash to check it by; is HF_ENDPOINT a hub?")
	case !fileHash.MatchString(hash):
		return "", fmt.Errorf("the server's tag %.100q is no SHA-256 and no git SHA-1, so the file could not be checked; is HF_ENDPOINT a hub?", tag)
	}
	return hash, nil
}
