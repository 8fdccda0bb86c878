package sidecar

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Photo is what is known of a photo, and what is to become of its tags.
type Photo struct {
	Path  string
	Twins []string // paths of the other files that hold the same picture
	// Files are what was read, as Look returns it.
	Files []Known
	// Embed: JPEGs take in their tags themselves, and sidecars only if they have
	// one already, for that hides from some programs what is in the photo.
	Embed bool
	// Shared: another photo in the folder has the same name up to the extension.
	Shared bool
	Notes  []string // what the person should know of the change
	Change          // Known is found from the files
}

// A Naming is how new sidecars are called.
type Naming uint8

const (
	// Full is photo.jpg.xmp: digiKam, darktable, Immich and PhotoPrism read it.
	Full Naming = iota
	// Adobe is photo.xmp, which Lightroom reads of raw files. Where a raw file
	// and a picture share it, it is the raw file's, and says so.
	Adobe
)

// A Plan is what a change of many photos would write. It is data only.
type Plan struct {
	Photos []PhotoPlan `json:"photos"`
}

// A PhotoPlan is what becomes of one photo. Tags are labels, with "|".
type PhotoPlan struct {
	Path    string     `json:"path"`
	Added   []string   `json:"added,omitempty"`
	Removed []string   `json:"removed,omitempty"`
	Kept    []string   `json:"kept,omitempty"`
	Files   []FilePlan `json:"files,omitempty"` // to be written; none if nothing changes
	// Shown is what programs will show of it or of a twin, as they spell it.
	Shown map[Reader][]string `json:"shown,omitempty"`
	// Missing are tags that this program set and that somebody took out of all
	// fields since: rejections, to be remembered. Nothing sets them again but a
	// person.
	Missing []Mark `json:"missing,omitempty"`
	// Notes are what the person should know: a rejected tag that stays in the
	// photo itself, a name that programs spell in another way.
	Notes   []string `json:"notes,omitempty"`
	Refused string   `json:"refused,omitempty"` // why nothing will be written
}

// A FilePlan is what becomes of a sidecar, or of a photo itself.
type FilePlan struct {
	Path      string      `json:"path"`
	Embed     bool        `json:"embed,omitempty"` // it is the photo
	Photo     string      `json:"photo,omitempty"` // the twin that it is for; "": the photo
	New       bool        `json:"new,omitempty"`
	Extension string      `json:"extension,omitempty"` // that a new one says it is for
	Size      int64       `json:"size,omitempty"`      // as it was known
	Modified  time.Time   `json:"modified,omitzero"`
	Hash      string      `json:"hash,omitempty"`
	Change    Change      `json:"change"`
	Fields    []FieldPlan `json:"fields"`
}

// A FieldPlan is what becomes of a field, with values as they are written.
type FieldPlan struct {
	Field   Field    `json:"field"`
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Kept    []string `json:"kept,omitempty"`
}

// NewPlan says what the changes of photos would write. It reads nothing, so that
// it is quick where tags are known already; Look reads what is not.
func NewPlan(photos []Photo, naming Naming) Plan {
	plan := Plan{make([]PhotoPlan, len(photos))}
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(photos); i += workers {
				plan.Photos[i] = photos[i].plan(naming)
			}
		})
	}
	wg.Wait()
	return plan
}

func (p Photo) plan(naming Naming) PhotoPlan {
	plan := PhotoPlan{Path: p.Path, Notes: slices.Clone(p.Notes)}
	for _, k := range p.Files {
		if k.Err != nil && p.writes(k) {
			plan.Refused = k.Err.Error()
			return plan
		}
		if k.Err != nil {
			plan.Notes = append(plan.Notes, "tags in the photo itself may be missing: "+k.Err.Error())
		}
	}
	c := p.Change
	c.Known = nil
	plan.Missing = p.missing()
	c.heed(plan.Missing)
	after := make([]File, 0, len(p.Files)+1)
	for _, t := range p.targets(naming) {
		change, rest := c, append(p.elsewhere(t.Path, c.Withdraw), t.others...)
		change.coding = t.coding
		if t.passing {
			change, rest = Change{Reject: c.Reject, Withdraw: c.Withdraw, Private: c.Private}, nil
		}
		s, err := settle(t.Values, change, rest)
		if err != nil {
			return PhotoPlan{Path: p.Path, Refused: err.Error()}
		}
		if !t.passing {
			change.Known = s.known
		}
		plan.report(s, t.passing)
		if t.Values = s.after(); !s.same {
			before := t.Known
			before.Values = t.before
			file := before.plan(s, change, t.isNew, t.extension)
			file.Photo, file.Embed = t.twin, t.embed
			plan.Files = append(plan.Files, file)
		}
		for _, f := range t.others {
			t.Values = append(t.Values, f.Values...)
		}
		after = append(after, t.File)
	}
	for _, k := range p.Files {
		if !p.writes(k) {
			after = append(after, k.File)
		}
	}
	if len(plan.Files) > 0 {
		plan.Shown = make(map[Reader][]string, len(Readers))
		for _, r := range Readers {
			plan.Shown[r] = p.shown(r, after)
		}
	}
	plan.note(c, after, p.Embed)
	return plan
}

// after returns the keywords and marks of a sidecar after a settlement.
func (s settlement) after() []Value {
	values := slices.Clone(s.others)
	for _, m := range s.marks {
		path := split(m.Label, "|")
		for _, f := range m.Fields {
			values = append(values, Value{f, f.spell(path)})
		}
	}
	return values
}

// plan says what a settlement means for the fields of a sidecar.
func (k Known) plan(s settlement, c Change, isNew bool, extension string) FilePlan {
	f := FilePlan{Path: k.Path, New: isNew, Size: k.Size, Modified: k.Modified, Hash: k.Hash, Change: c}
	if isNew {
		f.Extension = extension
	}
	after := s.after()
	for _, field := range slices.Concat(written, alsoWritten, []Field{Categories}) {
		p := FieldPlan{Field: field}
		before := texts(k.Values, field)
		for _, text := range texts(after, field) {
			if i := slices.Index(before, text); i >= 0 {
				before = slices.Delete(before, i, i+1)
				p.Kept = append(p.Kept, text)
			} else {
				p.Added = append(p.Added, text)
			}
		}
		p.Removed = before
		if len(p.Added)+len(p.Removed)+len(p.Kept) > 0 {
			f.Fields = append(f.Fields, p)
		}
	}
	return f
}

// texts returns the values of a field.
func texts(values []Value, f Field) []string {
	var list []string
	for _, v := range values {
		if v.Field == f {
			list = append(list, v.Text)
		}
	}
	return list
}

// note adds what the person should know.
func (p *PhotoPlan) note(c Change, after []File, embed bool) {
	where := "the photo itself, which is not written"
	if embed {
		where = "EXIF or a file that is no JPEG, which are not written"
	}
	for _, label := range slices.Concat(c.Reject, c.Withdraw) {
		for _, f := range after {
			if (f.Path == p.Path || !isSidecar(f.Path)) && slices.ContainsFunc(Merge(f).Tags, func(t Tag) bool { return Fold(t.String()) == Fold(label) }) {
				p.Notes = append(p.Notes, fmt.Sprintf("%q stays in %s", label, where))
			}
		}
	}
	for _, f := range p.Files {
		if embed && f.New {
			p.Notes = append(p.Notes, filepath.Base(cmp.Or(f.Photo, p.Path))+" is no JPEG: its tags go to a sidecar")
		}
	}
	for _, m := range c.Accept {
		switch {
		case strings.Contains(m.Label, "/"):
			p.Notes = append(p.Notes, fmt.Sprintf("%q: digiKam will show | for the /", m.Label))
		case strings.ContainsAny(m.Label, ",;"):
			p.Notes = append(p.Notes, fmt.Sprintf("%q: some programs take the comma or semicolon for the end of a tag", m.Label))
		}
	}
}

// pictures are the extensions of files that are no raw files, and for which
// Adobe's programs read no sidecar.
var pictures = []string{".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp",
	".heic", ".heif", ".avif", ".jxl", ".psd", ".dng"}

func isPicture(photo string) bool {
	return slices.Contains(pictures, strings.ToLower(filepath.Ext(photo)))
}
