package ui

import "testing"

func TestLRU(t *testing.T) {
	l := newLRU[int, string](10)
	l.put(1, "a", 4)
	l.put(2, "b", 4)
	l.get(1)
	l.put(3, "c", 4) // 2 was used longest ago
	for k, want := range map[int]bool{1: true, 2: false, 3: true} {
		if _, ok := l.get(k); ok != want {
			t.Errorf("%d is there: %v", k, ok)
		}
	}
	l.put(1, "aa", 2)
	if v, _ := l.get(1); v != "aa" || l.used != 6 {
		t.Errorf("after replacing: %q, %d used", v, l.used)
	}
	l.put(4, "huge", 99)
	if _, ok := l.get(4); !ok || l.used != 99 || l.order.Len() != 1 || len(l.entries) != 1 {
		t.Errorf("a value above the limit: there %v, %d used, %d entries", ok, l.used, l.order.Len())
	}
}
