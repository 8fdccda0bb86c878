// Package sidecar reads the tags that photos already have: from XMP sidecars
// and from the photos themselves, whichever program wrote them.
//
// Every program has fields of its own for keywords and most read only some of
// the others', so that no field is the whole truth. What counts is the union
// of all of them, which Merge defines and Read returns.
//
// The XMP parser keeps the place of every property, so that a property can be
// changed without touching any other byte. See document.
package sidecar

import (
	"errors"
	"fmt"
	"strings"
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
	add := func(path string, values []Value, err error) {
		files = append(files, File{path, values})
		errs = append(errs, err)
	}
	for _, c := range existing(photo, twins) {
		if values, err := ReadFile(c.path); !c.shared || belongs(values, photo, twins) {
			add(c.path, values, err)
		}
	}
	for _, path := range append([]string{photo}, twins...) {
		values, err := ReadFile(path)
		add(path, values, err)
	}
	return Merge(files...), errors.Join(errs...)
}

// ReadFile returns the values of all fields of one file, in its order: of a
// sidecar (.xmp), or what is embedded in a JPEG, PNG, TIFF, WebP or GIF. Other
// files have none. Together with Merge it lets a caller keep what it has read
// and look only at files that changed. The error is an Error, or several joined
// when several parts of a photo are broken; values of the other parts are
// returned with it.
func ReadFile(path string) ([]Value, error) {
	f, err := open(path)
	if err != nil {
		return nil, &Error{path, -1, cause(err)}
	}
	defer f.Close()
	if isSidecar(path) {
		return readSidecar(path, f)
	}
	return readPhoto(path, f)
}
