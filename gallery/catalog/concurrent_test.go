package catalog

import (
	"slices"
	"sync"
	"testing"
)

// A crowd stores, forgets and reads the photos of one catalog at the same time.
type crowd struct {
	*testing.T
	c      *Catalog
	r      Root
	x      *Index
	stored chan int // numbers of batches
	over   chan struct{}
	saved  int64
}

const crowdBatches, crowdBatch = 20, 5

func (w *crowd) check(err error) {
	if err != nil {
		w.Error(err)
	}
}

func (w *crowd) store() {
	defer close(w.stored)
	for n := range crowdBatches {
		list := records(loopModel, n*crowdBatch, (n+1)*crowdBatch)
		var files []File
		for _, rec := range list {
			files = append(files, File{Path: rec.Hash.String(), Hash: rec.Hash})
		}
		w.check(w.c.Sync(bg, w.r, Changes{At: noon, Found: files}))
		w.check(w.c.Put(bg, Batch{Model: loopModel, Vectors: list}))
		w.stored <- n
	}
}

// forget leaves one photo of each batch.
func (w *crowd) forget() {
	defer close(w.over)
	for n := range w.stored {
		var old []int64
		w.check(w.c.EachFile(bg, w.r, func(f File) error {
			if f.ID%crowdBatch != 0 && f.ID <= int64(n*crowdBatch) {
				old = append(old, f.ID)
			}
			return nil
		}))
		w.check(w.c.Sync(bg, w.r, Changes{At: noon, Missing: old}))
		gone, err := w.c.Forget(bg, noon, 0)
		w.check(err)
		w.saved += gone.Bytes
	}
}

func (w *crowd) read() {
	for i := 0; ; i = (i + 1) % (crowdBatches * crowdBatch) {
		select {
		case <-w.over:
			return
		default:
		}
		_, err := w.x.Refresh(bg)
		w.check(err)
		v, ok := vectorOf(w.x, hashN(i))
		if ok && !slices.Equal(v, rounded(SampleVector(hashN(i), loopModel.Dim))) {
			w.Errorf("photo %d has another vector", i)
		}
		w.x.Blocks()
	}
}

func TestConcurrentUse(t *testing.T) {
	c := smallSegments(t, t.TempDir(), 30)
	w := &crowd{
		T: t, c: c, r: rootAt(t, c, "/photos"), x: index(t, c, loopModel),
		stored: make(chan int, crowdBatches), over: make(chan struct{}),
	}
	var wait sync.WaitGroup
	for _, do := range []func(){w.store, w.forget, w.read, w.read} {
		wait.Go(do)
	}
	wait.Wait()
	got(w.x.Refresh(bg))(t)
	checkIndex(t, w.x)
	if list := w.x.Damage(); len(list) > 0 {
		t.Errorf("damage %v", list)
	}
	fresh := index(t, c, loopModel)
	for _, f := range filesOf(t, c, w.r) {
		if _, ok := fresh.Find(f.Hash); !ok {
			t.Errorf("file %d lost its vector", f.ID)
		}
	}
	if w.saved == 0 {
		t.Error("no segment was ever rewritten")
	}
	if problems := got(c.verify(bg))(t); len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
}
