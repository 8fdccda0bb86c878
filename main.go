// Sigla is a terminal explorer for folders of photos. It runs SigLIP-family
// models on the user's own machine, shows for every photo the sigmoid
// probability of every label, and lets the user move bias and labels and see
// the effect at once. One static binary; nothing leaves the machine.
package main

import (
	"os"

	"sigla/cli"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
