-- Why a source, or a part of it, could not be read, as long as it stays as it
-- is; NULL: nothing is wrong with it.
ALTER TABLE sources ADD COLUMN error TEXT;

-- Tags are in the order in which their source has them: of two spellings of one
-- tag the first counts.
CREATE TABLE ordered (
	source INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
	place  INTEGER NOT NULL,
	term   INTEGER NOT NULL REFERENCES terms (id),
	PRIMARY KEY (source, place)
) STRICT, WITHOUT ROWID;
INSERT INTO ordered SELECT source, row_number() OVER (PARTITION BY source ORDER BY term), term FROM tags;
DROP TABLE tags;
ALTER TABLE ordered RENAME TO tags;
