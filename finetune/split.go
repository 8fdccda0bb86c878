package finetune

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// burst is how soon after another a photo must have been taken to show the same:
// whoever takes several photos of one thing takes them within half a minute.
const burst = 30 * time.Second

// Groups numbers the photos from 0, with the same number for those that no split
// may divide: photos that are Alike, and those taken in one burst. What shows
// the same on both sides of a split would be known and not learned.
func (s Set) Groups() []int {
	parent := make([]int, len(s.Photos))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	alike := make(map[int]int) // first photo
	var timed []int
	for i, p := range s.Photos {
		if p.Alike != 0 {
			if first, ok := alike[p.Alike]; ok {
				parent[root(i)] = root(first)
			} else {
				alike[p.Alike] = i
			}
		}
		if !p.Taken.IsZero() {
			timed = append(timed, i)
		}
	}
	slices.SortStableFunc(timed, func(a, b int) int { return s.Photos[a].Taken.Compare(s.Photos[b].Taken) })
	for k := 1; k < len(timed); k++ {
		if a, b := timed[k-1], timed[k]; s.Photos[b].Taken.Sub(s.Photos[a].Taken) <= burst {
			parent[root(b)] = root(a)
		}
	}
	groups, number := make([]int, len(parent)), make(map[int]int)
	for i := range parent {
		r := root(i)
		if _, ok := number[r]; !ok {
			number[r] = len(number)
		}
		groups[i] = number[r]
	}
	return groups
}

// Split divides the photos, group by group, into parts of these shares, which
// add up to 1. Each part gets its share of the photos that are known to show
// each label, and of those known not to, as far as groups allow, the rarest
// first (iterative stratification: Sechidis et al. 2011). The same seed gives
// the same parts. The photos of a part come in their order in the set.
func (s Set) Split(shares []float64, seed uint64) [][]int {
	d := newDealer(s, shares, seed)
	for {
		stratum := d.rarest()
		if stratum < 0 {
			break
		}
		for _, g := range d.members[stratum] {
			d.deal(g, stratum)
		}
	}
	for g := range d.groups {
		d.deal(g, -1)
	}
	for _, part := range d.parts {
		slices.Sort(part)
	}
	return d.parts
}

// Folds divides the photos into k equal parts; see Split.
func (s Set) Folds(k int, seed uint64) [][]int {
	return s.Split(slices.Repeat([]float64{1 / float64(k)}, k), seed)
}

// HoldOut divides the photos into those to learn from and a fifth to look at; see
// Split.
func (s Set) HoldOut(seed uint64) (learn, held []int) {
	parts := s.Split([]float64{0.8, 0.2}, seed)
	return parts[0], parts[1]
}

// Rest returns all photos of the set that are not in part.
func (s Set) Rest(part []int) []int {
	out := make([]bool, len(s.Photos))
	for _, i := range part {
		out[i] = true
	}
	var rest []int
	for i := range s.Photos {
		if !out[i] {
			rest = append(rest, i)
		}
	}
	return rest
}

// A dealer deals groups of photos to parts. A stratum is one side of a label.
type dealer struct {
	groups  [][]int           // photos
	strata  []map[int]int     // by group: photos of each stratum
	members map[int][]int     // by stratum: groups, the largest first
	left    map[int]int       // by stratum: groups not dealt yet
	wanted  []map[int]float64 // by part: photos of each stratum still wanted; −1: of any
	parts   [][]int
	dealt   []bool
}

func newDealer(s Set, shares []float64, seed uint64) *dealer {
	d := &dealer{members: make(map[int][]int), left: make(map[int]int), parts: make([][]int, len(shares))}
	for i, g := range s.Groups() {
		if g == len(d.groups) {
			d.groups = append(d.groups, nil)
			d.strata = append(d.strata, make(map[int]int))
		}
		d.groups[g] = append(d.groups[g], i)
		for _, k := range s.Photos[i].Known {
			stratum := 2 * k.Label
			if k.Value < 0 {
				stratum++
			}
			d.strata[g][stratum]++
		}
	}
	d.dealt = make([]bool, len(d.groups))
	totals := map[int]int{-1: len(s.Photos)}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, g := range rng.Perm(len(d.groups)) {
		for stratum, n := range d.strata[g] {
			d.members[stratum] = append(d.members[stratum], g)
			d.left[stratum]++
			totals[stratum] += n
		}
	}
	for _, list := range d.members {
		slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(len(d.groups[b]), len(d.groups[a])) })
	}
	for _, share := range shares {
		wanted := make(map[int]float64, len(totals))
		for stratum, n := range totals {
			wanted[stratum] = share * float64(n)
		}
		d.wanted = append(d.wanted, wanted)
	}
	return d
}

// rarest returns the stratum with the fewest groups left to deal, −1 if none has
// any.
func (d *dealer) rarest() int {
	best := -1
	for stratum, n := range d.left {
		if n > 0 && (best < 0 || n < d.left[best] || n == d.left[best] && stratum < best) {
			best = stratum
		}
	}
	return best
}

// deal gives a group to the part that wants most photos of a stratum, and of
// equals most photos at all.
func (d *dealer) deal(group, stratum int) {
	if d.dealt[group] {
		return
	}
	d.dealt[group] = true
	best := 0
	for part := range d.parts {
		a, b := d.wanted[part], d.wanted[best]
		if cmp.Or(cmp.Compare(a[stratum], b[stratum]), cmp.Compare(a[-1], b[-1])) > 0 {
			best = part
		}
	}
	d.parts[best] = append(d.parts[best], d.groups[group]...)
	d.wanted[best][-1] -= float64(len(d.groups[group]))
	for stratum, n := range d.strata[group] {
		d.wanted[best][stratum] -= float64(n)
		d.left[stratum]--
	}
}
