package label

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a set. They are far above what anybody writes by hand and keep a
// wrong file (a log, a photo's metadata) from turning into hours of embedding.
const (
	maxLabels = 10_000
	maxTexts  = 1_000    // prompts, negatives or synonyms of a label, templates of a set
	maxText   = 1_000    // bytes of any one text
	maxFile   = 32 << 20 // bytes of a file
)

// A flaw is what is wrong with a set, and where: with which label (-1: with
// the set itself) and under which TOML key.
type flaw struct {
	label int
	key   string
	what  string
}

// Validate says what is wrong with a set: a name that is empty or there twice,
// a threshold outside (0, 1), a scale that is not above 0, control characters.
// What Parse returns is valid.
func (s Set) Validate() error {
	if f := s.check(); f != nil {
		return fmt.Errorf("label set %q: %s", s.Name, f.what)
	}
	return nil
}

func (s Set) check() *flaw {
	if err := checkText(s.Name); err != nil {
		return &flaw{-1, "name", fmt.Sprintf("the set's name %v", err)}
	}
	if f := checkTexts(-1, "templates", s.Templates); f != nil {
		return f
	}
	for _, t := range s.Templates {
		if !strings.Contains(t, "{}") {
			return &flaw{-1, "templates", fmt.Sprintf("template %q has no {} for the label's name", t)}
		}
	}
	if len(s.Labels) > maxLabels {
		return &flaw{maxLabels, "", fmt.Sprintf("more than %d labels", maxLabels)}
	}
	seen := make(map[string]bool, len(s.Labels))
	for i, l := range s.Labels {
		if f := l.check(i); f != nil {
			return f
		}
		name := fold(l.Name)
		if seen[name] {
			return &flaw{i, "name", fmt.Sprintf("label %q is there twice (case does not count)", l.Name)}
		}
		seen[name] = true
	}
	if f := s.checkParents(); f != nil {
		return f
	}
	return s.checkPaths()
}

// checkPaths refuses two labels that would be written alike: owl below birds,
// and birds|owl.
func (s Set) checkPaths() *flaw {
	at := make(map[string]int, len(s.Labels))
	for i, l := range s.Labels {
		at[fold(l.Name)] = i
	}
	for i, l := range s.Labels {
		length := len(l.Name)
		for k, ok := i, true; ok && s.Labels[k].Parent != "" && length <= maxText; {
			length += 1 + len(s.Labels[k].Parent)
			k, ok = at[fold(s.Labels[k].Parent)]
		}
		if length > maxText {
			return &flaw{i, "parent", fmt.Sprintf("label %q: its path is longer than %d bytes", l.Name, maxText)}
		}
	}
	first := make(map[string]int, len(s.Labels))
	for i, path := range s.Paths() {
		if k, ok := first[fold(path)]; ok {
			return &flaw{i, "name", fmt.Sprintf("labels %q and %q are one by their paths: %s", s.Labels[k].Name, s.Labels[i].Name, path)}
		}
		first[fold(path)] = i
	}
	return nil
}

// check looks at everything that can be said of label i by itself.
func (l Label) check(i int) *flaw {
	if f := l.checkName(i); f != nil {
		return f
	}
	for _, t := range []struct {
		key   string
		texts []string
	}{{"prompts", l.Prompts}, {"negatives", l.Negatives}, {"synonyms", l.Synonyms}} {
		if f := checkTexts(i, t.key, t.texts); f != nil {
			return f
		}
	}
	for _, t := range []struct{ key, text string }{{"group", l.Group}, {"parent", l.Parent}} {
		if err := checkText(t.text); err != nil {
			return &flaw{i, t.key, fmt.Sprintf("label %q: %s %v", l.Name, t.key, err)}
		}
	}
	if l.Parent != "" && !hasParts(l.Parent) {
		return &flaw{i, "parent", fmt.Sprintf("label %q: a part of its parent is empty or starts or ends with a space", l.Name)}
	}
	// Written so that NaN fails.
	switch {
	case l.Threshold != 0 && !(l.Threshold > 0 && l.Threshold < 1):
		return &flaw{i, "threshold", fmt.Sprintf("label %q: threshold %v is not between 0 and 1", l.Name, l.Threshold)}
	case l.Scale != 0 && !(l.Scale > 0 && l.Scale <= math.MaxFloat64):
		return &flaw{i, "scale", fmt.Sprintf("label %q: scale %v is not a number above 0", l.Name, l.Scale)}
	case math.IsNaN(l.Bias) || math.IsInf(l.Bias, 0):
		return &flaw{i, "bias", fmt.Sprintf("label %q: bias %v is not a number", l.Name, l.Bias)}
	}
	return nil
}

func (l Label) checkName(i int) *flaw {
	if l.Name == "" {
		return &flaw{i, "name", "a label has no name"}
	}
	if err := checkText(l.Name); err != nil {
		return &flaw{i, "name", fmt.Sprintf("label %q: its name %v", short(l.Name), err)}
	}
	if !hasParts(l.Name) {
		return &flaw{i, "name", fmt.Sprintf("label %q: a part of its name is empty or starts or ends with a space", l.Name)}
	}
	return nil
}

// hasParts reports whether no part of a path is empty or has spaces around it.
func hasParts(path string) bool {
	for part := range strings.SplitSeq(path, "|") {
		if part == "" || part != strings.TrimSpace(part) {
			return false
		}
	}
	return true
}

// checkParents refuses labels that are above themselves, which would send
// whoever walks up the tree round for ever.
func (s Set) checkParents() *flaw {
	parents := make(map[string]string, len(s.Labels))
	for _, l := range s.Labels {
		if l.Parent != "" {
			parents[fold(l.Name)] = fold(l.Parent)
		}
	}
	// Chains known to end are not walked again, so the whole check is linear.
	ends := make(map[string]bool, len(parents))
	for i, l := range s.Labels {
		var chain []string
		on := make(map[string]bool)
		for name := fold(l.Name); parents[name] != "" && !ends[name]; name = parents[name] {
			if on[name] {
				return &flaw{i, "parent", fmt.Sprintf("label %q is its own ancestor by way of its parent %q", l.Name, l.Parent)}
			}
			on[name] = true
			chain = append(chain, name)
		}
		for _, name := range chain {
			ends[name] = true
		}
	}
	return nil
}

func checkTexts(i int, key string, texts []string) *flaw {
	if len(texts) > maxTexts {
		return &flaw{i, key, fmt.Sprintf("more than %d %s", maxTexts, key)}
	}
	for _, t := range texts {
		err := checkText(t)
		if err == nil && strings.TrimSpace(t) == "" {
			err = fmt.Errorf("is empty")
		}
		if err != nil {
			return &flaw{i, key, fmt.Sprintf("%q among the %s %v", short(t), key, err)}
		}
	}
	return nil
}

// short cuts what is quoted in an error: a file that is no list of labels may
// be one line.
func short(s string) string {
	const most = 60 // bytes
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// checkText refuses what would break a terminal line or a metadata field.
func checkText(s string) error {
	if len(s) > maxText {
		return fmt.Errorf("is longer than %d bytes", maxText)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("is not UTF-8")
	}
	for _, r := range s {
		// Cc, and the line and paragraph separators.
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) {
			return fmt.Errorf("has the control character %U", r)
		}
	}
	return nil
}

// fold maps names that differ only in case to one string: every letter becomes
// the smallest of its case orbit (simple folding, as strings.EqualFold).
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}
