package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// parsePattern reads {"String": …} or {"Regex": …}; of the results one is set.
func parsePattern(raw json.RawMessage) (literal string, re *regexp.Regexp, err error) {
	var p struct{ String, Regex *string }
	if err := json.Unmarshal(raw, &p); err != nil {
		return "", nil, fmt.Errorf("pattern: %w", err)
	}
	switch {
	case p.Regex != nil:
		re, err = compilePattern(*p.Regex)
		return "", re, err
	case p.String != nil && *p.String != "":
		return *p.String, nil, nil
	}
	return "", nil, errors.New("pattern: neither String nor Regex")
}

// unicodeClass has Oniguruma's meaning of classes that are ASCII in Go.
var unicodeClass = map[byte]string{
	's': `\t-\r\x{85}\p{Z}`,
	'd': `\p{Nd}`,
	'w': `\p{L}\p{M}\p{N}\p{Pc}`,
}

// compilePattern translates a regular expression of the Oniguruma library,
// which tokenizer.json files are written for, to Go's. What has another meaning
// in Go or none is refused: a wrong cut would give wrong numbers unnoticed.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	refuse := func(what string) (*regexp.Regexp, error) {
		return nil, fmt.Errorf("pattern %q: %s is not supported", pattern, what)
	}
	var b strings.Builder
	b.WriteString("(?m)") // Oniguruma's ^ and $ are always those of a line
	inClass := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '[' && inClass:
			return refuse("a class inside a class")
		case c == '[' || c == ']':
			inClass = c == '['
			b.WriteByte(c)
		case c == '&' && inClass && strings.HasPrefix(pattern[i:], "&&"):
			return refuse("&&")
		case c == '\\' && i+1 < len(pattern):
			i++
			e := pattern[i]
			class, isClass := unicodeClass[e|0x20]
			switch {
			case isClass && e >= 'a' && inClass:
				b.WriteString(class)
			case isClass && e >= 'a':
				b.WriteString("[" + class + "]")
			case isClass && !inClass:
				b.WriteString("[^" + class + "]")
			case isClass, strings.IndexByte("bBhH", e) >= 0:
				return refuse(`\` + string(e))
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return re, nil
}
