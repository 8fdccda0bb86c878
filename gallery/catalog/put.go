package catalog

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A Photo is what a decoded photo says of itself.
type Photo struct {
	Hash          Hash
	Format        string
	Width, Height int // upright
	Orientation   int // of EXIF, 1 to 8
	Taken         time.Time
}

// A Reading is what reading a file gave: its Hash, or the Error why there is
// no photo in it. It counts only if the file is still catalogued as it was when
// it was read, with that Size and Modified.
type Reading struct {
	File           int64 // ID
	Size, Modified int64
	Hash           Hash
	Error          string
}

// A Record is the vector of a photo.
type Record struct {
	Hash   Hash
	Vector []float32
}

// A Batch is what has become known of some photos.
type Batch struct {
	Readings []Reading
	Photos   []Photo
	Sources  []Source // all that their files have
	Model    Model    // of Vectors
	Vectors  []Record
}

// Put stores a batch, all of it or nothing. Vectors are kept in half
// precision; a photo's first vector of a model remains. They are on the disk
// before anything says that they are.
func (c *Catalog) Put(ctx context.Context, b Batch) error {
	return c.write(ctx, "store photos", func(tx *sql.Tx) error {
		if err := putPhotos(ctx, tx, b.Photos); err != nil {
			return err
		}
		if err := putReadings(ctx, tx, b.Readings); err != nil {
			return err
		}
		if err := putSources(ctx, tx, b.Sources); err != nil {
			return err
		}
		if len(b.Vectors) == 0 {
			return nil
		}
		return c.putVectors(ctx, tx, b.Model, b.Vectors)
	})
}

func putPhotos(ctx context.Context, tx *sql.Tx, photos []Photo) error {
	if len(photos) == 0 {
		return nil
	}
	s, err := prepare(ctx, tx, `INSERT INTO photos (hash, format, width, height, orientation, taken)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET (format, width, height, orientation, taken) =
		(excluded.format, excluded.width, excluded.height, excluded.orientation, excluded.taken)`)
	if err != nil {
		return err
	}
	for _, p := range photos {
		if p.Hash == (Hash{}) {
			return errNoHash
		}
		var taken any
		if !p.Taken.IsZero() {
			taken = p.Taken.Format(time.RFC3339Nano)
		}
		if _, err := s[0].ExecContext(ctx, p.Hash[:], p.Format, p.Width, p.Height, p.Orientation, taken); err != nil {
			return err
		}
	}
	return nil
}

var errNoHash = errors.New("a photo without a hash")

func putReadings(ctx context.Context, tx *sql.Tx, readings []Reading) error {
	if len(readings) == 0 {
		return nil
	}
	s, err := prepare(ctx, tx, insertPhoto, "UPDATE files SET hash = ?, error = ? WHERE id = ? AND size = ? AND modified = ?")
	if err != nil {
		return err
	}
	for _, r := range readings {
		if r.Hash != (Hash{}) {
			if _, err := s[0].ExecContext(ctx, r.Hash[:]); err != nil {
				return err
			}
		}
		if _, err := s[1].ExecContext(ctx, r.Hash.column(), text(r.Error), r.File, r.Size, r.Modified); err != nil {
			return err
		}
	}
	return nil
}

// Photos returns the photos that are known by more than their hash, in the
// order of their hashes.
func (c *Catalog) Photos(ctx context.Context) ([]Photo, error) {
	const query = `SELECT hash, format, width, height, orientation, coalesce(taken, '')
		FROM photos WHERE format IS NOT NULL ORDER BY hash`
	var known int
	if err := c.db.QueryRowContext(ctx, "SELECT count(*) FROM photos").Scan(&known); err != nil {
		return nil, c.wrap("list photos", err)
	}
	photos := make([]Photo, 0, known) // growing would leave five times as much behind
	var hash sql.RawBytes
	err := c.query(ctx, query, nil, func(scan func(...any) error) error {
		var p Photo
		var taken string
		if err := scan(&hash, &p.Format, &p.Width, &p.Height, &p.Orientation, &taken); err != nil {
			return err
		}
		p.Hash = hashOf(hash)
		if taken != "" {
			var err error
			if p.Taken, err = time.Parse(time.RFC3339Nano, taken); err != nil {
				return err
			}
		}
		photos = append(photos, p)
		return nil
	})
	return photos, c.wrap("list photos", err)
}
