package cli

import (
	"github.com/spf13/cobra"
)

// commands returns the whole command line.
func (a *app) commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "sigla [PATH]",
		Short: "Explore folders of photos with SigLIP models, on this machine",
		Long: `Explore a folder of photos: what every photo shows, as the sigmoid probability of every label, and what a different bias or label would change. PATH is a folder or a photo, the current folder if none is named, - for paths on standard input.

Everything is computed on this machine; nothing is sent anywhere. Where standard output is no terminal, each photo is printed with its labels above the threshold.`,
		Example: `sigla demo
sigla Pictures
sigla Pictures --labels cat,dog,bird --bias 0.5
sigla score --format json Pictures`,
		Args: cobra.MaximumNArgs(1),
		Run:  a.configured(a.runExplore),

		SuggestionsMinimumDistance: 2,
	}
	a.addOptions(root)
	root.AddCommand(
		a.demoCommand(),
		a.scoreCommand(),
		a.embedCommand(),
		a.searchCommand(),
		a.indexCommand(),
		a.exportCommand(),
		a.tagCommand(),
		a.evalCommand(),
		a.undoCommand(),
		a.modelsCommand(),
		a.trainCommand(),
		a.adaptersCommand(),
		a.pullCommand(),
		a.benchCommand(),
		a.doctorCommand(),
		a.keysCommand(),
		a.manCommand(),
	)
	return root
}
