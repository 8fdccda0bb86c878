package finetune

import (
	"bufio"
	"context"
	"encoding/csv"
	"image"
	_ "image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/assets"
	"sigla/internal/require"
	"sigla/model"
)

// scratch is the data that a model is trained with from scratch: captions of
// flickr8k, and of caltech101 a sentence with the name of the folder.
type scratch struct {
	set     Set
	rows    []any // of each photo, prepared
	flickr  []int // held back: photos whose captions are looked for
	test    []any // caltech101's test list, prepared
	classes []string
	truth   []int // of test
}

// scratchConfig is a shape that learns in minutes on two cores.
func scratchConfig() model.Config {
	tower := model.Tower{Width: 96, MLP: 384, Heads: 3, Layers: 2, Eps: 1e-6}
	return model.Config{Vision: tower, Text: tower, ImageSize: 48, Patch: 8, Vocab: 8192, Tokens: 16, Dim: 96, EOS: 1}
}

func sentence(class string) string {
	return "a photo of a " + strings.ToLower(strings.ReplaceAll(class, "_", " "))
}

// initialModel is a model before any training.
func initialModel(t *testing.T, c model.Config, logScale, bias float32, seed uint64) *model.Model {
	t.Helper()
	dir := t.TempDir()
	if err := model.WriteInitial(dir, c, model.Memory("starter", assets.Starter()), logScale, bias, seed); err != nil {
		t.Fatal(err)
	}
	src, err := model.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(cpuEngine(t), src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// readScratch reads photos of at most so many classes, and so many of each list.
func readScratch(t *testing.T, m *model.Model, classes, photos int) *scratch {
	t.Helper()
	s := &scratch{}
	prepare := func(path string) any {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		img, _, err := image.Decode(f)
		if err != nil {
			return nil // one file of the list is no image
		}
		x, err := m.Prepare(img)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	root := filepath.Join(require.Unpack(t, "train", "caltech101.tar"), "caltech101")
	for _, name := range scratchLines(t, filepath.Join(root, "train.txt"), photos) {
		class := filepath.Dir(name)
		if !slices.Contains(s.classes, class) {
			if class == "BACKGROUND_Google" || len(s.classes) == classes {
				continue
			}
			s.classes = append(s.classes, class)
		}
		if x := prepare(filepath.Join(root, name)); x != nil {
			s.add(name, sentence(class), x)
		}
	}
	for _, name := range scratchLines(t, filepath.Join(root, "test.txt"), photos) {
		if i := slices.Index(s.classes, filepath.Dir(name)); i >= 0 {
			if x := prepare(filepath.Join(root, name)); x != nil {
				s.test, s.truth = append(s.test, x), append(s.truth, i)
			}
		}
	}
	s.readFlickr(t, prepare, photos)
	return s
}

func (s *scratch) add(path, caption string, x any) {
	s.set.Photos = append(s.set.Photos, Photo{Path: path, Caption: caption})
	s.rows = append(s.rows, x)
}

// readFlickr adds two captions of each photo, and holds back every tenth photo
// with one.
func (s *scratch) readFlickr(t *testing.T, prepare func(string) any, photos int) {
	root := filepath.Join(require.Unpack(t, "train", "flickr8k.tar"), "flickr8k")
	f, err := os.Open(filepath.Join(root, "captions.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	var x any
	for _, line := range lines[1:] {
		name := line[0]
		count[name]++
		if held := len(count)%10 == 0; len(count) > photos || count[name] > 2 || held && count[name] > 1 {
			continue
		} else if held {
			s.flickr = append(s.flickr, len(s.set.Photos))
		}
		if count[name] == 1 {
			x = prepare(filepath.Join(root, name))
		}
		s.add(name, line[1], x)
	}
}

// scratchLines are up to n lines of a list, drawn by a fixed seed.
func scratchLines(t *testing.T, path string, n int) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for in := bufio.NewScanner(f); in.Scan(); {
		lines = append(lines, in.Text())
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return lines[:min(n, len(lines))]
}

// A scratchRow is a line of the table of docs/TRAINING.md.
type scratchRow struct {
	loss          model.Loss
	batch         int
	bias          float32 // at the beginning
	first, last   float64 // loss, the last averaged over 20 steps
	temperature   float64
	b             float32
	accuracy      float64 // of caltech101's test list among all its classes, mean over classes
	recall1, five float64 // of captions of flickr8k that were held back: their photo is first, or among five
	seconds       float64
}

func (s *scratch) train(t *testing.T, m *model.Model, loss model.Loss, mask bool, o Options) scratchRow {
	t.Helper()
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewTowers(m, tr, s.set, TowersOptions{Held: s.flickr, Loss: loss, Mask: mask, Micro: 512, Cache: 1 << 30,
		Photo: func(_ context.Context, i int) (any, error) { return s.rows[i], nil }})
	if err != nil {
		t.Fatal(err)
	}
	r, err := New("", l, record(o))
	if err != nil {
		t.Fatal(err)
	}
	row := scratchRow{loss: loss, batch: o.Batch, bias: m.Info().Bias}
	var losses []float64
	if err := r.Train(context.Background(), Watch{Event: func(e Event) {
		losses, row.seconds = append(losses, e.Loss), e.Seconds
	}}); err != nil {
		t.Fatal(err)
	}
	row.first = losses[0]
	end := losses[max(len(losses)-20, 0):]
	for _, v := range end {
		row.last += v / float64(len(end))
	}
	row.temperature, row.b = math.Exp(float64(m.Info().LogScale)), m.Info().Bias
	s.measure(t, m, &row)
	return row
}

// measure looks at photos that were not learned from.
func (s *scratch) measure(t *testing.T, m *model.Model, row *scratchRow) {
	ctx := context.Background()
	embed := func(photos []any, texts []string) (x, y [][]float32) {
		x, err := m.Embed(ctx, photos)
		if err == nil {
			y, err = m.EmbedTexts(ctx, texts)
		}
		if err != nil {
			t.Fatal(err)
		}
		return x, y
	}
	var prompts []string
	for _, c := range s.classes {
		prompts = append(prompts, sentence(c))
	}
	x, y := embed(s.test, prompts)
	right, all := make([]float64, len(s.classes)), make([]float64, len(s.classes))
	for i, class := range s.truth {
		all[class]++
		if rank(x[i], y, class) == 0 {
			right[class]++
		}
	}
	for class, n := range all {
		row.accuracy += right[class] / max(n, 1) / float64(len(all))
	}
	var photos []any
	var captions []string
	for _, i := range s.flickr {
		photos, captions = append(photos, s.rows[i]), append(captions, s.set.Photos[i].Caption)
	}
	x, y = embed(photos, captions)
	for i := range y {
		switch r := rank(y[i], x, i); {
		case r == 0:
			row.recall1 += 1 / float64(len(y))
			fallthrough
		case r < 5:
			row.five += 1 / float64(len(y))
		}
	}
}

// rank is how many of the others are nearer than the right one.
func rank(of []float32, others [][]float32, right int) int {
	n, mine := 0, dot(of, others[right])
	for i, o := range others {
		if i != right && dot(of, o) >= mine {
			n++
		}
	}
	return n
}

// A model that knows nothing learns classes from captions, far above chance.
func TestFromScratch(t *testing.T) {
	m := initialModel(t, scratchConfig(), float32(math.Log(10)), -10, 1)
	s := readScratch(t, m, 8, require.Rounds(300, 800, 6096))
	o := Options{Epochs: 10, Batch: 64, LR: 1e-3, Warmup: 20, Decay: 1e-4, Seed: 1, ValidateEvery: -1}
	row := s.train(t, m, model.Sigmoid, false, o)
	t.Logf("%d rows, %d test photos of %d classes: %+v", len(s.rows), len(s.test), len(s.classes), row)
	if chance := 1 / float64(len(s.classes)); row.accuracy < 2*chance || row.last > row.first/2 {
		t.Errorf("accuracy %.3f, by chance %.3f; loss %.3f → %.3f", row.accuracy, chance, row.first, row.last)
	}
}
