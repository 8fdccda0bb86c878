// Package sidecar reads the tags that photos already have, from XMP sidecars
// and from the photos themselves, whichever program wrote them, and writes tags
// to sidecars, and to JPEGs if that is asked for.
//
// Every program has fields of its own for keywords and most read only some of
// the others', so that no field is the whole truth. What counts is the union
// of all of them, which Merge defines and Read returns.
//
// The XMP parser keeps the place of every property, so that Edit can change a
// property without touching any other byte. See document.
package sidecar

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Field is a place where programs keep tags, by its usual name.
type Field string

// Fields of XMP, in sidecars and photos, and two that only photos have.
const (
	Subject             Field = "dc:subject"
	HierarchicalSubject Field = "lr:hierarchicalSubject"
	TagsList            Field = "digiKam:TagsList"
	LastKeyword         Field = "MicrosoftPhoto:LastKeywordXMP"
	CatalogSets         Field = "mediapro:CatalogSets"
	Categories          Field = "acdsee:categories"
	Person              Field = "Iptc4xmpExt:PersonInImage"
	Rating              Field = "xmp:Rating"
	MicrosoftRating     Field = "MicrosoftPhoto:Rating"
	ForExtension        Field = "photoshop:SidecarForExtension"
	Keywords            Field = "IPTC:Keywords"
	XPKeywords          Field = "EXIF:XPKeywords"
)

// fields are all fields of XMP with the namespaces of their properties,
// without a final slash, and what separates the names of a path, if anything.
// digiKam can be told to write paths with "." to IPTC; as "St. Ives" is more
// common than that, IPTC's keywords have no separator here.
var fields = []struct {
	field        Field
	space, local string
	separator    string
}{
	{Subject, "http://purl.org/dc/elements/1.1", "subject", ""},
	{HierarchicalSubject, "http://ns.adobe.com/lightroom/1.0", "hierarchicalSubject", "|"},
	{HierarchicalSubject, "http://ns.adobe.com/lightroom/1.0", "HierarchicalSubject", "|"}, // old digiKam
	{TagsList, "http://www.digikam.org/ns/1.0", "TagsList", "/"},
	{LastKeyword, "http://ns.microsoft.com/photo/1.0", "LastKeywordXMP", "/"},
	{CatalogSets, "http://ns.iview-multimedia.com/mediapro/1.0", "CatalogSets", "|"},
	{Categories, "http://ns.acdsee.com/iptc/1.0", "categories", "|"},
	{Person, "http://iptc.org/std/Iptc4xmpExt/2008-02-29", "PersonInImage", ""},
	{Rating, "http://ns.adobe.com/xap/1.0", "Rating", ""},
	{MicrosoftRating, "http://ns.microsoft.com/photo/1.0", "Rating", ""},
	{ForExtension, "http://ns.adobe.com/photoshop/1.0", "SidecarForExtension", ""},
}

// A Value is one value of a field, as it is written in the file apart from
// escapes and encoding. acdsee:categories is one text of nested elements in
// the file; here it is a value for each assigned category, a path with "|".
type Value struct {
	Field Field
	Text  string
}

// A File is a sidecar or a photo with what was read of it.
type File struct {
	Path   string
	Values []Value
}

// Tags are what a photo is tagged with.
type Tags struct {
	Tags   []Tag // in the order they were first seen
	People []Tag // named by Person as being in the picture; one name each
	// Rating is −1 (rejected) or 0 to 5, and counts only if Rated: many
	// programs write 0 for what nobody has rated.
	Rating int
	Rated  bool
}

// A Tag is a keyword or a path of them.
type Tag struct {
	Path    []string // from the root to the leaf, at least one name
	Sources []Source // each once, in the order they were read
}

// A Source is where a tag was found.
type Source struct {
	Field Field
	File  string
}

// Leaf returns the last name of the path: "owl" of animals|birds|owl.
func (t Tag) Leaf() string { return t.Path[len(t.Path)-1] }

// String returns the path with "|", as labels are named.
func (t Tag) String() string { return strings.Join(t.Path, "|") }

// An Error says which file could not be read and why.
type Error struct {
	File   string
	Offset int64 // of the byte in File where it went wrong; -1 if it is no one byte's fault
	Err    error
}

func (e *Error) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("read tags of %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("read tags of %s: byte %d: %v", e.File, e.Offset, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Read returns the tags of a photo: the union of all fields of its sidecars (see
// Find), of the photo itself and of its twins. What is broken contributes
// nothing and is reported, as Errors joined into one; the tags read elsewhere
// come with it.
func Read(photo string, twins ...string) (Tags, error) {
	var files []File
	var errs []error
	for _, k := range Look(photo, twins...) {
		files = append(files, k.File)
		errs = append(errs, k.Err)
	}
	return Merge(files...), errors.Join(errs...)
}

// A Known is a file that was read, as it was then.
type Known struct {
	File
	Size     int64
	Modified time.Time
	Hash     string // SHA-256 in hexadecimal; "" if it is not known
	Err      error  // what could not be read of it, an Error or several joined
	JPEG     bool   // and could take in tags itself, see Embeddable

	coding coding // of its IPTC
}

// Look reads what there is of a photo: its sidecars, as Find returns them, and
// then the photo and its twins, which are not hashed.
func Look(photo string, twins ...string) []Known {
	var list []Known
	for _, c := range existing(photo, twins) {
		if k := look(c.path); !c.shared || belongs(k.Values, photo, twins) {
			list = append(list, k)
		}
	}
	for _, path := range append([]string{photo}, twins...) {
		list = append(list, look(path))
	}
	return list
}

func look(path string) Known {
	k := Known{File: File{Path: path}}
	f, err := open(path)
	if err != nil {
		k.Err = &Error{path, -1, cause(err)}
		return k
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		k.Size, k.Modified = info.Size(), info.ModTime()
	}
	if !isSidecar(path) {
		k.readPhoto(f)
		return k
	}
	var text string
	if text, k.Err = load(path, f); k.Err == nil {
		sum := sha256.Sum256([]byte(text))
		k.Hash = hex.EncodeToString(sum[:])
		k.Values, k.Err = readSidecar(path, text)
	}
	return k
}

// ReadFile returns the values of all fields of one file, in its order: of a
// sidecar (.xmp), or what is embedded in a JPEG, PNG, TIFF, WebP or GIF. Other
// files have none. Together with Merge it lets a caller keep what it has read
// and look only at files that changed. The error is an Error, or several joined
// when several parts of a photo are broken; values of the other parts are
// returned with it.
func ReadFile(path string) ([]Value, error) {
	k := look(path)
	return k.Values, k.Err
}
