package sidecar

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A candidate is a file that may be a sidecar of a photo.
type candidate struct {
	path   string
	shared bool // named without the photo's extension, so other photos may have it too
}

// candidates returns the paths a photo's sidecars may have. Duplicates of
// darktable (photo_01.jpg.xmp) are other versions of the picture: not among them.
func candidates(photo string) []candidate {
	list := []candidate{{photo + ".xmp", false}, {photo + ".XMP", false}}
	if ext := filepath.Ext(photo); ext != "" && ext != filepath.Base(photo) {
		stem := namesake(photo)
		list = append(list, candidate{stem + ".xmp", true}, candidate{stem + ".XMP", true})
	}
	return slices.DeleteFunc(list, func(c candidate) bool { return c.path == photo })
}

// Names returns the paths that Find looks at, best first: photo.jpg.xmp as
// digiKam, darktable and Immich write it, then photo.xmp as Adobe's programs do,
// each also with .XMP.
func Names(photo string) []string {
	list := candidates(photo)
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.path
	}
	return names
}

// Listed returns which of Names are there, the first as the lowest bit, for
// callers that have the folder's listing: has reports whether there is a file of
// that path. What Find would leave out by a name alone is left out; for the rest
// of it see Belongs.
func Listed(photo string, has func(path string) bool) (which uint8) {
	for i, c := range candidates(photo) {
		if has(c.path) && !(c.shared && has(namesake(photo))) {
			which |= 1 << i
		}
	}
	return which
}

// Belongs reports whether one of Names, in which these values were read, is the
// photo's: photo.xmp may say that it is that of photo.cr2.
func Belongs(path string, values []Value, photo string) bool {
	return strings.TrimSuffix(path, filepath.Ext(path)) == photo || belongs(values, photo)
}

// namesake returns the photo that photo.xmp is named after in full, if there is
// one: photo.
func namesake(photo string) string { return strings.TrimSuffix(photo, filepath.Ext(photo)) }

// Find returns the sidecars of a photo that exist, best first; see Names. All
// of them count for reading.
//
// photo.xmp is left out when it says that it belongs to a file of another
// extension (photoshop:SidecarForExtension, as photo.cr2 next to photo.jpg),
// or when it is named after another photo: scan.tif.xmp belongs to scan.tif if
// there is one, and not to scan.tif.jpg.
func Find(photo string) []string {
	var paths []string
	for _, c := range existing(photo) {
		if c.shared {
			// One that cannot be read belongs, so that Read reports it.
			if values, _ := ReadFile(c.path); !belongs(values, photo) {
				continue
			}
		}
		paths = append(paths, c.path)
	}
	return paths
}

// existing returns the candidates that are files, each file once.
func existing(photo string) []candidate {
	var list []candidate
	var files []os.FileInfo
	for _, c := range candidates(photo) {
		info, err := os.Stat(c.path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		// Where case does not count, .xmp and .XMP are one file.
		if slices.ContainsFunc(files, func(f os.FileInfo) bool { return os.SameFile(f, info) }) {
			continue
		}
		if c.shared {
			if info, err := os.Stat(namesake(photo)); err == nil && info.Mode().IsRegular() {
				continue
			}
		}
		list, files = append(list, c), append(files, info)
	}
	return list
}

// belongs reports whether a shared sidecar with these values is the photo's:
// unless it names an extension, it is everybody's.
func belongs(values []Value, photo string) bool {
	for _, v := range values {
		if v.Field == ForExtension {
			return strings.EqualFold(strings.TrimPrefix(clean(v.Text), "."), strings.TrimPrefix(filepath.Ext(photo), "."))
		}
	}
	return true
}

func isSidecar(path string) bool { return strings.EqualFold(filepath.Ext(path), ".xmp") }
