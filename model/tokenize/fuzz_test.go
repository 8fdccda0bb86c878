package tokenize

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// slowUnigram is the definition: of all ways to cut a text into pieces, found
// by trying every stretch of it, with a map instead of a trie.
type slowUnigram struct {
	ids     map[string]int32
	scores  []float64
	unknown int32
	penalty float64
}

func newSlowUnigram(pieces []piece, unknown int32) *slowUnigram {
	s := &slowUnigram{ids: map[string]int32{}, unknown: unknown, penalty: math.Inf(1)}
	for i, p := range pieces {
		s.ids[string(p.text)] = int32(i)
		s.scores = append(s.scores, p.score)
		s.penalty = min(s.penalty, p.score-10)
	}
	return s
}

var byteSpelling = regexp.MustCompile(`^<0x[0-9A-F]{2}>$`)

func (s *slowUnigram) piece(word string) (int32, bool) {
	id, ok := s.ids[word]
	return id, ok && id != s.unknown && !byteSpelling.MatchString(word)
}

// words is the best way to cut text.
func (s *slowUnigram) words(text string) (words []string) {
	runes := []rune(text)
	score := make([]float64, len(runes)+1)
	from := make([]int, len(runes)+1)
	for end := 1; end <= len(runes); end++ {
		score[end] = math.Inf(-1)
		for start := range end {
			gain := s.penalty
			if id, ok := s.piece(string(runes[start:end])); ok {
				gain = s.scores[id]
			} else if end-start > 1 {
				continue
			}
			if score[start]+gain > score[end] {
				score[end], from[end] = score[start]+gain, start
			}
		}
	}
	for end := len(runes); end > 0; end = from[end] {
		words = append(words, string(runes[from[end]:end]))
	}
	slices.Reverse(words)
	return words
}

func (s *slowUnigram) encode(text string) (ids []int32) {
	_, hasBytes := s.ids["<0xFF>"]
	known := true
	for _, word := range s.words(text) {
		id, ok := s.piece(word)
		switch {
		case ok:
			ids = append(ids, id)
		case hasBytes:
			for _, b := range []byte(word) {
				const hex = "0123456789ABCDEF"
				ids = append(ids, s.ids["<0x"+hex[b>>4:b>>4+1]+hex[b&15:b&15+1]+">"])
			}
		case known:
			ids = append(ids, s.unknown)
		}
		known = ok
	}
	return ids
}

var (
	punctuation = regexp.MustCompile("[!\"#$%&'()*+,./:;<=>?@\\[\\]\\\\^_`{|}~-]")
	whiteSpace  = regexp.MustCompile(`[\x{09}-\x{0d}\x{1c}-\x{1f}\x{85}\pZ]+`)
	specials    = regexp.MustCompile(`<(/s|unk|pad)>`)
)

// slowCanonical is canonical, one step after the other.
func slowCanonical(text string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(text, "▁", " ") {
		if r == 'İ' {
			b.WriteString("i\u0307")
		} else {
			b.WriteString(strings.ToLower(string(r)))
		}
	}
	text = punctuation.ReplaceAllString(b.String(), "")
	return strings.Trim(whiteSpace.ReplaceAllString(text, " "), " ")
}

// subject is a tokenizer and the slow one that it must agree with.
type subject struct {
	Tokenizer
	slow     *slowUnigram
	charsmap normalizer
}

func newSubject(t testing.TB, dir string) subject {
	f, err := parseFile(read(t, dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := subject{openFolder(t, dir, 16), newSlowUnigram(f.pieces, f.unknown), nil}
	if strings.Contains(string(f.normalizer), "Precompiled") {
		if s.charsmap, err = parseNormalizer(f.normalizer); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// encode is the slow way; ok tells that it has an opinion on the text.
func (s subject) encode(text string) (ids []int32, ok bool) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > 300 || specials.MatchString(text) {
		return nil, false // it takes too long, or added tokens are not its matter
	}
	clean := slowCanonical(text)
	switch {
	case s.charsmap != nil:
		clean = strings.Join(strings.FieldsFunc(s.charsmap(clean), func(r rune) bool { return r == ' ' }), " ")
	case strings.ContainsAny(text, "\x1c\x1d\x1e\x1f▁"):
		return nil, false // the starter's own patterns do not count these as white space
	}
	if clean != "" {
		clean = "▁" + strings.ReplaceAll(clean, " ", "▁")
	}
	return s.slow.encode(clean), true
}

// FuzzEncode: any bytes give a full row of ids of the vocabulary, the same as
// the slow way gives.
func FuzzEncode(f *testing.F) {
	for _, text := range []string{
		"", " ", "a photo of a cat", "Zürich — été à la plage", "海辺の夕日の写真 привет 😀", "a </s> b", "</s>", "<unk><unk>",
		"\xff\xfe", "a\x00b", "▁▁", "zzzzzz", "İΣς", "e\u0301\u200d\ufeff", "<0x41>", strings.Repeat("ab ", 90),
	} {
		f.Add(text)
	}
	subjects := []subject{newSubject(f, "../../assets/starter"), newSubject(f, goldenDir+"hf/siglip-bicubic")}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range subjects {
			got, cut := s.Encode(text)
			checkRow(t, s, got, 16)
			want, ok := s.encode(text)
			if !ok {
				continue
			}
			if c := max(0, len(want)-15); c != cut {
				t.Fatalf("%q: %d pieces cut, want %d", text, cut, c)
			}
			if want = padded(append(want[:min(15, len(want))], 1), 16, 1); !slices.Equal(got, want) {
				t.Fatalf("%q:\n got %v\nwant %v", text, got, want)
			}
		}
	})
}

func checkRow(t *testing.T, tok Tokenizer, ids []int32, length int) {
	t.Helper()
	if len(ids) != length {
		t.Fatalf("%d ids instead of %d", len(ids), length)
	}
	for _, id := range ids {
		if id < 0 || int(id) >= tok.VocabSize() {
			t.Fatalf("id %d is outside the vocabulary of %d", id, tok.VocabSize())
		}
	}
}

// FuzzParse: a broken tokenizer.json gives an error or a tokenizer that keeps
// its promise.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"siglip-so400m-like", "siglip2-naflex", "clip-gelu"} {
		f.Add(read(f, goldenDir, "hf", dir, "tokenizer.json"), read(f, goldenDir, "hf", dir, "tokenizer_config.json"), "a photo of a cat")
	}
	for _, c := range badFiles {
		f.Add([]byte(c.tokenizer), []byte(c.config), "A <b></b> c")
	}
	f.Fuzz(func(t *testing.T, tokenizer, config []byte, text string) {
		tok, err := parseJSON(tokenizer, config, Options{Length: 8})
		if err != nil {
			return
		}
		ids, cut := tok.Encode(text)
		checkRow(t, tok, ids, 8)
		if cut < 0 {
			t.Fatalf("%d pieces cut", cut)
		}
	})
}

// FuzzSentencePiece: a broken spiece.model gives an error or a tokenizer that
// keeps its promise.
func FuzzSentencePiece(f *testing.F) {
	f.Add(read(f, goldenDir, "hf/siglip-bicubic/spiece.model"), []byte(`{"tokenizer_class":"SiglipTokenizer","pad_token":"</s>"}`), "Zürich 饭 <unk>")
	for _, model := range []string{
		"\x0a\x05\x0a\x01a\x18\x02\x0a\x08\x0a\x01b\x15\x00\x00\x80\xbf\x12\x03\xd0\x02\x01",
		"\x0a\x05\x0a\x01a\x18\x02\x0a\x08\x0a\x01b\x15\x00\x00\x80\xbf\x0a\x05\x0a\x01\x0a\x18\x04\x12\x05\x18\x02\xd0\x02\x01\x1a\x04\x18\x00\x20\x00",
	} {
		f.Add([]byte(model), []byte(`{}`), "a b\nab")
	}
	f.Fuzz(func(t *testing.T, model, config []byte, text string) {
		tok, err := Load(memory(map[string][]byte{"spiece.model": model, "tokenizer_config.json": config}), Options{Length: 8})
		if err != nil {
			return
		}
		ids, cut := tok.Encode(text)
		checkRow(t, tok, ids, 8)
		if cut < 0 {
			t.Fatalf("%d pieces cut", cut)
		}
	})
}

// FuzzUnicode: the slow way through Unicode's forms agrees with the library
// where that has no limit.
func FuzzUnicode(f *testing.F) {
	for _, text := range []string{"e\u0301\u0323x", "q\u0307\u0323\u0307", "\u1e9b\u0323", "\uac00\u11a8", "\u1100\u1161\u11a8", "\u0344\u0f77\u2126\ufb01", "\u0958 \u0915\u093c", "o\u0313\u0301"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		if longRun(text) || strings.Contains(text, "\u034f") {
			return
		}
		for i, form := range []norm.Form{norm.NFC, norm.NFKC} {
			decomposed := []norm.Form{norm.NFD, norm.NFKD}[i]
			runes, classes := decompose(text, decomposed)
			if got, want := string(runes), decomposed.String(text); got != want {
				t.Fatalf("%+q: taken apart %+q, want %+q", text, got, want)
			}
			if got, want := string(recompose(runes, classes)), form.String(text); got != want {
				t.Fatalf("%+q: %+q, want %+q", text, got, want)
			}
		}
	})
}

// FuzzCharsmap: a broken table reads nothing outside itself.
func FuzzCharsmap(f *testing.F) {
	file, err := parseFile(read(f, goldenDir, "hf/siglip-bicubic/tokenizer.json"))
	if err != nil {
		f.Fatal(err)
	}
	var n struct {
		Normalizers []struct {
			Charsmap []byte `json:"precompiled_charsmap"`
		}
	}
	if err := json.Unmarshal(file.normalizer, &n); err != nil {
		f.Fatal(err)
	}
	for _, n := range n.Normalizers {
		f.Add(n.Charsmap, "ＡＢＣ\u3000e\u0301ﬁ")
	}
	f.Add([]byte{4, 0, 0, 0, 0, 1, 0, 0x80}, "a")
	f.Fuzz(func(t *testing.T, table []byte, text string) {
		if normalize, err := parseCharsmap(table); err == nil && normalize != nil {
			normalize(text)
		}
	})
}
