package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sigla/finetune"
)

func (a *app) adaptersCommand() *cobra.Command {
	var use, stop, remove bool
	var merge, peft string
	cmd := &cobra.Command{
		Use:   "adapters [NAME]",
		Short: "List what was learned from your photos, and go back",
		Long: `List the adapters that are kept: what trainings learned from your photos. Each belongs to one model, which is not changed by it. ● marks the one that its model is used with where no --adapter is named.

With NAME, or a file, print its card: the model, the data by origin, the options, how good it was before and after on photos that were not learned from, and of each label whether what was learned was kept.

--use makes an adapter the default of its model, --stop ends that, --remove deletes its file. For one run, --adapter none uses the model as it was published.

--merge writes the model with the adapter as a checkpoint of its own, in the published layout, to a new folder: other programs read it, and so does --model. The base is the one of --model, or the one of the card's name. Vectors, s and δ of labels have no place in a checkpoint. --peft writes low-rank updates as the PEFT library reads them.`,
		Example: "sigla adapters\nsigla adapters pets\nsigla adapters pets --use\nsigla score Pictures --adapter none\nsigla adapters pets --remove\nsigla adapters pets --merge my-siglip",
		Args:    cobra.MaximumNArgs(1),

		ValidArgsFunction: offer(adapterNames, cobra.ShellCompDirectiveDefault),

		Run: a.configured(func(ctx context.Context, args []string) error {
			switch {
			case len(args) == 0 && (use || stop || remove || merge != "" || peft != ""):
				return usagef("adapters: name the adapter")
			case len(args) == 0:
				return a.listAdapters()
			case use:
				return a.useAdapter(args[0])
			case stop:
				return a.stopAdapter(args[0])
			case remove:
				return keptAdapters().Remove(args[0])
			case merge != "":
				return a.mergeAdapter(ctx, args[0], merge)
			case peft != "":
				return exportPEFT(args[0], peft)
			}
			return a.showAdapter(args[0])
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&use, "use", false, "use its model with it from now on")
	f.BoolVar(&stop, "stop", false, "use its model without it from now on")
	f.BoolVar(&remove, "remove", false, "delete it")
	f.StringVar(&merge, "merge", "", "write its model with it as a checkpoint to this new folder")
	f.StringVar(&peft, "peft", "", "write it for the PEFT library to this new folder")
	cmd.MarkFlagsMutuallyExclusive("use", "stop", "remove", "merge", "peft")
	return cmd
}

// adapterRow is a line of the table of adapters.
type adapterRow struct {
	Name    string         `json:"name"`
	Default bool           `json:"default"`
	Bytes   int64          `json:"bytes"`
	Card    *finetune.Card `json:"card"` // null: the file is damaged
	Error   string         `json:"error,omitempty"`
}

func (a *app) listAdapters() error {
	list, err := keptAdapters().List()
	if err != nil {
		return err
	}
	out := a.output()
	if err := out.header("name", "default", "bytes", "depth", "base", "digest", "photos", "labels", "before", "after", "made"); err != nil {
		return err
	}
	if len(list) == 0 && out.format == "text" {
		return out.text("no adapter is kept\n")
	}
	for _, e := range list {
		row := adapterRow{Name: e.Name, Default: e.Default, Bytes: e.Bytes, Card: &e.Card}
		if e.Err != nil {
			row.Card, row.Error = nil, e.Err.Error()
			a.fail(e.Err)
		}
		if err := out.adapter(row); err != nil {
			return err
		}
	}
	return nil
}

// adapter writes a line of the table.
func (o *output) adapter(row adapterRow) error {
	if o.format == "json" {
		return o.object(row)
	}
	mark, c := " ", row.Card
	if row.Default {
		mark = "●"
	}
	switch {
	case o.format == "csv" && c == nil:
		return o.row(row.Name, strconv.FormatBool(row.Default), strconv.FormatInt(row.Bytes, 10), "", "", "", "", "", "", "", "")
	case o.format == "csv":
		return o.row(row.Name, strconv.FormatBool(row.Default), strconv.FormatInt(row.Bytes, 10), string(c.Depth), c.Base.Name, c.Base.Digest,
			strconv.Itoa(c.Data.Photos), strconv.Itoa(c.Data.Labels), precision(c.Before), precision(c.After), c.Made.Format(time.RFC3339))
	case c == nil:
		return o.text(fmt.Sprintf("%s %-24s  damaged\n", mark, row.Name))
	}
	figures := ""
	if c.After != nil {
		figures = "  average precision " + strings.TrimPrefix(precision(c.Before)+" → ", " → ") + precision(c.After)
	}
	return o.text(fmt.Sprintf("%s %-24s  %-9s  %s  %6.1f MB  %s  %s%s\n", mark, row.Name, c.Depth,
		c.Made.Local().Format(time.DateOnly), float64(row.Bytes)/1e6, printable(c.Base.Name), c.Data, figures))
}

// precision is the average precision of a validation, "" of none.
func precision(v *finetune.Validation) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(v.AveragePrecision, 'f', 3, 64)
}

func (a *app) showAdapter(value string) error {
	path, _ := adapterFile(value)
	read, err := finetune.ReadAdapter(path)
	if err != nil {
		return err
	}
	out := a.output()
	if out.format == "json" {
		return out.object(struct {
			finetune.Card
			Labels []finetune.Tuned `json:"tuned"`
		}{read.Card, read.Labels})
	}
	for line := range strings.Lines(read.Card.String()) {
		if err := out.text(printable(strings.TrimSuffix(line, "\n")) + "\n"); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) useAdapter(name string) error {
	card, err := finetune.ReadCard(keptAdapters().Path(name))
	if err != nil {
		return err
	}
	if err := keptAdapters().SetDefault(card.Base.Digest, name); err != nil {
		return err
	}
	return a.output().text(fmt.Sprintf("%s is used with adapter %s from now on\n", printable(card.Base.Name), name))
}

func (a *app) stopAdapter(name string) error {
	card, err := finetune.ReadCard(keptAdapters().Path(name))
	if err != nil {
		return err
	}
	used, err := keptAdapters().Default(card.Base.Digest)
	if err != nil {
		return err
	}
	if used != name {
		return fmt.Errorf("stop using adapter %s: %s is not used with it", name, printable(card.Base.Name))
	}
	if err := keptAdapters().SetDefault(card.Base.Digest, ""); err != nil {
		return err
	}
	return a.output().text(fmt.Sprintf("%s is used as it was published from now on\n", printable(card.Base.Name)))
}
