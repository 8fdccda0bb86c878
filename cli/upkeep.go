package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sigla/gallery"
	"sigla/gallery/catalog"
)

// withCatalog opens the catalog in a folder for as long as work takes. It makes
// none where there is none.
func withCatalog(ctx context.Context, dir string, work func(*catalog.Catalog) error) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("no catalog in %s yet: sigla index PATH makes one", dir)
	}
	c, err := catalog.Open(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(work(c), c.Close())
}

// catalogStatus prints what the catalog holds.
func (a *app) catalogStatus(ctx context.Context, dir string) error {
	return withCatalog(ctx, dir, func(c *catalog.Catalog) error {
		st, err := c.Status(ctx)
		if err != nil {
			return err
		}
		failures, err := c.Failures(ctx)
		if err != nil {
			return err
		}
		tags, err := gallery.CountTags(ctx, c)
		if err != nil {
			return err
		}
		problems, err := c.TagFailures(ctx)
		if err != nil {
			return err
		}
		return a.output().holdings(st, failures, tags, problems)
	})
}

// holdings is what a catalog holds.
type holdings struct {
	Dir      string         `json:"dir"`
	Schema   int            `json:"schema"`
	Bytes    int64          `json:"bytes"` // without vectors
	Photos   int            `json:"photos"`
	Answers  int            `json:"answers"`
	Folders  []folderStatus `json:"folders"`
	Models   []kept         `json:"models"`
	Failures []failure      `json:"failures"`
	Tagged   int            `json:"tagged"` // photos, as files
	Tags     int            `json:"tags"`

	TagProblems []failure `json:"tag_problems"`
}

// folderStatus is what a catalog holds of a folder that was named.
type folderStatus struct {
	Path    string     `json:"path"`
	Scanned *time.Time `json:"scanned"` // null: never to the end
	Files   int        `json:"files"`
	Bytes   int64      `json:"bytes"`
	Waiting int        `json:"waiting"`
	Failed  int        `json:"failed"`
	Missing int        `json:"missing"`
}

// kept is what a catalog holds of a model.
type kept struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	Preprocess int    `json:"preprocess"`
	Dim        int    `json:"dim"`
	Vectors    int    `json:"vectors"`
	Bytes      int64  `json:"bytes"`
}

// holdings writes what a catalog holds. Folders that have become part of
// another are empty, and left out.
func (o *output) holdings(st catalog.Status, failures []catalog.Failure, tags gallery.Tags, problems []catalog.Failure) error {
	h := holdings{
		Dir: st.Dir, Schema: st.Schema, Bytes: st.Bytes, Photos: st.Photos, Answers: st.Decisions,
		Folders: []folderStatus{}, Models: []kept{}, Failures: []failure{},
		Tagged: tags.Photos, Tags: tags.Names, TagProblems: []failure{},
	}
	for _, r := range st.Roots {
		if r.Files+r.Missing == 0 {
			continue
		}
		f := folderStatus{Path: r.Path, Files: r.Files, Bytes: r.Bytes, Waiting: r.Waiting, Failed: r.Failed, Missing: r.Missing}
		if !r.Scanned.IsZero() {
			f.Scanned = &r.Scanned
		}
		h.Folders = append(h.Folders, f)
	}
	for _, m := range st.Models {
		h.Models = append(h.Models, kept{m.Name, m.Digest, m.Preprocess, m.Dim, m.Vectors, m.Bytes})
	}
	for _, f := range failures {
		h.Failures = append(h.Failures, failure{f.Path, f.Reason})
	}
	for _, f := range problems {
		h.TagProblems = append(h.TagProblems, failure{f.Path, f.Reason})
	}
	if o.format == "json" {
		return o.object(h)
	}
	return o.text(h.text(o))
}

func (h holdings) text(o *output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "catalog  %s, %s, schema %d\n", o.path(h.Dir), megabytes(h.Bytes), h.Schema)
	fmt.Fprintf(&b, "photos   %d by content, %d answers\n", h.Photos, h.Answers)
	fmt.Fprintf(&b, "tags     %d on %d photos\n", h.Tags, h.Tagged)
	for _, f := range h.Folders {
		scanned := "never scanned to its end"
		if f.Scanned != nil {
			scanned = "scanned " + f.Scanned.Local().Format(time.DateTime)
		}
		fmt.Fprintf(&b, "folder   %s: %d photos, %s, %d not read yet, %d failed, %d gone; %s\n", o.path(f.Path), f.Files, megabytes(f.Bytes), f.Waiting, f.Failed, f.Missing, scanned)
	}
	for _, m := range h.Models {
		fmt.Fprintf(&b, "model    %s: %d vectors of %d values, %s\n", m.Name, m.Vectors, m.Dim, megabytes(m.Bytes))
	}
	for _, f := range h.Failures {
		fmt.Fprintf(&b, "failed   %s: %s\n", o.path(f.Path), o.path(f.Reason))
	}
	for _, f := range h.TagProblems {
		fmt.Fprintf(&b, "tags of  %s: %s\n", o.path(f.Path), o.path(f.Reason))
	}
	return b.String()
}

// verifyCatalog prints what is wrong with the catalog, and fails if anything is.
func (a *app) verifyCatalog(ctx context.Context, dir string) error {
	problems, err := catalog.Verify(ctx, dir)
	if err != nil {
		return err
	}
	if err := a.output().problems(problems); err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf(`verify catalog %s: it is damaged in %d places; run "sigla index --repair"`, dir, len(problems))
	}
	return nil
}

// repairCatalog makes the catalog whole and prints what that took.
func (a *app) repairCatalog(ctx context.Context, dir string) error {
	done, err := catalog.Repair(ctx, dir)
	return errors.Join(a.output().problems(done), err)
}

// problems writes what was wrong, or done about it: as JSON an object a line.
func (o *output) problems(list []catalog.Problem) error {
	for _, p := range list {
		var err error
		if o.format == "json" {
			err = o.object(struct {
				Path string `json:"path"`
				Text string `json:"text"`
			}{p.Path, p.Text})
		} else {
			err = o.text(o.path(p.String()) + "\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pruneCatalog forgets the files that are gone.
func (a *app) pruneCatalog(ctx context.Context, dir string) error {
	return withCatalog(ctx, dir, func(c *catalog.Catalog) error {
		gone, err := c.Forget(ctx, time.Now(), 0)
		if err != nil {
			return err
		}
		out := a.output()
		if out.format == "json" {
			return out.object(struct {
				Files  int   `json:"files"`
				Photos int   `json:"photos"`
				Bytes  int64 `json:"bytes"`
			}{gone.Files, gone.Photos, gone.Bytes})
		}
		return out.text(fmt.Sprintf("forgot %d files and %d photos, %s of vectors\n", gone.Files, gone.Photos, megabytes(gone.Bytes)))
	})
}
