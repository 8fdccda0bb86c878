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

// candidates returns the paths the sidecars of a photo and its twins may have.
// Duplicates of darktable (photo_01.jpg.xmp) are other versions of the picture:
// not among them.
func candidates(photo string, twins []string) []candidate {
	list := []candidate{{photo + ".xmp", false}, {photo + ".XMP", false}}
	if ext := filepath.Ext(photo); ext != "" && ext != filepath.Base(photo) {
		stem := namesake(photo)
		list = append(list, candidate{stem + ".xmp", true}, candidate{stem + ".XMP", true})
	}
	for _, twin := range twins {
		list = append(list, candidate{twin + ".xmp", false}, candidate{twin + ".XMP", false})
	}
	return slices.DeleteFunc(list, func(c candidate) bool { return c.path == photo })
}

// Names returns the paths that Find looks at, best first: photo.jpg.xmp as
// digiKam, darktable and Immich write it, then photo.xmp as Adobe's programs do,
// each also with .XMP; and then photo.cr2.xmp of each twin, the files beside it
// that hold the same picture and differ from its name in the extension only.
func Names(photo string, twins ...string) []string {
	list := candidates(photo, twins)
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.path
	}
	return names
}

// Listed returns which of Names are there, the first as the lowest bit, for
// callers that have the folder's listing: has reports whether there is a file of
// that path. What Find would leave out by a name alone is left out; for the rest
// of it see Belongs. Those of more than 14 twins have no bit.
func Listed(has func(path string) bool, photo string, twins ...string) (which uint32) {
	for i, c := range candidates(photo, twins) {
		if has(c.path) && !(c.shared && has(namesake(photo))) {
			which |= 1 << i
		}
	}
	return which
}

// Belongs reports whether one of Names, in which these values were read, is the
// photo's or a twin's: photo.xmp may say that it is that of photo.cr2.
func Belongs(path string, values []Value, photo string, twins ...string) bool {
	named := strings.TrimSuffix(path, filepath.Ext(path))
	return named == photo || slices.Contains(twins, named) || belongs(values, photo, twins)
}

// namesake returns the photo that photo.xmp is named after in full, if there is
// one: photo.
func namesake(photo string) string { return strings.TrimSuffix(photo, filepath.Ext(photo)) }

// Find returns the sidecars of a photo and its twins that exist, best first; see
// Names. All of them count for reading.
//
// photo.xmp is left out when it says that it belongs to a file of another
// extension (photoshop:SidecarForExtension, as photo.cr2 next to photo.jpg, if
// that is no twin), or when it is named after another photo: scan.tif.xmp
// belongs to scan.tif if there is one, and not to scan.tif.jpg.
func Find(photo string, twins ...string) []string {
	var paths []string
	for _, c := range existing(photo, twins) {
		if c.shared {
			// One that cannot be read belongs, so that Read reports it.
			if values, _ := ReadFile(c.path); !belongs(values, photo, twins) {
				continue
			}
		}
		paths = append(paths, c.path)
	}
	return paths
}

// existing returns the candidates that are files, each file once.
func existing(photo string, twins []string) []candidate {
	var list []candidate
	var files []os.FileInfo
	for _, c := range candidates(photo, twins) {
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

// belongs reports whether a shared sidecar with these values is the photo's or a
// twin's: unless it names an extension, it is everybody's.
func belongs(values []Value, photo string, twins []string) bool {
	i := slices.IndexFunc(values, func(v Value) bool { return v.Field == ForExtension })
	if i < 0 {
		return true
	}
	named := strings.TrimPrefix(clean(values[i].Text), ".")
	isNamed := func(path string) bool { return strings.EqualFold(named, strings.TrimPrefix(filepath.Ext(path), ".")) }
	return isNamed(photo) || slices.ContainsFunc(twins, isNamed)
}

func isSidecar(path string) bool { return strings.EqualFold(filepath.Ext(path), ".xmp") }
