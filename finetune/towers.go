package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"sigla/backend"
	"sigla/model"
)

// Towers is the Learner of the depths that change the towers: whatever the
// Trainer trains, whole tensors or updates of them, the data are the same.
type Towers struct {
	m    *model.Model
	t    *model.Trainer
	set  Set
	o    TowersOptions
	rows []int // photos that are learned from

	ids   [][][]int32       // of each label the prompts; of each photo its caption
	fixed []model.Embedding // of each label or photo, if the text tower is frozen

	looks [2]Look // at the photos held back: the first, and the last; guarded by mu

	photos map[string]any // from Front, by path
	size   int64          // bytes of photos
	mu     sync.Mutex
	bad    map[string]bool // photos that are left out; guarded by mu
}

// TowersOptions say what a Towers learns from, and how.
type TowersOptions struct {
	// Photo is what the model's Prepare makes of a photo of the set. It is called
	// from several goroutines. A photo that fails is left out and told of.
	Photo func(ctx context.Context, i int) (any, error)
	// Held are the photos of the set that are not learned from, in order.
	Held []int
	Warn func(error) // once for each photo that is left out; may be nil

	Loss     model.Loss
	DecayAll bool // weights decay whatever their shape
	Micro    int  // photos whose activations are held at once; 0: see model.Batch
	// Mask leaves out of the loss the pairs of a photo and the caption of another
	// where captions or photos are the same; else they count as right.
	Mask bool
	// Cache is how many bytes are kept of photos; others are read again.
	Cache int64
}

// NewTowers prepares a set for a trainer of the model.
func NewTowers(m *model.Model, t *model.Trainer, set Set, o TowersOptions) (*Towers, error) {
	if err := set.Validate(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	l := &Towers{m: m, t: t, set: set, o: o, photos: map[string]any{}, bad: map[string]bool{}}
	l.choose()
	var texts [][]string
	for _, label := range set.Labels {
		texts = append(texts, label.Texts)
	}
	if len(set.Labels) == 0 {
		for _, p := range set.Photos {
			texts = append(texts, []string{p.Caption})
		}
	}
	for _, prompts := range texts {
		var ids [][]int32
		for _, text := range prompts {
			id, _ := m.Tokenize(text)
			ids = append(ids, id)
		}
		l.ids = append(l.ids, ids)
	}
	if !t.LearnsTexts() {
		var err error
		if l.fixed, err = embedPrompts(context.Background(), m, texts); err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
	}
	return l, nil
}

// choose tells the photos that are learned from.
func (l *Towers) choose() {
	for i, p := range l.set.Photos {
		if _, held := slices.BinarySearch(l.o.Held, i); !held && l.teaches(p) {
			l.rows = append(l.rows, i)
		}
	}
}

// teaches reports whether there is anything to learn from a photo.
func (l *Towers) teaches(p Photo) bool {
	if len(l.set.Labels) == 0 {
		return p.Caption != ""
	}
	return l.set.Complete || len(p.Known) > 0
}

// embedPrompts embeds texts, several for each column: averages of unit vectors,
// of length 1.
func embedPrompts(ctx context.Context, m *model.Model, texts [][]string) ([]model.Embedding, error) {
	rows, err := m.EmbedTexts(ctx, slices.Concat(texts...))
	if err != nil {
		return nil, err
	}
	out := make([]model.Embedding, len(texts))
	for i, prompts := range texts {
		out[i], rows = average(rows[:len(prompts)]), rows[len(prompts):]
	}
	return out, nil
}

func average(rows [][]float32) model.Embedding {
	if len(rows) == 1 {
		return rows[0]
	}
	sum, square := make([]float64, len(rows[0])), 0.0
	for _, row := range rows {
		for i, v := range row {
			sum[i] += float64(v)
		}
	}
	for _, v := range sum {
		square += v * v
	}
	out, norm := make(model.Embedding, len(sum)), max(math.Sqrt(square), 1e-12)
	for i, v := range sum {
		out[i] = float32(v / norm)
	}
	return out
}

// Rows implements Learner.
func (l *Towers) Rows() int { return len(l.rows) }

// Repeats implements Learner.
func (l *Towers) Repeats(balance float64) []float64 { return l.set.Repeats(l.rows, balance) }

// Gradient implements Learner.
func (l *Towers) Gradient(ctx context.Context, batch []int) (loss float64, pairs int, err error) {
	photos := make([]int, len(batch))
	for i, row := range batch {
		photos[i] = l.rows[row]
	}
	images, photos, err := l.load(ctx, photos)
	if err != nil {
		return 0, 0, err
	}
	if len(photos) == 0 {
		return 0, 0, l.unread()
	}
	b, columns := l.batch(photos)
	b.Images, b.Loss, b.Micro = images, l.o.Loss, l.o.Micro
	l.texts(&b, columns)
	value, err := l.t.Add(ctx, b)
	if err != nil {
		l.t.Clear()
		return 0, 0, err
	}
	return float64(value), known(b.Pairs), nil
}

// unread is the error of a batch of which no photo can be read.
func (l *Towers) unread() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(l.rows, func(i int) bool { return !l.bad[l.set.Photos[i].Path] }) {
		return ErrUnread
	}
	return errors.New("train: none of the photos to learn from can be read")
}

// batch has the pairs of photos, and what its columns are: labels, or photos
// whose captions they are.
func (l *Towers) batch(photos []int) (b model.Batch, columns []int) {
	if len(l.set.Labels) > 0 {
		columns = l.columns(photos)
		b.Pairs = l.set.Pairs(photos, columns)
		return b, columns
	}
	b.Pairs, columns = l.captions(photos)
	return b, columns
}

// columns are the labels of which anything is known of some photos.
func (l *Towers) columns(photos []int) []int {
	var columns []int
	if l.set.Complete {
		for i := range l.set.Labels {
			columns = append(columns, i)
		}
		return columns
	}
	for _, i := range photos {
		for _, k := range l.set.Photos[i].Known {
			columns = append(columns, k.Label)
		}
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}

// captions are the pairs of photos and captions: each belongs to its own, and to
// no other one but of the same photo or with the same words.
func (l *Towers) captions(photos []int) (backend.Pairs, []int) {
	p := backend.Pairs{Default: -1, Diagonal: true}
	var label int8 = 1
	if l.o.Mask {
		label = 0
	}
	paths, captions := map[string][]int32{}, map[string][]int32{}
	for i, photo := range photos {
		x := l.set.Photos[photo]
		paths[x.Path], captions[x.Caption] = append(paths[x.Path], int32(i)), append(captions[x.Caption], int32(i))
	}
	for i, photo := range photos {
		x := l.set.Photos[photo]
		same := slices.Concat(paths[x.Path], captions[x.Caption])
		slices.Sort(same)
		for _, j := range slices.Compact(same) {
			if int(j) != i {
				p.Except = append(p.Except, backend.Pair{Row: int32(i), Col: j, Label: label})
			}
		}
	}
	p.Rows, p.Cols = len(photos), len(photos)
	return p, photos
}

// known counts the pairs that are not left out.
func known(p backend.Pairs) int {
	n, all := 0, p.Rows*p.Cols
	for _, e := range p.Except {
		if (e.Label == 0) != (p.Default == 0) {
			n++
		}
	}
	if p.Default == 0 {
		return n
	}
	return all - n
}

// texts fills in the columns of a batch.
func (l *Towers) texts(b *model.Batch, columns []int) {
	for _, c := range columns {
		if l.fixed != nil {
			b.Texts = append(b.Texts, l.fixed[c])
			continue
		}
		b.IDs = append(b.IDs, l.ids[c]...)
		b.Prompts = append(b.Prompts, len(l.ids[c]))
	}
	if len(b.IDs) == len(b.Prompts) {
		b.Prompts = nil
	}
}

// load gets photos, and which of them can be read.
func (l *Towers) load(ctx context.Context, photos []int) (images []any, read []int, err error) {
	found := make([]any, len(photos))
	var fresh []int // places of photos that Front has not seen
	var wait sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, photo := range photos {
		kept, ok := l.kept(l.set.Photos[photo].Path)
		if ok {
			found[i] = kept
			continue
		}
		fresh = append(fresh, i)
		wait.Add(1)
		room <- struct{}{}
		go func() {
			defer func() { <-room; wait.Done() }()
			x, err := l.o.Photo(ctx, photo)
			if err != nil {
				l.leaveOut(ctx, l.set.Photos[photo].Path, err)
				return
			}
			found[i] = x
		}()
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := l.front(ctx, photos, found, fresh); err != nil {
		return nil, nil, err
	}
	for i, x := range found {
		if x != nil {
			images, read = append(images, x), append(read, photos[i])
		}
	}
	return images, read, nil
}

// kept is a photo that is in memory, or nil of one that is left out.
func (l *Towers) kept(path string) (photo any, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	photo, ok = l.photos[path]
	return photo, ok || l.bad[path]
}

// leaveOut tells of a photo that cannot be read, once.
func (l *Towers) leaveOut(ctx context.Context, path string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil || l.bad[path] {
		return
	}
	l.bad[path] = true
	if l.o.Warn != nil {
		l.o.Warn(fmt.Errorf("%s is left out: %w", path, err))
	}
}

// front takes photos that are fresh through what is frozen in front, and keeps
// them as long as there is room.
func (l *Towers) front(ctx context.Context, photos []int, found []any, fresh []int) error {
	fresh = slices.DeleteFunc(fresh, func(i int) bool { return found[i] == nil })
	if len(fresh) == 0 {
		return nil
	}
	prepared := make([]any, len(fresh))
	for k, i := range fresh {
		prepared[k] = found[i]
	}
	rows, err := l.t.Front(ctx, prepared)
	if err != nil {
		return err
	}
	for k, i := range fresh {
		found[i] = rows[k]
		path, size := l.set.Photos[photos[i]].Path, model.Size(rows[k])
		if _, ok := l.photos[path]; !ok && l.size+size <= l.o.Cache {
			l.photos[path] = rows[k]
			l.size += size
		}
	}
	return nil
}

// SumSquares implements Learner.
func (l *Towers) SumSquares() (float64, string, error) { return l.t.SumSquares() }

// Update implements Learner.
func (l *Towers) Update(a backend.Adam) error { return l.t.Step(a, l.o.DecayAll) }

// Scalars implements Learner.
func (l *Towers) Scalars() (logScale, bias float32) {
	info := l.m.Info()
	return info.LogScale, info.Bias
}

// Each implements Learner.
func (l *Towers) Each(visit func(name string, shape []int, values []float32) (bool, error)) error {
	return l.t.State(visit)
}
