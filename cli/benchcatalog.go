package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigla/cpu"
	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/model"
)

// A sample catalog is as large as one of SigLIP base would be.
const (
	sampleDim    = 768
	sampleLabels = 50
	sampleTop    = 100
)

// sampleScore is how the sample's cosines become probabilities: about a sixth
// of all photos has a label.
var sampleScore = model.Score{LogScale: float32(math.Log(117)), Bias: -4}

func sampleIn(dir string, photos int) catalog.Sample {
	return catalog.Sample{Photos: photos, Dim: sampleDim, Root: filepath.Join(dir, "photos"), Files: true}
}

// writeCatalog writes a sample catalog and its photos to a new folder.
func (a *app) writeCatalog(ctx context.Context, dir string, photos int) (err error) {
	if found, err := os.ReadDir(dir); err == nil && len(found) > 0 {
		return fmt.Errorf("write sample catalog: %s is not empty; name a new folder", dir)
	}
	s := sampleIn(dir, photos)
	if err := os.MkdirAll(s.Root, 0o755); err != nil {
		return fmt.Errorf("write sample catalog: %w", err)
	}
	c, err := catalog.Open(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := s.Generate(ctx, c); err != nil {
		return err
	}
	return a.output().text(dir + "\n")
}

// catalogBench is what a catalog costs. Times are in milliseconds, speeds in
// bytes a second.
type catalogBench struct {
	Photos   int           `json:"photos"`
	Dim      int           `json:"dim"`
	Device   string        `json:"device"`
	Threads  int           `json:"threads"`
	Open     float64       `json:"open_ms"`
	Rescan   float64       `json:"rescan_ms"`    // files that have not changed
	Load     float64       `json:"load_ms"`      // until every photo has its vector
	Memory   int64         `json:"memory_bytes"` // resident after a search; 0: the system does not tell
	Peak     int64         `json:"memory_peak_bytes"`
	Read     float64       `json:"read_rate"` // of the same memory, plainly
	Searches []searchBench `json:"searches"`
	Labels   int           `json:"labels"`
	Score    float64       `json:"score_ms"` // all photos for all labels
	Bias     float64       `json:"bias_step_ms"`
	Checked  int           `json:"counts_checked"` // against a recount, all equal
	Scored   int64         `json:"memory_scored_bytes"`
}

// searchBench is the fastest of several searches for the best photos.
type searchBench struct {
	What    string  `json:"what"`
	Photos  int     `json:"photos"` // that the filter keeps
	Time    float64 `json:"ms"`
	Rate    float64 `json:"rate"`
	Against float64 `json:"times_read"` // its time, over that of reading the vectors
}

// benchCatalog measures a sample catalog, which another process writes.
func (a *app) benchCatalog(ctx context.Context, photos int) error {
	temp, err := os.MkdirTemp("", "sigla-bench-")
	if err != nil {
		return fmt.Errorf("write sample catalog: %w", err)
	}
	defer os.RemoveAll(temp)
	dir := filepath.Join(temp, "sample")
	if err := a.writeElsewhere(ctx, "sample catalog", dir, "--catalog", strconv.Itoa(photos)); err != nil {
		return err
	}
	engine, err := a.engine()
	if err != nil {
		return err
	}
	defer engine.Close()
	b, err := measureCatalog(ctx, engine, dir, photos)
	if err != nil {
		return err
	}
	return a.output().catalogBench(b)
}

func measureCatalog(ctx context.Context, engine *cpu.Engine, dir string, photos int) (b catalogBench, err error) {
	b = catalogBench{Photos: photos, Dim: sampleDim, Labels: sampleLabels, Device: engine.String(), Threads: engine.Threads()}
	s := sampleIn(dir, photos)
	g := gallery.New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) {
		start := time.Now()
		defer func() { b.Open = millis(time.Since(start)) }()
		return catalog.Open(ctx, filepath.Join(dir, "data"))
	})
	defer func() { err = errors.Join(err, g.Close()) }()
	g.UseModel(s.Model())
	g.UseScanner(engine)
	start := time.Now()
	if err := g.Scan(ctx, s.Root); err != nil {
		return b, err
	}
	b.Rescan = millis(time.Since(start)) - b.Open
	start = time.Now()
	if err := errors.Join(g.Embed(ctx, sampleModel{}, nil), g.CatalogErr()); err != nil {
		return b, err
	}
	b.Load = millis(time.Since(start))
	if p := g.Progress(); p.Remembered != photos {
		return b, fmt.Errorf("%d of %d photos are in the catalog", p.Remembered, photos)
	}
	queries, err := sampleModel{}.EmbedTexts(ctx, []string{"query"})
	if err != nil {
		return b, err
	}
	g.Rank(queries[0], sampleTop, nil)
	b.Memory, b.Peak = memory(), peakMemory()
	if err := b.labels(ctx, g); err != nil {
		return b, err
	}
	b.Scored = memory()
	return b, b.search(ctx, engine, g, queries[0], filepath.Join(dir, "data"), s.Model())
}

// labels scores the photos and measures a step of the bias.
func (b *catalogBench) labels(ctx context.Context, g *gallery.Gallery) error {
	set := label.Set{Name: "sample", Templates: []string{"{}"}}
	for i := range b.Labels {
		set.Labels = append(set.Labels, label.Label{Name: fmt.Sprintf("label %d", i)})
	}
	c, err := gallery.NewClassifier(ctx, set, sampleModel{})
	if err != nil {
		return err
	}
	start := time.Now()
	scores := g.Scores(c, sampleScore.Logit)
	b.Score = millis(time.Since(start))
	by, counts := sampleScore, make([]int, b.Labels)
	best, err := fastest(ctx, func() error {
		by.Delta = math.Mod(by.Delta+0.1, 2)
		countAll(counts, g, scores, by)
		return nil
	})
	b.Bias = millis(best)
	for _, by.Delta = range []float64{-3, 0, 0.1, 2} {
		countAll(counts, g, scores, by)
		want := recount(g, scores, b.Labels, by)
		if !slices.Equal(counts, want) {
			return fmt.Errorf("with δ = %v the labels have %v photos; one by one they are %v", by.Delta, counts, want)
		}
		b.Checked += len(counts)
	}
	return err
}

const sampleThreshold = 0.5

// countAll does what the explorer does at a step of the bias: it counts the
// photos of every label, and looks for those without any.
func countAll(counts []int, g *gallery.Gallery, scores *gallery.Scores, by model.Score) (untagged int) {
	cut := by.Cut(sampleThreshold, model.Adjust{})
	for k := range counts {
		counts[k] = scores.Count(k, cut)
	}
	for id := range g.Len() {
		row, _ := scores.Row(id)
		if !slices.ContainsFunc(row, func(x float32) bool { return x >= cut }) {
			untagged++
		}
	}
	return untagged
}

// recount counts probabilities one by one.
func recount(g *gallery.Gallery, scores *gallery.Scores, labels int, by model.Score) []int {
	counts := make([]int, labels)
	for id := range g.Len() {
		row, _ := scores.Row(id)
		for k, x := range row {
			if by.Probability(x, model.Adjust{}) >= sampleThreshold {
				counts[k]++
			}
		}
	}
	return counts
}

// search measures searches and, in turn with them, reading the same memory.
func (b *catalogBench) search(ctx context.Context, engine *cpu.Engine, g *gallery.Gallery, query []float32, data string, m catalog.Model) error {
	c, err := catalog.Open(ctx, data)
	if err != nil {
		return err
	}
	defer c.Close()
	x, err := c.Vectors(ctx, m)
	if err != nil {
		return err
	}
	defer x.Close()
	var mapped [][]uint16
	size := 0
	for _, block := range x.Blocks() {
		size += 2 * len(block.Vectors)
		mapped = slices.AppendSeq(mapped, slices.Chunk(block.Vectors, 1<<18))
	}
	b.Searches = []searchBench{{What: "top-100 of all"}, {What: "top-100 of half"}}
	filters := []func(id int) bool{nil, func(id int) bool { return id*0x9e3779b1>>16&1 == 0 }}
	for i, keep := range filters {
		b.Searches[i].Photos, b.Searches[i].Time = len(g.Rank(query, 0, keep)), math.Inf(1)
	}
	read := math.Inf(1)
	for begin := time.Now(); time.Since(begin) < 3*time.Second; {
		if err := ctx.Err(); err != nil {
			return err
		}
		read = min(read, timed(func() { touch(engine, mapped) }))
		for i := range b.Searches {
			b.Searches[i].Time = min(b.Searches[i].Time, timed(func() { g.Rank(query, sampleTop, filters[i]) }))
		}
	}
	b.Read = float64(size) / read * 1e3
	for i := range b.Searches {
		s := &b.Searches[i]
		s.Rate = float64(s.Photos) * float64(2*b.Dim) / s.Time * 1e3
		if s.Photos > 0 {
			s.Against = b.Read / s.Rate
		}
	}
	return nil
}

func timed(do func()) float64 {
	start := time.Now()
	do()
	return millis(time.Since(start))
}

// touch reads memory on all cores.
func touch(engine *cpu.Engine, parts [][]uint16) {
	next := make(chan []uint16, len(parts))
	for _, part := range parts {
		next <- part
	}
	close(next)
	var wait sync.WaitGroup
	for range engine.Threads() {
		wait.Go(func() {
			for part := range next {
				engine.Touch(part)
			}
		})
	}
	wait.Wait()
}

// sampleModel is a model that all photos have been embedded with.
type sampleModel struct{}

func (sampleModel) Prepare(image.Image) (any, error) {
	return nil, errors.New("it should be in the catalog")
}

func (sampleModel) Embed(context.Context, []any) ([][]float32, error) {
	return nil, errors.New("it should be in the catalog")
}

func (sampleModel) EmbedTexts(_ context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		hash, err := catalog.HashOf(bytes.NewReader([]byte(text)))
		if err != nil {
			return nil, err
		}
		vectors[i] = catalog.SampleVector(hash, sampleDim)
	}
	return vectors, nil
}

// catalogBench writes one figure a line; CSV has the searches only.
func (o *output) catalogBench(b catalogBench) error {
	if o.format == "json" {
		return o.object(b)
	}
	if err := o.header("what", "photos", "ms", "rate", "times_read"); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, `catalog          %d photos, %d values each in half precision
engine           %s, %d threads
open             %.0f ms
rescan           %.0f ms, no file has changed
load             %.0f ms until all photos have their vectors
memory           %s after a search, %s at most
read             %.1f GB/s, the mapped vectors with nothing done to them
`, b.Photos, b.Dim, b.Device, b.Threads, b.Open, b.Rescan, b.Load, memorySize(b.Memory), memorySize(b.Peak), b.Read/1e9)
	for _, s := range b.Searches {
		if o.format == "csv" {
			if err := o.row(s.What, strconv.Itoa(s.Photos), formatProbability(s.Time), formatProbability(s.Rate), formatProbability(s.Against)); err != nil {
				return err
			}
		}
		fmt.Fprintf(&text, "%-15s  %.2f ms  %6.1f GB/s  %.2f times the time of reading\n", s.What, s.Time, s.Rate/1e9, s.Against)
	}
	if o.format == "csv" {
		return nil
	}
	fmt.Fprintf(&text, `score            %.0f ms for %d labels; memory then %s
bias step        %.2f ms; %d counts are those of a recount
`, b.Score, b.Labels, memorySize(b.Scored), b.Bias, b.Checked)
	return o.text(text.String())
}
