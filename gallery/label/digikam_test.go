package label

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// digikamSchema has the tables that are read, as digiKam 8 makes them.
const digikamSchema = `
CREATE TABLE Tags (id INTEGER PRIMARY KEY, pid INTEGER, name TEXT NOT NULL, icon INTEGER, iconkde TEXT, UNIQUE (name, pid));
CREATE TABLE TagProperties (tagid INTEGER, property TEXT, value TEXT);
CREATE TABLE ImageTags (imageid INTEGER NOT NULL, tagid INTEGER NOT NULL, UNIQUE (imageid, tagid));
`

const digikamRows = `
INSERT INTO Tags (id, pid, name) VALUES
	(0, -1, '_Digikam_root_tag_'), (1, 0, '_Digikam_Internal_Tags_'), (2, 1, 'Color Label Red'), (3, 1, 'Pick Label None'),
	(4, 0, 'People'), (5, 4, 'Anna'), (6, 4, 'Unknown'),
	(7, 0, 'animals'), (8, 9, 'owl'), (9, 7, 'birds'),
	(10, 0, 'secret'), (11, 10, 'client'), (12, 0, 'AC/DC'), (13, 0, 'a|b'),
	(14, 7, 'paris'), (15, 9, 'paris'), (16, 0, 'Scanned for Faces'),
	(17, 4, 'Unconfirmed'), (18, 4, 'Ignored');
INSERT INTO TagProperties VALUES
	(2, 'internalTag', NULL), (3, 'internalTag', NULL), (16, 'internalTag', NULL),
	(5, 'person', 'Anna'), (5, 'faceEngineId', 'Anna'), (6, 'person', NULL), (6, 'unknownPerson', NULL),
	(17, 'person', NULL), (17, 'unconfirmedPerson', NULL), (18, 'person', NULL), (18, 'ignoredPerson', NULL),
	(10, 'noMetadataTag', NULL), (12, 'tagKeyboardShortcut', 'noMetadataTag');
`

// digikam makes a database of digiKam.
func digikam(t *testing.T, statements ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "digikam4.db")
	change(t, path, statements...)
	return path
}

func change(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDigikam(t *testing.T) {
	path := digikam(t, digikamSchema, digikamRows)
	before := snapshot(t, path)
	set, notes, err := Read(context.Background(), path)
	want := Set{Name: "digikam4", Labels: []Label{
		{Name: "animals"}, {Name: "animals|birds|owl"}, {Name: "animals|birds"},
		{Name: "secret", Private: true}, {Name: "secret|client"}, {Name: "AC/DC"}, {Name: "a/b"},
		{Name: "animals|paris"}, {Name: "animals|birds|paris"},
	}}
	if err != nil || !reflect.DeepEqual(set, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, set, want)
	}
	if want := []string{"names of people left out: 4"}; !reflect.DeepEqual(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	if after := snapshot(t, path); !reflect.DeepEqual(before, after) {
		t.Errorf("reading changed the folder: %v, before %v", after, before)
	}
}

// snapshot has the contents of the files beside a file.
func snapshot(t *testing.T, path string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string]string)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		list[filepath.Base(f)] = string(data)
	}
	return list
}

// A table in which tags are above themselves, or below nothing, gives what can
// be told.
func TestDigikamBadTree(t *testing.T) {
	path := digikam(t, digikamSchema, `INSERT INTO Tags (id, pid, name) VALUES
		(1, 0, 'good'), (2, 3, 'round'), (3, 4, 'and'), (4, 2, 'round'), (5, 4, 'below the round'), (6, 6, 'self'),
		(7, 99, 'orphan'), (8, 7, 'of an orphan'), (9, 0, 'Good'), (10, 0, ' '), (11, 1, 'a' || char(7)), (12, NULL, 'no parent'), (13, 0, x'ff')`)
	set, notes, err := Read(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Label{{Name: "good"}, {Name: "no parent"}}; !reflect.DeepEqual(set.Labels, want) {
		t.Errorf("got %+v, want %+v", set.Labels, want)
	}
	want := []string{
		`tags left out: 5, such as "round": it is above itself`,
		`tags left out: 2, such as "orphan": a tag above it is missing`,
		`tags left out: 1, such as "Good": there is one of that name`,
		`tags left out: 3, such as " ": the name cannot be that of a label`,
	}
	if !reflect.DeepEqual(notes, want) {
		t.Errorf("notes\n%q\nwant\n%q", notes, want)
	}
}

// While digiKam has its database open, in either of SQLite's modes, it is read.
func TestDigikamInUse(t *testing.T) {
	for _, mode := range []string{"delete", "wal"} {
		path := digikam(t, digikamSchema, digikamRows)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		for _, s := range []string{"PRAGMA journal_mode = " + mode, "INSERT INTO Tags (id, pid, name) VALUES (99, 0, 'fresh')"} {
			if _, err := db.Exec(s); err != nil {
				t.Fatal(err)
			}
		}
		set, _, err := Read(context.Background(), path)
		if err != nil || set.Index("fresh") < 0 {
			t.Errorf("%s: got %+v, %v", mode, set, err)
		}
		if mode == "delete" {
			if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
				t.Fatal(err)
			}
			if _, _, err := Read(context.Background(), path); err == nil || !strings.Contains(err.Error(), "another program writes to it") {
				t.Errorf("locked: got %v", err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, path)
		if set, _, err := Read(context.Background(), path); err != nil || set.Index("fresh") < 0 {
			t.Errorf("%s, closed: got %+v, %v", mode, set, err)
		}
		if after := snapshot(t, path); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: reading left %d files, %d before", mode, len(after), len(before))
		}
	}
}

func TestDigikamDamaged(t *testing.T) {
	whole, err := os.ReadFile(digikam(t, digikamSchema, digikamRows))
	if err != nil {
		t.Fatal(err)
	}
	read := func(data []byte) error {
		path := filepath.Join(t.TempDir(), "digikam4.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Read(context.Background(), path)
		return err
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	noise := append([]byte(nil), whole...)
	for i := 100; i < len(noise); i++ {
		noise[i] ^= byte(i * 131)
	}
	for what, data := range map[string][]byte{"cut off": whole[:len(whole)/2], "header only": whole[:100], "noise": noise} {
		if err := read(data); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	other := digikam(t, "CREATE TABLE photos (id)")
	if _, _, err := Read(context.Background(), other); err == nil || !strings.Contains(err.Error(), "no database of digiKam") {
		t.Errorf("another database: got %v", err)
	}
}

func TestDigikamLarge(t *testing.T) {
	path := digikam(t, digikamSchema, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO Tags (id, pid, name) SELECT i, i - 1, 'tag ' || i FROM n`, 100_000))
	set, notes, err := Read(context.Background(), path)
	if err != nil || len(set.Labels) == 0 || len(notes) == 0 {
		t.Errorf("a chain of 100,000 tags: %d labels, %q, %v", len(set.Labels), notes, err)
	}
	change(t, path, "UPDATE Tags SET pid = 0")
	if _, _, err := Read(context.Background(), path); err == nil || !strings.Contains(err.Error(), "more than 10000 labels") {
		t.Errorf("100,000 tags: %v", err)
	}
}
