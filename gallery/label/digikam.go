package label

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteHeader is what a database file begins with.
const sqliteHeader = "SQLite format 3\x00"

// isDatabase reports whether a file is a SQLite database.
func isDatabase(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(sqliteHeader))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == sqliteHeader
}

// hasLog reports whether a database is in the mode in which what is new is in
// another file first (WAL), by the version that readers need to know.
func hasLog(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var version [1]byte
	_, err = f.ReadAt(version[:], 19)
	return err == nil && version[0] == 2
}

// digikamWait is how long digiKam is waited for, in milliseconds, while it
// writes its database.
const digikamWait = "2000"

// readDigikam reads the tags of a database of digiKam, digikam4.db, which is
// opened for reading only. What digiKam keeps for itself is left out, and so
// are names of people, whose faces a label is no way to find; tags that it
// does not write to photos are private. A "/" stands for a "|" in a name.
//
// notes say what else was left out.
func readDigikam(ctx context.Context, path string) (set Set, notes []string, err error) {
	tags, err := digikamTags(ctx, path)
	if err != nil {
		return Set{}, nil, fmt.Errorf("read labels %s: %w", path, err)
	}
	set, notes = digikamSet(tags)
	base := filepath.Base(path)
	set.Name = strings.TrimSuffix(base, filepath.Ext(base))
	if f := set.check(); f != nil {
		return Set{}, nil, located(path, 0, f.what)
	}
	return set, notes, nil
}

// A digikamTag is a row of the table Tags, with what TagProperties says of it.
type digikamTag struct {
	id, above int64
	name      string

	internal, private, person bool
	unnamed                   bool // faces that nobody has named, which are below digiKam's tag for all people
}

func digikamTags(ctx context.Context, path string) ([]digikamTag, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(path), "/"),
		RawQuery: "mode=ro&_error_rc=1&_busy_timeout=" + digikamWait}
	if _, err := os.Stat(path + "-wal"); err != nil && hasLog(path) {
		u.RawQuery += "&immutable=1" // nobody has it open; SQLite would leave files beside it
	}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	// One query, so that both tables are as they were at one moment.
	const query = `SELECT id, ifnull(pid, 0), CAST(name AS TEXT), ifnull((SELECT group_concat(property, ' ') FROM TagProperties WHERE tagid = id), '')
		FROM Tags ORDER BY id`
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, explainDigikam(err)
	}
	defer rows.Close()
	var tags []digikamTag
	for rows.Next() {
		var t digikamTag
		var properties string
		if err := rows.Scan(&t.id, &t.above, &t.name, &properties); err != nil {
			return nil, err
		}
		for property := range strings.FieldsSeq(properties) {
			switch property {
			case "internalTag":
				t.internal = true
			case "noMetadataTag":
				t.private = true
			case "person":
				t.person = true
			case "unknownPerson", "unconfirmedPerson", "ignoredPerson":
				t.person, t.unnamed = true, true
			}
		}
		tags = append(tags, t)
	}
	return tags, explainDigikam(rows.Err())
}

// explainDigikam says what the user can do.
func explainDigikam(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return errors.New("another program writes to it; try again when it is done, or close digiKam")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return errors.New("the database is damaged; digiKam can mend it, or has a copy")
	case sqlite3.SQLITE_ERROR:
		return fmt.Errorf("it is no database of digiKam (digikam4.db): %w", err)
	}
	return err
}

// digikamSet makes labels of tags.
func digikamSet(tags []digikamTag) (set Set, notes []string) {
	at := make(map[int64]int, len(tags))
	for i, t := range tags {
		at[t.id] = i
	}
	root := make(map[int64]bool) // of people, called so in the user's language
	for _, t := range tags {
		root[t.above] = root[t.above] || t.unnamed
	}
	people, lost := 0, make(map[string][]string)
	lose := func(why, name string) { lost[why] = append(lost[why], name) }
	seen := make(map[string]bool)
	for i, t := range tags {
		path, internal, why := digikamPath(tags, at, i)
		switch name := strings.Join(path, "|"); {
		case internal, root[t.id]:
		case t.person:
			people++
		case why != "":
			lose(why, t.name)
		case seen[fold(name)]:
			lose("there is one of that name", name)
		default:
			l := Label{Name: name, Private: t.private}
			if f := l.check(0); f != nil {
				lose("the name cannot be that of a label", t.name)
				continue
			}
			seen[fold(name)] = true
			set.Labels = append(set.Labels, l)
		}
	}
	if people > 0 {
		notes = append(notes, fmt.Sprintf("names of people left out: %d", people))
	}
	for _, why := range []string{"it is above itself", "a tag above it is missing", "there is one of that name", "the name cannot be that of a label"} {
		if names := lost[why]; len(names) > 0 {
			notes = append(notes, fmt.Sprintf("tags left out: %d, such as %q: %s", len(names), names[0], why))
		}
	}
	return set, notes
}

// digikamPath returns the names from the root to a tag, whether it is one of
// digiKam's own, or why it has no path.
func digikamPath(tags []digikamTag, at map[int64]int, i int) (path []string, internal bool, why string) {
	for depth := 0; ; depth++ {
		t := tags[i]
		internal = internal || t.internal || t.name == "_Digikam_Internal_Tags_" || t.name == "_Digikam_root_tag_"
		path = append(path, strings.TrimSpace(strings.ReplaceAll(t.name, "|", "/")))
		if t.above <= 0 {
			slices.Reverse(path)
			return path, internal, ""
		}
		above, ok := at[t.above]
		switch {
		case !ok:
			return path, internal, "a tag above it is missing"
		case depth > maxText/2: // no name has room for as many
			return path, internal, "it is above itself"
		}
		i = above
	}
}
