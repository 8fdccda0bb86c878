package cli

import (
	"context"
	"fmt"
	"strings"

	"sigla/finetune"
)

// mergeAdapter writes a model with an adapter as a checkpoint to a new folder.
func (a *app) mergeAdapter(ctx context.Context, value, dir string) error {
	path, _ := adapterFile(value)
	card, err := finetune.ReadCard(path)
	if err != nil {
		return err
	}
	if a.settings.model == "" {
		a.settings.model = card.Base.Name
	}
	a.settings.adapter = value
	a.settings.device, a.settings.precision = "cpu", "auto" // a device may store weights in less than is to be written
	src, err := a.source(ctx)
	if err != nil {
		return err
	}
	enc, err := a.use(ctx, src)
	if err != nil {
		return err
	}
	defer enc.Close()
	if err := enc.Model.Export(dir, src, modelCard(enc.adapter)); err != nil {
		return err
	}
	if n := len(enc.adapter.Labels); n > 0 {
		a.complain(fmt.Errorf("what adapter %s knows of %d labels is not in %s: a checkpoint has no place for it", enc.adapter.name, n, dir))
	}
	return nil
}

// modelCard is the README.md of a merged checkpoint: what its base is, and what
// was learned.
func modelCard(d *adapter) string {
	var b strings.Builder
	fmt.Fprintf(&b, `---
base_model: %q
library_name: transformers
pipeline_tag: zero-shot-image-classification
---

# %s

%s with what was learned from photos by sigla %s, merged into its weights. The
licence of the base holds. The weights are float32.

`, d.Card.Base.Name, d.name, d.Card.Base.Name, d.Card.Program)
	for line := range strings.Lines(d.Card.String()) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// exportPEFT writes an adapter as the PEFT library has it.
func exportPEFT(value, dir string) error {
	path, _ := adapterFile(value)
	read, err := finetune.ReadAdapter(path)
	if err != nil {
		return err
	}
	return finetune.WritePEFT(dir, read)
}
