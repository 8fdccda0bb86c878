package gallery

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestNaturalOrder(t *testing.T) {
	want := []string{
		"", " ", "01", "1", "2", "10", "100000000000000000000000000000000000000001", "100000000000000000000000000000000000000002",
		"IMG", "img", "img 1", "img1.jpg", "IMG2.jpg", "img2.jpg", "img10.jpg", "img10a.jpg", "é", "é2", "É10", "日本2", "日本10", "\xff",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareNatural)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNaturalOrderIsTotal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	name := func() string {
		const letters = "aAbB0012. \xff\u00e9"
		var s []byte
		for range r.IntN(5) {
			s = append(s, letters[r.IntN(len(letters))])
		}
		return string(s)
	}
	for range 200_000 {
		a, b, c := name(), name(), name()
		ab, bc, ac := compareNatural(a, b), compareNatural(b, c), compareNatural(a, c)
		if ab != -compareNatural(b, a) || (ab == 0) != (a == b) {
			t.Fatalf("%q and %q compare %d and %d", a, b, ab, compareNatural(b, a))
		}
		if ab <= 0 && bc <= 0 && ac > 0 {
			t.Fatalf("%q ≤ %q ≤ %q, but the last is before the first", a, b, c)
		}
	}
}

func TestCompareNames(t *testing.T) {
	want := []string{"img2", "img10", "z", "A/1", "a/2", "a/b/1", "a/c/0", "B/1", "b2/x", "b10/x"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, CompareNames)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
