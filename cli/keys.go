package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sigla/ui"
)

func (a *app) keysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "Print the keys of the explorer",
		Long:  "Print the keys of the explorer, as its page ? shows them.",
		Args:  cobra.NoArgs,
		Run:   a.run(a.runKeys),
	}
}

func (a *app) runKeys(context.Context, []string) error {
	out := a.output()
	if err := out.header("group", "keys", "name", "help"); err != nil {
		return err
	}
	group := ""
	for _, k := range ui.Keys() {
		var err error
		switch out.format {
		case "json":
			err = out.object(struct {
				Group string   `json:"group"`
				Keys  []string `json:"keys"`
				Name  string   `json:"name"`
				Help  string   `json:"help"`
			}{k.Group, k.Keys, k.Name, k.Help})
		case "csv":
			err = out.row(k.Group, strings.Join(k.Keys, " "), k.Name, k.Help)
		default:
			if k.Group != group {
				group = k.Group
				err = out.text(group + "\n")
			}
			if err == nil {
				err = out.text(fmt.Sprintf("  %-20s %s\n", k.Label(), k.Help))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
