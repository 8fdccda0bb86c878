package finetune

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigla/cpu"
	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/internal/require"
	"sigla/model"
)

var useful = flag.Bool("useful", false, "measure what training brings and write docs/TRAINING.md")

// The classes that starter-heldout has never seen, of its MODEL.md, with what they
// are called there.
var (
	unseenCaltech = map[string]string{
		"ant": "ant", "binocular": "binocular", "buddha": "Buddha statue", "chair": "chair", "dalmatian": "dalmatian",
		"elephant": "elephant", "emu": "emu", "euphonium": "euphonium", "ferry": "ferry", "inline_skate": "inline skate",
		"ketch": "ketch", "laptop": "laptop", "lobster": "lobster", "pigeon": "pigeon", "saxophone": "saxophone",
		"sunflower": "sunflower", "tick": "tick", "wild_cat": "wildcat", "windsor_chair": "Windsor chair", "yin_yang": "yin yang symbol",
	}
	// Names that mean nothing, for five of them: what a person might have names
	// for that no model knows.
	invented = map[string]string{"dalmatian": "florn", "euphonium": "quabble", "inline_skate": "zindle", "sunflower": "mervox", "yin_yang": "tuskadel"}

	unseenImageNet = strings.Fields(`n01443537 n01770393 n01774384 n02002724 n02056570 n02058221 n02123394 n02132136 n02233338 n02279972
		n02281406 n02395406 n02423022 n02666196 n02788148 n02906734 n02927161 n02963159 n02999410 n03014705 n03026506 n03089624 n03126707
		n03255030 n03400231 n03404251 n03670208 n03770439 n03796401 n03838899 n03937543 n03977966 n03992509 n04023962 n04067472 n04074963
		n04099969 n04179913 n04251144 n04254777 n04456115 n04501370 n04562935 n04597913 n07579787 n07715103 n07747607 n07749582 n07871810 n09332890`)
)

// A collection is photos of one class each, with those to learn from and those
// to measure on, which nothing else looks at.
type collection struct {
	Embedded
	train, test []int
	class       []int // by photo
}

// gather embeds the photos of a folder; of gives the class of a photo by its
// path below the folder, "" leaves it out, and whether it is to measure on.
func gather(t *testing.T, m *model.Model, e *cpu.Engine, dir string, names map[string]string, of func(path string) (class string, test bool)) *collection {
	t.Helper()
	ctx := context.Background()
	g := gallery.New()
	g.UseScanner(e)
	if err := g.Scan(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if err := g.Embed(ctx, m, nil); err != nil {
		t.Fatal(err)
	}
	c := &collection{Embedded: Embedded{LogScale: m.Info().LogScale, Bias: m.Info().Bias}}
	c.Complete = true
	at := make(map[string]int)
	photos := g.Photos()
	slices.SortFunc(photos, func(a, b gallery.Photo) int { return cmp.Compare(a.Name, b.Name) })
	var texts []string
	for _, p := range photos {
		class, test := of(p.Name)
		if p.State != gallery.Ready || class == "" {
			continue
		}
		k, ok := at[class]
		if !ok {
			k = len(c.Labels)
			at[class] = k
			name := cmp.Or(names[class], strings.ReplaceAll(class, "_", " "))
			text := strings.ReplaceAll(label.DefaultTemplate, "{}", name)
			texts = append(texts, text)
			c.Labels = append(c.Labels, Label{Name: class, Texts: []string{text}})
		}
		if i := len(c.Photos); test {
			c.test = append(c.test, i)
		} else {
			c.train = append(c.train, i)
		}
		c.class = append(c.class, k)
		c.Photos = append(c.Photos, Photo{Path: p.Name, Known: []Known{{Label: k, Value: 1, By: ByList}}})
		c.Images = append(c.Images, g.Vector(p.ID))
	}
	var err error
	if c.Texts, err = m.EmbedTexts(ctx, texts); err != nil {
		t.Fatal(err)
	}
	return c
}

// examples takes n photos of each class from those to learn from.
func (c *collection) examples(n int, seed uint64) (photos []int) {
	rng, count := rand.New(rand.NewPCG(seed, uint64(n))), make([]int, len(c.Labels))
	for _, k := range rng.Perm(len(c.train)) {
		i := c.train[k]
		if count[c.class[i]]++; count[c.class[i]] <= n {
			photos = append(photos, i)
		}
	}
	slices.Sort(photos)
	return photos
}

// unseenModel is the model that has not seen some classes, with the collections that
// have test lists.
type unseenModel struct {
	t       *testing.T
	e       *cpu.Engine
	src     model.Source
	m       *model.Model
	caltech string          // folder
	tests   map[string]bool // its test list
}

func openUnseen(t *testing.T) *unseenModel {
	t.Helper()
	if !*useful {
		t.Skip("takes minutes; ask for it with -useful")
	}
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src := heldOut(t, require.Data(t, "starter-heldout"))
	m, err := model.Load(e, src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	u := &unseenModel{t: t, e: e, src: src, m: m, caltech: require.Unpack(t, "train", "caltech101.tar")}
	u.tests = listed(t, filepath.Join(u.caltech, "caltech101", "test.txt"))
	return u
}

func (u *unseenModel) caltech101() *collection {
	return gather(u.t, u.m, u.e, u.caltech, unseenCaltech, func(path string) (string, bool) {
		path = strings.TrimPrefix(path, "caltech101/")
		class, _, _ := strings.Cut(path, "/")
		if class == "BACKGROUND_Google" || class == "Faces" { // Faces_easy shows the same people
			return "", false
		}
		return class, u.tests[path]
	})
}

// plant gives some classes a second label of another name: their photos show
// both.
func (u *unseenModel) plant(c *collection, names map[string]string) {
	var texts []string
	for class, l := range slices.Clone(c.Labels) {
		name := names[l.Name]
		if name == "" {
			continue
		}
		text := strings.ReplaceAll(label.DefaultTemplate, "{}", name)
		texts = append(texts, text)
		for i, of := range c.class {
			if of == class {
				c.Photos[i].Known = append(c.Photos[i].Known, Known{Label: len(c.Labels), Value: 1, By: ByList})
			}
		}
		c.Labels = append(c.Labels, Label{Name: name, Texts: []string{text}})
	}
	vectors, err := u.m.EmbedTexts(context.Background(), texts)
	if err != nil {
		u.t.Fatal(err)
	}
	c.Texts = append(c.Texts, vectors...)
}

func (u *unseenModel) clothing() *collection {
	return gather(u.t, u.m, u.e, require.Unpack(u.t, "train", "clothing.tar"), nil, func(path string) (string, bool) {
		part, rest, _ := strings.Cut(strings.TrimPrefix(path, "clothing/"), "/")
		class, _, _ := strings.Cut(rest, "/")
		return class, part == "test"
	})
}

// halve has every other photo of the training list measured on, and the test list
// have no part in anything.
func (c *collection) halve() {
	var learn []int
	c.test = nil
	for k, i := range c.train {
		if k%2 == 0 {
			learn = append(learn, i)
		} else {
			c.test = append(c.test, i)
		}
	}
	c.train = learn
}

// TestPriors measures priors on halves of the training lists, and writes the table
// of docs/TRAINING.md. The test lists have no part in it.
func TestPriors(t *testing.T) {
	u := openUnseen(t)
	text := "| photos | examples a class | vector 4 | **vector 8** | vector 16 | vector 32 | δ 1 | δ 4 |\n|---|---:|---:|---:|---:|---:|---:|---:|\n"
	for _, c := range []struct {
		name string
		*collection
	}{{"caltech101", u.caltech101()}, {"clothing", u.clothing()}} {
		c.halve()
		for _, n := range shots {
			text += fmt.Sprintf("| %s | %d |", c.name, n)
			rows := c.examples(n, 1)
			for _, p := range []Prior{{4, 0.5, 2, 3}, {8, 0.5, 2, 3}, {16, 0.5, 2, 3}, {32, 0.5, 2, 3}, {8, 0.5, 1, 3}, {8, 0.5, 4, 3}} {
				l, err := NewLinear(u.e, c.Embedded, LinearHead, p, rows, c.test)
				if err != nil {
					t.Fatal(err)
				}
				if err := l.fit(context.Background()); err != nil {
					t.Fatal(err)
				}
				v, err := l.Validate(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				text += fmt.Sprintf(" %.3f, %.2f |", v.AveragePrecision, v.Loss)
			}
			text += "\n"
		}
	}
	text += "\nAverage precision, and loss a photo, on the other half; where nothing else is said the vector is 8 and δ 2. `go test ./finetune -run Priors -useful`\n"
	t.Log("\n" + text)
	if err := writeBetween("../docs/TRAINING.md", "prior", text); err != nil {
		t.Error(err)
	}
}

// TestUsefulness measures zero-shot, calibration, heads and low-rank updates on
// photos and classes that the model has not seen, and writes the tables of docs/TRAINING.md.
func TestUsefulness(t *testing.T) {
	u := openUnseen(t)
	caltech, clothing := u.caltech101(), u.clothing()
	u.plant(caltech, invented)
	among := func(names map[string]string) func(string) bool {
		return func(class string) bool { return names[class] != "" }
	}
	isInvented := func(name string) bool {
		return slices.Contains(slices.Collect(maps.Values(invented)), name)
	}
	tables := usefulTables{src: u.src}
	trials := tables.run(t, "caltech101", caltech)
	tables.add("caltech101: 20 classes that it has not seen", caltech, trials, among(unseenCaltech))
	tables.add("five of them by invented names", caltech, trials, isInvented)
	tables.add("caltech101: 80 classes that it has seen ●", caltech, trials, func(class string) bool { return !among(unseenCaltech)(class) && !isInvented(class) })
	tables.add("clothing: 10 classes, which it has seen ●", clothing, tables.run(t, "clothing", clothing), func(string) bool { return true })
	tables.write(t) // the next takes as long again
	tiny := u.tiny()
	tables.add("tiny-imagenet: 50 classes that it has not seen", tiny, tables.run(t, "tiny-imagenet", tiny), func(string) bool { return true })
	tables.write(t)
}

// tiny are the classes of tiny-imagenet that are removed; each has 250 photos, of
// which the last 50 are measured on, as there is no list.
func (u *unseenModel) tiny() *collection {
	dir := require.Unpack(u.t, "train", "tiny-imagenet-50k.tar")
	names := make(map[string]string)
	for line := range listed(u.t, filepath.Join(dir, "labels.tsv")) {
		class, name, _ := strings.Cut(line, "\t")
		names[class], _, _ = strings.Cut(name, ",")
		if !slices.Contains(unseenImageNet, class) { // nothing to embed
			os.RemoveAll(filepath.Join(dir, class))
		}
	}
	return gather(u.t, u.m, u.e, dir, names, func(path string) (string, bool) {
		class, file, _ := strings.Cut(path, "/")
		n, err := strconv.Atoi(strings.TrimSuffix(file, ".jpg"))
		if err != nil {
			u.t.Fatal(err)
		}
		return class, n >= 200
	})
}

// listed are the lines of a file.
func listed(t *testing.T, path string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]bool)
	for line := range strings.Lines(string(data)) {
		lines[strings.TrimSpace(line)] = true
	}
	return lines
}

func heldOut(t *testing.T, folder string) model.Source {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(folder, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return model.Memory("starter-heldout", files)
}
