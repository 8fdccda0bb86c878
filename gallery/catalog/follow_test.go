package catalog

import (
	"context"
	"slices"
	"testing"
	"time"
)

// TestFollow: vectors of all models, facts and the later answers are known of
// the new content, and those of the old stay.
func TestFollow(t *testing.T) {
	ctx := context.Background()
	c, err := Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	from, to, other := Hash{1}, Hash{2}, Hash{3}
	models := []Model{{Digest: "a", Dim: 3}, {Digest: "b", Preprocess: 1, Dim: 2}}
	vectors := [][]float32{{0.5, -2, 1.0 / 1024}, {1, 2}}
	then := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(c.Put(ctx, Batch{Photos: []Photo{{Hash: from, Format: "jpeg", Width: 4, Height: 3, Orientation: 6, Taken: then}}}))
	for i, m := range models {
		check(c.Put(ctx, Batch{Model: m, Vectors: []Record{{from, vectors[i]}}}))
	}
	check(c.Decide(ctx,
		Decision{Photo: from, Label: "dog", Verdict: Reject, When: then, Who: "sidecar"},
		Decision{Photo: from, Label: "cat", Verdict: Accept, When: then},
		Decision{Photo: to, Label: "cat", Verdict: Reject, When: then.Add(time.Hour)},
		Decision{Photo: other, Label: "owl", Verdict: Accept, When: then}))
	for range 2 { // the second time there is nothing left to do
		check(c.Follow(ctx, Move{from, to}, Move{Hash{8}, Hash{9}}))
	}
	for i, m := range models {
		checkFollowed(t, c, m, vectors[i], from, to)
	}
	photos, err := c.Photos(ctx)
	check(err)
	if len(photos) != 2 || photos[1].Hash != to || photos[1].Orientation != 6 || !photos[1].Taken.Equal(then) {
		t.Errorf("%+v", photos)
	}
	list, err := c.Decisions(ctx)
	check(err)
	var got []string
	for _, d := range list {
		got = append(got, string('0'+d.Photo[0])+d.Label+" "+d.Verdict.String()+" "+d.Who)
	}
	slices.Sort(got)
	if want := []string{"1cat accept ", "1dog reject sidecar", "2cat reject ", "2dog reject sidecar", "3owl accept "}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if c.Follow(ctx, Move{from, Hash{}}) == nil {
		t.Error("to no content")
	}
}

// checkFollowed checks that a model's only vectors are these of two contents.
func checkFollowed(t *testing.T, c *Catalog, m Model, want []float32, hashes ...Hash) {
	t.Helper()
	x, err := c.Vectors(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for _, h := range hashes {
		row, ok := x.Find(h)
		if !ok {
			t.Fatalf("no vector of model %s", m.Digest)
		}
		for k, v := range x.Row(row) {
			if wide(v) != want[k] {
				t.Errorf("%v, want %v", x.Row(row), want)
			}
		}
	}
	if x.Len() != len(hashes) {
		t.Errorf("%d vectors of model %s", x.Len(), m.Digest)
	}
}
