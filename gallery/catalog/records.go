package catalog

import (
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// portion is how many bytes of a segment are read at once.
const portion = 1 << 20

// readRecords reads rows [from, to) of a segment and returns whose they are:
// the zero Hash for a record that is damaged or cannot be read. The error is
// the first of reading.
func (l layout) readRecords(r io.ReaderAt, from, to int) ([]Hash, error) {
	hashes := make([]Hash, to-from)
	each := max(1, portion/l.stride)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	work := func() {
		buffer := make([]byte, each*l.stride)
		for {
			at := int(next.Add(int64(each))) - each
			if at >= len(hashes) {
				return
			}
			part := hashes[at:min(at+each, len(hashes))]
			b := buffer[:len(part)*l.stride]
			n, err := r.ReadAt(b, l.offset(from+at))
			if n < len(b) && err != nil {
				failed.CompareAndSwap(nil, &err)
			}
			for i := range part[:n/l.stride] {
				part[i] = l.decode(b[i*l.stride:][:l.stride])
			}
		}
	}
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(hashes)+each-1)/each) {
		wait.Go(work)
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return hashes, *err
	}
	return hashes, nil
}

// openSegment opens a segment of a model and returns its size. It must begin
// with the header of that model.
func (l layout) openSegment(path string, flag int) (*os.File, int64, error) {
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, 0, err
	}
	size, err := l.checkHeader(f)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

func (l layout) checkHeader(f *os.File) (size int64, err error) {
	m, size, err := readHeader(f)
	if err == nil && !m.is(l.Model) {
		err = errForeign
	}
	return size, err
}

// readHeader returns the model of a segment and the size of its file.
func readHeader(f *os.File) (m Model, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return Model{}, 0, err
	}
	b := make([]byte, min(headerSize, info.Size()))
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return Model{}, 0, err
	}
	m, err = parseHeader(b)
	return m, info.Size(), err
}

// endOfGood returns the number of records up to the last good one.
func endOfGood(hashes []Hash) int {
	n := len(hashes)
	for n > 0 && hashes[n-1] == (Hash{}) {
		n--
	}
	return n
}

// damaged returns the number of records that did not pass.
func damaged(hashes []Hash) (n int) {
	for _, h := range hashes {
		if h == (Hash{}) {
			n++
		}
	}
	return n
}

// writeRecords writes records from a row on and syncs them. If that fails it
// cuts the file back to where it ended.
func (l layout) writeRecords(f *os.File, row int, records []Record) error {
	b := make([]byte, len(records)*l.stride)
	for i, r := range records {
		if r.Hash == (Hash{}) {
			return errNoHash
		}
		if err := l.encode(b[i*l.stride:][:l.stride], r); err != nil {
			return err
		}
	}
	_, err := f.WriteAt(b, l.offset(row))
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		// Whatever is left is not counted and cut off the next time.
		f.Truncate(l.offset(row))
	}
	return err
}

// createSegment makes a segment file that must not exist, with its header.
func (l layout) createSegment(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(l.header); err != nil {
		f.Close()
		os.Remove(path)
		return nil, err
	}
	return f, nil
}
