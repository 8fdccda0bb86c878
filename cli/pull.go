package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sigla/model"
	"sigla/model/hub"
)

func (a *app) pullCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pull NAME",
		Short: "Fetch a model from the Hugging Face hub",
		Long: `Fetch a model from the Hugging Face hub into the cache that its own client uses, so that other programs find it there and what they fetched is found here. NAME is org/name, or org/name@revision. Every file is checked by size and hash before it is used; an interrupted pull goes on where it stopped.

HF_HOME and HF_HUB_CACHE say where the cache is, HF_TOKEN holds a token for models that ask for one, HF_ENDPOINT names another hub, HF_HUB_OFFLINE=1 forbids connections. Commands that are given the name of a model fetch it by themselves when it is first used.`,
		Example: "sigla pull google/siglip2-base-patch16-224\nsigla score --model google/siglip2-base-patch16-224 Pictures",
		Args:    cobra.ExactArgs(1),
		Run: a.configured(func(ctx context.Context, args []string) error {
			if !hub.IsName(args[0]) {
				return usagef("%q is not the name of a model: want org/name, as google/siglip2-base-patch16-224", args[0])
			}
			dir, err := a.pull(ctx, args[0])
			if err != nil {
				return err
			}
			return a.output().text(dir + "\n")
		}),
	}
}

// pull fetches a model, with progress on a terminal, and returns its folder.
func (a *app) pull(ctx context.Context, name string) (string, error) {
	defer a.progress.clear()
	start, first := time.Now(), int64(-1)
	return hub.FromEnv(os.Getenv).Pull(ctx, name, func(p hub.Progress) {
		if first < 0 {
			first = p.Done
		}
		line := fmt.Sprintf("%s  %s of %s", filepath.Base(p.File), megabytes(p.Done), megabytes(p.Total))
		if rate := float64(p.Done-first) / time.Since(start).Seconds(); rate > 0 && p.Done < p.Total {
			left := time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second)).Round(time.Second)
			line += fmt.Sprintf(" · %s/s · %d:%02d left", megabytes(int64(rate)), int(left.Minutes()), int(left.Seconds())%60)
		}
		a.progress.say(line)
	})
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// isHubName reports whether a model is of the hub; a folder of that name comes
// first.
func isHubName(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist) && hub.IsName(name)
}

// hubSource is a model of the hub: from the cache, or fetched now.
func (a *app) hubSource(ctx context.Context, name string) (model.Source, error) {
	dir, ok := hub.FromEnv(os.Getenv).Find(name)
	if !ok {
		var err error
		if dir, err = a.pull(ctx, name); err != nil {
			return nil, err
		}
	}
	return openFolder(dir, name)
}

// folder is a checkpoint on disk, under the name that the user knows it by.
type folder struct {
	model.Source
	name, path string
}

func openFolder(path, name string) (model.Source, error) {
	src, err := model.Dir(path)
	if err != nil {
		return nil, err
	}
	return folder{src, name, path}, nil
}

func (f folder) Name() string { return f.name }

// weights are the files that hold the tensors: one, or all shards.
func (f folder) weights() []fs.FileInfo {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil // whoever opens the model says why
	}
	var files []fs.FileInfo
	for _, entry := range entries {
		info, err := os.Stat(filepath.Join(f.path, entry.Name())) // the file behind the link of a cache
		switch {
		case err != nil || filepath.Ext(entry.Name()) != ".safetensors":
		case entry.Name() == "model.safetensors":
			return []fs.FileInfo{info}
		default:
			files = append(files, info)
		}
	}
	return files
}
