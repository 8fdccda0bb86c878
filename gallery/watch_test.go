package gallery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"sigla/gallery/photo"
)

// watchFor runs Watch, at a quick pace, until the test ends.
func watchFor(t *testing.T, g *Gallery, paths ...string) {
	t.Helper()
	before := watchPace
	watchPace = pace{quiet: 20 * time.Millisecond, most: 200 * time.Millisecond, poll: 50 * time.Millisecond, away: 20 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Watch(ctx, paths...) }()
	for g.watching() == nil {
		runtime.Gosched()
	}
	watchPace = before
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Watch returned %v", err)
		}
	})
}

// until waits until the gallery is as it should be.
func until(t *testing.T, g *Gallery, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var version uint64
	for !ok() {
		var err error
		if version, err = g.WaitChange(ctx, version); err != nil {
			t.Fatalf("never so: %s; here are %q, skipped %v", what, here(g), g.Skipped())
		}
	}
}

func untilHere(t *testing.T, g *Gallery, want ...string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	until(t, g, "here are "+strings.Join(want, " "), func() bool { return slices.Equal(here(g), want) })
}

func TestWatch(t *testing.T) {
	dir := tree(t, "0.png", "a/1.png", "a/b/2.png")
	outside := tree(t, "3.png")
	at := func(name string) string { return filepath.Join(dir, name) }
	g := New()
	scan(t, g, dir)
	watchFor(t, g, dir)
	writePhoto(t, at("4.png"), 4)
	untilHere(t, g, "0.png", "a/1.png", "a/b/2.png", "4.png")
	writePhoto(t, at("n/e/w/5.png"), 5)
	untilHere(t, g, "0.png", "a/1.png", "a/b/2.png", "4.png", "n/e/w/5.png")
	rename(t, at("a"), at("c"))
	untilHere(t, g, "0.png", "c/1.png", "c/b/2.png", "4.png", "n/e/w/5.png")
	writePhoto(t, at("c/b/6.png"), 6) // the folder is watched under its new name
	untilHere(t, g, "0.png", "c/1.png", "c/b/2.png", "c/b/6.png", "4.png", "n/e/w/5.png")
	rename(t, at("c/b"), at("n/b")) // and again
	writePhoto(t, at("n/b/7.png"), 7)
	untilHere(t, g, "0.png", "c/1.png", "n/b/2.png", "n/b/6.png", "n/b/7.png", "4.png", "n/e/w/5.png")
	remove(t, at("n"))
	untilHere(t, g, "0.png", "c/1.png", "4.png")
	symlink(t, outside, at("link"))
	untilHere(t, g, "0.png", "c/1.png", "4.png", "link/3.png")
	symlink(t, at("c"), at("link2")) // visited before
	writePhoto(t, filepath.Join(outside, "8.png"), 8)
	untilHere(t, g, "0.png", "c/1.png", "4.png", "link/3.png", "link/8.png")
	remove(t, at("link2"))
	writeFile(t, at(ignoreName), []byte("c\n4*\n"))
	untilHere(t, g, "0.png", "link/3.png", "link/8.png")
	remove(t, at(ignoreName))
	untilHere(t, g, "0.png", "c/1.png", "4.png", "link/3.png", "link/8.png")
	remove(t, at("link"))
	untilHere(t, g, "0.png", "c/1.png", "4.png")
	writeFile(t, at("clip.mp4"), nil)
	until(t, g, "a video is counted", func() bool { return g.LeftOut().String() == "1 .mp4" })
	symlink(t, ".", at("loop"))
	until(t, g, "a loop is said", func() bool { return len(g.Skipped()) == 1 })
	remove(t, at("loop"))
	until(t, g, "no loop is said", func() bool { return len(g.Skipped()) == 0 })
	if err := g.Notices(); len(err) > 0 {
		t.Errorf("notices %v", err)
	}
}

// What changes is embedded again, and what only moves is not.
func TestWatchAndEmbed(t *testing.T) {
	dir := photoFolder(t, 3)
	at := func(name string) string { return filepath.Join(dir, name) }
	g, e := New(), new(fake)
	g.UseCatalog(catalogueIn(t.TempDir()))
	g.UseModel(fakeModel)
	scan(t, g, dir)
	watchFor(t, g, dir)
	embed(t, g, e)
	checkEmbedded(t, e, 0, 1, 2)

	rename(t, at("1.png"), at("sub/1.png"))
	overwrite(t, at("2.png"), 1002)
	untilHere(t, g, "0.png", "2.png", "sub/1.png")
	until(t, g, "2.png waits", func() bool { return photoNamed(t, g, "2.png").State == Waiting })
	embed(t, g, e)
	checkEmbedded(t, e, 0, 1, 2, 1002)
	if p := photoNamed(t, g, "2.png"); p.ID != 2 || !near(g.Vector(p.ID), 1002) {
		t.Errorf("changed: %+v", p)
	}
	if p := photoNamed(t, g, "sub/1.png"); p.State != Ready || !near(g.Vector(p.ID), 1) {
		t.Errorf("moved: %+v", p)
	}
}

// Embed, Watch, Scan and a folder in which things happen, beside each other; for
// the race detector. In the end gallery and catalog are what the folder is.
func TestWatchBesideAll(t *testing.T) {
	dir, data := photoFolder(t, 30), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	g, e := New(), new(fake)
	g.UseCatalog(catalogueIn(data))
	g.UseModel(fakeModel)
	t.Run("watched", func(t *testing.T) {
		watchFor(t, g, dir) // before Scan
		var wait sync.WaitGroup
		wait.Go(func() { scan(t, g, dir) })
		wait.Go(func() {
			for i := range 20 {
				rename(t, at(name(i)), at("to/"+name(i)))
				overwrite(t, at(name(20+i%10)), 100+i)
				writePhoto(t, at("new/"+name(1000+i)), 1000+i)
				if i%5 == 4 {
					remove(t, at("to"))
					scan(t, g, dir)
				}
				embed(t, g, e)
			}
		})
		wait.Wait()
		until(t, g, "all is seen", func() bool { return len(here(g)) == 30 && g.Progress().Done+waitingOf(g) == 30 })
		time.Sleep(100 * time.Millisecond) // the last events may be of what is seen already
	})
	scan(t, g, dir)
	embed(t, g, e)
	for _, p := range g.Photos() {
		if p.State == Gone {
			continue
		}
		n := numberOf(t, p.Path)
		if p.State != Ready || !near(g.Vector(p.ID), n) {
			t.Errorf("%s: state %d, error %v; its vector is not that of %d", p.Name, p.State, p.Err, n)
		}
	}
	if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
		t.Error(err)
	}
	again := new(fake)
	fresh := session(t, data, again, dir)
	checkEmbedded(t, again)
	if !slices.Equal(here(fresh), here(g)) {
		t.Errorf("a new run finds %q\nnot %q", here(fresh), here(g))
	}
}

func name(i int) string { return fmt.Sprintf("%d.png", i) }

func waitingOf(g *Gallery) int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.waiting()
}

// A file that is being written is not looked at until that has ended, however
// much else happens.
func TestWatchWhileCopied(t *testing.T) {
	dir, aside := tree(t, "0.png"), tree(t, "n/2.png")
	at := func(name string) string { return filepath.Join(dir, name) }
	g, e := New(), new(fake)
	scan(t, g, dir)
	watchFor(t, g, dir)
	w := g.watching()
	setQuiet := func(d time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pace.quiet = d
		w.poke()
	}
	setQuiet(time.Hour) // the writer is never silent for so long
	writeFile(t, at("1.png"), []byte("half"))
	overwrite(t, at("0.png"), 1000)
	rename(t, filepath.Join(aside, "n"), at("n"))
	until(t, g, "n/2.png is here", func() bool { return slices.Contains(here(g), "n/2.png") })
	scan(t, g, dir)
	embed(t, g, e)
	checkHere(t, g, "0.png", "n/2.png")
	if p := g.Photo(0); p.Unreachable || p.State != Ready {
		t.Errorf("what is being written is %+v", p)
	}
	writePhoto(t, at("1.png"), 1)
	setQuiet(time.Millisecond)
	untilHere(t, g, "0.png", "1.png", "n/2.png")
	until(t, g, "0.png has changed", func() bool { return g.Photo(0).State == Waiting })
	embed(t, g, e)
	if p := photoNamed(t, g, "1.png"); !near(g.Vector(p.ID), 1) {
		t.Errorf("1.png: %+v", p)
	}
}

// A sidecar that appears, changes or goes is seen, too.
func TestWatchSidecars(t *testing.T) {
	dir := tree(t, "0.png", "a/1.png")
	g := New()
	scan(t, g, dir)
	tagAll(t, g)
	watchFor(t, g, dir)
	wait := func(want string) {
		t.Helper()
		until(t, g, "tags are "+want, func() bool {
			if g.Progress().TagsDue {
				tagAll(t, g)
			}
			var names []string
			for _, n := range g.TagNames() {
				names = append(names, n.Name)
			}
			return strings.Join(names, " ") == want
		})
	}
	writeFile(t, filepath.Join(dir, "0.XMP"), xmp("owl"))
	writeFile(t, filepath.Join(dir, "a", "1.png.xmp"), xmp("tern"))
	wait("owl tern")
	writeFile(t, filepath.Join(dir, "0.XMP"), xmp("crane"))
	wait("crane tern")
	remove(t, filepath.Join(dir, "a", "1.png.xmp"))
	wait("crane")
	remove(t, filepath.Join(dir, "0.png"))
	wait("")
}

// A named folder vanishes and comes back, in whichever way.
func TestWatchRoots(t *testing.T) {
	one, two := tree(t, "a/0.png", "1.png"), tree(t, "2.png")
	file := filepath.Join(tree(t, "3.png", "4.png"), "3.png")
	g := New()
	scan(t, g, one, two, file)
	watchFor(t, g, one, two, file)
	away := filepath.Join(t.TempDir(), "away")
	unreachable := func() (n int) {
		for _, p := range g.Photos() {
			if p.Unreachable {
				n++
			}
		}
		return n
	}
	for range 2 {
		rename(t, one, away)
		until(t, g, "the folder is away", func() bool { return unreachable() == 2 && len(g.Skipped()) == 1 })
		checkHere(t, g, "1.png", "2.png", "3.png", "a/0.png")
		rename(t, away, one)
		until(t, g, "the folder is back", func() bool { return unreachable() == 0 && len(g.Skipped()) == 0 })
	}
	writePhoto(t, filepath.Join(one, "a", "5.png"), 5)
	untilHere(t, g, "1.png", "2.png", "3.png", "a/0.png", "a/5.png")
	remove(t, file)
	untilHere(t, g, "1.png", "2.png", "a/0.png", "a/5.png")
}

// Without events there are scans, and one notice.
func TestWatchFallsBack(t *testing.T) {
	refuse := func(err error) func() (*fsnotify.Watcher, error) {
		return func() (*fsnotify.Watcher, error) { return nil, err }
	}
	for _, err := range []error{syscall.EMFILE, syscall.ENOSPC, errors.New("not on this system")} {
		dir := tree(t, "0.png")
		g := New()
		scan(t, g, dir)
		before := newNotifier
		newNotifier = refuse(err)
		watchFor(t, g, dir)
		newNotifier = before
		writePhoto(t, filepath.Join(dir, "a", "1.png"), 1)
		untilHere(t, g, "0.png", "a/1.png")
		remove(t, filepath.Join(dir, "0.png"))
		untilHere(t, g, "a/1.png")
		if n := g.Notices(); len(n) != 1 || !strings.HasPrefix(n[0].Error(), "watch folders: ") || !strings.Contains(n[0].Error(), "scanned every") {
			t.Errorf("notices %v", n)
		}
	}
}

// When the system refuses to hold more files open, those that are held for
// events are let go.
func TestWatchWithoutFiles(t *testing.T) {
	dir := tree(t, "0.png")
	g := New()
	scan(t, g, dir)
	watchFor(t, g, dir)
	w := g.watching()
	w.fallBack("watch "+dir, syscall.EMFILE)
	if err := w.fs.Close(); err != nil {
		t.Fatal(err)
	}
	writePhoto(t, filepath.Join(dir, "1.png"), 1)
	untilHere(t, g, "0.png", "1.png")
	w.add(place{at: dir, path: dir, name: "x"}) // closed: nothing to say of that
	if n := g.Notices(); len(n) != 1 {
		t.Errorf("notices %v", n)
	}
}

// Roots in roots, and an ignored folder that is a root itself.
func TestWatchNestedRoots(t *testing.T) {
	dir, data := tree(t, "0.png", "in/1.png", "in/.h/2.png", "private/3.png"), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, at(ignoreName), []byte("private\n"))
	g := New()
	g.UseCatalog(catalogueIn(data))
	roots := []string{at("in/.h"), dir, at("in"), at("private")}
	scan(t, g, roots...)
	checkHere(t, g, "0.png", "in/1.png", "2.png", "3.png")
	watchFor(t, g, roots...)
	writePhoto(t, at("private/4.png"), 4)
	untilHere(t, g, "0.png", "in/1.png", "2.png", "3.png", "4.png")
	writePhoto(t, at("in/.h/5.png"), 5)
	remove(t, at("in/1.png"))
	untilHere(t, g, "0.png", "2.png", "3.png", "4.png", "5.png")
	writePhoto(t, at("6.png"), 6)
	untilHere(t, g, "0.png", "2.png", "3.png", "4.png", "5.png", "6.png")
	scan(t, g, dir)
	checkHere(t, g, "0.png", "2.png", "3.png", "4.png", "5.png", "6.png")
	if err := g.CatalogErr(); err != nil {
		t.Error(err)
	}
}

// Events that were lost are made up for by a scan.
func TestWatchOverflow(t *testing.T) {
	dir := tree(t, "0.png", "a/1.png")
	g := New()
	scan(t, g, dir)
	watchFor(t, g, dir)
	w := g.watching()
	w.remove(dir, filepath.Join(dir, "a")) // as if their events were lost
	writePhoto(t, filepath.Join(dir, "a", "2.png"), 2)
	remove(t, filepath.Join(dir, "0.png"))
	w.fs.Errors <- fsnotify.ErrEventOverflow
	untilHere(t, g, "a/1.png", "a/2.png")
	if n := g.Notices(); len(n) > 0 {
		t.Errorf("notices %v", n)
	}
}

// Names that are no text come through events as well.
func TestWatchHostileNames(t *testing.T) {
	dir := tree(t, "0.png")
	g := New()
	scan(t, g, dir)
	watchFor(t, g, dir)
	want := []string{"0.png"}
	for i, n := range []string{"new\nline", "\xff\xfe", strings.Repeat("x", 251), "\u202egnp", " ", `back\slash`} {
		if err := os.Mkdir(filepath.Join(dir, n), 0o755); err != nil {
			t.Logf("not a name here: %q: %v", n, err)
			continue
		}
		writePhoto(t, filepath.Join(dir, n, n+".png"), i)
		want = append(want, n+"/"+n+".png")
	}
	untilHere(t, g, want...)
	for _, n := range want[1:] {
		remove(t, filepath.Join(dir, filepath.Dir(n)))
	}
	untilHere(t, g, "0.png")
}

// Nothing of Watch happens while nothing happens.
func TestWatchIsIdle(t *testing.T) {
	dir := tree(t, "0.png", "a/1.png")
	g := New()
	scan(t, g, dir)
	watchFor(t, g, dir)
	writePhoto(t, filepath.Join(dir, "2.png"), 2)
	untilHere(t, g, "0.png", "2.png", "a/1.png")
	time.Sleep(300 * time.Millisecond)
	w := g.watching()
	if at, ok := w.due(time.Now()); ok {
		t.Errorf("something is due at %v", at)
	}
	version := func() uint64 { v, _ := g.WaitChange(context.Background(), 0); return v }
	before := version()
	time.Sleep(300 * time.Millisecond)
	if now := version(); now != before {
		t.Errorf("the gallery has changed %d times", now-before)
	}
}

// numberOf returns the number of the photo in a file.
func numberOf(t *testing.T, path string) int {
	t.Helper()
	img, _, err := photo.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return photoNumber(img)
}

func tagAll(t *testing.T, g *Gallery) {
	t.Helper()
	if err := g.ReadTags(context.Background()); err != nil {
		t.Fatal(err)
	}
}
