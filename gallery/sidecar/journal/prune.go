package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Runs that are kept, so that they can be undone: the last ones however old
// they are, and all of the last days.
const (
	keepLast = 20
	keepFor  = 30 * 24 * time.Hour
)

// prune removes the runs that need not be kept any longer. One that has not
// come to its end stays, and so does one that cannot be read: nobody knows what
// it has left.
func (j *Journal) prune(now time.Time) error {
	ids, err := j.ids()
	if err != nil {
		return err
	}
	stamp := func(id string) time.Time {
		at, _ := time.Parse(idLayout, id)
		return at
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return stamp(id).IsZero() }) // not ours
	var errs []error
	for _, id := range ids[:max(0, len(ids)-keepLast)] { // sorted by time, as their folder is
		if now.Sub(stamp(id)) < keepFor {
			continue
		}
		r, err := j.read(id)
		if err != nil || r.state != applied && r.state != undone {
			continue
		}
		if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove the old run %s: %w", id, cause(err)))
		}
	}
	return errors.Join(errs...)
}
