package cli

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sigla/gallery/label"
)

// settings is what the common flags, the environment and the configuration
// file say.
type settings struct {
	model, device, precision string
	adapter                  string
	labels                   string // a comma list, a file, or the name of a saved set
	templates                []string
	bias, temperature        float64 // δ; the wanted exp(t'), 0 for the checkpoint's
	format                   string
	config                   string
	quiet, null              bool
}

// option is a common flag: name, help and effect. It may stand before or after
// the command, and as a key of the same name in the configuration file.
type option struct {
	name, short string
	value       string // what the value is called in help; "bool" for a switch
	initial     string // the default
	many        bool   // may be repeated; a list in the configuration file
	choices     []string
	env         string // an environment variable that stands for the flag
	help        string
	complete    func() []string // what the shell may offer beyond choices; nil: nothing
	set         func(s *settings, text string) error
}

var options = []option{
	{name: "model", value: "folder", help: "model to use: a folder with config.json, a tokenizer and model.safetensors, or a name on the Hugging Face hub, which is fetched once (the built-in starter)",
		set: func(s *settings, text string) error { s.model = text; return nil }},
	{name: "adapter", value: "name", help: "what was learned from your photos, to use with the model: the name of a kept adapter or a file; none for the model as it was published (the adapter that was made its default)", complete: adapterNames,
		set: func(s *settings, text string) error { s.adapter = text; return nil }},
	{name: "device", value: "name", initial: "auto", choices: []string{"auto", "cpu", "gpu", "gpu:software"}, env: "SIGLA_DEVICE",
		help: "where to compute: auto, cpu, gpu or gpu:software",
		set:  func(s *settings, text string) error { s.device = text; return nil }},
	{name: "precision", value: "name", initial: "auto", choices: []string{"auto", "f32", "bf16", "int8"},
		help: "how to compute: auto, f32, bf16 or int8",
		set:  func(s *settings, text string) error { s.precision = text; return nil }},
	{name: "labels", value: "list", help: "labels: a comma list, a file (lines or TOML), or a saved set's name (the everyday set)",
		set: func(s *settings, text string) error { s.labels = text; return nil }},
	{name: "template", value: "text", many: true, help: "what a label is put into, {} is the label; may be repeated (" + strconv.Quote(label.DefaultTemplate) + ")",
		set: func(s *settings, text string) error {
			if !strings.Contains(text, "{}") {
				return fmt.Errorf("a template needs {} where the label goes")
			}
			s.templates = append(s.templates, text)
			return nil
		}},
	{name: "bias", value: "number", help: "number added to every logit before the sigmoid: δ",
		set: func(s *settings, text string) (err error) { s.bias, err = finite(text); return err }},
	{name: "temperature", value: "number", help: "use this exp(t') instead of the model's",
		set: func(s *settings, text string) (err error) {
			if s.temperature, err = finite(text); err == nil && s.temperature <= 0 {
				err = fmt.Errorf("want a number above 0")
			}
			return err
		}},
	{name: "format", value: "name", initial: "text", choices: []string{"text", "json", "csv"},
		help: "form of the output: text, json (one object a line) or csv",
		set:  func(s *settings, text string) error { s.format = text; return nil }},
	{name: "config", value: "file", help: "configuration file, TOML with these flags as keys (sigla/config.toml in the user's configuration folder)",
		set: func(s *settings, text string) error { s.config = text; return nil }},
	{name: "quiet", value: "bool", help: "no progress; files that fail are still named",
		set: func(s *settings, text string) (err error) { s.quiet, err = strconv.ParseBool(text); return err }},
	{name: "no-color", value: "bool", help: "no colour, as the variable NO_COLOR",
		set: func(_ *settings, text string) error {
			on, err := strconv.ParseBool(text)
			if err == nil && on {
				err = os.Setenv("NO_COLOR", "1") // help and screens follow the variable
			}
			return err
		}},
	{name: "null", short: "0", value: "bool", help: "paths end with NUL instead of a new line, on input (PATH -) and in text output",
		set: func(s *settings, text string) (err error) { s.null, err = strconv.ParseBool(text); return err }},
}

// finite parses a number that can be computed with.
func finite(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("want a number")
	}
	return x, nil
}

// check parses text for the option and puts it into s.
func (o *option) check(s *settings, text string) error {
	if o.choices != nil && !slices.Contains(o.choices, text) {
		return fmt.Errorf("want one of %s", strings.Join(o.choices, ", "))
	}
	return o.set(s, text)
}

// flagValue is an option on the command line (pflag.Value).
type flagValue struct {
	*option
	settings *settings
	text     string
}

func (f *flagValue) String() string { return f.text }
func (f *flagValue) Type() string   { return f.value }
func (f *flagValue) Set(text string) error {
	f.text = text
	return f.check(f.settings, text)
}

// addOptions gives cmd, and every command below it, the common flags.
func (a *app) addOptions(cmd *cobra.Command) {
	for i := range options {
		o := &options[i]
		f := cmd.PersistentFlags().VarPF(&flagValue{o, &a.settings, o.initial}, o.name, o.short, o.help)
		if o.value == "bool" {
			f.NoOptDefVal = "true"
		}
		if o.initial != "" {
			o.set(&a.settings, o.initial)
		}
		var err error
		switch {
		case o.choices != nil:
			err = cmd.RegisterFlagCompletionFunc(o.name, cobra.FixedCompletions(o.choices, cobra.ShellCompDirectiveNoFileComp))
		case o.complete != nil:
			err = cmd.RegisterFlagCompletionFunc(o.name, offer(o.complete, cobra.ShellCompDirectiveDefault))
		case o.value == "folder":
			err = cmd.MarkPersistentFlagDirname(o.name)
		}
		if err != nil {
			panic(err) // a flag registered twice
		}
	}
}

// offer has the shell complete with what list returns.
func offer(list func() []string, more cobra.ShellCompDirective) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return list(), more }
}
