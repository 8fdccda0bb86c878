//go:build unix

package catalog

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sigla/internal/require"
)

// Faults need processes that can be killed: this test program, started again
// with a role.
const roleEnv = "CATALOG_TEST_ROLE"

var roles = map[string]func(dir string, n int) error{
	"write":    writeLoop,
	"share":    shareLoop,
	"hold":     holdLock,
	"full":     fillDisk,
	"nospace":  openFull,
	"readonly": openReadOnly,
}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	n, err := strconv.Atoi(os.Args[2])
	if err == nil {
		err = role(os.Args[1], n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A child is this program in a role. It says on its output how far it is.
type child struct {
	*exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func start(t *testing.T, role, dir string, n int) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(got(os.Executable())(t), dir, strconv.Itoa(n))}
	c.Env = append(os.Environ(), roleEnv+"="+role)
	c.Stderr = os.Stderr
	c.in = got(c.StdinPipe())(t)
	c.lines = bufio.NewScanner(got(c.StdoutPipe())(t))
	must(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c
}

// last returns the last number that the child says before it ends.
func (c *child) last(before int) int {
	for c.lines.Scan() {
		if n, err := strconv.Atoi(c.lines.Text()); err == nil {
			before = n
		}
	}
	return before
}

// batchOf is one batch of the loops: photos per batch, and how many batches a
// photo is kept.
const batchOf, keptFor = 7, 12

// writeBatch does what an index run does with some new photos.
func writeBatch(c *Catalog, r Root, n int) error {
	var files []File
	b := Batch{Model: loopModel}
	for i := n * batchOf; i < (n+1)*batchOf; i++ {
		files = append(files, File{Path: strconv.Itoa(i), Size: int64(i)})
		b.Photos = append(b.Photos, Photo{Hash: hashN(i), Format: "jpeg"})
		b.Vectors = append(b.Vectors, Record{hashN(i), SampleVector(hashN(i), loopModel.Dim)})
	}
	if err := c.Sync(bg, r, Changes{At: noon, Found: files}); err != nil {
		return err
	}
	for _, f := range files {
		b.Readings = append(b.Readings, Reading{File: f.ID, Size: f.Size, Hash: hashN(int(f.Size))})
	}
	if err := c.Put(bg, b); err != nil {
		return err
	}
	return c.Decide(bg, Decision{Photo: hashN(n), Label: "dog", Verdict: Accept, When: noon})
}

// writeLoop writes batches from n on for ever, and forgets old ones.
func writeLoop(dir string, n int) error {
	c, err := open(bg, dir, 40)
	if err != nil {
		return err
	}
	r, err := c.Root(bg, "/photos")
	if err != nil {
		return err
	}
	for ; ; n++ {
		if err := writeBatch(c, r, n); err != nil {
			return err
		}
		fmt.Println(n)
		var old []int64
		files, err := c.Files(bg, r)
		for _, f := range files {
			if f.Size < int64((n-keptFor)*batchOf) {
				old = append(old, f.ID)
			}
		}
		if err == nil {
			err = c.Sync(bg, r, Changes{At: noon, Missing: old})
		}
		if err == nil {
			_, err = c.Forget(bg, noon.Add(day), day)
		}
		if err != nil {
			return err
		}
	}
}

// checkKilled opens what a killed loop has left: everything it said is stored,
// at most one batch more, and every vector is that of its photo. It returns the
// number of the next batch.
func checkKilled(t *testing.T, dir string, said int) int {
	t.Helper()
	c := smallSegments(t, dir, 40)
	defer closed(t, c)
	x := index(t, c, loopModel)
	defer x.Close()
	checkIndex(t, x)
	if list := x.Damage(); len(list) != 0 {
		t.Errorf("damage %v", list)
	}
	stored := make(map[int64]File)
	for _, f := range filesOf(t, c, rootAt(t, c, "/photos")) {
		stored[f.Size] = f
	}
	for i := max(0, said+1-keptFor) * batchOf; i < (said+1)*batchOf; i++ {
		if _, ok := x.Find(hashN(i)); !ok || stored[int64(i)].Hash != hashN(i) {
			t.Fatalf("photo %d was stored and is lost (vector %v, file %+v)", i, ok, stored[int64(i)])
		}
	}
	if _, ok := x.Find(hashN((said + 2) * batchOf)); ok {
		t.Errorf("more than the batch in flight was stored")
	}
	if n := len(got(c.Decisions(bg))(t)); n < said+1 || n > said+2 {
		t.Errorf("%d answers, %d were stored", n, said+1)
	}
	if problems := got(c.verify(bg))(t); len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	return said + 1
}

// An index run may be killed at any moment.
func TestKilled(t *testing.T) {
	kills := require.Rounds(3, 20, 200)
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	next, early := 0, 0
	for range kills {
		c := start(t, "write", dir, next)
		if r.IntN(4) > 0 { // else also while it opens the catalog
			c.lines.Scan()
		}
		// It is the moment of the kill that varies; no result depends on it.
		time.Sleep(time.Duration(r.Int64N(int64(80 * time.Millisecond))))
		must(t, c.Process.Kill())
		said := next - 1
		if n, err := strconv.Atoi(c.lines.Text()); err == nil {
			said = n
		}
		said = c.last(said)
		if said < next {
			early++
		}
		next = checkKilled(t, dir, said)
	}
	t.Logf("%d batches in %d rounds, %d of them killed before their first", next, kills, early)
	if next == 0 {
		t.Error("nothing was ever stored")
	}
}

// shareLoop writes twelve batches from n on beside others, and reads.
func shareLoop(dir string, n int) error {
	c, err := open(bg, dir, 40)
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.Root(bg, "/photos")
	if err != nil {
		return err
	}
	x, err := c.Vectors(bg, loopModel)
	if err != nil {
		return err
	}
	for end := n + 12; n < end; n++ {
		if err := writeBatch(c, r, n); err != nil {
			return err
		}
		if _, err := x.Refresh(bg); err != nil {
			return err
		}
		if _, ok := x.Find(hashN(n * batchOf)); !ok || len(x.Damage()) > 0 {
			return fmt.Errorf("batch %d is not seen, damage %v", n, x.Damage())
		}
	}
	return nil
}

// Several processes write one catalog, one after the other.
func TestSharedCatalog(t *testing.T) {
	dir := t.TempDir()
	var children []*child
	for i := range 3 {
		children = append(children, start(t, "share", dir, 12*i))
	}
	for _, c := range children {
		must(t, c.Wait())
	}
	c := smallSegments(t, dir, 40)
	wantVectors(t, index(t, c, loopModel), 0, 36*batchOf)
	if n := len(filesOf(t, c, rootAt(t, c, "/photos"))); n != 36*batchOf {
		t.Errorf("%d files", n)
	}
	if n := len(got(c.Decisions(bg))(t)); n != 36 {
		t.Errorf("%d answers", n)
	}
	if problems := got(c.verify(bg))(t); len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
}

// holdLock keeps a transaction open until its input ends.
func holdLock(dir string, _ int) error {
	c, err := Open(bg, dir)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.write(bg, "hold", func(*sql.Tx) error {
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	})
}

func TestBusyCatalog(t *testing.T) {
	defer func(before time.Duration) { busyWait = before }(busyWait)
	dir := t.TempDir()
	patient := openAt(t, dir)
	busyWait = 50 * time.Millisecond
	hasty := openAt(t, dir)
	must(t, patient.Decide(bg, dog))
	c := start(t, "hold", dir, 0)
	c.lines.Scan()

	if err := hasty.Decide(bg, cat); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v, want that of a busy catalog", err)
	}
	ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
	defer cancel()
	if err := patient.Decide(ctx, cat); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that of the context", err)
	}
	wantDecisions(t, patient, dog) // reading goes on
	if _, err := Repair(bg, dir); !errors.Is(err, ErrBusy) {
		t.Errorf("repair: error %v, want that of a busy catalog", err)
	}
	ended, cancel := context.WithCancel(bg)
	cancel()
	if _, err := Repair(ended, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("repair: error %v, want that of the context", err)
	}
	waits := make(chan error)
	go func() { waits <- patient.Decide(bg, cat) }()
	must(t, c.in.Close())
	must(t, <-waits)
	must(t, c.Wait())
	wantDecisions(t, hasty, dog, cat)

	closed(t, patient)
	if _, err := Repair(bg, dir); !errors.Is(err, ErrBusy) {
		t.Errorf("repair while it is open: error %v, want that of a busy catalog", err)
	}
	closed(t, hasty)
	got(Repair(bg, dir))(t)
}

// fillDisk writes until files cannot grow, which is as on a full disk.
func fillDisk(dir string, n int) error {
	signal.Ignore(syscall.SIGXFSZ)
	c, err := open(bg, dir, 1000)
	if err != nil {
		return err
	}
	r, err := c.Root(bg, "/photos")
	if err != nil {
		return err
	}
	limit := unix.Rlimit{Cur: 96 << 10, Max: 96 << 10}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for ; ; n++ {
		if err = writeBatch(c, r, n); err != nil {
			break
		}
		fmt.Println(n)
	}
	fmt.Println("error", err)
	// A line that does not fit leaves nothing of itself.
	log := c.path("full.log")
	before, err := appendLog(log, make([]byte, 96<<10-5))
	if err == nil {
		if _, err := appendLog(log, []byte("0123456789\n")); err == nil {
			return errors.New("a log grew beyond the limit")
		}
		if info, err := os.Stat(log); err != nil || info.Size() != before {
			return fmt.Errorf("a line that did not fit left the log with %d bytes, error %v", info.Size(), err)
		}
	}
	// Vectors alone, so that it is their file that is full.
	l := layoutOf(loopModel)
	f, err := l.createSegment(c.path("full.f16"))
	if err != nil {
		return err
	}
	rows := 0
	for {
		if err = l.writeRecords(f, rows, records(loopModel, rows, rows+5)); err != nil {
			break
		}
		rows += 5
	}
	if info, err := f.Stat(); err != nil || info.Size() != l.offset(rows) {
		return fmt.Errorf("records that did not fit left %d bytes, not %d", info.Size(), l.offset(rows))
	}
	fmt.Println("error", err)
	os.Remove(log)
	return os.Remove(c.path("full.f16"))
}

// openFull opens a catalog where no file can grow to what SQLite needs first.
func openFull(dir string, _ int) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := unix.Rlimit{Cur: 16 << 10, Max: 16 << 10}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	_, err := open(bg, dir, 1000)
	fmt.Println("error", err)
	return nil
}

func TestOpenFullDisk(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "nospace", dir, 0)
	said := ""
	for c.lines.Scan() {
		said += c.lines.Text()
	}
	must(t, c.Wait())
	if !strings.Contains(said, "open catalog "+dir+": the disk is full or fails (") || !strings.Contains(said, "make room") {
		t.Errorf("said %q", said)
	}
	closed(t, smallSegments(t, dir, 1000)) // there is room again
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	next := 0
	for range require.Rounds(1, 3, 3) {
		c := start(t, "full", dir, next)
		said, errs := next-1, []string{}
		for c.lines.Scan() {
			if text, ok := strings.CutPrefix(c.lines.Text(), "error "); ok {
				errs = append(errs, text)
			} else {
				said = got(strconv.Atoi(c.lines.Text()))(t)
			}
		}
		must(t, c.Wait())
		if len(errs) != 2 || !strings.Contains(errs[0], "in catalog "+dir) || !strings.Contains(errs[1], "file too large") {
			t.Errorf("errors %q", errs)
		}
		next = checkKilled(t, dir, said)
	}
	if next == 0 {
		t.Error("nothing was stored before the disk was full")
	}
	c := smallSegments(t, dir, 1000)
	r := rootAt(t, c, "/photos")
	for range 3 { // there is room again
		must(t, writeBatch(c, r, next))
		next++
	}
	closed(t, c)
	checkKilled(t, dir, next-1)
}

// openReadOnly expects that a catalog in a folder that cannot be written is
// refused. The superuser can write anywhere, so it becomes somebody else.
func openReadOnly(dir string, _ int) error {
	if os.Geteuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	for _, dir := range []string{dir, filepath.Join(dir, "new")} {
		_, err := Open(bg, dir)
		fmt.Println(err)
	}
	_, err := Repair(bg, dir)
	fmt.Println(err)
	return nil
}

func TestReadOnlyFolder(t *testing.T) {
	base := got(os.MkdirTemp("", "catalog"))(t)
	t.Cleanup(func() { os.RemoveAll(base) })
	must(t, os.Chmod(base, 0o755))
	dir := filepath.Join(base, "data")
	c := openAt(t, dir)
	must(t, c.Decide(bg, dog))
	closed(t, c)
	for path := range contents(t, dir) {
		must(t, os.Chmod(path, 0o666)) // it is the folder that is read-only
	}
	must(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { os.Chmod(dir, 0o755) })
	before := contents(t, dir)
	p := start(t, "readonly", dir, 0)
	lines := 0
	for p.lines.Scan() {
		lines++
		text := p.lines.Text()
		if !strings.Contains(text, dir) || !strings.Contains(text, "its folder cannot be written: permission denied") {
			t.Errorf("error %q", text)
		}
	}
	must(t, p.Wait())
	if lines != 3 {
		t.Errorf("%d errors", lines)
	}
	after := contents(t, dir)
	if len(after) != len(before) {
		t.Errorf("files before %d, after %d", len(before), len(after))
	}
}
