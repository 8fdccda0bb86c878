package sidecar

import (
	"cmp"
	"context"

	"sigla/gallery/sidecar/journal"
)

// Apply writes what a plan says, through a journal, so that it can be undone. A
// sidecar that is not as it was when the plan was made is left alone and
// reported, and so is one that cannot be edited safely; see Edit and Embed. A sidecar that
// was made for tags of which none is left is removed.
func (p Plan) Apply(ctx context.Context, j *journal.Journal, o journal.Options) (journal.Result, error) {
	var edits []journal.Edit
	for _, photo := range p.Photos {
		for _, f := range photo.Files {
			beside := cmp.Or(f.Photo, photo.Path)
			edits = append(edits, journal.Edit{
				Path: f.Path, Beside: beside, New: f.New, Size: f.Size, Modified: f.Modified, Hash: f.Hash,
				Photo: f.Embed, Make: f.make,
			})
		}
	}
	return j.Apply(ctx, edits, o)
}

// make returns the file as planned; nil if it is to go.
func (f FilePlan) make(before []byte) ([]byte, error) {
	if f.Embed {
		return Embed(before, f.Change)
	}
	if f.New {
		return New(f.Change, f.Extension)
	}
	after, err := Edit(before, f.Change)
	if err == nil && IsBlank(after) && !IsBlank(before) {
		return nil, nil
	}
	return after, err
}
