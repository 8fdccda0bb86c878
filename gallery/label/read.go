package label

import (
	"context"
	"fmt"
	"os"
)

// Read reads a label set from a file: TOML, plain text or a keyword list, as
// Parse tells them apart, or the tags of digiKam from its database, digikam4.db.
// notes are what the user should know of what was left out.
func Read(ctx context.Context, path string) (set Set, notes []string, err error) {
	return read(ctx, path, Parse)
}

// Import is Read for the vocabularies of other programs: text without levels is
// a keyword list, too.
func Import(ctx context.Context, path string) (set Set, notes []string, err error) {
	return read(ctx, path, func(name string, data []byte) (Set, error) {
		if isTOML(name, data) {
			return Parse(name, data)
		}
		return ParseKeywords(name, data)
	})
}

func read(ctx context.Context, path string, parse func(string, []byte) (Set, error)) (Set, []string, error) {
	if isDatabase(path) {
		return readDigikam(ctx, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Set{}, nil, fmt.Errorf("read labels: %w", err)
	}
	set, err := parse(path, data)
	return set, nil, err
}
