package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"sigla/assets"
	"sigla/gallery"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Open the explorer on the built-in photos",
		Long: `Open the explorer on the built-in photos. They are shown from a temporary copy that is removed at exit; nothing of the user's is read or written, except a file that --config names.

Where standard output is no terminal, each photo is printed with its labels above the threshold.`,
		Example: "sigla demo\nsigla demo | head",
		Args:    cobra.NoArgs,
		Run:     a.run(a.runDemo),
	}
}

func (a *app) runDemo(ctx context.Context, _ []string) (err error) {
	dir, err := os.MkdirTemp("", "sigla-demo-")
	if err != nil {
		return fmt.Errorf("copy the demo photos: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sweep(dir)
	xdg.CacheHome = filepath.Join(dir, "cache") // embedded texts are the demo's own too
	if err := a.configure(filepath.Join(dir, "config.toml")); err != nil {
		return err
	}
	photos := filepath.Join(dir, "photos")
	if err := os.CopyFS(photos, assets.Demo()); err != nil {
		return fmt.Errorf("copy the demo photos: %w", err)
	}
	return a.explore(ctx, exploration{
		title: "demo",
		paths: []string{photos},
		store: labelStore(filepath.Join(dir, "labels")),
		data:  filepath.Join(dir, "data"),
		name:  func(p gallery.Photo) string { return p.Name },
	})
}

// sweep removes what demos left behind that were killed a day or longer ago.
func sweep(mine string) {
	old, _ := filepath.Glob(filepath.Join(filepath.Dir(mine), "sigla-demo-*"))
	for _, dir := range old {
		if info, err := os.Stat(dir); err == nil && dir != mine && time.Since(info.ModTime()) > 24*time.Hour {
			os.RemoveAll(dir)
		}
	}
}
