package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/internal/atomicfile"
)

// An exporter writes what photos are labelled with in one form.
type exporter interface {
	photo(exported) error
	// end is called once: whole after the last photo, else to take back what
	// is not to be seen in part.
	end(whole bool) error
}

// exportKind is a form of export.
type exportKind struct {
	name, what string
	folder     bool // --output is a folder, and must be named
	open       func(x *exportRun) (exporter, error)
}

var exportKinds = []exportKind{
	{"jsonl", "an object a line: path, sha256, labels with probability and source, model, bias", false, newJSONLines},
	{"csv", "a row for each label of a photo: path, label, p, source", false, newLabelRows},
	{"exiftool-csv", `SourceFile,Subject,HierarchicalSubject for exiftool -sep ", " -csv=FILE`, false, newExiftoolCSV},
	{"exiftool-json", "the same for exiftool -json=FILE, whatever signs the labels have", false, newExiftoolJSON},
	{"txt", "a text file for each photo: labels between commas in photo.txt or, with --lines, a label a line in photo.jpg.txt", true, newTextFiles},
	{"keywords", "the vocabulary as a keyword list that Lightroom and darktable import", false, newKeywordList},
	{"links", "a folder for each label with links to its photos", true, newLinks},
}

// exportOptions are the flags of export.
type exportOptions struct {
	as, output, from   string
	lines, hard, force bool
}

// exportRun is what an exporter is made with.
type exportRun struct {
	exportOptions
	w     io.Writer // for kinds that are one file
	set   label.Set // without private labels
	words *gallery.Vocabulary
	model string
	bias  float64
	fail  func(error) // names a photo that could not be exported; the rest goes on
}

func (a *app) exportCommand() *cobra.Command {
	var opt exportOptions
	var kinds []string
	var list strings.Builder
	for _, k := range exportKinds {
		kinds = append(kinds, k.name)
		fmt.Fprintf(&list, "  %-13s  %s\n", k.name, k.what)
	}
	cmd := &cobra.Command{
		Use:   "export PATH... --as KIND",
		Short: "Write labels and tags in a form that other programs read",
		Long: `Export what the photos under PATH are labelled with: the labels that the model gives at least their threshold, and the tags that photos and sidecars have already. A label that a person rejected is left out; private labels are never exported with a photo. Photos are only read.

KIND is one of:
` + list.String() + `
A label that is a path, animals|birds|owl, is owl in flat lists and the path in hierarchies. The probability of a tag that was there is null, or empty.`,
		Example: `sigla export Pictures --as jsonl -o labels.jsonl
sigla export Pictures --as exiftool-csv -o tags.csv && exiftool -sep ", " -csv=tags.csv Pictures
sigla export Pictures --as txt -o Captions --from model
sigla export Pictures --as links -o ByLabel --labels dog,cat`,
		Args: cobra.MinimumNArgs(1),
		Run: a.configured(func(ctx context.Context, args []string) error {
			i := slices.Index(kinds, opt.as)
			switch {
			case opt.as == "":
				return usagef("export: name the form with --as: %s", strings.Join(kinds, ", "))
			case i < 0:
				return usagef("export --as %q: want one of %s", opt.as, strings.Join(kinds, ", "))
			case exportKinds[i].folder && opt.output == "":
				return usagef("export --as %s: name the folder to write with -o", opt.as)
			case !slices.Contains(exportSources, opt.from):
				return usagef("export --from %q: want one of %s", opt.from, strings.Join(exportSources, ", "))
			}
			return a.runExport(ctx, args, exportKinds[i], opt)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&opt.as, "as", "", "form: "+strings.Join(kinds, ", "))
	f.StringVarP(&opt.output, "output", "o", "", "file or folder to write (standard output)")
	f.StringVar(&opt.from, "from", "all", "what to export: model, the labels above their threshold; tags, those that are there; or all")
	f.BoolVar(&opt.lines, "lines", false, "txt: a label a line, in photo.jpg.txt")
	f.BoolVar(&opt.hard, "hard", false, "links: hard links instead of symbolic ones")
	f.BoolVar(&opt.force, "force", false, "txt: overwrite text files that are there")
	for name, values := range map[string][]string{"as": kinds, "from": exportSources} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // a flag registered twice
		}
	}
	return cmd
}

// exportSources are the values of --from.
var exportSources = []string{"all", "model", "tags"}

func (a *app) runExport(ctx context.Context, args []string, kind exportKind, opt exportOptions) error {
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return err
	}
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	x := &exportRun{exportOptions: opt, w: a.stdout, bias: a.settings.bias, fail: a.fail}
	x.set, x.words = public(set), gallery.NewVocabulary(set)
	if kind.folder || opt.output == "" || opt.output == "-" {
		return a.exportTo(ctx, x, kind, paths)
	}
	f, err := atomicfile.Create(opt.output, 0o644)
	if err != nil {
		return fmt.Errorf("export to %s: %w", opt.output, err)
	}
	defer f.Discard()
	x.w = f
	if err := a.exportTo(ctx, x, kind, paths); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("export to %s: %w", opt.output, err)
	}
	return nil
}

// public returns the set without its private labels.
func public(set label.Set) label.Set {
	var labels []label.Label
	for i, private := range set.Private() {
		if !private {
			labels = append(labels, set.Labels[i])
		}
	}
	set.Labels = labels
	return set
}
