package tokenize

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// unigramFile makes a tokenizer.json with the pieces <pad> </s> <unk> and some
// more, and other sections.
func unigramFile(sections string) string {
	return `{` + sections + `"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}],
		"special_tokens":{"</s>":{"id":"</s>","ids":[1]}}},
		"model":{"type":"Unigram","unk_id":2,"vocab":[["<pad>",0],["</s>",0],["<unk>",0],["▁",-1],["▁a",-2],["a",-3],["b",-3],["c",-3],["\u00e9",-3],["ab",-4]]}}`
}

const eosConfig = `{"pad_token":"</s>"}`

var badFiles = []struct {
	name, tokenizer, config, want string
}{
	{"empty", ``, `{}`, "read tokenizer.json: JSON at byte 0: '{' belongs here"},
	{"no JSON", `{"model":`, `{}`, "belongs here"},
	{"cut off", unigramFile("")[:300], `{}`, "read tokenizer.json: JSON at byte 300"},
	{"more", unigramFile("") + "x", `{}`, "goes on after its end"},
	{"no model", `{}`, `{}`, "there is no vocabulary"},
	{"no vocabulary", `{"model":{"type":"Unigram","vocab":[]}}`, `{}`, "there is no vocabulary"},
	{"kind", `{"model":{"type":"WordPiece","vocab":[["a",0]]}}`, `{}`, `a model of type "WordPiece" is not supported`},
	{"kind is missing", `{"model":{"vocab":[["a",0]]}}`, `{}`, `a model of type "" is not supported`},
	{"score", `{"model":{"type":"Unigram","vocab":[["a","b"]]}}`, `{}`, "a number belongs here"},
	{"score overflows", `{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",1e999]]}}`, `{}`, "a number belongs here"},
	{"escape", `{"model":{"type":"Unigram","vocab":[["\x",0]]}}`, `{}`, "JSON at byte"},
	{"no unknown", `{"model":{"type":"Unigram","vocab":[["a",0]]}}`, `{}`, "neither an unknown token nor pieces for all 256 bytes"},
	{"unknown outside", `{"model":{"type":"Unigram","unk_id":1,"vocab":[["a",0]]}}`, `{}`, "unk_id 1 is outside the vocabulary of 1"},
	{"unknown negative", `{"model":{"type":"Unigram","unk_id":-5,"vocab":[["a",0]]}}`, `{}`, "neither an unknown"},
	{"unknown is text", `{"model":{"type":"Unigram","unk_id":"a","vocab":[["a",0]]}}`, `{}`, "model: unk_id: "},
	{"normalizer", unigramFile(`"normalizer":{"type":"Magic"},`), `{}`, `normalizer: unknown type "Magic"`},
	{"normalizer in a sequence", unigramFile(`"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Magic"}]},`), `{}`, `normalizer: unknown type "Magic"`},
	{"normalizer is a list", unigramFile(`"normalizer":[],`), `{}`, "normalizer: "},
	{"look ahead", unigramFile(`"normalizer":{"type":"Replace","pattern":{"Regex":"a(?!b)"},"content":""},`), `{}`, `pattern "a(?!b)"`},
	{"word boundary", unigramFile(`"normalizer":{"type":"Replace","pattern":{"Regex":"\\bx"},"content":""},`), `{}`, `\b is not supported`},
	{"no pattern", unigramFile(`"normalizer":{"type":"Replace","pattern":{},"content":""},`), `{}`, "neither String nor Regex"},
	{"charsmap", unigramFile(`"normalizer":{"type":"Precompiled","precompiled_charsmap":"//8AAAA="},`), `{}`, "precompiled_charsmap: a trie of 65535 bytes in 1"},
	{"charsmap cut off", unigramFile(`"normalizer":{"type":"Precompiled","precompiled_charsmap":"//8A"},`), `{}`, "precompiled_charsmap: it is cut off"},
	{"pre-tokenizer", unigramFile(`"pre_tokenizer":{"type":"Magic"},`), `{}`, `pre_tokenizer: unknown type "Magic"`},
	{"scheme", unigramFile(`"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"x"},`), `{}`, `unknown prepend_scheme "x"`},
	{"no replacement", unigramFile(`"pre_tokenizer":{"type":"Metaspace"},`), `{}`, "replacement is missing"},
	{"post-processor", `{"post_processor":{"type":"Magic"},"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0]]}}`, `{}`, `post_processor: unknown type "Magic"`},
	{"template", `{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}]},"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0]]}}`, `{}`, `special token "x" is not explained`},
	{"template id", `{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{"x":{"ids":[7]}}},"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0]]}}`, `{"pad_token":"a"}`, "id 7 is outside the vocabulary of 1"},
	{"long frame", `{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{"x":{"ids":[0,0,0,0,0,0,0,0,0]}}},"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0]]}}`, `{"pad_token":"a"}`, "a length of 8 ids has no room for the 9"},
	{"added token", unigramFile(`"added_tokens":[{"id":-1,"content":"x"}],`), `{}`, `added_tokens: "x" has the id -1`},
	{"added token 2^40", unigramFile(`"added_tokens":[{"id":1099511627776,"content":"x"}],`), `{}`, `added_tokens: "x" has the id 1099511627776`},
	{"added tokens", unigramFile(`"added_tokens":{},`), `{}`, "added_tokens: "},
	{"pad token", unigramFile(""), `{"pad_token":"<nil>"}`, `the vocabulary has no pad_token "<nil>"`},
	{"eos token", `{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0]]}}`, `{"eos_token":"x","tokenizer_class":"SiglipTokenizer"}`, `the vocabulary has no eos_token "x"`},
	{"no padding", `{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0]]}}`, `{}`, "no padding token"},
	{"padding id", unigramFile(`"padding":{"pad_id":10},`), `{}`, "id 10 is outside the vocabulary of 10"},
	{"configuration", unigramFile(""), `[]`, "read tokenizer_config.json: "},
}

func TestBadFile(t *testing.T) {
	for _, c := range badFiles {
		_, err := parseJSON([]byte(c.tokenizer), []byte(c.config), Options{Length: 8})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want %q", c.name, err, c.want)
		}
	}
	for _, length := range []int{0, -1} {
		if _, err := parseJSON([]byte(unigramFile("")), nil, Options{Length: length}); err == nil || !strings.Contains(err.Error(), "no room") {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

// Each file's sections do what they say to a text; 8 ids, padding not shown.
func TestSections(t *testing.T) {
	const metaspace = `"pre_tokenizer":{"type":"Metaspace","replacement":"▁"},`
	for _, c := range []struct {
		sections, config, text string
		want                   []int32
	}{
		{``, eosConfig, "abc", []int32{9, 7, 1}},
		{``, eosConfig, "xyz", []int32{2, 1}}, // unknown characters fuse
		{``, eosConfig, "xay", []int32{2, 5, 2, 1}},
		{``, eosConfig, "<unk>", []int32{2, 1}}, // no piece of a text is spelt so
		{``, eosConfig, "abcabcabcabc", []int32{9, 7, 9, 7, 9, 7, 9, 1}},
		{metaspace, eosConfig, "a", []int32{4, 1}},
		{metaspace, eosConfig, "", []int32{1}},
		{metaspace, eosConfig, "a  a", []int32{4, 3, 4, 1}},
		{metaspace, eosConfig, "▁a", []int32{4, 1}},
		{`"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"never"},`, eosConfig, "a a", []int32{5, 4, 1}},
		{`"pre_tokenizer":{"type":"Metaspace","replacement":"▁","add_prefix_space":false},`, eosConfig, "a a", []int32{5, 4, 1}},
		{`"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"},"added_tokens":[{"id":1,"content":"</s>"}],`, eosConfig, "a</s>a", []int32{4, 1, 5, 1}},
		{`"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"},"added_tokens":[{"id":1,"content":"</s>"}],`, eosConfig, "</s>a", []int32{1, 5, 1}},
		{metaspace + `"added_tokens":[{"id":1,"content":"</s>"}],`, eosConfig, "a</s>a", []int32{4, 1, 4, 1}},
		{`"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁"}]},`, eosConfig, " a\t\u00a0a ", []int32{4, 4, 1}},
		{`"normalizer":{"type":"Lowercase"},`, eosConfig, "AbÉ", []int32{9, 8, 1}},
		{``, `{"pad_token":"</s>","do_lower_case":true}`, "AbÉ", []int32{9, 8, 1}},
		{`"normalizer":{"type":"NFC"},`, eosConfig, "e\u0301", []int32{8, 1}},
		{`"normalizer":{"type":"NFD"},`, eosConfig, "\u00e9a", []int32{2, 5, 1}},
		{`"normalizer":{"type":"NFKC"},`, eosConfig, "ａ", []int32{5, 1}},
		{`"normalizer":{"type":"NFKD"},`, eosConfig, "ａ", []int32{5, 1}},
		{`"normalizer":{"type":"Prepend","prepend":"b"},`, eosConfig, "a", []int32{6, 5, 1}},
		{`"normalizer":{"type":"Prepend","prepend":"b"},`, eosConfig, "", []int32{1}},
		{`"normalizer":{"type":"Strip","strip_left":true,"strip_right":false},`, eosConfig, " a ", []int32{5, 2, 1}},
		{`"normalizer":{"type":"Strip","strip_left":false,"strip_right":true},`, eosConfig, " a\u3000", []int32{2, 5, 1}},
		{`"normalizer":{"type":"Replace","pattern":{"String":"x."},"content":"a"},`, eosConfig, "x.xc", []int32{5, 2, 7, 1}},
		{`"normalizer":{"type":"Replace","pattern":{"Regex":"x."},"content":"$0a"},`, eosConfig, "x.c", []int32{2, 5, 7, 1}},
		{`"normalizer":{"type":"Replace","pattern":{"Regex":"\\s+"},"content":"a"},`, eosConfig, "\u00a0\u2003\u0085\v\tb", []int32{9, 1}},
		{`"normalizer":{"type":"Replace","pattern":{"Regex":"[^\\s]"},"content":"a"},`, eosConfig, "x\u00a0x", []int32{5, 2, 5, 1}},
		{`"normalizer":{"type":"Replace","pattern":{"Regex":"\\S|\\d"},"content":"a"},`, eosConfig, "٣ x", []int32{5, 2, 5, 1}},
		{`"normalizer":{"type":"Precompiled","precompiled_charsmap":""},`, eosConfig, "a", []int32{5, 1}},
		{`"normalizer":null,"pre_tokenizer":null,"padding":null,`, eosConfig, "a", []int32{5, 1}},
		{`"added_tokens":[{"id":2,"content":"<x>","lstrip":true,"rstrip":true}],`, eosConfig, "a  <x>\u3000b", []int32{5, 2, 6, 1}},
		{`"added_tokens":[{"id":2,"content":"<x>"},{"id":3,"content":"<x>y"}],`, eosConfig, "<x>y<x>a", []int32{3, 2, 5, 1}},
		{`"added_tokens":[{"id":3,"content":"b","single_word":true}],`, eosConfig, "ab b_b.b", []int32{9, 2, 6, 2, 6, 2, 3, 1}},
		{`"added_tokens":[{"id":3,"content":"B","normalized":true}],"normalizer":{"type":"Lowercase"},`, eosConfig, "aBbC", []int32{5, 3, 3, 7, 1}},
		{`"added_tokens":[{"id":3,"content":"B","normalized":false}],"normalizer":{"type":"Lowercase"},`, eosConfig, "aBbC", []int32{5, 3, 6, 7, 1}},
		{`"added_tokens":[{"id":12,"content":"<x>"}],`, eosConfig, "<x>", []int32{12, 1}},
		{`"added_tokens":[{"id":1,"content":"</s>"}],`, eosConfig, "a</s>", []int32{5, 1}}, // sticky
		{`"padding":{"pad_id":0},`, `{}`, "a", []int32{5, 1, 0, 0, 0, 0, 0, 0}},
		{`"padding":{"pad_id":0},`, `{"pad_token":{"content":"<unk>"}}`, "a", []int32{5, 1, 2, 2, 2, 2, 2, 2}},
		{``, `{"pad_token":null}`, "a", []int32{5, 1, 1, 1, 1, 1, 1, 1}},
		{``, `{"pad_token":"</s>","tokenizer_class":"SiglipTokenizerFast"}`, " A-b  \u00a0C▁a ", []int32{3, 9, 3, 7, 4, 1}},
		{``, `{"pad_token":"</s>","tokenizer_class":"SiglipTokenizer"}`, "\x1f\x1c", []int32{1}},
	} {
		tok := mustParse(t, []byte(unigramFile(c.sections)), []byte(c.config), 8)
		if got, _ := tok.Encode(c.text); !slices.Equal(got, padded(c.want, 8, 1)) {
			t.Errorf("%s %s %q:\n got %v\nwant %v", c.sections, c.config, c.text, got, c.want)
		}
	}
}

// An unknown character costs ten more than the worst piece: several poor pieces
// are better than one and a good piece.
func TestUnknownPenalty(t *testing.T) {
	file := `{"model":{"type":"Unigram","unk_id":0,"vocab":[["?",0],["xb",-4],["c",-4],["d",-4],["bcd",-1]]}}`
	tok := mustParse(t, []byte(file), []byte(`{"pad_token":"?"}`), 4)
	check(t, tok, "xbcd", []int32{1, 2, 3, 0})
	check(t, tok, "ybcd", []int32{0, 4, 0, 0})
}

// A table of two sequences, "a" and "ab": the longer one is replaced.
func TestCharsmap(t *testing.T) {
	units := make([]uint32, 0x301)
	unit := func(place, label, children uint32) { units[place] = label | 0x100 | (place^children)<<10 }
	units[0] = 0x100 << 10
	unit(0x161, 'a', 0x200)
	unit(0x262, 'b', 0x300)
	units[0x200], units[0x300] = 0x80000000, 0x80000002
	blob := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		blob = binary.LittleEndian.AppendUint32(blob, u)
	}
	normalize, err := parseCharsmap(append(blob, "x\x00yz\x00"...))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"": "", "c": "c", "a": "x", "ab": "yz", "aab": "xyz", "cabéa": "cyzéx", "b": "b"} {
		if got := normalize(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	tok := mustParse(t, []byte(unigramFile("")), nil, 3)
	for text, want := range map[string]int{"": 0, "c": 0, "cc": 0, "ccc": 1, strings.Repeat("c", 50): 48} {
		if ids, cut := tok.Encode(text); cut != want || len(ids) != 3 {
			t.Errorf("%q: %d pieces cut of %v, want %d", text, cut, ids, want)
		}
	}
	if tok.VocabSize() != 10 {
		t.Errorf("vocabulary of %d", tok.VocabSize())
	}
}

// Without a post-processor SigLIP's class still ends a text.
func TestSigLIPEnd(t *testing.T) {
	file := `{"model":{"type":"Unigram","unk_id":0,"vocab":[["?",0],["</s>",0],["a",-1]]}}`
	tok := mustParse(t, []byte(file), []byte(`{"tokenizer_class":"SiglipTokenizer","eos_token":{"content":"</s>"}}`), 4)
	check(t, tok, "a", []int32{0, 2, 1, 1})
}

// Texts are encoded by several goroutines at once; the race detector listens.
func TestConcurrent(t *testing.T) {
	tok := openFolder(t, goldenDir+"hf/siglip-bicubic", 64)
	want, _ := tok.Encode("Zürich — été à la plage")
	done := make(chan []int32)
	for range 4 {
		go func() {
			for range 50 {
				got, _ := tok.Encode("Zürich — été à la plage")
				done <- got
			}
		}()
	}
	for range 200 {
		if got := <-done; !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

func TestTrie(t *testing.T) {
	words := []string{"b", "", "a", "ab", "abc", "b", "ba", "\x00", "\xff\xff"}
	for c := range 40 { // a wide node
		words = append(words, "w"+string(rune('0'+c)))
	}
	var entries []entry
	for i, w := range words {
		entries = append(entries, entry{[]byte(w), int32(i)})
	}
	tr := newTrie(entries)
	for i, w := range words {
		value, length := tr.longest(w + "\x01")
		if w == "" || i == 0 { // left out; replaced by its second
			continue
		}
		if value != int32(i) || length != len(w) {
			t.Errorf("%q: %d of length %d", w, value, length)
		}
	}
	for _, w := range []string{"", "\x01", "c", "w\x01", "\xff"} {
		if value, length := tr.longest(w); value != -1 || length != 0 {
			t.Errorf("%q: %d of length %d", w, value, length)
		}
	}
	if value, length := newTrie(nil).longest("a"); value != -1 || length != 0 {
		t.Errorf("empty: %d, %d", value, length)
	}
}
