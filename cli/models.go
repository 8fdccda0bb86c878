package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"sigla/model"
	"sigla/model/hub"
)

func (a *app) modelsCommand() *cobra.Command {
	var check string
	cmd := &cobra.Command{
		Use:   "models",
		Short: "List the models that are known, and check one",
		Long: `List the built-in starter model and the published checkpoints by name: kind, number of parameters, input in pixels, length of a text in tokens, licence, size of the download, and whether it is on this machine.

--check NAME opens a model (a folder, a name of the hub, or starter), which checks every tensor, tests it on a picture and some texts, and prints t' and b of the checkpoint, its shape and the memory it takes.

A folder holds a checkpoint in the published layout: config.json, preprocessor_config.json, a tokenizer and model.safetensors.`,
		Example: "sigla models\nsigla models --check starter\nsigla models --check google/siglip2-base-patch16-224",
		Args:    cobra.NoArgs,
		Run: a.configured(func(ctx context.Context, _ []string) error {
			if check != "" {
				a.settings.model = check
				return a.runCheck(ctx)
			}
			return a.runModels(ctx)
		}),
	}
	cmd.Flags().StringVar(&check, "check", "", "open and test a model")
	return cmd
}

// modelRow is a line of the table of models.
type modelRow struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Params  int64  `json:"params"`
	Input   string `json:"input"`
	Tokens  int    `json:"text_length"`
	Licence string `json:"licence"`
	Size    int64  `json:"bytes"`
	Where   string `json:"where"` // "built in", "on disk", a folder, or nothing
}

func (a *app) runModels(ctx context.Context) error {
	out := a.output()
	if err := out.modelHeader(); err != nil {
		return err
	}
	rows, err := a.modelRows(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := out.model(row); err != nil {
			return err
		}
	}
	return nil
}

// modelRows are the starter, the model that the settings name if it is on this
// machine, and the published ones.
func (a *app) modelRows(ctx context.Context) ([]modelRow, error) {
	row, err := a.describe(ctx, starter())
	if err != nil {
		return nil, err
	}
	row.Kind, row.Licence, row.Where = "starter", "see NOTICE", "built in"
	rows, client := []modelRow{row}, hub.FromEnv(os.Getenv)
	if !a.isStarter() {
		row, ok, err := a.namedRow(ctx, client)
		if err != nil {
			return nil, err
		}
		if ok {
			rows = append(rows, row)
		}
	}
	for _, k := range hub.Known() {
		where := ""
		if _, ok := client.Find(k.Name); ok {
			where = "on disk"
		}
		if k.Kind == "SigLIP 2 NaFlex" {
			where = "does not run yet"
		}
		rows = append(rows, modelRow{k.Name, k.Kind, k.Params, k.Input, k.Tokens, k.License, k.Size, where})
	}
	return rows, nil
}

// namedRow opens the model that the settings name. One of the hub that is not
// on this machine is passed by: to list models is no reason to fetch one. So is
// one of the table, which has its row there.
func (a *app) namedRow(ctx context.Context, client *hub.Client) (row modelRow, ok bool, err error) {
	name, where := a.settings.model, "folder"
	if isHubName(name) {
		if _, ok := client.Find(name); !ok || slices.ContainsFunc(hub.Known(), func(k hub.Checkpoint) bool { return k.Name == name }) {
			return row, false, nil
		}
		where = "on disk"
	}
	src, err := a.source(ctx)
	if err != nil {
		return row, false, err
	}
	row, err = a.describe(ctx, src)
	row.Where = where
	return row, err == nil, err
}

// describe opens a model.
func (a *app) describe(ctx context.Context, src model.Source) (modelRow, error) {
	enc, err := a.load(ctx, src)
	if err != nil {
		return modelRow{}, err
	}
	defer enc.Close()
	info := enc.Info()
	row := modelRow{
		Name: info.Name, Kind: info.Kind, Params: int64(info.Params), Input: fmt.Sprintf("%d×%d", info.ImageSize, info.ImageSize),
		Tokens: info.TextLen, Licence: "not stated",
	}
	if f, ok := src.(folder); ok {
		for _, file := range f.weights() {
			row.Size += file.Size()
		}
	}
	return row, nil
}

const modelFormat = "%-44s %-16s %9s  %-26s %6s  %-11s %9s  %s\n"

func (o *output) modelHeader() error {
	if o.format == "text" {
		return o.text(fmt.Sprintf(modelFormat, "model", "kind", "params", "input", "tokens", "licence", "size", "where"))
	}
	return o.header("name", "kind", "params", "input", "text_length", "licence", "bytes", "where")
}

func (o *output) model(m modelRow) error {
	switch o.format {
	case "json":
		return o.object(m)
	case "csv":
		return o.row(m.Name, m.Kind, strconv.FormatInt(m.Params, 10), m.Input, strconv.Itoa(m.Tokens), m.Licence, strconv.FormatInt(m.Size, 10), m.Where)
	}
	size := "-"
	if m.Size > 0 {
		size = fmt.Sprintf("%.2f GB", float64(m.Size)/1e9)
	}
	return o.text(fmt.Sprintf(modelFormat, o.path(m.Name), m.Kind, millions(m.Params), m.Input, strconv.Itoa(m.Tokens), m.Licence, size, m.Where))
}

func millions(n int64) string { return fmt.Sprintf("%.1f M", float64(n)/1e6) }
