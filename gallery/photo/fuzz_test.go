package photo

import (
	"encoding/binary"
	"image"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzEXIF: any block gives an orientation that exists and a thumbnail that
// lies inside.
func FuzzEXIF(f *testing.F) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		f.Add(exifFile{order, 6, "2024:05:06 07:08:09", "+03:00", []byte("thumb")}.block())
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		e := readExif(section(block))
		if e.orientation < 1 || e.orientation > 8 {
			t.Errorf("orientation %d", e.orientation)
		}
		if e.thumbnail != nil {
			if _, offset, n := e.thumbnail.Outer(); n < 1 || offset+n > int64(len(block)) {
				t.Errorf("thumbnail at %d of %d bytes in a block of %d", offset, n, len(block))
			}
		}
	})
}

// FuzzRead: any file is a picture as its header says, or an error. Pictures
// over a megapixel are left out to keep it quick.
func FuzzRead(f *testing.F) {
	m := ramp(5, 4)
	block := exifFile{binary.BigEndian, 7, "2024:05:06 07:08:09", "", asJPEG(f, m)}.block()
	for _, seed := range [][]byte{withSegment(asJPEG(f, m), block), asPNG(f, m), asGIF(f, m, image.Pt(6, 6)), asTIFF(f, m), asBMP(f, m)} {
		f.Add(seed)
	}
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range files {
		seed, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r := section(file)
		var info Info
		if err := guard(func(r *io.SectionReader) (err error) { _, info, err = header(r); return err }, r); err != nil || info.Width*info.Height > 1<<20 {
			return
		}
		var img image.Image
		err := guard(func(r *io.SectionReader) (err error) { img, _, err = decode(r, nil); return err }, r)
		if (err == nil) != (img != nil) {
			t.Fatalf("a picture: %v, error: %v", img != nil, err)
		}
		if err == nil && img.Bounds() != image.Rect(0, 0, info.Width, info.Height) {
			t.Errorf("bounds %v, header %+v", img.Bounds(), info)
		}
		if err == nil {
			Fit(img, 16, 16)
		}
	})
}

// FuzzRaw: any file that begins as a camera raw file has a preview that lies
// inside and a thumbnail that decodes, or is an error.
func FuzzRaw(f *testing.F) {
	for _, file := range rawFiles(f) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r := section(file)
		head, err := beginning(r)
		if err != nil {
			return
		}
		w, ok := openRaw(r, head)
		if !ok {
			return
		}
		if len(w.previews) > maxPreviews {
			t.Errorf("%d previews", len(w.previews))
		}
		for _, p := range w.previews {
			if _, err := p.ReadAt(make([]byte, 1), p.Size()-1); err != nil {
				t.Errorf("a preview of %d bytes does not lie in the file: %v", p.Size(), err)
			}
		}
		found, info, err := header(r)
		if err != nil {
			return
		}
		if info.Orientation < 1 || info.Orientation > 8 || info.Format != w.name || info.Memory < found.pixels() {
			t.Errorf("%+v", info)
		}
		if found.pixels() > 1<<20 {
			return
		}
		if img, _, err := decode(r, nil); err == nil && img.Bounds() != image.Rect(0, 0, info.Width, info.Height) {
			t.Errorf("bounds %v, header %+v", img.Bounds(), info)
		}
		if img, err := thumbnail(r); err != nil && img != nil || img != nil && img.Bounds().Empty() {
			t.Errorf("thumbnail %v, %v", img, err)
		}
	})
}
