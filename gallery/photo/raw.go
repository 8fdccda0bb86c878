package photo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// A camera raw file is shown by the largest JPEG its camera has put into it,
// which most often has the full size. What the sensor saw is not developed.

// IsRaw reports whether name has the extension of a camera raw format that
// Read opens.
func IsRaw(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw":
		return true
	}
	return false
}

// Tags of TIFF 6.0, DNG 1.4 and of the makers, as ExifTool's tables have them.
const (
	tagPanasonicJPEG = 0x002e // JpgFromRaw
	tagCompression   = 0x0103
	tagPhotometric   = 0x0106
	tagMake          = 0x010f
	tagModel         = 0x0110
	tagStrip         = 0x0111
	tagStripLength   = 0x0117
	tagSubIFDs       = 0x014a
	tagDNGVersion    = 0xc612
)

// Bounds on what a file can make the reader do. Real files stay far below.
const (
	maxDirectories = 32
	maxPreviews    = 16
	maxSubIFDs     = 16
	maxLead        = 64 // bytes of a preview before its JPEG begins
)

// A raw is what is read of a camera raw file.
type raw struct {
	name     string
	exif     exif // its orientation is 0 where the file does not say
	previews []*io.SectionReader
	cut      bool // a preview lies beyond the end of the file
}

var raws = []struct {
	name, magic string
	read        func(*io.SectionReader) raw
}{
	{"RAF", "FUJIFILMCCD-RAW ", readRAF},
	{"CR3", "????ftypcrx ", readCR3},
	{"ORF", "IIRO", readDirectories},
	{"ORF", "IIRS", readDirectories},
	{"ORF", "MMOR", readDirectories},
	{"RW2", "IIU\x00", readDirectories},
	{"CR2", "II*\x00????CR", readDirectories},
	{"", "II*\x00", readDirectories}, // or a TIFF picture
	{"", "MM\x00*", readDirectories},
}

// openRaw returns the camera raw file that begins with head, if it is one.
func openRaw(r *io.SectionReader, head []byte) (raw, bool) {
	for _, kind := range raws {
		if begins(head, kind.magic) {
			w := kind.read(r)
			if kind.name != "" {
				w.name = kind.name
			}
			return w, w.name != ""
		}
	}
	return raw{}, false
}

// picture returns the largest preview, with the date, the orientation and the
// thumbnail of the file. A preview that has an orientation of its own has the
// file's once more, so the latter counts and nothing is turned twice.
func (w raw) picture() (found, error) {
	var best, least found
	for _, p := range w.previews {
		f, err := identify(p)
		if err != nil || f.name != "JPEG" {
			continue // sensor data is JPEG too at times, of a kind that is not decoded
		}
		if best.format == nil || f.pixels() > best.pixels() {
			best = f
		}
		if least.format == nil || f.pixels() < least.pixels() {
			least = f
		}
	}
	if best.format == nil {
		if w.cut {
			return found{}, fmt.Errorf("%w: the preview of this %s is missing", ErrTruncated, w.name)
		}
		return found{}, fmt.Errorf("%s without a JPEG preview is %w; convert it to JPEG", w.name, ErrUnsupported)
	}
	best.name = w.name
	own := best.exif
	best.exif = w.exif
	if best.exif.orientation == 0 {
		best.exif.orientation = own.orientation
	}
	if best.exif.taken.IsZero() {
		best.exif.taken = own.taken
	}
	if best.exif.thumbnail == nil {
		best.exif.thumbnail = own.thumbnail
	}
	if best.exif.thumbnail == nil && least.pixels() < best.pixels() && least.r.Size() <= maxThumbnail {
		best.exif.thumbnail = least.r
	}
	return best, nil
}

// add notes the preview of n bytes at offset at of r, a JPEG behind at most 64
// other bytes. What lies outside is left out.
func (w *raw) add(r *io.SectionReader, at, n int64) {
	if at < 0 || n <= 0 || len(w.previews) == maxPreviews {
		return
	}
	if at > r.Size()-n {
		w.cut = true
		return
	}
	head := make([]byte, min(n, maxLead))
	if _, err := r.ReadAt(head, at); err != nil && err != io.EOF {
		return
	}
	if lead := bytes.Index(head, []byte("\xff\xd8\xff")); lead >= 0 {
		w.previews = append(w.previews, io.NewSectionReader(r, at+int64(lead), n-int64(lead)))
	}
}

// addFrom notes the preview whose offset and length are the values of two tags
// of d, the offset counted from base. If length is 0 the preview is the value
// of the first tag.
func (w *raw) addFrom(d directory, offset, length uint16, base int64) {
	if length == 0 {
		if kind, count, value, ok := d.find(offset); ok && kind == 7 && count > 4 {
			w.add(d.r, base+int64(d.order.Uint32(value)), int64(count))
		}
		return
	}
	at, ok := d.number(offset)
	n, ok2 := d.number(length)
	if ok && ok2 {
		w.add(d.r, base+int64(at), int64(n))
	}
}

// readDirectories reads the many formats that are TIFF files, some with other
// numbers in front. Its name is empty if it is a picture in the TIFF format.
func readDirectories(r *io.SectionReader) raw {
	b, ok := openBlock(r)
	if !ok {
		return raw{}
	}
	w := raw{exif: b.exif()}
	all := b.directories()
	w.name = rawName(all)
	for _, d := range all {
		w.addFrom(d, tagThumbnail, tagThumbnailLength, 0)
		if c, _ := d.number(tagCompression); (c == 6 || c == 7) && !d.sensor() {
			w.addFrom(d, tagStrip, tagStripLength, 0)
		}
		w.addFrom(d, tagPanasonicJPEG, 0, 0)
	}
	w.addMakerNote(b, all[0])
	return w
}

// directories returns the chain of directories, and their SubIFDs, each once
// and the first in front.
func (b block) directories() []directory {
	var all []directory
	queue := []uint32{b.first}
	for i := 0; i < len(queue) && i < maxDirectories; i++ {
		d := b.directory(int64(queue[i]))
		all = append(all, d)
		for _, at := range append(d.numbers(tagSubIFDs), d.next) {
			if at != 0 && !slices.Contains(queue, at) {
				queue = append(queue, at)
			}
		}
	}
	return all
}

// numbers returns the offsets of directories in tag.
func (d directory) numbers(tag uint16) []uint32 {
	kind, count, value, ok := d.find(tag)
	if !ok || kind != 4 && kind != 13 || count > maxSubIFDs {
		return nil
	}
	if count > 1 {
		at := int64(d.order.Uint32(value))
		value = make([]byte, 4*count)
		if _, err := d.r.ReadAt(value, at); err != nil && err != io.EOF {
			return nil
		}
	}
	all := make([]uint32, count)
	for i := range all {
		all[i] = d.order.Uint32(value[4*i:])
	}
	return all
}

// sensor reports whether d describes what a sensor saw.
func (d directory) sensor() bool {
	photometric, _ := d.number(tagPhotometric)
	compression, _ := d.number(tagCompression)
	switch {
	case photometric == 32803, photometric == 34892: // colour filter array, linear raw
		return true
	case compression == 32767, compression == 34713, compression == 65535: // Sony's, Nikon's, Pentax'
		return true
	}
	return false
}

// rawName returns the format of a file that begins as a TIFF file, empty if it
// is a TIFF picture.
func rawName(all []directory) string {
	if _, _, _, ok := all[0].find(tagDNGVersion); ok {
		return "DNG"
	}
	if !slices.ContainsFunc(all, directory.sensor) {
		return ""
	}
	if strings.HasPrefix(all[0].text(tagModel), "COOLPIX") {
		return "NRW"
	}
	maker := strings.ToUpper(all[0].text(tagMake))
	for _, known := range []struct{ maker, name string }{
		{"NIKON", "NEF"}, {"SONY", "ARW"}, {"PENTAX", "PEF"}, {"RICOH", "PEF"}, {"SAMSUNG", "SRW"}, {"CANON", "CR2"},
	} {
		if strings.HasPrefix(maker, known.maker) {
			return known.name
		}
	}
	return "RAW"
}

// readRAF reads Fujifilm's format: a header in which the place of the preview
// stands, big-endian. Everything else that counts is the preview's EXIF block.
func readRAF(r *io.SectionReader) raw {
	var w raw
	var place [8]byte
	if _, err := r.ReadAt(place[:], 0x54); err == nil {
		w.add(r, int64(binary.BigEndian.Uint32(place[:])), int64(binary.BigEndian.Uint32(place[4:])))
	}
	return w
}
