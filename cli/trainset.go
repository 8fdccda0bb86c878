package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"sigla/finetune"
	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
)

// knowledgeOptions are the flags that say what is known of photos.
type knowledgeOptions struct {
	tags     string
	complete bool
}

func (o *knowledgeOptions) add(f *pflag.FlagSet) {
	f.StringVar(&o.tags, "tags", "auto", "where it is said what photos show: sidecars (and the photos themselves), folders (their names), a CSV file, or auto: tags in files, else names of folders")
	f.BoolVar(&o.complete, "complete", false, "what is not said of a photo is not so; else nobody knows")
}

// A trainSet is what is known of the photos of a gallery, with the labels that
// it is known of.
type trainSet struct {
	finetune.Set
	labels   []label.Label // as Set.Labels
	ids      []int         // of the gallery, as Set.Photos
	from     string        // what was taken: "tags in files", "names of folders", a file
	disputes []dispute
	missing  error // photos of a list that are not there
}

// A dispute is a tag of a photo that a person's answer contradicts.
type dispute struct{ path, label, answer string }

func (d dispute) Error() string {
	return fmt.Sprintf("%s: %s: it was said otherwise, and a person %sed it: the person counts", d.path, d.label, d.answer)
}

// A claim is what a source says of a photo: a name that it shows, or does not.
type claim struct {
	name  string
	value int8
	by    finetune.Origin
}

// knowledge turns what a gallery knows of its photos into a set. Tags and photos
// must have been read. With named the labels are those of the set, else those
// that are found, which the set may explain.
func knowledge(ctx context.Context, g *gallery.Gallery, set label.Set, named bool, o knowledgeOptions) (*trainSet, error) {
	k := &knower{g: g, claims: make(map[int][]claim), captions: make(map[int][]string)}
	for _, p := range g.Photos() {
		if p.State == gallery.Ready {
			k.photos = append(k.photos, p)
		}
	}
	if len(k.photos) == 0 {
		return nil, errors.New("there is no photo that can be read")
	}
	from, err := k.collect(o.tags)
	if err != nil {
		return nil, err
	}
	if k.answers, err = g.Decisions(ctx); err != nil {
		return nil, err
	}
	t := &trainSet{from: from, missing: k.missing}
	t.Complete = o.complete
	if len(k.captions) == 0 {
		if t.labels = set.Labels; !named {
			t.labels = found(k.names(), set)
		}
		for _, l := range t.labels {
			t.Labels = append(t.Labels, finetune.Label{Name: l.Name, Texts: l.Texts(set.Templates)})
		}
	}
	k.fill(t, newVocabulary(t.labels))
	if len(t.Photos) == 0 {
		return nil, fmt.Errorf("nothing is known of the photos: there are no %s; tag photos, answer in the explorer, or name a CSV file with --tags", from)
	}
	return t, k.alike(ctx, t)
}

// A knower gathers what is known of photos.
type knower struct {
	g        *gallery.Gallery
	photos   []gallery.Photo
	claims   map[int][]claim  // by ID
	captions map[int][]string // by ID
	listed   map[int]bool     // by ID; nil: there is no list
	missing  error            // of the list
	answers  map[catalog.Hash][]catalog.Decision
}

// collect takes what the sources say that --tags names.
func (k *knower) collect(tags string) (from string, err error) {
	const inFiles, folders = "tags in files", "names of folders"
	switch tags {
	case "sidecars":
		k.readTags()
		return inFiles, nil
	case "folders":
		k.readFolders()
		return folders, nil
	case "auto":
		if k.readTags(); len(k.claims) > 0 {
			return inFiles, nil
		}
		if k.readFolders(); len(k.claims) > 0 {
			return folders, nil
		}
		return "tags in files, names of folders or answers", nil
	}
	list, err := readTagList(tags)
	if err != nil {
		return "", err
	}
	return tags, k.readList(list)
}

// readTags takes the tags of photos and sidecars, but for those that this program
// set by itself: a model learns nothing from what it said.
func (k *knower) readTags() {
	for _, p := range k.photos {
		ours := make(map[string]bool)
		for _, m := range k.g.Marks(p.ID) {
			if m.Source == sidecar.Auto {
				ours[sidecar.Fold(m.Label)] = true
			}
		}
		tags := k.g.Tags(p.ID)
		for _, tag := range slices.Concat(tags.Tags, tags.People) {
			if name := tag.String(); !ours[sidecar.Fold(name)] {
				k.claims[p.ID] = append(k.claims[p.ID], claim{name, 1, finetune.ByTag})
			}
		}
	}
}

// readFolders takes the folders of photos, as paths below what was named: what
// has no letter, as 2024, and what cameras call their folders says nothing.
func (k *knower) readFolders() {
	for _, p := range k.photos {
		var names []string
		for name := range strings.SplitSeq(path.Dir(p.Name), "/") {
			if name = strings.TrimSpace(name); isFolderTag(name) {
				names = append(names, strings.ReplaceAll(name, "|", " "))
			}
		}
		if len(names) > 0 {
			k.claims[p.ID] = append(k.claims[p.ID], claim{strings.Join(names, "|"), 1, finetune.ByFolder})
		}
	}
}

func isFolderTag(name string) bool {
	letters, digits := 0, 0
	for _, r := range name {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r != '.' && r != '-' && r != '_' && r != ' ':
			letters++
		}
	}
	camera := len(name) == 8 && digits >= 3 && name[0] >= '1' && name[0] <= '9' // DCF: 100CANON
	return letters > 0 && !camera && !strings.EqualFold(name, "DCIM")
}

// places are the photos by absolute path, and by name where that is free.
func (k *knower) places() map[string]int {
	at := make(map[string]int)
	for _, p := range k.photos {
		for _, name := range p.Files() {
			if abs, err := filepath.Abs(name); err == nil {
				at[abs] = p.ID
			}
		}
	}
	for _, p := range k.photos {
		name := filepath.FromSlash(p.Name)
		if _, taken := at[name]; !taken {
			at[name] = p.ID
		}
	}
	return at
}

// readList takes what a file says of the photos that it names.
func (k *knower) readList(list tagList) error {
	base, err := filepath.Abs(filepath.Dir(list.file))
	if err != nil {
		return fmt.Errorf("read tags %s: %w", list.file, err)
	}
	at := k.places()
	k.listed = make(map[int]bool)
	missing, first := 0, listedPhoto{}
	said := make(map[int]map[string]listedPhoto)
	for _, row := range list.rows {
		name := filepath.Clean(filepath.FromSlash(row.path))
		abs := name
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(base, name)
		}
		id, ok := at[abs]
		if !ok {
			id, ok = at[name]
		}
		if !ok {
			if missing++; missing == 1 {
				first = row
			}
			continue
		}
		k.listed[id] = true
		if list.captions {
			k.captions[id] = append(k.captions[id], row.caption)
		}
		if said[id] == nil {
			said[id] = make(map[string]listedPhoto)
		}
		for _, tag := range row.tags {
			key := fmt.Sprint(-tag.value, sidecar.Fold(tag.name))
			if before, ok := said[id][key]; ok {
				return list.errorf(row.line, "%s of %s: line %d says the opposite", tag.name, row.path, before.line)
			}
			said[id][fmt.Sprint(tag.value, sidecar.Fold(tag.name))] = row
			k.claims[id] = append(k.claims[id], claim{tag.name, tag.value, finetune.ByList})
		}
	}
	if missing > 0 {
		k.missing = list.errorf(first.line, "%s is none of the photos; %d of %d lines are left out", first.path, missing, len(list.rows))
	}
	if missing == len(list.rows) {
		return list.errorf(first.line, "%s is none of the photos, nor is any other of the list; paths are relative to the list or to the folder of the photos", first.path)
	}
	return nil
}

// names returns the names that are said or were answered, the most frequent
// first, each in the spelling of whoever was first.
func (k *knower) names() []string {
	count, spelling := make(map[string]int), make(map[string]string)
	note := func(name string) {
		key := sidecar.Fold(name)
		if count[key]++; count[key] == 1 {
			spelling[key] = name
		}
	}
	for _, p := range k.photos {
		for _, c := range k.claims[p.ID] {
			note(c.name)
		}
		for _, d := range k.answers[k.g.Content(p.ID)] {
			note(d.Label)
		}
	}
	keys := make([]string, 0, len(count))
	for key := range count {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = spelling[key]
	}
	return names
}

// fill makes the photos of the set. One of which nothing is known is left out,
// unless what is not said is known not to be so; with a list only those that it
// names are known so.
func (k *knower) fill(t *trainSet, v *vocabulary) {
	for _, p := range k.photos {
		row := finetune.Photo{Path: p.Path, Taken: p.Info.Taken}
		for _, caption := range k.captions[p.ID] {
			row.Caption = caption
			t.Photos, t.ids = append(t.Photos, row), append(t.ids, p.ID)
		}
		if len(t.Labels) == 0 {
			continue
		}
		row.Known = k.known(t, v, p)
		if whole := t.Complete && (k.listed == nil || k.listed[p.ID]); whole || !t.Complete && len(row.Known) > 0 {
			t.Photos, t.ids = append(t.Photos, row), append(t.ids, p.ID)
		}
	}
}

// known brings together what is said of a photo, by how much it counts: what
// sources say, what follows from a person's answers, and the answers.
func (k *knower) known(t *trainSet, v *vocabulary, p gallery.Photo) []finetune.Known {
	known := make(map[int]finetune.Known)
	say := func(labels []int, value int8, by finetune.Origin) {
		for _, i := range labels {
			known[i] = finetune.Known{Label: i, Value: value, By: by}
		}
	}
	for _, side := range []int8{-1, 1} { // a tag below a name says more than a name's absence
		for _, c := range k.claims[p.ID] {
			if c.value == side && side > 0 {
				say(v.shown(c.name), 1, c.by)
			} else if c.value == side {
				say(v.notShown(c.name), -1, c.by)
			}
		}
	}
	answers := slices.Clone(k.answers[k.g.Content(p.ID)])
	slices.SortStableFunc(answers, func(a, b catalog.Decision) int { return a.When.Compare(b.When) })
	for _, d := range answers {
		for _, i := range v.exactly(d.Label) {
			if was, ok := known[i]; ok && was.By != finetune.ByPerson && was.Value != int8(d.Verdict) {
				t.disputes = append(t.disputes, dispute{p.Path, t.Labels[i].Name, d.Verdict.String()})
			}
		}
		if d.Verdict == catalog.Accept {
			say(v.shown(d.Label), 1, finetune.ByPerson)
		} else {
			say(v.notShown(d.Label), -1, finetune.ByPerson)
		}
	}
	for _, d := range answers {
		say(v.exactly(d.Label), int8(d.Verdict), finetune.ByPerson)
	}
	list := make([]finetune.Known, 0, len(known))
	for _, known := range known {
		list = append(list, known)
	}
	slices.SortFunc(list, func(a, b finetune.Known) int { return a.Label - b.Label })
	return list
}

// alike numbers the groups of photos that are the same picture; captions of one
// photo go together too.
func (k *knower) alike(ctx context.Context, t *trainSet) error {
	pictures, err := gallery.NewPictures(ctx, k.g)
	if err != nil {
		return err
	}
	groups, err := pictures.Groups(ctx, gallery.DefaultAlike)
	if err != nil {
		return err
	}
	number := make(map[int]int) // by ID
	for i, group := range groups {
		for _, id := range group {
			number[id] = i + 1
		}
	}
	for i, id := range t.ids {
		if number[id] == 0 && len(k.captions[id]) > 1 {
			number[id] = len(groups) + 1 + id
		}
		t.Photos[i].Alike = number[id]
	}
	return nil
}

// embedded has the vectors of a set as the encoder makes them.
func (t *trainSet) embedded(ctx context.Context, g *gallery.Gallery, enc *encoder, templates []string) (finetune.Embedded, error) {
	d := finetune.Embedded{Set: t.Set, LogScale: enc.Info().LogScale, Bias: enc.Info().Bias}
	for _, id := range t.ids {
		d.Images = append(d.Images, g.Vector(id))
	}
	c, err := gallery.NewClassifier(ctx, label.Set{Templates: templates, Labels: t.labels}, enc)
	if err != nil {
		return d, err
	}
	d.Texts = c.Vectors()
	return d, nil
}
