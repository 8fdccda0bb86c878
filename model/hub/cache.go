package hub

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A snapshot is the folder of one commit, with the repository's folder around
// it. It need not exist yet.
type snapshot struct {
	root   string // .../models--ORG--NAME
	commit string
	dir    string // root/snapshots/commit
}

func (c *Client) snapshotAt(r repo, commit string) snapshot {
	root := filepath.Join(c.Cache, r.folder())
	return snapshot{root, commit, filepath.Join(root, "snapshots", commit)}
}

// snapshot returns the snapshot that a name stands for, if there is one.
func (c *Client) snapshot(r repo) (snapshot, bool) {
	if c.Cache == "" {
		return snapshot{}, false
	}
	commit := r.rev
	if !commitID.MatchString(commit) {
		data, err := os.ReadFile(c.ref(r))
		if err != nil {
			return snapshot{}, false
		}
		// huggingface_hub writes no newline; a person who repairs a cache might.
		if commit = strings.TrimSpace(string(data)); !commitID.MatchString(commit) {
			return snapshot{}, false
		}
	}
	snap := c.snapshotAt(r, commit)
	info, err := os.Stat(snap.dir)
	return snap, err == nil && info.IsDir()
}

// ref is the file that holds the commit of a revision.
func (c *Client) ref(r repo) string {
	return filepath.Join(c.Cache, r.folder(), "refs", filepath.FromSlash(r.rev))
}

// writeRef records the commit that a revision is at.
func (c *Client) writeRef(r repo, commit string) error {
	if r.rev == commit {
		return nil
	}
	path := c.ref(r)
	if old, err := os.ReadFile(path); err == nil && string(old) == commit {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return replace(path, func(tmp *os.File) error {
		_, err := tmp.WriteString(commit)
		return err
	})
}

func (s snapshot) path(name string) string { return filepath.Join(s.dir, name) }

// holds reports whether a file is in its place, by size.
func (s snapshot) holds(f remote) bool { return isFile(s.path(f.name), f.size) }

func (s snapshot) blob(f remote) string { return filepath.Join(s.root, "blobs", f.hash) }

// part is where a file grows during its download. huggingface_hub has used the
// same name, under the same lock.
func (s snapshot) part(f remote) string { return s.blob(f) + ".incomplete" }

// missing lists what a checkpoint needs and the snapshot does not have. A
// settings file may be absent only if it is known not to exist: without it the
// model would run on defaults and give wrong numbers.
func (s snapshot) missing() []string {
	has := func(name string) bool {
		info, err := os.Stat(s.path(name)) // follows the link
		return err == nil && info.Mode().IsRegular()
	}
	absent := func(name string) bool {
		_, err := os.Stat(s.absentMark(name))
		return err == nil
	}
	var out []string
	if !has(configFile) {
		out = append(out, configFile)
	}
	// The second form replaces the first in newer repositories.
	if forms := settings[:2]; !slices.ContainsFunc(forms, has) && !(absent(forms[0]) && absent(forms[1])) {
		out = append(out, forms[0])
	}
	if name := "tokenizer_config.json"; !has(name) && !absent(name) {
		out = append(out, name)
	}
	if !hasVocabulary(has) {
		out = append(out, "a tokenizer ("+vocabularyNames()+")")
	}
	if has(weightsFile) {
		return out
	}
	if !has(indexFile) {
		return append(out, weightsFile)
	}
	shards, err := readIndex(s.path(indexFile))
	if err != nil {
		return append(out, indexFile)
	}
	return append(out, slices.DeleteFunc(shards, has)...)
}

func (s snapshot) absentMark(name string) string {
	return filepath.Join(s.root, ".no_exist", s.commit, name)
}

// markAbsent records which settings the commit does not have. Programs ask for
// them again without the mark, so a cache that cannot be written is no error.
func (s snapshot) markAbsent(files map[string]bool) {
	for _, name := range settings {
		if mark := s.absentMark(name); !files[name] && os.MkdirAll(filepath.Dir(mark), 0o777) == nil {
			if f, err := os.OpenFile(mark, os.O_CREATE, 0o666); err == nil {
				f.Close()
			}
		}
	}
}

// place puts a blob into the snapshot: as a relative link, so that the cache can
// be moved, or, where there are no links, as the file itself. A blob that may
// stand in another snapshot too is then copied.
func (s snapshot) place(f remote, fresh, links bool) error {
	pointer := s.path(f.name)
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return err
	}
	if links && symlink(filepath.Join("..", "..", "blobs", f.hash), pointer) == nil {
		if s.holds(f) {
			return nil
		}
		return fmt.Errorf("the link %s does not lead to %s", pointer, s.blob(f))
	}
	if fresh {
		return os.Rename(s.blob(f), pointer)
	}
	return replace(pointer, func(tmp *os.File) error {
		src, err := os.Open(s.blob(f))
		if err != nil {
			return err
		}
		defer src.Close()
		_, err = io.Copy(tmp, src)
		return err
	})
}

// symlink is os.Symlink for a path that may be taken.
func symlink(target, path string) error {
	tmp := temporary(path)
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}

// replace writes a file under a temporary name and renames it, so that path
// holds the old bytes or the new ones.
func replace(path string, write func(tmp *os.File) error) (err error) {
	// Not os.CreateTemp: the file is to have the rights that the umask leaves.
	tmp, err := os.OpenFile(temporary(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func temporary(path string) string { return fmt.Sprintf("%s.%08x.tmp", path, rand.Uint32()) }

// isFile reports whether path is, or leads to, a file of this size.
func isFile(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}
