package ui

import "container/list"

// lru keeps the values used last, as many as cost no more than limit in
// bytes together. It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	limit, used int
	order       *list.List // front: used last; values are *lruEntry[K, V]
	entries     map[K]*list.Element
}

type lruEntry[K comparable, V any] struct {
	key   K
	value V
	cost  int
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), entries: map[K]*list.Element{}}
}

// get returns a value and counts as a use of it.
func (l *lru[K, V]) get(k K) (V, bool) {
	e, ok := l.entries[k]
	if !ok {
		var none V
		return none, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*lruEntry[K, V]).value, true
}

// put adds or replaces a value and forgets those used longest ago that no
// longer fit beside it; the new one stays even if it alone is above the limit.
func (l *lru[K, V]) put(k K, v V, cost int) {
	if e, ok := l.entries[k]; ok {
		l.remove(e)
	}
	l.entries[k] = l.order.PushFront(&lruEntry[K, V]{k, v, cost})
	l.used += cost
	for l.used > l.limit && l.order.Len() > 1 {
		l.remove(l.order.Back())
	}
}

// forget removes the values of keys that match.
func (l *lru[K, V]) forget(match func(K) bool) {
	for k, e := range l.entries {
		if match(k) {
			l.remove(e)
		}
	}
}

func (l *lru[K, V]) remove(e *list.Element) {
	entry := l.order.Remove(e).(*lruEntry[K, V])
	delete(l.entries, entry.key)
	l.used -= entry.cost
}
