package hub

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// FromEnv makes a client as huggingface_hub reads the environment, its older
// variable names included:
//
//	HF_ENDPOINT                     address of the hub
//	HF_HUB_CACHE, HF_HOME           the cache; else below XDG_CACHE_HOME or ~/.cache
//	HF_TOKEN, HF_TOKEN_PATH         the token or its file, else HF_HOME/token
//	HF_HUB_DISABLE_IMPLICIT_TOKEN   send no token
//	HF_HUB_OFFLINE                  open no connection
//	HF_HUB_DISABLE_SYMLINKS         no links in the cache
//
// An empty variable counts as unset. The proxy variables are read by net/http.
func FromEnv(getenv func(string) string) *Client {
	e := environment{getenv}
	c := &Client{
		Endpoint:   strings.TrimRight(e.first("HF_ENDPOINT"), "/"),
		Cache:      e.path("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"),
		Offline:    e.isTrue("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
		NoSymlinks: e.isTrue("HF_HUB_DISABLE_SYMLINKS"),
	}
	home := e.path("HF_HOME")
	if home == "" {
		cache := e.path("XDG_CACHE_HOME")
		if user := e.home(); cache == "" && user != "" {
			cache = filepath.Join(user, ".cache")
		}
		if cache != "" {
			home = filepath.Join(cache, "huggingface")
		}
	}
	if c.Cache == "" && home != "" {
		c.Cache = filepath.Join(home, "hub")
	}
	if !e.isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		c.Token = e.token(home)
	}
	return c
}

type environment struct {
	getenv func(string) string
}

// first returns the value of the first variable that is set.
func (e environment) first(names ...string) string {
	for _, name := range names {
		if v := e.getenv(name); v != "" {
			return v
		}
	}
	return ""
}

func (e environment) isTrue(names ...string) bool {
	switch strings.ToUpper(e.first(names...)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// path is first for a folder or file: "~" and "$NAME" in it are expanded.
func (e environment) path(names ...string) string {
	p := e.first(names...)
	if rest, ok := strings.CutPrefix(p, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		p = e.home() + rest
	}
	return os.Expand(p, func(name string) string {
		if v := e.getenv(name); v != "" {
			return v
		}
		return "$" + name
	})
}

func (e environment) home() string {
	name := "HOME"
	if runtime.GOOS == "windows" {
		name = "USERPROFILE"
	}
	return e.getenv(name)
}

func (e environment) token(home string) string {
	token := e.first("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
	if token == "" {
		file := e.path("HF_TOKEN_PATH")
		if file == "" && home != "" {
			file = filepath.Join(home, "token")
		}
		// Without a readable file there is no token: most models need none,
		// and the hub says so if one does.
		data, _ := os.ReadFile(file)
		token = string(data)
	}
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(token))
}
