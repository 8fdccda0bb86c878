package ui

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"sigla/gallery"
)

// tree has the folders of the photos, a folder before those in it.
type tree struct {
	nodes  []node
	at     map[folder]int
	label  string // that above is of; "": none
	scored bool   // untagged and above are known
}

// node is a folder with what is in it and below it.
type node struct {
	folder
	name   string
	lower  string // path in lower case, for the filter
	depth  int
	parent int // -1: none
	end    int // the nodes below it are those before end

	photos, untagged, above int
}

// survey is what a tree is made from. It belongs to a command.
type survey struct {
	desk
	sides
	said   *gallery.Answers
	top    string // name of all photos
	roots  int    // paths given to Scan
	label  string
	column int // of label in the scores, or -1
	cut    float32
}

// tree walks the photos. It is of no use if ctx has ended.
func (s survey) tree(ctx context.Context) *tree {
	counts, rank := map[folder]*node{}, map[string]int{}
	for id := 0; id < s.n && ctx.Err() == nil; id++ {
		p := s.g.Photo(id)
		if p.State == gallery.Gone {
			continue
		}
		n := s.nodeOf(counts, s.folderOf(p))
		if _, ok := rank[n.root]; !ok {
			rank[n.root] = s.rank(p)
		}
		n.photos++
		if s.scores == nil {
			continue
		}
		if row, ok := s.scores.Row(id); ok {
			if s.bare(p, row, s.said) {
				n.untagged++
			}
			if s.column >= 0 && row[s.column] >= s.cut {
				n.above++
			}
		}
	}
	t := &tree{at: map[folder]int{}, label: s.label, scored: s.scores != nil}
	for _, n := range counts {
		t.nodes = append(t.nodes, *n)
	}
	slices.SortFunc(t.nodes, func(a, b node) int {
		return cmp.Or(compareBool(a.limited, b.limited), cmp.Compare(rank[a.root], rank[b.root]),
			cmp.Compare(a.root, b.root), compareFolders(a.path, b.path))
	})
	t.join(s.top, s.roots == 1)
	return t
}

// folderOf is the folder that a photo is in itself.
func (s survey) folderOf(p gallery.Photo) folder {
	dir := path.Dir(p.Name)
	if dir == "." {
		dir = ""
	}
	if dir == "" && s.roots == 1 {
		return folder{}
	}
	return folder{true, rootOf(p), dir}
}

// nodeOf returns the node of a folder, made with all those above it.
func (s survey) nodeOf(nodes map[folder]*node, f folder) *node {
	n := nodes[f]
	if n == nil {
		n = &node{folder: f, lower: strings.ToLower(f.path)}
		nodes[f] = n
		if !f.any() {
			s.nodeOf(nodes, f.up(s.roots == 1))
		}
	}
	return n
}

// compareFolders puts a folder before those in it, and folders side by side in
// natural order.
func compareFolders(a, b string) int {
	for a != "" && b != "" {
		x, restA, _ := strings.Cut(a, "/")
		y, restB, _ := strings.Cut(b, "/")
		if c := gallery.CompareNames(x, y); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return cmp.Compare(len(a), len(b))
}

// join links the sorted nodes and adds up what is in them. top is the name of
// the first, which is everything.
func (t *tree) join(top string, onlyRoot bool) {
	for i := range t.nodes {
		n := &t.nodes[i]
		t.at[n.folder] = i
		n.parent, n.end = -1, i+1
		switch {
		case n.any():
			n.name = top
			continue
		case n.path == "":
			n.name = clean(rootName(n.root))
		default:
			n.name = clean(path.Base(n.path))
		}
		n.parent = t.at[n.up(onlyRoot)]
		n.depth = t.nodes[n.parent].depth + 1
	}
	for i := len(t.nodes) - 1; i > 0; i-- {
		n := &t.nodes[i]
		p := &t.nodes[n.parent]
		p.end = max(p.end, n.end)
		p.photos += n.photos
		p.untagged += n.untagged
		p.above += n.above
	}
}
