package gallery

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
)

// BenchmarkDraft drafts 100,000 photos whose tags are known, every tenth with an
// answer: what a screen does when it shows what would be written. Beside it is
// what a model's labels cost, of which two hold for every photo.
func BenchmarkDraft(b *testing.B) {
	const photos = 100_000
	g := New()
	answers := make(map[catalog.Hash][]catalog.Decision)
	for id := range photos {
		s := slot{Photo: Photo{ID: id, Path: fmt.Sprintf("2024/%02d/IMG_%05d.jpg", id%50, id), State: Ready}}
		s.Content = catalog.Hash{byte(id), byte(id >> 8), byte(id >> 16), 1}
		list := g.tags.table.list([]sidecar.Value{{Field: sidecar.Subject, Text: fmt.Sprint("day ", id%100)}, {Field: sidecar.Subject, Text: "family"}})
		s.tags.state, s.tags.files = tagsRead, []tagFile{{name: fmt.Sprintf("IMG_%05d.jpg.xmp", id), values: list}, {}}
		g.slots = append(g.slots, s)
		if id%10 == 0 {
			answers[s.Content] = []catalog.Decision{{Photo: s.Content, Label: "label 3", Verdict: catalog.Accept, When: time.Now()}}
		}
	}
	var set []string
	for n := range 60 {
		set = append(set, fmt.Sprint("label ", n))
	}
	by := Tagger{Now: time.Now()}
	by.Labels.Labels = labels(set...)
	judge := func(id int) (list []Judgement) {
		for n := range set {
			list = append(list, Judgement{Label: n, P: 0.6, Holds: n == id%60 || n == id%59})
		}
		return list
	}
	var ids []int
	for id := range photos {
		ids = append(ids, id)
	}
	for _, model := range []bool{false, true} {
		b.Run(fmt.Sprintf("model=%v", model), func(b *testing.B) {
			if by.Judge = nil; model {
				by.Judge = judge
			}
			for b.Loop() {
				r, err := g.NewTagPlanner(context.Background(), by)
				if err != nil {
					b.Fatal(err)
				}
				r.answers = answers
				n := 0
				for from := 0; from < photos; from += 2000 {
					plan, err := r.Draft(context.Background(), ids[from:from+2000])
					if err != nil {
						b.Fatal(err)
					}
					n += len(plan.Photos)
				}
				if want := map[bool]int{false: photos / 10, true: photos}[model]; n != want {
					b.Fatalf("%d photos are to be written, want %d", n, want)
				}
			}
			b.ReportMetric(float64(photos*b.N)/b.Elapsed().Seconds(), "photos/s")
		})
	}
}
