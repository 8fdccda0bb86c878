package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sigla/finetune"
	"sigla/gallery/label"
	"sigla/model"
)

// adapter is the result of a training, in use with a model.
type adapter struct {
	*finetune.Adapter
	name   string
	path   string    // of its file; "" if it has not been read from one
	labels label.Set // of the names that it knows, to find them apart from case
	merged bool      // it has changed the model, and not only how labels are read
}

// keptAdapters is the folder of the adapters that are kept.
func keptAdapters() finetune.Kept { return finetune.Kept(filepath.Join(dataDir(), "adapters")) }

// adapterNames are the names of the adapters that are kept.
func adapterNames() (names []string) {
	list, _ := keptAdapters().List() // the shell has no use for an error
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names
}

// adapterFile is the file that --adapter means, and what it is called: a file,
// or one that is kept under a name.
func adapterFile(value string) (path, name string) {
	if file := filepath.Base(value); filepath.Ext(file) == ".safetensors" || file != value {
		return value, strings.TrimSuffix(file, ".safetensors")
	}
	return keptAdapters().Path(value), value
}

// openAdapter reads the adapter that the settings name, or the one that is the
// model's default; nil if it is to be used as it is.
func (a *app) openAdapter(info model.Info) (*adapter, error) {
	value := a.settings.adapter
	if value == "none" {
		return nil, nil
	}
	if value == "" {
		var err error
		if value, err = keptAdapters().Default(info.Digest); value == "" || err != nil {
			return nil, err
		}
	}
	path, name := adapterFile(value)
	read, err := finetune.ReadAdapter(path)
	if err == nil {
		err = read.Fits(info)
	}
	if err != nil && a.settings.adapter == "" {
		return nil, fmt.Errorf("use adapter %s, the default of model %s: %w; --adapter none does without it, sigla adapters --remove %s forgets it", value, info.Name, err, value)
	} else if err != nil {
		return nil, fmt.Errorf("use adapter %s: %w; sigla adapters lists those that are kept", value, err)
	}
	d := newAdapter(name, read)
	d.path = path
	return d, nil
}

// tellDefault names an adapter that nobody asked for by name, to a person at a
// terminal.
func (a *app) tellDefault(e *encoder) {
	if e.adapter != nil && a.settings.adapter == "" && a.progress.on && !a.settings.quiet {
		a.progress.clear()
		fmt.Fprintf(a.stderr, "%s is used with adapter %s, its default; --adapter none does without it\n", printable(e.Model.Info().Name), e.adapter.name)
	}
}

func newAdapter(name string, read *finetune.Adapter) *adapter {
	d := &adapter{Adapter: read, name: name}
	for _, l := range read.Labels {
		d.labels.Labels = append(d.labels.Labels, label.Label{Name: l.Name})
	}
	return d
}

// tuned is what an adapter, if there is one, knows of a label.
func (d *adapter) tuned(name string) finetune.Tuned {
	if d != nil {
		if i := d.labels.Index(name); i >= 0 {
			return d.Labels[i]
		}
	}
	return finetune.Tuned{}
}

// missing are the labels that an adapter knows and a set has not.
func (d *adapter) missing(set label.Set) (names []string) {
	if d != nil {
		for _, l := range d.Labels {
			if set.Index(l.Name) < 0 {
				names = append(names, l.Name)
			}
		}
	}
	return names
}

// warnMissing names labels that were learned and are not asked for: they may
// have got another name since.
func (a *app) warnMissing(d *adapter, set label.Set) {
	names := d.missing(set)
	if len(names) == 0 {
		return
	}
	const most = 5
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	a.complain(fmt.Errorf("adapter %s has learned labels that the set does not have: %s%s", d.name, strings.Join(names, ", "), more))
}

// adapt changes a model as the adapter says.
func (e *encoder) adapt(d *adapter) error {
	if err := e.Model.Apply(d.Patch()); err != nil {
		return fmt.Errorf("use adapter %s: %w", d.name, err)
	}
	d.merged = len(d.Tensors)+len(d.LowRank) > 0
	d.Tensors, d.LowRank = nil, nil // they are in the model; a full one is as large as that
	e.adapter = d
	return nil
}

// again has what loads a model anew change it as the adapter did the one that is in
// use, whose digest it has to have: the adapter's tensors are in that one only.
func (d *adapter) again(load func() (*model.Model, error), digest string) func() (*model.Model, error) {
	return func() (*model.Model, error) {
		m, err := load()
		if err != nil {
			return nil, err
		}
		read, err := finetune.ReadAdapter(d.path)
		if err == nil {
			err = m.Apply(read.Patch())
		}
		if err == nil && m.Info().Digest != digest {
			err = errors.New("its file, or the model's, has changed")
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("use adapter %s: %w", d.name, err), m.Close())
		}
		return m, nil
	}
}

// Info describes the model with its adapter.
func (e *encoder) Info() model.Info {
	info := e.Model.Info()
	if e.adapter != nil {
		info.Name += " + " + e.adapter.name
	}
	return info
}

// LabelVector implements gallery.LabelEmbedder.
func (e *encoder) LabelVector(name string) []float32 { return e.adapter.tuned(name).Vector }

// Tune returns a label as the adapter has learned to read it. A threshold or a
// scale that a person has set stays, and a bias comes on top.
func (e *encoder) Tune(l label.Label) label.Label {
	t := e.adapter.tuned(l.Name)
	l.Scale, l.Threshold = cmp.Or(l.Scale, t.Scale), cmp.Or(l.Threshold, t.Threshold)
	l.Bias += t.Delta
	return l
}

// tuneAll returns a set of labels as the adapter has learned to read them.
func (e *encoder) tuneAll(set label.Set) label.Set {
	labels := make([]label.Label, len(set.Labels))
	for i, l := range set.Labels {
		labels[i] = e.Tune(l)
	}
	set.Labels = labels
	return set
}
