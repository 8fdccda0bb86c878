package gallery

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"sigla/model"
)

// nonsense returns 200 strings of four kinds. The null prompts are made in none
// of these ways.
func nonsense(words []string) []string {
	r := rand.New(rand.NewPCG(2026, 11))
	pick := func(from string, n int) string {
		out := make([]byte, n)
		for i := range out {
			out[i] = from[r.IntN(len(from))]
		}
		return string(out)
	}
	letters := func() string { return pick("abcdefghijklmnopqrstuvwxyz", 4+r.IntN(7)) }
	keyboard := func() string {
		row := []string{"qwertyuiop", "asdfghjkl", "zxcvbnm"}[r.IntN(3)]
		at, n := r.IntN(len(row)), 5+r.IntN(6)
		var out strings.Builder
		for range n {
			out.WriteByte(row[at])
			at = (at + []int{1, 1, 1, 2, len(row) - 1}[r.IntN(5)]) % len(row)
		}
		return out.String()
	}
	shuffled := func() string {
		word := []byte(words[r.IntN(len(words))])
		r.Shuffle(len(word), func(i, j int) { word[i], word[j] = word[j], word[i] })
		return string(word)
	}
	id := func() string {
		switch r.IntN(3) {
		case 0:
			return fmt.Sprintf("%08x", r.Uint32())
		case 1:
			return fmt.Sprintf("%d-%d", r.IntN(10_000), r.IntN(100_000))
		}
		return pick("!?#$%&*+=/~^;:", 3+r.IntN(8))
	}
	var texts []string
	for range 50 {
		for _, kind := range []func() string{letters, keyboard, shuffled} {
			words := make([]string, 1+r.IntN(3))
			for i := range words {
				words[i] = kind()
			}
			texts = append(texts, strings.Join(words, " "))
		}
		texts = append(texts, id())
	}
	return texts
}

// aCollection is a folder and words for what is in it.
type aCollection struct {
	name    string
	tuned   bool // the floor's method was chosen on it
	least   float64
	g       *Gallery
	present []string
	absent  []string
}

// collections embeds the folders that floors are tested on, some of the photos
// of each or, with -full, all.
func collections(t *testing.T, m *model.Model) []aCollection {
	some, each := 16, 3
	if *full {
		some, each = 1, 20
	}
	n := 0
	caltech := unpack(t, "caltech101", func(name string) bool { n++; return strings.HasSuffix(name, ".jpg") && n%some == 0 })
	count := map[string]int{}
	tiny := unpack(t, "tiny-imagenet-50k", func(name string) bool {
		count[path.Dir(name)]++
		return strings.HasSuffix(name, ".jpg") && count[path.Dir(name)] <= each
	})
	flickr := unpack(t, "flickr8k", func(name string) bool { return strings.HasSuffix(name, ".jpg") })
	return []aCollection{
		{"Caltech-101", true, 0.80, embeddedFolder(t, m, caltech), lines(t, "noise", "caltech-present.txt"), nil},
		{"Flickr8k", false, 0.80, embeddedFolder(t, m, flickr), lines(t, "noise", "flickr-present.txt"), lines(t, "noise", "flickr-absent.txt")},
		{"tiny-ImageNet", false, 0.80, embeddedFolder(t, m, tiny), lines(t, "noise", "tiny-present.txt"), nil},
		{"demo", false, 0.30, embeddedFolder(t, m, "../assets/demo"), lines(t, "noise", "demo-present.txt"), lines(t, "noise", "demo-absent.txt")},
	}
}

// TestNoiseFloor holds idea 5 to its test: nonsense finds nothing, what is there
// is found. The limits are below what is measured; docs/GALLERY.md has that and
// the targets.
func TestNoiseFloor(t *testing.T) {
	m := loadStarter(t)
	nulls := vectorsOfTexts(t, m, NullPrompts())
	list := collections(t, m)
	noise := vectorsOfTexts(t, m, nonsense(lines(t, "noise", "flickr-present.txt")))
	var right, present, wrong, made float64
	t.Logf("%-14s %6s %9s %9s %8s", "share accepted", "photos", "nonsense", "present", "absent")
	for _, c := range list {
		f := NewFloor(c.g, nulls)
		accepted := func(queries [][]float32) (n float64) {
			for _, q := range queries {
				v, err := f.Judge(context.Background(), q)
				if err != nil {
					t.Fatal(err)
				}
				n += float64(min(v.Count, 1))
			}
			return n
		}
		bad, good := accepted(noise), accepted(vectorsOfTexts(t, m, c.present))
		absent := math.NaN()
		if c.absent != nil {
			absent = accepted(vectorsOfTexts(t, m, c.absent)) / float64(len(c.absent))
		}
		t.Logf("%-14s %6d %7.1f %% %7.1f %% %6.1f %%", c.name, c.g.Progress().Done, 100*bad/float64(len(noise)), 100*good/float64(len(c.present)), 100*absent)
		if share := bad / float64(len(noise)); share > 0.025 {
			t.Errorf("%s: %.1f %% of nonsense gives a confident hit", c.name, 100*share)
		}
		if share := good / float64(len(c.present)); share < c.least {
			t.Errorf("%s: %.1f %% of what is there gives a confident hit", c.name, 100*share)
		}
		if !c.tuned && c.name != "demo" {
			right, present = right+good, present+float64(len(c.present))
			wrong, made = wrong+bad, made+float64(len(noise))
		}
	}
	t.Logf("the two large ones that the method was not chosen on: %.2f %% of nonsense, %.1f %% of %v present", 100*wrong/made, 100*right/present, present)
	oneKind(t, m, nulls, list[0].g)
	if *full {
		compareFloors(t, m, nulls, noise, list)
	}
}

// oneKind says that a folder of nothing but one kind of thing is found to have it.
func oneKind(t *testing.T, m *model.Model, nulls [][]float32, caltech *Gallery) {
	t.Helper()
	for folder, word := range map[string]string{"airplanes": "airplane", "Motorbikes": "motorbike", "Faces": "face", "bonsai": "bonsai", "watch": "watch", "chandelier": "chandelier"} {
		var vectors [][]float32
		for _, p := range caltech.Photos() {
			if strings.Contains(p.Name, "/"+folder+"/") {
				vectors = append(vectors, caltech.Vector(p.ID))
			}
		}
		v, err := NewFloor(filled(vectors), nulls).Judge(context.Background(), vectorsOfTexts(t, m, []string{word})[0])
		if err != nil || v.Count == 0 {
			t.Errorf("%d photos of %s: %+v, %v", len(vectors), folder, v, err)
			continue
		}
		t.Logf("a folder of %d photos of %s: %d are confident hits", len(vectors), folder, v.Count)
	}
}

// compareFloors prints what simpler statistics would accept of what is present
// at the threshold that lets 1 % of the nonsense through: each at its best.
func compareFloors(t *testing.T, m *model.Model, nulls, noise [][]float32, list []aCollection) {
	t.Log("share of present accepted where 1 % of nonsense is:")
	for _, method := range []string{"cosine", "over folder", "less nulls", "z of nulls", "centred twice", "floor"} {
		row := fmt.Sprintf("%-14s", method)
		for _, c := range list {
			s := newStatistic(method, c.g, nulls)
			var scores []float64
			for _, q := range noise {
				scores = append(scores, s.highest(q))
			}
			slices.Sort(scores)
			threshold, n := scores[len(scores)-1-len(scores)/100], 0
			for _, q := range vectorsOfTexts(t, m, c.present) {
				if s.highest(q) > threshold {
					n++
				}
			}
			row += fmt.Sprintf("  %s %5.1f %%", c.name, 100*float64(n)/float64(len(c.present)))
		}
		t.Log(row)
	}
}

// A statistic is a way to say how much a query stands out in a folder.
type statistic struct {
	method       string
	g            *Gallery
	floor        *Floor
	mean, spread []float64 // of the nulls' cosines, by photo
}

func newStatistic(method string, g *Gallery, nulls [][]float32) *statistic {
	s := &statistic{method: method, g: g, floor: NewFloor(g, nulls)}
	for _, p := range g.Photos() {
		var sum, squares float64
		vector := g.Vector(p.ID)
		for _, v := range nulls {
			c := float64(dot(v, vector))
			sum, squares = sum+c, squares+c*c
		}
		n := float64(len(nulls))
		s.mean = append(s.mean, sum/n)
		s.spread = append(s.spread, math.Sqrt(squares/n-sum/n*sum/n))
	}
	return s
}

func (s *statistic) highest(query []float32) float64 {
	if s.method == "floor" {
		v, _ := s.floor.Judge(context.Background(), query)
		return float64(slices.Max(v.z))
	}
	scores := make([]float64, len(s.mean))
	for _, h := range s.g.Rank(query, 0, nil) {
		x := float64(h.Cosine)
		switch s.method {
		case "less nulls", "centred twice":
			x -= s.mean[h.ID]
		case "z of nulls":
			x = (x - s.mean[h.ID]) / s.spread[h.ID]
		}
		scores[h.ID] = x
	}
	var sum, squares float64
	for _, x := range scores {
		sum, squares = sum+x, squares+x*x
	}
	n := float64(len(scores))
	mean := sum / n
	switch s.method {
	case "over folder":
		return (slices.Max(scores) - mean) / math.Sqrt(squares/n-mean*mean)
	case "centred twice":
		return slices.Max(scores) - mean
	}
	return slices.Max(scores)
}
