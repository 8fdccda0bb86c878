package cli

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sigla/model/hub"
	"sigla/ui"
)

var update = flag.Bool("update", false, "write the generated tables of README.md and docs/MODELS.md")

// TestModelsDoc holds the tables of models in README.md and docs/MODELS.md to
// the one in package hub.
func TestModelsDoc(t *testing.T) {
	holdTable(t, "../docs/MODELS.md", "models", modelTable())
	holdTable(t, "../README.md", "models", familyTable())
}

// TestKeysDoc holds the keys of docs/EXPLORER.md to the key table.
func TestKeysDoc(t *testing.T) {
	var b strings.Builder
	group := ""
	for _, k := range ui.Keys() {
		if k.Group != group {
			group = k.Group
			fmt.Fprintf(&b, "\n### %s\n\n| key | what it does |\n|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(k.Label(), " ", "` `"), k.Help)
	}
	holdTable(t, "../docs/EXPLORER.md", "keys", strings.TrimPrefix(b.String(), "\n"))
}

// holdTable fails if what stands between the marks of that name is not the table
// or, with -update, makes it so.
func holdTable(t *testing.T, path, name, table string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), "-update -->\n")
	_, tail, ok2 := strings.Cut(rest, "<!-- /"+name+" -->")
	if !ok || !ok2 {
		t.Fatalf("%s has lost its marks", path)
	}
	want := head + "-update -->\n\n" + table + "\n<!-- /" + name + " -->" + tail
	if string(data) == want {
		return
	}
	if !*update {
		t.Errorf("%s is not what the table of %s says; run go test ./cli -run Doc -update", path, name)
	} else if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// runnable are the published models that run.
func runnable() []hub.Checkpoint {
	return slices.DeleteFunc(hub.Known(), func(k hub.Checkpoint) bool { _, err := shape(k); return err != nil })
}

// modelTable has a line for each model.
func modelTable() string {
	var b strings.Builder
	b.WriteString("| name | kind | parameters | input | text | licence | download |\n|---|---|---:|---|---:|---|---:|\n")
	b.WriteString("| starter (built in) | starter | 11.2 M | 224×224 | 16 | see NOTICE | - |\n")
	for _, k := range runnable() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %s | %.2f GB |\n", k.Name, k.Kind, millions(k.Params), k.Input, k.Tokens, k.License, float64(k.Size)/1e9)
	}
	return b.String()
}

// familyTable has a line for the models that share a name up to its patch or
// architecture, in the order of the table.
func familyTable() string {
	type family struct {
		name, kind  string
		sides       []int
		models      int
		least, most int64 // parameters
	}
	var families []family
	for _, k := range runnable() {
		name, _, _ := strings.Cut(k.Name, "-patch")
		name, _, _ = strings.Cut(name, "-ViT-")
		if i := slices.IndexFunc(families, func(f family) bool { return f.name == name }); i < 0 {
			families = append(families, family{name, k.Kind, []int{k.Image}, 1, k.Params, k.Params})
		} else {
			f := &families[i]
			f.sides, f.models, f.least, f.most = append(f.sides, k.Image), f.models+1, min(f.least, k.Params), max(f.most, k.Params)
		}
	}
	var b strings.Builder
	b.WriteString("| names | kind | models | parameters | sides of the input |\n|---|---|---:|---:|---|\n")
	for _, f := range families {
		slices.Sort(f.sides)
		sides := strings.Trim(strings.ReplaceAll(fmt.Sprint(slices.Compact(f.sides)), " ", ", "), "[]")
		params := fmt.Sprintf("%.0f M", float64(f.least)/1e6)
		if most := fmt.Sprintf("%.0f M", float64(f.most)/1e6); most != params {
			params = strings.TrimSuffix(params, " M") + "–" + most
		}
		fmt.Fprintf(&b, "| %s-… | %s | %d | %s | %s |\n", f.name, f.kind, f.models, params, sides)
	}
	return b.String()
}
