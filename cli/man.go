package cli

import (
	"context"

	mango "github.com/muesli/mango-cobra"
	"github.com/muesli/roff"
	"github.com/spf13/cobra"
)

// Sections of the manual page beside what the command table gives.
const (
	manExit = `0 done; 1 failed; 2 the command line cannot be carried out; 3 done, but some files failed, each named with its reason on standard error; 130 interrupted (128 plus the number of a signal).`
	manEnv  = `SIGLA_DEVICE stands for --device; SIGLA_CPU (generic, avx2, avx512) forces an instruction set; SIGLA_THREADS sets the number of threads; NO_COLOR stands for --no-color; XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME and XDG_CACHE_HOME say where files live.`
	manFile = `$XDG_CONFIG_HOME/sigla/config.toml has defaults of the common flags, by their names: format = "json", template = ["a photo of {}.", "{}"]. Unknown keys are errors. $XDG_CONFIG_HOME/sigla/labels/ has the label sets that the explorer changed. $XDG_DATA_HOME/sigla/ has the catalog: catalog.db, vectors/ and decisions.jsonl. $XDG_STATE_HOME/sigla/history has the last 200 searches of the explorer.`
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "Print the manual page",
		Long:    "Print the manual page, in roff.",
		Example: "sigla man | man -l -",
		Args:    cobra.NoArgs,
		Run:     a.run(a.runMan),
	}
}

func (a *app) runMan(context.Context, []string) error {
	page, err := mango.NewManPage(1, a.root)
	if err != nil {
		return err
	}
	page = page.WithSection("Exit status", manExit).WithSection("Environment", manEnv).WithSection("Files", manFile)
	return a.output().text(page.Build(roff.NewDocument()))
}
