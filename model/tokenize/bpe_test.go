package tokenize

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// slowBPE is the definition: look at all neighbours, join the best, again.
type slowBPE struct {
	ids     map[string]int32
	ranks   map[[2]string]int // of the pairs of a list of merges
	scores  map[string]float64
	unknown int32
	fuse    bool
	suffix  string
}

func (s *slowBPE) rank(left, right string) float64 {
	_, a := s.ids[left]
	_, b := s.ids[right]
	if s.scores != nil {
		if score, ok := s.scores[left+right]; ok {
			return -score
		}
	} else if rank, ok := s.ranks[[2]string{left, right}]; ok && a && b {
		return float64(rank)
	}
	return math.Inf(1)
}

func (s *slowBPE) encode(word string) (ids []int32) {
	if word == "" {
		return nil
	}
	parts := strings.Split(word, "")
	parts[len(parts)-1] += s.suffix
	for {
		best, at := math.Inf(1), -1
		for i := range len(parts) - 1 {
			if r := s.rank(parts[i], parts[i+1]); r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			break
		}
		parts = slices.Replace(parts, at, at+2, parts[at]+parts[at+1])
	}
	known := true
	for _, p := range parts {
		id, ok := s.ids[p]
		_, hasBytes := s.ids["<0xFF>"]
		switch {
		case ok:
			ids = append(ids, id)
		case hasBytes:
			for _, b := range []byte(p) {
				ids = append(ids, s.ids[fmt.Sprintf("<0x%02X>", b)])
			}
		case known || !s.fuse:
			ids = append(ids, s.unknown)
		}
		known = ok
	}
	return ids
}

// bpePairs are models with the slow ones that they must agree with: merges with
// bytes for the unknown, merges with an end of words, scores.
func bpePairs(t testing.TB) (fast []*bpe, slow []*slowBPE) {
	for _, family := range []string{"siglip2-naflex", "clip-gelu"} {
		f, err := parseFile(read(t, goldenDir, "hf", family, "tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := newMergedBPE(f)
		if err != nil {
			t.Fatal(err)
		}
		s := &slowBPE{ids: map[string]int32{}, ranks: map[[2]string]int{}, unknown: b.unknown, fuse: f.fuse, suffix: f.suffix}
		for id, p := range f.pieces {
			s.ids[string(p.text)] = int32(id)
		}
		var merges [][2]string
		if err := json.Unmarshal(f.merges, &merges); err != nil {
			t.Fatal(err)
		}
		for rank, m := range merges {
			s.ranks[m] = rank
		}
		fast, slow = append(fast, b), append(slow, s)
	}
	pieces := []piece{{[]byte("?"), 0, unknownPiece}, {[]byte("ab"), 0, controlPiece}}
	s := &slowBPE{ids: map[string]int32{"?": 0, "ab": 1}, scores: map[string]float64{}, fuse: true}
	for i, text := range []string{"a", "b", "c", "aa", "bc", "aaa", "abc", "cb", "ca", "bca", "caa", "é", "éé", "xy", "▁a", "▁"} {
		score := -float64(i * 7 % 5) // with equals
		pieces = append(pieces, piece{[]byte(text), score, normalPiece})
		s.ids[text], s.scores[text] = int32(i+2), score
	}
	b, err := newRankedBPE(pieces, 0)
	if err != nil {
		t.Fatal(err)
	}
	return append(fast, b), append(slow, s)
}

// FuzzBPE: the heap and the hash table find what looking at everything finds.
func FuzzBPE(f *testing.F) {
	for _, word := range []string{"", "a", "aaaaaaa", "abcabcaabbcc", "éééxyx", "a▁photo▁of▁a▁cat", "photoofthebeach", "zürich", "海辺の夕日の写真", "\x00\U0010ffff"} {
		f.Add(word)
	}
	fast, slow := bpePairs(f)
	f.Fuzz(func(t *testing.T, word string) {
		word = strings.ToValidUTF8(word, "\uFFFD")
		if len(word) > 300 {
			return // the slow way takes too long
		}
		for i := range fast {
			got, want := fast[i].encode(nil, word), slow[i].encode(word)
			if !slices.Equal(got, want) {
				t.Fatalf("model %d, %q:\n got %v\nwant %v", i, word, got, want)
			}
		}
	})
}

// bpeFile makes a tokenizer.json with a small vocabulary.
func bpeFile(sections, model string) string {
	return `{` + sections + `"model":{"type":"BPE",` + model + `"vocab":{"?":0,"a":1,"b":2,"c":3,"ab":4,"abc":5,"bc":6," ":7}}}`
}

const bpeMerges = `"unk_token":"?","merges":["a b","ab c","b c"],`

func TestBPESections(t *testing.T) {
	const split = `"pre_tokenizer":{"type":"Split","pattern":{"String":"c"},"behavior":"%s","invert":%s},`
	for _, c := range []struct {
		sections, model, text string
		want                  []int32
	}{
		{``, bpeMerges, "abcbc", []int32{5, 6}},
		{``, `"unk_token":"?","merges":[["b","c"],["a","b"],["ab","c"]],`, "abcbc", []int32{1, 6, 6}},
		{``, `"unk_token":"?","merges":[["a","b"],["a","bc"]],`, "abc", []int32{4, 3}}, // "abc" has no merge of ab and c
		{``, `"unk_token":"?","merges":["a b","b c","ab c"],`, "abc", []int32{5}},      // b is gone when b c comes up
		{``, bpeMerges, "xyaz", []int32{0, 0, 1, 0}},
		{``, `"fuse_unk":true,` + bpeMerges, "xyaz", []int32{0, 1, 0}},
		{fmt.Sprintf(split, "Removed", "false"), bpeMerges, "abcbcc", []int32{4, 2}},
		{fmt.Sprintf(split, "Removed", "true"), bpeMerges, "abcbcc", []int32{3, 3, 3}},
		{fmt.Sprintf(split, "MergedWithPrevious", "false"), bpeMerges, "cabccbc", []int32{3, 5, 3, 6}},
		{`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"c*"},"behavior":"Removed"},`, bpeMerges, "abccbxc", []int32{4, 2, 0}},
		{`"post_processor":{"type":"BertProcessing","cls":["a",1],"sep":["b",2]},`, bpeMerges, "c", []int32{1, 3, 2}},
		{`"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"RobertaProcessing","cls":["a",1],"sep":["b",2]}]},`, bpeMerges, "c", []int32{1, 3, 2}},
	} {
		tok := mustParse(t, []byte(bpeFile(c.sections, c.model)), []byte(`{"pad_token":" "}`), 8)
		if got, _ := tok.Encode(c.text); !slices.Equal(got, padded(c.want, 8, 7)) {
			t.Errorf("%s %s %q:\n got %v\nwant %v", c.sections, c.model, c.text, got, c.want)
		}
	}
}

func TestBadBPE(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{bpeFile("", `"merges":[],`), "neither an unknown token"},
		{bpeFile("", `"unk_token":"x","merges":[],`), `no unk_token "x"`},
		{bpeFile("", `"unk_token":"?",`), "merges: JSON at byte 0"},
		{bpeFile("", `"unk_token":"?","merges":["a b","c a"],`), `merges: merge 1 makes "ca", which the vocabulary does not have`},
		{bpeFile("", `"unk_token":"?","merges":["ab"],`), `"ab" are not two pieces`},
		{bpeFile("", `"unk_token":"?","merges":["a b c"],`), `"a b c" are not two pieces`},
		{bpeFile("", `"unk_token":"?","merges":[["a","b","c"]],`), "3 pieces instead of two"},
		{bpeFile("", `"unk_token":"?","merges":[1],`), "'[' belongs here"},
		{bpeFile("", `"unk_token":"?","merges":{},`), "'[' belongs here"},
		{bpeFile("", `"dropout":0.1,`+bpeMerges), "dropout 0.1 makes ids random"},
		{bpeFile("", `"ignore_merges":true,`+bpeMerges), "ignore_merges is not supported"},
		{bpeFile("", `"continuing_subword_prefix":"##",`+bpeMerges), `continuing_subword_prefix "##" is not supported`},
		{bpeFile(`"pre_tokenizer":{"type":"Split","pattern":{"String":"c"},"behavior":"Isolated"},`, bpeMerges), `behavior "Isolated" is not supported`},
		{bpeFile(`"pre_tokenizer":{"type":"Split","behavior":"Removed"},`, bpeMerges), "pattern: "},
		{bpeFile(`"post_processor":{"type":"BertProcessing","cls":["a",1]},`, bpeMerges), "cls or sep is no pair"},
		{bpeFile(`"post_processor":{"type":"BertProcessing","cls":["a",1],"sep":["a","b"]},`, bpeMerges), "post_processor: "},
		{`{"model":{"type":"BPE","unk_token":"a","vocab":{"a":0,"b":0},"merges":[]}}`, `"a" and "b" have the same id 0`},
		{`{"model":{"type":"BPE","unk_token":"a","vocab":{"a":0,"b":1000000000},"merges":[]}}`, "2 pieces with ids up to 1000000000"},
		{`{"model":{"type":"BPE","unk_token":"a","vocab":{"a":-1},"merges":[]}}`, "-1 is no id"},
		{`{"model":{"type":"BPE","unk_token":"a","vocab":{"a":0.5},"merges":[]}}`, "0.5 is no id"},
		{`{"model":{"type":"BPE","unk_token":"a","vocab":{"a":1e300},"merges":[]}}`, "is no id"},
	} {
		_, err := parseJSON([]byte(c.file), []byte(`{"pad_token":"a"}`), Options{Length: 8})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\nerror %v, want %s", c.file, err, c.want)
		}
	}
}

// Once "ab" is made, the pair "b" "c" is no more and must leave no trace.
func TestBPEStalePair(t *testing.T) {
	tok := mustParse(t, []byte(`{"model":{"type":"BPE","unk_token":"?","merges":["a b","b c","d e","c de"],
		"vocab":{"?":0,"a":1,"b":2,"c":3,"d":4,"e":5,"ab":6,"bc":7,"de":8,"cde":9}}}`), []byte(`{"pad_token":"?"}`), 4)
	check(t, tok, "abcde", []int32{6, 9, 0, 0})
}

// An id that no piece has is allowed, and an empty piece cannot be found.
func TestBPEHoles(t *testing.T) {
	file := `{"model":{"type":"BPE","unk_token":"?","merges":[],"vocab":{"?":0,"a":5,"":2}}}`
	tok := mustParse(t, []byte(file), []byte(`{"pad_token":"?"}`), 4)
	check(t, tok, "ba", []int32{0, 5, 0, 0})
	if tok.VocabSize() != 6 {
		t.Errorf("vocabulary of %d", tok.VocabSize())
	}
	if _, err := parseJSON([]byte(file), []byte(`{"pad_token":"b"}`), Options{Length: 4}); err == nil {
		t.Error("a hole was taken for a token")
	}
}

// The cuts are those of GPT-2's pattern, as Python's regex module makes them.
func TestByteLevel(t *testing.T) {
	for text, want := range map[string][]string{
		"":                  nil,
		"Hello world":       {"Hello", "Ġworld"},
		"a  b":              {"a", "Ġ", "Ġb"},
		"a   ":              {"a", "ĠĠĠ"},
		"a\n\nb":            {"a", "Ċ", "Ċ", "b"},
		"it's we'll I'Md":   {"it", "'s", "Ġwe", "'ll", "ĠI", "'", "Md"},
		"x12 !? é\u00a0":    {"x", "12", "Ġ!?", "ĠÃ©", "Âł"},
		"\u3000a\t b":       {"ãĢĢ", "a", "ĉ", "Ġb"},
		"\x00\u00ad":        {"ĀÂŃ"},
		"<|startoftext|>a_": {"<|", "startoftext", "|>", "a", "_"},
	} {
		if got := (byteLevel{split: true}).cut(nil, text, true); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := (byteLevel{prefixSpace: true}).cut(nil, "a b", true); !slices.Equal(got, []string{"ĠaĠb"}) {
		t.Errorf("with a space before: %q", got)
	}
}
