package gallery

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

func checkLeftOut(t *testing.T, g interface{ LeftOut() LeftOut }, ignored int, text string) {
	t.Helper()
	if l := g.LeftOut(); l.Ignored != ignored || l.String() != text {
		t.Errorf("left out: %q, %d ignored; want %q, %d", l, l.Ignored, text, ignored)
	}
}

func TestLeftOut(t *testing.T) {
	dir := tree(t, "a.jpg", "a.AVIF", "b.jxl", "c.Mp4", "d.mp4", "e.psd", "sub/f.mp4", "sub/notes.txt", "g.3fr", ".hidden.mp4", "mp4")
	g := New()
	scan(t, g, dir)
	checkLeftOut(t, g, 0, "3 .mp4, 1 .3fr, 1 .avif, 1 .jxl, 1 .psd")
}

func TestIgnore(t *testing.T) {
	dir := tree(t, "a.jpg", "a.png", "b/keep.png", "b/c.png", "private/d.jpg", "e/private/f.jpg", "g/h.jpg", "g/i/j.jpg", "g/i/k.mp4", "k.mp4")
	at := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, at(ignoreName), []byte("*.png\nprivate/\n*.mp4\n"))
	writeFile(t, at("b/"+ignoreName), []byte("!keep.png\n"))
	writeFile(t, at("g/"+ignoreName), []byte("/i\n"))
	symlink(t, "private", at("p"))
	symlink(t, "../g", at("e/private"+"link"))
	data := t.TempDir()
	writeFile(t, at("g/i/"+ignoreName), []byte("!*\n")) // too late
	g := session(t, data, new(fake), dir)
	checkHere(t, g, "a.jpg", "b/keep.png", "e/privatelink/h.jpg", "p/d.jpg")
	checkLeftOut(t, g, 6, "6 ignored by .siglaignore") // a.png, b/c.png, private, e/private, g/i, k.mp4

	// A folder scanned by itself is as it is in the whole; what is named is
	// taken as it is.
	g = session(t, data, new(fake), at("b"))
	checkHere(t, g, "keep.png")
	g = session(t, data, new(fake), at("g/i"))
	checkHere(t, g, "j.jpg")
	g = session(t, t.TempDir(), new(fake), at("b")) // of no whole
	checkHere(t, g, "c.png", "keep.png")
}

// An ignored photo is one that is gone, for whoever runs and for the catalog.
func TestIgnoredLater(t *testing.T) {
	dir, data := tree(t, "0.png", "1.png", "a/2.png", "a/3.png"), t.TempDir()
	g := New()
	g.UseCatalog(catalogueIn(data))
	g.UseModel(fakeModel)
	scan(t, g, dir)
	embed(t, g, new(fake))
	writeFile(t, filepath.Join(dir, ignoreName), []byte("a\n1.png\n"))
	scan(t, g, dir)
	checkHere(t, g, "0.png")
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, root := status(t, data); root.Files != 1 || root.Missing != 3 {
		t.Errorf("status %+v", root)
	}
	remove(t, filepath.Join(dir, ignoreName))
	e := new(fake)
	checkVectors(t, session(t, data, e, dir))
	checkEmbedded(t, e)
}

func TestTwins(t *testing.T) {
	dir := tree(t, "IMG_1.CR2", "IMG_1.JPG", "IMG_2.cr2", "img_3.jpeg", "img_3.NEF", "img_3.xmp", "IMG_4.jpg", "sub/IMG_4.dng", "IMG_5.jpg", "IMG_5.JPG", "IMG_5.arw", "a.b.jpg", "a.raf", "x.png", "x.orf", "d.jpg/y.png", "d.pef")
	g := New()
	scan(t, g, dir)
	checkHere(t, g, "IMG_1.JPG", "IMG_2.cr2", "img_3.jpeg", "IMG_4.jpg", "sub/IMG_4.dng", "IMG_5.jpg", "IMG_5.JPG", "a.b.jpg", "a.raf", "x.png", "x.orf", "d.jpg/y.png", "d.pef")
	got := map[string]string{}
	for _, p := range g.Photos() {
		if len(p.Twins) > 0 {
			got[p.Name] = strings.Join(p.Twins, " ")
			if f := p.Files(); len(f) != 2 || f[0] != p.Path || f[1] != filepath.Join(dir, p.Twins[0]) {
				t.Errorf("files of %s: %q", p.Name, f)
			}
		}
	}
	if want := map[string]string{"IMG_1.JPG": "IMG_1.CR2", "img_3.jpeg": "img_3.NEF", "IMG_5.JPG": "IMG_5.arw"}; !maps.Equal(got, want) {
		t.Errorf("twins %v, want %v", got, want)
	}
}

// A twin comes and goes, while the program runs and between two runs: the raw
// file is a photo of its own as long as it has no JPEG.
func TestTwinsComeAndGo(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	raw, jpeg := filepath.Join(dir, "1.NEF"), filepath.Join(dir, "1.JPG")
	writePhoto(t, raw, 1) // what is in it, and not its name, says how it is read
	g := New()
	g.UseCatalog(catalogueIn(data))
	g.UseModel(fakeModel)
	e := new(fake)
	step := func(name, twin string, embedded ...int) {
		t.Helper()
		scan(t, g, dir)
		embed(t, g, e)
		checkHere(t, g, name)
		if p := photoNamed(t, g, name); p.State != Ready || strings.Join(p.Twins, " ") != twin {
			t.Errorf("photo %+v, want twin %q", p, twin)
		}
		checkEmbedded(t, e, embedded...)
	}
	step("1.NEF", "", 1)
	writePhoto(t, jpeg, 2)
	step("1.JPG", "1.NEF", 1, 2)
	remove(t, raw)
	step("1.JPG", "", 1, 2)
	writePhoto(t, raw, 1)
	remove(t, jpeg)
	step("1.NEF", "", 1, 2)
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	writePhoto(t, jpeg, 2)
	e = new(fake)
	checkHere(t, session(t, data, e, dir), "1.JPG")
	checkEmbedded(t, e)
	if _, root := status(t, data); root.Files != 1 || root.Missing != 1 {
		t.Errorf("status %+v", root)
	}
	remove(t, jpeg)
	checkHere(t, session(t, data, e, dir), "1.NEF")
	checkEmbedded(t, e)
}
