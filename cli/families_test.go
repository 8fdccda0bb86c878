package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/model"
)

// families are the golden checkpoints that run, with the limit that README.md
// there recommends for a logit: wider where exp(t') = 117 magnifies a cosine.
var families = map[string]float64{
	"siglip-bicubic": 2e-5, "siglip-bilinear-hubscale": 2e-4, "siglip-so400m-like": 2e-5, "siglip-f16": 2e-5,
	"siglip-sharded": 2e-5, "siglip2-fixed": 2e-5, "siglip2-bf16": 2e-5, "clip-quickgelu": 2e-5, "clip-gelu": 2e-5,
}

// What the program prints for each family, from files of photos and labels to
// logits and probabilities, is what the reference library computes.
func TestFamilies(t *testing.T) {
	atHome(t)
	for folder, limit := range families {
		t.Run(folder, func(t *testing.T) {
			dir := filepath.Join(golden, folder)
			data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Images []struct {
					File string `json:"file"`
				} `json:"images"`
				Texts  []string    `json:"texts"`
				Logits [][]float64 `json:"logits_per_image"`
				Probs  [][]float64 `json:"probabilities"`
			}
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			labels := filepath.Join(t.TempDir(), "labels.txt") // one has a comma
			if err := os.WriteFile(labels, []byte(strings.Join(want.Texts, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			for i, image := range want.Images {
				got := scoreOne(t, dir, labels, filepath.Join(dir, image.File))
				if len(got) != len(want.Texts) {
					t.Fatalf("%s has %d scores, want %d", image.File, len(got), len(want.Texts))
				}
				for j, text := range want.Texts {
					logit, p := float64(got[text].Logit), got[text].Probability
					if !(math.Abs(logit-want.Logits[i][j]) <= limit) {
						t.Errorf("%s, %q: logit %.9g, want %.9g within %g", image.File, text, logit, want.Logits[i][j], limit)
					}
					if !(math.Abs(p-want.Probs[i][j]) <= max(limit/4, 1e-5)) { // a sigmoid rises by a quarter at most
						t.Errorf("%s, %q: probability %.9g, want %.9g", image.File, text, p, want.Probs[i][j])
					}
				}
			}
		})
	}
}

// TestChoosingLogit: the logit that sigla tag writes to a file, and that sigla why
// tells, is the one that its probability is read off. CLIP's is of its odds.
func TestChoosingLogit(t *testing.T) {
	for _, family := range []string{"clip-quickgelu", "siglip2-fixed"} {
		t.Run(family, func(t *testing.T) {
			atHome(t)
			dir, m := exportFolder(t, "cat.jpg"), filepath.Join(golden, family)
			photo := filepath.Join(dir, "cat.jpg")
			by := []string{"--model", m, "--labels", "cat,dog,mug", "--bias", "0", "--format", "json"}
			score, _ := run(t, append([]string{"score", photo}, by...)...)
			run(t, append([]string{"tag", photo, "--threshold", "1e-30", "--apply"}, by...)...)
			told, _ := run(t, append([]string{"why", photo, "cat"}, by...)...)
			var scores struct{ Scores []labelScore }
			var story struct {
				Model struct{ Logit, Probability float64 }
				Set   []struct{ P, Logit float64 }
			}
			if err := errors.Join(json.Unmarshal([]byte(score), &scores), json.Unmarshal([]byte(told), &story)); err != nil || len(story.Set) != 1 {
				t.Fatalf("%v in %s%s", err, score, told)
			}
			i := slices.IndexFunc(scores.Scores, func(s labelScore) bool { return s.Label == "cat" })
			p, own := scores.Scores[i].Probability, float64(scores.Scores[i].Logit)
			odds := math.Log(p / (1 - p)) // the sigmoid's inverse
			if clip := family == "clip-quickgelu"; (math.Abs(odds-own) > 0.01) != clip {
				t.Fatalf("p %g of a logit of %g: nothing is tested", p, own)
			}
			for _, got := range []struct{ p, logit float64 }{{story.Model.Probability, story.Model.Logit}, {story.Set[0].P, story.Set[0].Logit}} {
				if math.Abs(got.p-p) > 1e-4 || math.Abs(got.logit-odds) > 1e-2 {
					t.Errorf("p %g, logit %g; want %g, %g", got.p, got.logit, p, odds)
				}
			}
		})
	}
}

// scoreOne scores a photo against the lines of a file, each taken as it is.
func scoreOne(t *testing.T, dir, labels, photo string) map[string]labelScore {
	t.Helper()
	out, _ := run(t, "score", "--model", dir, "--template", "{}", "--labels", labels, "--format", "json", photo)
	var line struct {
		Scores []labelScore `json:"scores"`
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	scores := map[string]labelScore{}
	for _, s := range line.Scores {
		scores[s.Label] = s
	}
	return scores
}

// The shape of the first multilingual SigLIP: texts as wide as images and no
// head, which neither file speaks of, and a tokenizer that has some pieces more
// than the token table has rows.
func TestNoTextHead(t *testing.T) {
	atHome(t)
	dir, tower := t.TempDir(), model.Tower{Width: 24, MLP: 40, Heads: 3, Layers: 2, Eps: 1e-6}
	c := model.Config{Vision: tower, Text: tower, ImageSize: 32, Patch: 8, Vocab: 64, Tokens: 16, Dim: 24, NoHead: true}
	if err := model.WriteRandom(dir, c, 7); err != nil {
		t.Fatal(err)
	}
	edit := func(file, old, new string) {
		t.Helper()
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(data, []byte(old)) != 1 {
			t.Fatalf("%s is not once in %s", old, data)
		}
		if err := os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(new), 1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edit("config.json", `"no_head":true,`, "")
	labels := filepath.Join(t.TempDir(), "labels.txt")
	if err := os.WriteFile(labels, []byte("a cat\nзакат\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := scoreOne(t, dir, labels, "../assets/demo/cat.jpg")
	if a, b := before["a cat"], before["закат"]; len(before) != 2 || a.Logit == b.Logit || !(math.Abs(float64(a.Logit)) < 200) {
		t.Errorf("scores are %v", before)
	}

	// The last piece of the table, and behind it as many as may be.
	const last = `["▁63",-10]`
	pieces := last
	for i := range 100 {
		pieces += fmt.Sprintf(`,["▁more%d",-10]`, i)
	}
	edit("tokenizer.json", last, pieces)
	if after := scoreOne(t, dir, labels, "../assets/demo/cat.jpg"); after["a cat"] != before["a cat"] {
		t.Errorf("with more pieces a cat is %v, before %v", after["a cat"], before["a cat"])
	}
	edit("tokenizer.json", `["▁more99",-10]`, `["▁more99",-10],["▁toomany",-10]`)
	var stdout, stderr strings.Builder
	if status := Run([]string{"score", "--model", dir, "../assets/demo/cat.jpg"}, strings.NewReader(""), &stdout, &stderr); status != exitFailed || !strings.Contains(stderr.String(), "tokenizer") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("with 101 pieces too many: exit status %d\n%s", status, stderr.String())
	}
}
