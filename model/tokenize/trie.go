package tokenize

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// A trie holds byte strings, each with a number, and finds all of them that
// begin at a place in one walk. Nodes are numbered level by level, so that the
// children of a node are neighbours, sorted by their byte: a node costs nine
// bytes, and a vocabulary is three slices.
type trie struct {
	root  [256]uint32 // the child of node 0 by its byte; 0 is no child
	first []uint32    // children of node i are nodes first[i] … first[i+1]-1
	label []byte      // the byte that leads to node i
	value []int32     // the number of the string that ends at node i, or -1
}

// An entry is a string for newTrie.
type entry struct {
	text  []byte
	value int32
}

// sorted returns the entries by text, and by value where texts are equal.
// Nearly all comparisons are decided by the first eight bytes, which are kept
// beside each other for that.
func sorted(entries []entry) []entry {
	type key struct {
		head  uint64
		index int32
	}
	keys := make([]key, len(entries))
	for i, e := range entries {
		var head [8]byte
		copy(head[:], e.text)
		keys[i] = key{binary.BigEndian.Uint64(head[:]), int32(i)}
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		x, y := &entries[a.index], &entries[b.index]
		return cmp.Or(bytes.Compare(x.text, y.text), cmp.Compare(x.value, y.value))
	})
	list := make([]entry, len(entries))
	for i, k := range keys {
		list[i] = entries[k.index]
	}
	return list
}

// newTrie builds a trie. Empty strings are left out; of two equal strings the
// larger value wins.
func newTrie(entries []entry) *trie {
	entries = sorted(entries)
	for len(entries) > 0 && len(entries[0].text) == 0 {
		entries = entries[1:]
	}
	t := &trie{label: []byte{0}, value: []int32{-1}}
	// A node is the range of entries that share the bytes on the way to it.
	type span struct{ from, to uint32 }
	level := []span{{0, uint32(len(entries))}}
	for depth := 0; len(level) > 0; depth++ {
		var next []span
		for _, s := range level {
			t.first = append(t.first, uint32(len(t.label)))
			for s.from < s.to && len(entries[s.from].text) == depth {
				s.from++ // ends at the node itself
			}
			for s.from < s.to {
				child := span{s.from, s.from}
				b := entries[s.from].text[depth]
				value := int32(-1)
				for ; child.to < s.to && entries[child.to].text[depth] == b; child.to++ {
					if len(entries[child.to].text) == depth+1 {
						value = entries[child.to].value
					}
				}
				t.label, t.value = append(t.label, b), append(t.value, value)
				next = append(next, child)
				s.from = child.to
			}
		}
		level = next
	}
	t.first = append(t.first, uint32(len(t.label)))
	for n := t.first[0]; n < t.first[1]; n++ {
		t.root[t.label[n]] = n
	}
	return t
}

// step returns the child of node by a byte, 0 if there is none. Walks begin at
// node 0.
func (t *trie) step(node uint32, b byte) uint32 {
	if node == 0 {
		return t.root[b]
	}
	from, to := t.first[node], t.first[node+1]
	for to-from > 8 {
		if mid := (from + to) / 2; t.label[mid] <= b {
			from = mid
		} else {
			to = mid
		}
	}
	for ; from < to; from++ {
		if t.label[from] == b {
			return from
		}
	}
	return 0
}

// longest returns the number and length of the longest string that text begins
// with, or -1 and 0.
func (t *trie) longest(text string) (value int32, length int) {
	value = -1
	for i, node := 0, uint32(0); i < len(text); i++ {
		if node = t.step(node, text[i]); node == 0 {
			break
		}
		if v := t.value[node]; v >= 0 {
			value, length = v, i+1
		}
	}
	return value, length
}
