package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sigla/gallery/sidecar"
	"sigla/gallery/sidecar/journal"
)

func (a *app) undoCommand() *cobra.Command {
	var run string
	var list bool
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Take the last application of tags back, to the byte",
		Long: `Restore every file that the last sigla tag --apply wrote, or that of --run ID. Sidecars that it made are removed. One that another program has changed since is left alone and named.

Runs are kept for a month, and the last 20 for as long as it takes; --list has those that are left.`,
		Example: `sigla undo
sigla undo --list
sigla undo --run 20261125-093000-1`,
		Args: cobra.NoArgs,
		Run: a.configured(func(ctx context.Context, _ []string) error {
			return a.runUndo(ctx, run, list)
		}),
	}
	cmd.Flags().StringVar(&run, "run", "", "run to take back (the last that was not)")
	cmd.Flags().BoolVar(&list, "list", false, "list the runs, the last one first")
	return cmd
}

func (a *app) runUndo(ctx context.Context, id string, list bool) (err error) {
	j, err := a.openJournal(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	runs, err := j.Runs()
	if err != nil {
		a.fail(err)
	}
	if list {
		return a.output().runs(runs)
	}
	if id == "" {
		i := slices.IndexFunc(runs, func(r journal.Run) bool { return !r.Undone })
		if i < 0 {
			return errors.New("undo: there is no application of tags to take back")
		}
		id = runs[i].ID
	}
	result, err := j.Undo(ctx, id, journal.Options{Begin: follow(ctx, dataDir())})
	if err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	a.failWrites(result)
	return a.output().text(fmt.Sprintf("run %s: %s restored\n", id, counted(result.Written, "file")))
}

// runs writes the runs of the journal.
func (o *output) runs(runs []journal.Run) error {
	for _, r := range runs {
		state := ""
		if r.Undone {
			state = ", undone"
		}
		if err := o.text(fmt.Sprintf("%s  %s  %s%s\n", r.ID, r.At.Local().Format(time.DateTime), counted(len(r.Files), "file"), state)); err != nil {
			return err
		}
	}
	return nil
}

// plan writes what would become of each photo, and a line for all.
func (o *output) plan(plan sidecar.Plan) error {
	files, photos, added, removed := 0, 0, 0, 0
	for _, p := range plan.Photos {
		files, added, removed = files+len(p.Files), added+len(p.Added), removed+len(p.Removed)
		for _, f := range p.Files {
			if f.Embed {
				photos++
			}
		}
		var err error
		switch {
		case o.format == "json":
			err = o.object(struct {
				sidecar.PhotoPlan
				Adapter string `json:"adapter,omitempty"`
			}{p, *o.adapted})
		case len(p.Files) > 0 || p.Refused != "":
			err = o.text(o.planned(p))
		}
		if err != nil {
			return err
		}
	}
	if o.format == "json" {
		return nil
	}
	what := counted(files-photos, "sidecar")
	if photos > 0 {
		what = counted(photos, "photo") + ", " + what
	}
	return o.text(fmt.Sprintf("%s: +%s, -%s\n", what, counted(added, "tag"), counted(removed, "tag")))
}

// planned is the plan of a photo as text.
func (o *output) planned(p sidecar.PhotoPlan) string {
	text := o.path(p.Path) + "\n"
	if p.Refused != "" {
		return text + "  ✗ " + p.Refused + "\n"
	}
	for _, f := range p.Files {
		what := "changed"
		switch {
		case f.New:
			what = "new"
		case f.Embed:
			what = "tags in the photo itself"
		}
		text += "  " + o.path(f.Path) + "  " + what + "\n"
	}
	for _, l := range p.Added {
		text += "  + " + l + "\n"
	}
	for _, l := range p.Removed {
		text += "  - " + l + "\n"
	}
	if n := len(p.Kept); n > 0 {
		text += fmt.Sprintf("    %d kept\n", n)
	}
	for _, r := range sidecar.Readers {
		if shown := p.Shown[r]; len(shown) > 0 {
			text += fmt.Sprintf("    %s: %s\n", r, strings.Join(shown, ", "))
		}
	}
	for _, n := range p.Notes {
		text += "    " + n + "\n"
	}
	return text
}
