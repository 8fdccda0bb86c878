package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sigla/assets"
	"sigla/gallery/label"
)

// everyday is the label set of whoever names none.
const everyday = "everyday"

// A labelStore is a folder of label sets, one TOML file each: what the
// explorer changes is saved there and is back next time.
type labelStore string

func userLabels() labelStore { return labelStore(filepath.Join(configDir(), "labels")) }

func (s labelStore) path(name string) string { return filepath.Join(string(s), name+".toml") }

// has reports whether a set of that name was saved.
func (s labelStore) has(name string) bool {
	if name == "" || name != filepath.Base(name) {
		return false
	}
	info, err := os.Stat(s.path(name))
	return err == nil && info.Mode().IsRegular()
}

// keep returns what saves changes of a set, or nil if the set has no name to be
// found by again. Templates of the command line are not the set's own.
func (s labelStore) keep(set label.Set) func(label.Set) error {
	if set.Name == "" || set.Name != filepath.Base(set.Name) {
		return nil
	}
	path, templates := s.path(set.Name), set.Templates
	return func(changed label.Set) error {
		changed.Templates = templates
		return label.Save(path, changed)
	}
}

// labelSet returns the labels to score and what saves changes of them, nil if
// they are not kept.
func (a *app) labelSet(ctx context.Context, store labelStore) (label.Set, func(label.Set) error, error) {
	if a.labels == nil {
		set, err := a.findLabels(ctx, a.settings.labels, store)
		if err != nil {
			return label.Set{}, nil, err
		}
		a.labels = &set
	}
	set := *a.labels
	save := store.keep(set)
	if a.settings.templates != nil {
		set.Templates = a.settings.templates
	}
	return set, save, nil
}

// tagsOf stands before a folder whose tags are meant, as a label set.
const tagsOf = "tags:"

// findLabels reads what --labels names: a set saved in store, a file, the tags
// of a folder, or else the labels themselves. Nothing stands for the everyday
// set, as the user changed it or as it was built in.
func (a *app) findLabels(ctx context.Context, named string, store labelStore) (label.Set, error) {
	switch folder, ok := strings.CutPrefix(named, tagsOf); {
	case ok:
		return a.tagSet(ctx, folder, 1)
	case named == "" && !store.has(everyday):
		return label.Parse(everyday+".toml", assets.Everyday())
	case named == "":
		named = everyday
	}
	path := named
	if store.has(named) {
		path = store.path(named)
	}
	set, notes, err := label.Read(ctx, path)
	if errors.Is(err, fs.ErrNotExist) && !isLabelFile(named) {
		return label.FromList(named)
	}
	if info, e := os.Stat(path); e == nil && info.IsDir() {
		return label.Set{}, fmt.Errorf("read labels %s: it is a folder; %s%[1]s means what its photos are tagged with", named, tagsOf)
	}
	a.note(path, notes)
	return set, err
}

// note says what was left out of a vocabulary.
func (a *app) note(path string, notes []string) {
	for _, n := range notes {
		a.complain(fmt.Errorf("labels of %s: %s", path, n))
	}
}

// isLabelFile reports whether the user can only have meant a file.
func isLabelFile(named string) bool {
	ext := strings.ToLower(filepath.Ext(named))
	return !strings.Contains(named, ",") && (ext == ".toml" || ext == ".txt" || ext == ".db" || strings.ContainsAny(named, `/\`))
}

// tagSet returns what at least so many photos of a folder are tagged with, as
// labels.
func (a *app) tagSet(ctx context.Context, folder string, least int) (label.Set, error) {
	if rest, ok := strings.CutPrefix(folder, "~/"); ok { // behind tags: the shell leaves it
		home, err := os.UserHomeDir()
		if err != nil {
			return label.Set{}, fmt.Errorf("labels of %s: %w", folder, err)
		}
		folder = filepath.Join(home, rest)
	}
	g := catalogued(dataDir())
	defer a.closeCatalogued(g)
	if err := a.tagPhotos(ctx, g, []string{folder}); err != nil {
		return label.Set{}, err
	}
	set := g.TagSet(least)
	if len(set.Labels) == 0 {
		return label.Set{}, fmt.Errorf("labels of %s: no tag is on %d of its photos", folder, least)
	}
	if abs, err := filepath.Abs(folder); err == nil {
		set.Name = filepath.Base(abs) + " tags"
	}
	if err := set.Validate(); err != nil { // too many is all that it can be
		return label.Set{}, fmt.Errorf("labels of %s: %w; sigla labels import --min leaves out rare ones", folder, err)
	}
	return set, nil
}

func (a *app) labelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "labels",
		Short: "Print the labels that are used, and import vocabularies",
		Long: `Print the label set that --labels names, the everyday set without it: what tags are written as, synonyms, what is private, and thresholds.

JSON has an object a label: {"name","path","group","synonyms","private","threshold"}; the path is what is written.`,
		Example: "sigla labels\nsigla labels --labels keywords.txt --format json",
		Args:    cobra.NoArgs,
		Run:     a.configured(a.runLabels),
	}
	cmd.AddCommand(a.importCommand())
	return cmd
}

func (a *app) runLabels(ctx context.Context, _ []string) error {
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return err
	}
	out := a.output()
	if err := out.header("name", "path", "group", "synonyms", "private", "threshold"); err != nil {
		return err
	}
	paths, private := set.Paths(), set.Private()
	for i, l := range set.Labels {
		if err := out.label(labelRow{l.Name, paths[i], l.Group, l.Synonyms, private[i], l.Cutoff()}); err != nil {
			return err
		}
	}
	return nil
}

// labelRow is what is printed of a label.
type labelRow struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"`
	Group     string   `json:"group,omitempty"`
	Synonyms  []string `json:"synonyms,omitempty"`
	Private   bool     `json:"private"` // itself, or by a label above it
	Threshold float64  `json:"threshold"`
}

func (o *output) label(l labelRow) error {
	synonyms := strings.Join(l.Synonyms, separator)
	switch o.format {
	case "json":
		return o.object(l)
	case "csv":
		return o.row(l.Name, l.Path, l.Group, synonyms, strconv.FormatBool(l.Private), formatProbability(l.Threshold))
	}
	line := fmt.Sprintf("%.2f  %s", l.Threshold, l.Path)
	if synonyms != "" {
		line += " {" + synonyms + "}"
	}
	if l.Private {
		line += "  private"
	}
	return o.text(line + "\n")
}

// importOptions are the flags of labels import.
type importOptions struct {
	output string
	least  int
	force  bool
}

func (a *app) importCommand() *cobra.Command {
	var opt importOptions
	cmd := &cobra.Command{
		Use:   "import SOURCE",
		Short: "Make a label set of a keyword list, of digiKam's tags, or of the tags of photos",
		Long: `Print a vocabulary as a label set in TOML, or write it with -o. SOURCE is

  a keyword list, as Lightroom and darktable export it: text indented by tabs
  digiKam's database, digikam4.db, which is only read
  a folder: what its photos are tagged with, by any program

Hierarchy, synonyms and what is private come along. What is not a tag for people is left out: internal tags of darktable and digiKam, and names of people.

--labels reads the same without an import: --labels keywords.txt, --labels digikam4.db, --labels tags:FOLDER.`,
		Example: `sigla labels import keywords.txt -o garden.toml
sigla labels import ~/Pictures/digikam4.db -o digikam.toml
sigla labels import ~/Pictures --min 20 -o mine.toml`,
		Args: cobra.ExactArgs(1),
		Run: a.configured(func(ctx context.Context, args []string) error {
			if opt.least < 1 {
				return usagef("labels import --min %d: want 1 or more", opt.least)
			}
			return a.runImport(ctx, args[0], opt)
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&opt.output, "output", "o", "", "file to write (standard output)")
	f.IntVar(&opt.least, "min", 1, "of a folder: leave out tags that fewer photos have")
	f.BoolVar(&opt.force, "force", false, "replace a file that is there")
	return cmd
}

func (a *app) runImport(ctx context.Context, source string, opt importOptions) error {
	var set label.Set
	var notes []string
	info, err := os.Stat(source)
	switch {
	case err != nil:
		return fmt.Errorf("import labels: %w", err)
	case info.IsDir():
		set, err = a.tagSet(ctx, source, opt.least)
	default:
		set, notes, err = label.Import(ctx, source)
	}
	if err != nil {
		return err
	}
	a.note(source, notes)
	if len(set.Labels) == 0 {
		return fmt.Errorf("import labels: there is no label in %s", source)
	}
	if opt.output == "" || opt.output == "-" {
		text, err := set.TOML()
		if err != nil {
			return err
		}
		return a.output().text(string(text))
	}
	if _, err := os.Lstat(opt.output); err == nil && !opt.force {
		return fmt.Errorf("save labels %s: there is such a file; --force replaces it", opt.output)
	}
	if err := label.Save(opt.output, set); err != nil {
		return err
	}
	if !a.settings.quiet {
		fmt.Fprintf(a.stderr, "sigla: %d labels in %s\n", len(set.Labels), opt.output)
	}
	return nil
}
