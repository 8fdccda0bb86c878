package tokenize

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A normalizer rewrites text before it is cut into pieces.
type normalizer func(text string) string

// sequence runs normalizers in turn; nil ones are left out.
func sequence(list ...normalizer) normalizer {
	return func(text string) string {
		for _, n := range list {
			if n != nil {
				text = n(text)
			}
		}
		return text
	}
}

// parseNormalizer reads the normalizer of a tokenizer.json. It returns nil for
// none.
func parseNormalizer(raw json.RawMessage) (normalizer, error) {
	var n struct {
		Type        string
		Normalizers []json.RawMessage
		Pattern     json.RawMessage
		Content     string
		StripLeft   bool   `json:"strip_left"`
		StripRight  bool   `json:"strip_right"`
		Charsmap    []byte `json:"precompiled_charsmap"` // base64
		Prepend     string
	}
	if isNull(raw) {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, err
	}
	switch n.Type {
	case "Sequence":
		list := make([]normalizer, len(n.Normalizers))
		for i, raw := range n.Normalizers {
			var err error
			if list[i], err = parseNormalizer(raw); err != nil {
				return nil, err
			}
		}
		return sequence(list...), nil
	case "Replace":
		return parseReplace(n.Pattern, n.Content)
	case "Precompiled":
		return parseCharsmap(n.Charsmap)
	case "Lowercase":
		return lower, nil
	case "Strip":
		return strip(n.StripLeft, n.StripRight), nil
	case "Prepend":
		return func(text string) string {
			if text == "" {
				return ""
			}
			return n.Prepend + text
		}, nil
	case "NFC":
		return unicodeForm(norm.NFC, norm.NFD, true), nil
	case "NFD":
		return unicodeForm(norm.NFD, norm.NFD, false), nil
	case "NFKC":
		return unicodeForm(norm.NFKC, norm.NFKD, true), nil
	case "NFKD":
		return unicodeForm(norm.NFKD, norm.NFKD, false), nil
	}
	return nil, fmt.Errorf("unknown type %q", n.Type)
}

func parseReplace(pattern json.RawMessage, content string) (normalizer, error) {
	literal, re, err := parsePattern(pattern)
	if err != nil {
		return nil, err
	}
	if re == nil {
		return func(text string) string { return strings.ReplaceAll(text, literal, content) }, nil
	}
	return func(text string) string {
		if !re.MatchString(text) { // the usual case, and it costs no memory
			return text
		}
		return re.ReplaceAllLiteralString(text, content)
	}, nil
}

func strip(left, right bool) normalizer {
	return func(text string) string {
		if left {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		}
		if right {
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		}
		return text
	}
}

// lower maps every character for itself, as the Lowercase normalizer does. So Σ
// is σ at the end of a word as well, where Python's str.lower has ς; and İ is
// an i with a dot above, where Go's mapping of single characters drops the dot.
func lower(text string) string {
	return strings.ToLower(strings.ReplaceAll(text, "İ", "i\u0307"))
}

// canonical is what SigLIP's tokenizer class does to text before SentencePiece
// sees it: lower-case it, delete ASCII punctuation, make every run of white
// space one space and take off those at the ends. Its ▁ counts as white space.
// (transformers, SiglipTokenizer.canonicalize_text)
func canonical(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	gap := false
	for _, r := range lower(text) {
		switch {
		case r == metaspaceRune || isSpace(r):
			gap = b.Len() > 0
		case isPunctuation(r):
		default:
			if gap {
				b.WriteByte(' ')
				gap = false
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isSpace is Python's str.isspace, which has four control characters more than
// Unicode's White_Space.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// isPunctuation is Python's string.punctuation.
func isPunctuation(r rune) bool {
	return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
}

// squeeze is SentencePiece's remove_extra_whitespaces: no spaces at the ends,
// no two in a row.
func squeeze(text string) string {
	text = strings.Trim(text, " ")
	if strings.Contains(text, "  ") {
		text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }), " ")
	}
	return text
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
