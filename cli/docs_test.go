package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"sigla/model/hub"
)

var update = flag.Bool("update", false, "write the generated part of docs/MODELS.md")

// TestModelsDoc holds the table of docs/MODELS.md to the one in package hub.
func TestModelsDoc(t *testing.T) {
	const path = "../docs/MODELS.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), "-update -->\n")
	_, tail, ok2 := strings.Cut(rest, "<!-- /models -->")
	if !ok || !ok2 {
		t.Fatalf("%s has lost its marks", path)
	}
	var b strings.Builder
	b.WriteString("\n| name | kind | parameters | input | text | licence | download |\n|---|---|---:|---|---:|---|---:|\n")
	b.WriteString("| starter (built in) | starter | 11.2 M | 224×224 | 16 | see NOTICE | - |\n")
	for _, k := range hub.Known() {
		if _, err := shape(k); err != nil {
			continue // does not run
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %s | %.2f GB |\n", k.Name, k.Kind, millions(k.Params), k.Input, k.Tokens, k.License, float64(k.Size)/1e9)
	}
	b.WriteString("\n")
	want := head + "-update -->\n" + b.String() + "<!-- /models -->" + tail
	if string(data) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the table of models says; run go test ./cli -run ModelsDoc -update", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
