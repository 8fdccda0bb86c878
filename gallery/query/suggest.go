package query

import (
	"fmt"
	"slices"
	"strings"
)

// others are names by which people know the filters from other programs.
var others = map[string]string{
	"album": "folder", "date": "on", "dir": "folder", "ext": "format", "file": "name",
	"filename": "name", "has": "is", "in": "folder", "keyword": "tag", "path": "folder", "since": "after",
	"star": "rating", "stars": "rating", "taken": "on", "type": "format", "until": "before",
}

// unknown says that there is no filter of a name, and what may be meant.
func unknown(name string) string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	if known := closest(name, names); known != "" {
		return fmt.Sprintf("there is no filter %s:, perhaps %s: is meant", name, known)
	}
	return fmt.Sprintf("there is no filter %s:, only %s", name, strings.Join(names, ", "))
}

// closest returns the one of the names that is meant by another, or "".
func closest(name string, names []string) string {
	if known := others[name]; known != "" {
		return known
	}
	return nearest(name, names)
}

// Nearest returns the one of the names that may be meant by another, whatever
// its case, or "" if none is near.
func Nearest(name string, names []string) string {
	folded := make([]string, len(names))
	for i, known := range names {
		folded[i] = Fold(known)
	}
	if i := slices.Index(folded, nearest(Fold(name), folded)); i >= 0 {
		return names[i]
	}
	return ""
}

func nearest(name string, names []string) string {
	if i := slices.IndexFunc(names, func(known string) bool { return strings.HasPrefix(known, name) }); i >= 0 && name != "" {
		return names[i]
	}
	best, least := "", max(1, len(name)/3)+1
	for _, known := range names {
		// Names of very different length are not compared: a line can be long.
		if len(name) > 2*len(known) {
			continue
		}
		if d := distance(name, known); d < least {
			best, least = known, d
		}
	}
	return best
}

// distance returns how many letters must be put in, left out, changed or
// exchanged with their neighbour to make b of a: optimal string alignment.
func distance(a, b string) int {
	var before []int // the row of a[:i-2]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(change, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
