package query

import (
	"fmt"
	"math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// newFacts are facts of a photo, folded.
func newFacts(f Facts) *Facts {
	f.Name, f.Format = Fold(f.Name), Fold(f.Format)
	for i := range f.Tags {
		f.Tags[i] = Fold(f.Tags[i])
	}
	return &f
}

// The photos of matchTests.
var (
	beach = newFacts(Facts{
		Name: "2024/Summer trip/IMG_0412.JPG", Format: "JPEG", Date: time.Date(2023, 5, 1, 23, 59, 59, 0, time.FixedZone("", 3600)),
		Bytes: 2_000_001, Width: 4000, Height: 3000, Tags: []string{"Animals|Birds|Owl", "Lakeside|Lake", "New York", "Caf\u00e9"},
		Rating: 4, Rated: true, Accepted: 1,
		Label: func(name string) (float64, bool, bool) { return 0.8, name == "dog", name != "unicorn" },
	})
	raw    = newFacts(Facts{Name: "a.cr2", Format: "CR2", Width: 2000, Height: 3000, Date: time.Date(2022, 12, 31, 0, 0, 0, 0, time.UTC)})
	failed = newFacts(Facts{Name: "x/broken.png", Failed: true, Rejected: 2})
)

var matchTests = []struct {
	line               string
	beach, raw, failed bool
}{
	{"", true, true, true},
	{"a dog - cat", true, true, true},
	{"label:dog", true, false, false},
	{"label:cat", false, false, false},
	{"label:unicorn,unicorn>0", false, false, false},
	{"-label:unicorn", true, true, true},
	{"label:cat>0.8", false, false, false},
	{"label:cat>=0.8", true, false, false},
	{"label:cat<=80%", true, false, false},
	{"label:cat<0.8", false, false, false},
	{"label:cat>0.9,dog", true, false, false},
	{"tag:owl", true, false, false},
	{"tag:BIRDS", true, false, false},
	{"tag:animals|birds tag:birds|owl tag:animals|birds|owl", true, false, false},
	{"tag:animals|owl", false, false, false},
	{"tag:bird", false, false, false},
	{"tag:lake", true, false, false},
	{"tag:bi*", true, false, false},
	{"tag:b?rds|o*", true, false, false},
	{"tag:b*|o*|?", false, false, false},
	{`tag:"new york"`, true, false, false},
	{"tag:york", false, false, false},
	{"tag:cafe\u0301", true, false, false},
	{"tag:dog,owl", true, false, false},
	{"-tag:dog,owl", false, true, true},
	{"-tag:dog -tag:owl", false, true, true},
	{"folder:2024", true, false, false},
	{`folder:"2024/summer TRIP"`, true, false, false},
	{"folder:summer*", true, false, false},
	{"folder:202?/*trip/", true, false, false},
	{"folder:summer", false, false, false},
	{"folder:img_0412.jpg", false, false, false},
	{"folder:x,2024", true, false, true},
	{"folder:*", true, false, true},
	{"name:img_04*", true, false, false},
	{"name:0412", true, false, false},
	{"name:04?2", false, false, false},
	{"name:*04?2*", true, false, false},
	{"name:summer", false, false, false},
	{"name:*.cr2,*.png", false, true, true},
	{"after:2023", true, false, false},
	{"after:2023-05-01", true, false, false},
	{"after:2023-05-02", false, false, false},
	{"before:2023-05-01", false, true, false},
	{"before:2023-05-02", true, true, false},
	{"before:2023", false, true, false},
	{"-before:2023", true, false, true},
	{"on:2023-05", true, false, false},
	{"on:2023-05-01", true, false, false},
	{"on:2023-04,2022-12-31", false, true, false},
	{"on:2022", false, true, false},
	{"format:raw", false, true, false},
	{"format:jpg,cr2", true, true, false},
	{"-format:raw", true, false, true},
	{"is:tagged", true, false, false},
	{"is:untagged", false, true, true},
	{"is:rated", true, false, false},
	{"is:failed", false, false, true},
	{"is:landscape", true, false, false},
	{"is:portrait", false, true, false},
	{"is:square", false, false, false},
	{"is:accepted", true, false, false},
	{"is:rejected,portrait", false, true, true},
	{"rating:4", true, false, false},
	{"rating:>=4", true, false, false},
	{"rating:<4", false, true, true},
	{"rating:0,4", true, true, true},
	{"size:>2mb", true, false, false},
	{"size:>2mib", false, false, false},
	{"size:<=0", false, true, true},
	{"pixels:>=12mp", true, false, false},
	{"pixels:<12mp", false, true, false},
	{"pixels:<=6000000", false, true, false},
}

func TestMatch(t *testing.T) {
	for _, test := range matchTests {
		q, err := Parse(test.line, nil)
		if err != nil {
			t.Errorf("%q: %v", test.line, err)
			continue
		}
		for _, photo := range []struct {
			facts *Facts
			want  bool
		}{{beach, test.beach}, {raw, test.raw}, {failed, test.failed}} {
			if got := q.Match(photo.facts); got != photo.want {
				t.Errorf("%q matches %s: %v", test.line, photo.facts.Name, got)
			}
		}
	}
}

func TestFold(t *testing.T) {
	for _, test := range []struct{ a, b string }{
		{"Beach", "bEACH"}, {"Caf\u00e9", "CAFE\u0301"}, {"ꮒ", "Ꮒ"}, {"İ", "i"}, {"ǅ", "ǆ"}, {"\u212b", "a\u030a"}, {"ΣΊΣΥΦΟς", "σίσυφοσ"}, {"\u212aelvin", "KELVIN"},
	} {
		if Fold(test.a) != Fold(test.b) {
			t.Errorf("%q and %q differ: %q, %q", test.a, test.b, Fold(test.a), Fold(test.b))
		}
	}
	if Fold("cafe") == Fold("café") {
		t.Error("an accent does not count")
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "Ab", "\u0345\u0301\u0391", "ẞ\xff\u1fb3", "\u0130\u0307", "\u1e9b\u0323"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := Fold(s); Fold(once) != once {
			t.Errorf("%q folds to %+q, and that to %+q", s, once, Fold(once))
		}
	})
}

// FuzzPattern: patterns do what the regular expression does.
func FuzzPattern(f *testing.F) {
	f.Add("a*b?c", "aXXbYc")
	f.Add("*a*ab*", "aaXab")
	f.Add("*aab", "aaab")
	f.Add("?*é?", "xé\xff")
	f.Fuzz(func(t *testing.T, p, s string) {
		p, s = Fold(p), Fold(strings.ToValidUTF8(s, "?"))
		if p != strings.ToValidUTF8(p, "") {
			return // a regular expression is UTF-8
		}
		expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(p))
		want, err := regexp.MatchString("(?s)^(?:"+expression+")$", s)
		if err != nil {
			return
		}
		if got := newPattern(p).matches(s); got != want {
			t.Errorf("%q matches %q: %v, want %v", p, s, got, want)
		}
	})
}

// A rule is a filter and, apart from the package, what it means.
type rule struct {
	text  string
	holds func(*Facts) bool
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// randomRule returns a rule of one value.
func randomRule(r *rand.Rand) rule {
	switch r.IntN(9) {
	case 0:
		name := pick(r, "animals", "birds", "owl", "animals|birds", "new york", "x")
		return rule{fmt.Sprintf(`tag:"%s"`, strings.ToUpper(name)), func(f *Facts) bool {
			return slices.ContainsFunc(f.Tags, func(tag string) bool { return strings.Contains("|"+tag+"|", "|"+name+"|") })
		}}
	case 1:
		name := pick(r, "2023", "2024", "summer", "2024/summer", "24")
		return rule{"folder:" + name, func(f *Facts) bool {
			return strings.Contains("/"+path.Dir(f.Name)+"/", "/"+name+"/")
		}}
	case 2:
		name := pick(r, "img_1*", "*_1?.jpg", "*", "?mg*", "img")
		return rule{"name:" + name, func(f *Facts) bool {
			if !strings.ContainsAny(name, "*?") {
				return strings.Contains(path.Base(f.Name), name)
			}
			ok, _ := path.Match(name, path.Base(f.Name))
			return ok
		}}
	case 3:
		start := time.Date(2022+r.IntN(3), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
		layout := pick(r, "2006", "2006-01", "2006-01-02")
		text := start.Format(layout)
		start, _ = time.Parse(layout, text)
		switch r.IntN(3) {
		case 0:
			return rule{"after:" + text, func(f *Facts) bool { return !f.Date.IsZero() && !f.Date.Before(start) }}
		case 1:
			return rule{"before:" + text, func(f *Facts) bool { return !f.Date.IsZero() && f.Date.Before(start) }}
		}
		return rule{"on:" + text, func(f *Facts) bool { return f.Date.Format(layout) == text }}
	case 4:
		name := pick(r, "dog", "cat")
		bound := float64(r.IntN(11)) / 10
		return rule{fmt.Sprintf("label:%s>=%v", name, bound), func(f *Facts) bool { p, _, ok := f.Label(name); return ok && p >= bound }}
	case 5:
		stars := r.IntN(6)
		return rule{fmt.Sprintf("rating:<%d", stars), func(f *Facts) bool { return f.Rating < stars }}
	case 6:
		mb := r.IntN(10)
		return rule{fmt.Sprintf("size:>%dMB", mb), func(f *Facts) bool { return f.Bytes > int64(mb)*1_000_000 }}
	case 7:
		mp := r.IntN(20)
		return rule{fmt.Sprintf("pixels:<=%dmp", mp), func(f *Facts) bool { n := f.Width * f.Height; return n > 0 && n <= mp*1_000_000 }}
	}
	format := pick(r, "jpeg", "png", "raw", "cr2")
	return rule{"format:" + format, func(f *Facts) bool { return f.Format == format || format == "raw" && f.Format == "cr2" }}
}

func randomFacts(r *rand.Rand) *Facts {
	f := Facts{
		Name:   fmt.Sprintf("%sIMG_%d.jpg", pick(r, "", "2023/", "2024/", "2024/Summer/", "x/2024/y/", "2024 old/"), r.IntN(100)),
		Format: pick(r, "JPEG", "PNG", "CR2", ""),
		Bytes:  r.Int64N(10_000_000), Width: pick(r, 0, 1000, 4000), Height: pick(r, 0, 1000, 3000), Rating: r.IntN(6),
	}
	if r.IntN(5) > 0 {
		f.Date = time.Date(2022, 1, 1+r.IntN(3*365), r.IntN(24), 0, 0, 0, time.UTC)
	}
	for range r.IntN(4) {
		f.Tags = append(f.Tags, pick(r, "Animals", "Animals|Birds", "Animals|Birds|Owl", "New York", "Yorkshire", "Owls"))
	}
	dog, known := float64(r.IntN(11))/10, r.IntN(4) > 0
	f.Label = func(name string) (float64, bool, bool) {
		if name == "cat" {
			return 1 - dog, dog < .5, known
		}
		return dog, dog >= .5, known
	}
	return newFacts(f)
}

// TestMatchRandom holds Match to what the filters mean, told in the slowest way.
func TestMatchRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	photos := make([]*Facts, 300)
	for i := range photos {
		photos[i] = randomFacts(r)
	}
	matches := 0
	for range 1000 {
		var parts []string
		var filters []func(*Facts) bool
		for range 1 + r.IntN(3) {
			alternative := randomRule(r)
			text, any := alternative.text, []rule{alternative}
			for range r.IntN(3) {
				name, _, _ := strings.Cut(text, ":")
				if other := randomRule(r); strings.HasPrefix(other.text, name+":") {
					any = append(any, other)
					text += "," + other.text[len(name)+1:]
				}
			}
			not := r.IntN(3) == 0
			if not {
				text = "-" + text
			}
			parts = append(parts, text)
			filters = append(filters, func(f *Facts) bool {
				return slices.ContainsFunc(any, func(r rule) bool { return r.holds(f) }) != not
			})
		}
		line := strings.Join(parts, " ")
		q, err := Parse(line, nil)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, f := range photos {
			want := !slices.ContainsFunc(filters, func(holds func(*Facts) bool) bool { return !holds(f) })
			if got := q.Match(f); got != want {
				t.Fatalf("%q matches %+v: %v, want %v", line, *f, got, want)
			}
			if want {
				matches++
			}
		}
	}
	if matches < 10_000 {
		t.Errorf("only %d matches in %d", matches, 1000*len(photos))
	}
}

func BenchmarkMatch100k(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	photos := make([]Facts, 100_000)
	terms := map[string]string{} // equal tags share their memory, as in a gallery
	for i := range photos {
		photos[i] = *randomFacts(r)
		for j, tag := range photos[i].Tags {
			if terms[tag] == "" {
				terms[tag] = tag
			}
			photos[i].Tags[j] = terms[tag]
		}
	}
	for _, line := range []string{
		"rating:5", "tag:birds", "folder:summer", "name:img_1*", "after:2023-05-01", "label:dog>0.8", "tag:b*",
		"tag:birds -folder:2023 after:2022-05-01", "label:dog>0.2 tag:animals,york -format:raw",
	} {
		b.Run(line, func(b *testing.B) {
			q, err := Parse(line, nil)
			if err != nil {
				b.Fatal(err)
			}
			matches := 0
			for b.Loop() {
				matches = 0
				for i := range photos {
					if q.Match(&photos[i]) {
						matches++
					}
				}
			}
			b.ReportMetric(float64(matches), "matches")
		})
	}
}

func BenchmarkFold(b *testing.B) {
	for _, s := range []string{"2024/Summer trip/IMG_0412.JPG", "2024/Été à la mer/IMG_0412.JPG"} {
		b.Run(s, func(b *testing.B) {
			for b.Loop() {
				Fold(s)
			}
		})
	}
}
