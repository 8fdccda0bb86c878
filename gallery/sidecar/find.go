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
		stem := strings.TrimSuffix(photo, ext)
		list = append(list, candidate{stem + ".xmp", true}, candidate{stem + ".XMP", true})
	}
	return slices.DeleteFunc(list, func(c candidate) bool { return c.path == photo })
}

// Names returns the paths that Find looks at, best first, for callers that
// have the folder's listing: photo.jpg.xmp as digiKam, darktable and Immich
// write it, then photo.xmp as Adobe's programs do, each also with .XMP.
func Names(photo string) []string {
	list := candidates(photo)
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.path
	}
	return names
}

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
			other := strings.TrimSuffix(photo, filepath.Ext(photo))
			if info, err := os.Stat(other); err == nil && info.Mode().IsRegular() {
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
