package photo

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"
)

// Bounds on the work of a decoder, besides those on pixels. A file of few bytes
// can keep a decoder busy for hours: a scan of a progressive JPEG that changes
// nothing takes 100 bytes and goes through the whole picture.
const (
	// maxScans is of a JPEG; programs that search for the smallest file write 20.
	maxScans    = 100
	startOfScan = "\xff\xda"
	// maxTime is for what nobody has thought of. The largest picture with the
	// most scans takes 7 seconds of a core.
	maxTime = time.Minute
	// maxWait is how much of the time between two reads counts: a process that was
	// stopped, or whose machine slept, is not a photo's fault.
	maxWait = maxTime / 2
)

var (
	errScans = fmt.Errorf("%w: a JPEG of more than %d scans", ErrTooLarge, maxScans)
	errTime  = fmt.Errorf("%w: decoding took longer than %.0f seconds", ErrTooLarge, maxTime.Seconds())
)

// limited is a file as a decoder reads it. Decoders read while they work, so a
// read that fails ends one that has worked for too long.
type limited struct {
	buffered io.Reader
	file     *io.SectionReader
	spent    time.Duration
	seen     time.Time // when spent was added up last
	jpeg     bool
	scans    int  // of a JPEG that have begun
	last     byte // that was read
	err      error
}

// now is a variable for tests.
var now = time.Now

// limit begins to read r.
func limit(r *io.SectionReader, jpeg bool) *limited {
	whole := io.NewSectionReader(r, 0, r.Size())
	return &limited{buffered: bufio.NewReaderSize(whole, 1<<16), file: whole, seen: now(), jpeg: jpeg}
}

func (l *limited) Read(p []byte) (int, error) {
	if l.over() {
		return 0, l.err
	}
	n, err := l.buffered.Read(p)
	if l.jpeg && n > 0 {
		l.scans += bytes.Count(p[:n], []byte(startOfScan))
		if l.last == startOfScan[0] && p[0] == startOfScan[1] {
			l.scans++
		}
		l.last = p[n-1]
	}
	return n, err
}

// ReadAt is for the decoder of TIFF, which jumps about.
func (l *limited) ReadAt(p []byte, at int64) (int, error) {
	if l.over() {
		return 0, l.err
	}
	return l.file.ReadAt(p, at)
}

// over reports whether a limit is passed, and notes which.
func (l *limited) over() bool {
	t := now()
	l.spent += min(t.Sub(l.seen), maxWait)
	l.seen = t
	switch {
	case l.scans > maxScans:
		l.err = errScans
	case l.spent > maxTime:
		l.err = errTime
	}
	return l.err != nil
}
