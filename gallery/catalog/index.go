package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"sync"
)

// An Index is the vectors of one model, memory-mapped: those that were there
// when it was opened and those that Refresh adds. Rows are numbered from 0 and
// keep their numbers. Every record was read and its checksum found right before
// its row is handed out.
//
// It may be used from any goroutine. After Close nothing that it handed out may
// be used.
type Index struct {
	c *Catalog
	l layout

	refresh sync.Mutex // one Refresh at a time
	mu      sync.RWMutex
	blocks  []Block
	rows    int
	find    map[Hash]int // row
	seen    map[int]int  // segment number → its rows that are in blocks
	damage  []Problem
	unmap   []func() error
}

// A Block is rows that lie side by side. It never changes.
type Block struct {
	First  int    // number of row 0
	Hashes []Hash // the zero Hash: no vector, for it is damaged, or there twice
	// Vectors are in half precision: row i is [i*Stride : i*Stride+dim].
	Vectors []uint16
	Stride  int
}

// Vectors opens the index of a model, which is empty if there are no vectors of
// it. Its Dim may be 0: whatever it is.
func (c *Catalog) Vectors(ctx context.Context, m Model) (*Index, error) {
	x := &Index{c: c, l: layout{Model: m}, find: make(map[Hash]int), seen: make(map[int]int)}
	if _, err := x.Refresh(ctx); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

// Refresh adds what was stored since, by whatever process, and returns how many
// rows that are.
func (x *Index) Refresh(ctx context.Context) (added int, err error) {
	x.refresh.Lock()
	defer x.refresh.Unlock()
	before := x.Rows()
	err = x.read(ctx, false)
	if errors.Is(err, fs.ErrNotExist) {
		// Another process has rewritten a segment meanwhile, and the ledger has
		// changed, or it is lost.
		err = x.read(ctx, true)
	}
	return x.Rows() - before, x.c.wrap("open vectors", err)
}

// read adds the rows that the ledger has more. A segment that is missing is an
// error, or noted.
func (x *Index) read(ctx context.Context, missing bool) error {
	ledger, err := readLedger(ctx, x.c.db)
	if err != nil {
		return err
	}
	for _, s := range ledger {
		if s.Model.Digest != x.l.Digest || s.Model.Preprocess != x.l.Preprocess || s.dropped {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if x.l.Dim != 0 && x.l.Dim != s.Model.Dim {
			return fmt.Errorf("model %s: vectors of %d values, not %d", x.l.Digest, s.Model.Dim, x.l.Dim)
		}
		if x.l.stride == 0 {
			x.mu.Lock()
			x.l = layoutOf(s.Model)
			x.mu.Unlock()
		}
		from := x.seen[s.number]
		if from >= s.rows {
			continue
		}
		err := x.extend(s, from)
		if errors.Is(err, fs.ErrNotExist) && !missing {
			return err
		}
		if err != nil {
			x.note(s, describe(err))
		}
		x.seen[s.number] = s.rows
	}
	return nil
}

// extend adds the rows of a segment from number from on. A record that is
// damaged becomes a row without a hash.
func (x *Index) extend(s segment, from int) error {
	f, size, err := x.l.openSegment(x.c.segmentPath(s.place()), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	to := min(s.rows, x.l.rows(size))
	if to < s.rows {
		x.note(s, fmt.Sprintf("it holds %d records instead of %d", to, s.rows))
	}
	if from >= to {
		return nil
	}
	hashes, err := x.l.readRecords(f, from, to)
	if err != nil {
		x.note(s, describe(err))
	}
	if n := damaged(hashes); n > 0 {
		x.note(s, fmt.Sprintf("%d of its records do not match their checksums", n))
	}
	start := x.l.offset(from)
	skip := int(start % mapAlign)
	data, unmap, err := mapFile(f, start-int64(skip), int(x.l.offset(to)-start)+skip)
	if err != nil {
		return err
	}
	x.add(hashes, words(data[skip+recordHead:]), unmap)
	return nil
}

func (x *Index) note(s segment, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.damage = append(x.damage, Problem{x.c.segmentPath(s.place()), text})
}

func (x *Index) add(hashes []Hash, vectors []uint16, unmap func() error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.find) == 0 {
		x.find = make(map[Hash]int, len(hashes))
	}
	for i, h := range hashes {
		if _, twice := x.find[h]; twice {
			hashes[i] = Hash{}
		} else if h != (Hash{}) {
			x.find[h] = x.rows + i
		}
	}
	x.blocks = append(x.blocks, Block{x.rows, hashes, vectors, x.l.stride / 2})
	x.rows += len(hashes)
	x.unmap = append(x.unmap, unmap)
}

// Close takes the vectors out of memory.
func (x *Index) Close() error {
	x.refresh.Lock()
	defer x.refresh.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for _, unmap := range x.unmap {
		errs = append(errs, unmap())
	}
	x.blocks, x.unmap, x.find, x.rows = nil, nil, nil, 0
	return errors.Join(errs...)
}

// Model returns what the vectors were computed with.
func (x *Index) Model() Model {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.l.Model
}

// Rows returns the number of rows, among them some without a vector.
func (x *Index) Rows() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.rows
}

// Len returns the number of photos that have a vector.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.find)
}

// Find returns the number of the row that a photo's vector is in.
func (x *Index) Find(photo Hash) (row int, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	row, ok = x.find[photo]
	return row, ok
}

// Blocks returns all rows, in order.
func (x *Index) Blocks() []Block {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.blocks[:len(x.blocks):len(x.blocks)]
}

// Row returns the vector in a row that Find returned. It lies in mapped memory:
// see Guard.
func (x *Index) Row(row int) []uint16 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	b := x.blocks[sort.Search(len(x.blocks), func(i int) bool { return x.blocks[i].First > row })-1]
	at := (row - b.First) * b.Stride
	return b.Vectors[at : at+x.l.Dim : at+x.l.Dim]
}

// Damage returns what could not be used: photos whose vectors are in it have
// none here, until they are computed again.
func (x *Index) Damage() []Problem {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.damage[:len(x.damage):len(x.damage)]
}

// describe says of an error about a file what the name of the file does not.
func describe(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		if errors.Is(err, fs.ErrNotExist) {
			return "it is missing"
		}
		err = pathErr.Err
	}
	return err.Error()
}
