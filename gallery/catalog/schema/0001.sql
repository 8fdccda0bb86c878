-- Times are nanoseconds since 1970 UTC. Paths are bytes, for not every file
-- name is text.

CREATE TABLE roots (
	id      INTEGER PRIMARY KEY,
	path    BLOB NOT NULL UNIQUE, -- absolute
	scanned INTEGER               -- when a scan last came to its end
) STRICT;

-- A photo is its content: its files may be many, or for a while none.
CREATE TABLE photos (
	hash        BLOB PRIMARY KEY, -- SHA-256
	format      TEXT,             -- NULL: the facts are not known
	width       INTEGER,          -- upright
	height      INTEGER,
	orientation INTEGER,
	taken       TEXT,             -- RFC 3339 in the camera's zone
	unused      INTEGER           -- since when no file holds it
) STRICT, WITHOUT ROWID;

-- Numbers of files are never used again: another process may still hold one.
CREATE TABLE files (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	root     INTEGER NOT NULL REFERENCES roots (id) ON DELETE CASCADE,
	path     BLOB NOT NULL, -- below the root, with slashes
	size     INTEGER NOT NULL,
	modified INTEGER NOT NULL,
	device   INTEGER NOT NULL, -- the 64 bits of an unsigned number, as inode
	inode    INTEGER NOT NULL,
	hash     BLOB REFERENCES photos (hash), -- NULL: not read yet, or it failed
	error    TEXT, -- why there is no photo in it, as long as it stays as it is
	missing  INTEGER, -- since when; NULL: seen by the last scan of its root
	UNIQUE (root, path)
) STRICT;
CREATE INDEX files_of_photo ON files (hash);
CREATE INDEX files_of_root ON files (root); -- in the order of id

CREATE TABLE models (
	id         INTEGER PRIMARY KEY,
	digest     TEXT NOT NULL,
	preprocess INTEGER NOT NULL,
	dim        INTEGER NOT NULL,
	name       TEXT NOT NULL,
	UNIQUE (digest, preprocess)
) STRICT;

-- The ledger of vectors: how many records of a segment count. The records say
-- themselves which photos they belong to.
CREATE TABLE segments (
	model   INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
	number  INTEGER NOT NULL, -- unique among the segments of a digest
	rows    INTEGER NOT NULL,
	dropped INTEGER NOT NULL DEFAULT 0, -- rewritten elsewhere; its file is to go
	PRIMARY KEY (model, number)
) STRICT, WITHOUT ROWID;

-- Where tags were read: in the photo itself (name '') or in a sidecar.
CREATE TABLE sources (
	id       INTEGER PRIMARY KEY,
	file     INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
	name     BLOB NOT NULL,
	size     INTEGER NOT NULL,
	modified INTEGER NOT NULL,
	UNIQUE (file, name)
) STRICT;
CREATE TABLE terms (
	id    INTEGER PRIMARY KEY,
	field TEXT NOT NULL,
	value BLOB NOT NULL,
	UNIQUE (field, value)
) STRICT;
CREATE TABLE tags (
	source INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
	term   INTEGER NOT NULL REFERENCES terms (id),
	PRIMARY KEY (source, term)
) STRICT, WITHOUT ROWID;

-- The last answer for each photo and label, and how many bytes of the log
-- decisions.jsonl are in this table.
CREATE TABLE decisions (
	photo   BLOB NOT NULL,
	label   TEXT NOT NULL,
	verdict INTEGER NOT NULL, -- 1 accept, -1 reject
	made    INTEGER NOT NULL,
	who     TEXT NOT NULL,
	PRIMARY KEY (photo, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE replayed (bytes INTEGER NOT NULL) STRICT;
INSERT INTO replayed VALUES (0);

CREATE TABLE runs (
	id      INTEGER PRIMARY KEY,
	kind    TEXT NOT NULL,
	started INTEGER NOT NULL,
	ended   INTEGER, -- NULL: it runs, or was killed
	model   TEXT NOT NULL,
	device  TEXT NOT NULL,
	found   INTEGER NOT NULL,
	done    INTEGER NOT NULL,
	failed  INTEGER NOT NULL,
	error   TEXT NOT NULL
) STRICT;
