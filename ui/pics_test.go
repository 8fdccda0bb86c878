package ui

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
)

// filled is a picture of one colour.
func filled(w, h int, c color.NRGBA) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = []uint8{c.R, c.G, c.B, c.A}[i%4]
	}
	return img
}

// cameraPhoto writes a JPEG of one colour whose EXIF block has a thumbnail of
// another.
func cameraPhoto(t testing.TB, path string, photo, stored image.Image) {
	t.Helper()
	var body, thumb bytes.Buffer
	if err := jpeg.Encode(&body, photo, nil); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&thumb, stored, nil); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	// A TIFF header, an empty directory, and one that says where the thumbnail is.
	exif := []byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00\x0e\x00\x00\x00\x02\x00")
	for _, e := range [][2]uint32{{0x0201, 44}, {0x0202, uint32(thumb.Len())}} {
		exif = le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(exif, uint16(e[0])), 4), 1), e[1])
	}
	exif = append(le.AppendUint32(exif, 0), thumb.Bytes()...)
	file := append([]byte("\xff\xd8\xff\xe1"), binary.BigEndian.AppendUint16(nil, uint16(len(exif)+2))...)
	file = append(append(file, exif...), body.Bytes()[2:]...)
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
}

var (
	red  = color.NRGBA{200, 0, 0, 255}
	blue = color.NRGBA{0, 0, 200, 255}
)

// shelf is pictures of blue photos that have red thumbnails stored in them.
type shelf struct {
	t testing.TB
	*pictures
	photos album
	ids    []int
}

func newShelf(t testing.TB, n int) *shelf {
	dir := t.TempDir()
	ctx, stop := context.WithCancelCause(context.Background())
	s := &shelf{t: t, pictures: newPictures(newWork(ctx, stop))}
	t.Cleanup(s.work.close)
	for id := range n {
		path := filepath.Join(dir, string(rune('a'+id))+".jpg")
		cameraPhoto(t, path, filled(640, 480, blue), filled(160, 120, red))
		s.photos.put(gallery.Photo{ID: id, Path: path})
		s.ids = append(s.ids, id)
	}
	return s
}

// run does commands one after the other.
func (s *shelf) run(cmds ...tea.Cmd) {
	for _, cmd := range cmds {
		switch msg := cmd().(type) {
		case peekedMsg:
			s.peeking--
		case loadedMsg:
			s.loadDone(msg)
		}
	}
}

// peekAll has every stored thumbnail looked for.
func (s *shelf) peekAll() {
	for range s.ids {
		s.run(s.want(&s.photos, s.ids, true)...)
	}
}

func (s *shelf) wantCommands(embedding bool, n int) []tea.Cmd {
	s.t.Helper()
	cmds := s.want(&s.photos, s.ids, embedding)
	if len(cmds) != n {
		s.t.Errorf("%d commands, want %d", len(cmds), n)
	}
	return cmds
}

func (s *shelf) wantThumb(id int, rough bool) {
	s.t.Helper()
	got, ok := s.thumb(id)
	if !ok || got.rough != rough || (got.NRGBAAt(80, 60).R > 100) != rough {
		s.t.Errorf("photo %d: thumbnail %v, rough %v", id, ok, got.rough)
	}
}

func (s *shelf) wantLargePicture(id int, want bool) {
	s.t.Helper()
	if _, ok := s.largePicture(id); ok != want {
		s.t.Errorf("photo %d: large picture %v, want %v", id, ok, want)
	}
}

// TestPicturesWhileEmbedding: what a camera has stored comes first, and a
// photo that a worker is about to decode is not decoded here as well.
func TestPicturesWhileEmbedding(t *testing.T) {
	s := newShelf(t, 3)
	s.peekAll()
	for _, id := range s.ids {
		s.wantThumb(id, true)
	}
	s.wantCommands(true, 0)
	if s.wantLarge(s.photos.at(0), 320, 100, true) != nil {
		t.Error("a waiting photo is decoded for the large view")
	}
	s.offer(0, filled(640, 480, blue))
	s.offer(1, filled(640, 480, blue))
	s.wantThumb(0, false)
	s.wantThumb(1, false)
	s.wantLargePicture(0, true) // the large view waits for it
	s.wantLargePicture(1, false)

	ready := s.photos.at(2)
	ready.State = gallery.Ready // no worker will bring it any more
	s.photos.put(ready)
	load := s.wantCommands(true, 1)
	s.run(load...)
	s.wantThumb(2, false)
	s.wantCommands(true, 0)
}

// TestPicturesStale: a stored thumbnail of another aspect is of another picture
// and is not shown. The photo itself comes next.
func TestPicturesStale(t *testing.T) {
	s := newShelf(t, 1)
	cameraPhoto(t, s.photos.at(0).Path, filled(480, 640, blue), filled(160, 120, red))
	s.peekAll()
	if _, ok := s.thumb(0); ok {
		t.Error("a stale thumbnail is shown")
	}
	s.run(s.wantCommands(false, 1)...)
	if got, ok := s.thumb(0); !ok || got.rough || got.Rect.Size() != image.Pt(120, 160) {
		t.Errorf("thumbnail %v, %+v", ok, got)
	}
}

// TestPicturesOneByOne: never are two photos decoded here at once, for
// whichever size.
func TestPicturesOneByOne(t *testing.T) {
	s := newShelf(t, 3)
	s.peekAll()
	large := s.wantLarge(s.photos.at(1), 320, 100, false)
	if large == nil {
		t.Fatal("the large picture is not loaded")
	}
	s.wantCommands(false, 0)
	s.run(large)
	s.wantLargePicture(1, true)

	load := s.wantCommands(false, 1)
	if s.wantLarge(s.photos.at(0), 320, 100, false) != nil {
		t.Error("a second photo is decoded beside the first")
	}
	s.run(load...)
	s.wantLargePicture(0, true) // it has become wanted large meanwhile
	s.run(s.wantCommands(false, 1)...)
	for _, id := range s.ids {
		s.wantThumb(id, false)
	}
	s.wantCommands(false, 0)
}

// TestRoughIsDrawnAnew: a drawing of a stored thumbnail does not outlive it.
func TestRoughIsDrawnAnew(t *testing.T) {
	ctx, stop := context.WithCancelCause(context.Background())
	p := newPictures(newWork(ctx, stop))
	defer p.work.close()
	p.keep(0, thumb{filled(160, 120, red).(*image.NRGBA), true})
	before, _ := p.draw(0, 16, 6, inColour)
	p.offer(0, filled(640, 480, blue))
	after, _ := p.draw(0, 16, 6, inColour)
	if before[2] == after[2] {
		t.Error("still drawn as the camera has stored it")
	}
}
