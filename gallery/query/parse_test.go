package query

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func isPhoto(text string) bool { return strings.HasSuffix(text, ".jpg") }

// term is a text of weight 1, or photo if its name says so.
func term(weight float64, text string) Term { return Term{weight, text, isPhoto(text)} }

func terms(t ...Term) []Term { return t }

var termTests = []struct {
	line  string
	terms []Term
	want  string // String; "": the line
}{
	{"a dog in the snow", terms(term(1, "a dog in the snow")), ""},
	{"  a \t dog\n", terms(term(1, "a dog")), "a dog"},
	{"beach + 0.5*sunset - people", terms(term(1, "beach"), term(.5, "sunset"), term(-1, "people")), ""},
	{"2:golden retriever + ./pool.jpg - fruit", terms(term(2, "golden retriever"), term(1, "./pool.jpg"), term(-1, "fruit")),
		"2*golden retriever + ./pool.jpg - fruit"},
	{"+ beach", terms(term(1, "beach")), "beach"},
	{"- people", terms(term(-1, "people")), ""},
	{"beach -people in water", terms(term(1, "beach"), term(-1, "people in water")), "beach - people in water"},
	{"beach +sunset", terms(term(1, "beach"), term(1, "sunset")), "beach + sunset"},
	{"beach+sunset", terms(term(1, "beach+sunset")), ""},
	{"t-shirt", terms(term(1, "t-shirt")), ""},
	{"a C++ book, x-ray", terms(term(1, "a C++ book, x-ray")), ""},
	{`"t-shirt - red"`, terms(term(1, "t-shirt - red")), ""},
	{`"beach" + "sunset"`, terms(term(1, "beach"), term(1, "sunset")), "beach + sunset"},
	{`a "t-shirt - red" on grass`, terms(term(1, "a t-shirt - red on grass")), `"a t-shirt - red on grass"`},
	{`"-5" degrees`, terms(term(1, "-5 degrees")), `"-5 degrees"`},
	{`-"5" degrees`, terms(term(-1, "5 degrees")), "- 5 degrees"},
	{`"a ""b"" c"`, terms(term(1, `a "b" c`)), ""},
	{`"""" `, terms(term(1, `"`)), `""""`},
	{`"a""b"`, terms(term(1, `a"b`)), ""},
	{`a ""`, terms(term(1, "a ")), `"a "`},
	{`a "" b`, terms(term(1, "a  b")), `"a  b"`},
	{`" beach"`, terms(term(1, " beach")), ""},
	{`"http://a.b/c"`, terms(term(1, "http://a.b/c")), ""},
	{`http"://a.b/c"`, terms(term(1, "http://a.b/c")), `"http://a.b/c"`},
	{`"tag:beach"`, terms(term(1, "tag:beach")), ""},
	{`"tag":beach`, terms(term(1, "tag:beach")), `"tag:beach"`},
	{"3:1", terms(term(1, "3:1")), ""},
	{"16:9 television", terms(term(1, "16:9 television")), ""},
	{`2:"30 balloons"`, terms(term(2, "30 balloons")), "2*30 balloons"},
	{"at 10:30", terms(term(1, "at 10:30")), ""},
	{"2: dog", terms(term(1, "2: dog")), ""},
	{"0.5 * sunset", terms(term(.5, "sunset")), "0.5*sunset"},
	{"0.5* sunset + 2 *dog", terms(term(.5, "sunset"), term(2, "dog")), "0.5*sunset + 2*dog"},
	{".5*a - 2.*b", terms(term(.5, "a"), term(-2, "b")), "0.5*a - 2*b"},
	{"1*a", terms(term(1, "a")), "a"},
	{"-0.5*people", terms(term(-.5, "people")), "- 0.5*people"},
	{"2*3*x", terms(term(2, "3*x")), `2*"3*x"`},
	{`"3*x"`, terms(term(1, "3*x")), ""},
	{`"3" *x`, terms(term(1, "3 *x")), `"3 *x"`},
	{"5", terms(term(1, "5")), ""},
	{"2*5", terms(term(2, "5")), ""},
	{"5 + *x", terms(term(1, "5"), term(1, "*x")), ""},
	{"5 * *x", terms(term(5, "*x")), "5**x"},
	{"2*5 *x", terms(term(2, "5 *x")), `2*"5 *x"`},
	{"2024 calendar", terms(term(1, "2024 calendar")), ""},
	{"*", terms(term(1, "*")), ""},
	{"1.2.3*x", terms(term(1, "1.2.3*x")), ""},
	{".*x", terms(term(1, ".*x")), ""},
	{"-0.5 * people + 1000*a", terms(term(-.5, "people"), term(1000, "a")), "- 0.5*people + 1000*a"},
	{"a.jpg", terms(term(1, "a.jpg")), ""},
	{"./swimming pool.jpg - fruit", terms(term(1, "./swimming pool.jpg"), term(-1, "fruit")), ""},
	{`2:"./a - b.jpg"`, terms(term(2, "./a - b.jpg")), `2*"./a - b.jpg"`},
	{`C:\photos\a.jpg`, terms(term(1, `C:\photos\a.jpg`)), ""},
	{`2:C:\a.jpg`, terms(term(2, `C:\a.jpg`)), `2*C:\a.jpg`},
	{"a dog tag:beach in the snow", terms(term(1, "a dog in the snow")), "a dog in the snow tag:beach"},
	{"tag:beach sunset", terms(term(1, "sunset")), "sunset tag:beach"},
	{"übung: Größe", terms(term(1, "übung: Größe")), ""},
	{"i <3 you", terms(term(1, "i <3 you")), ""},
	{"a\xff.jpg", terms(term(1, "a\xff.jpg")), ""},
	{"\"a\nb\"", terms(term(1, "a\nb")), ""},
	{"", nil, ""},
	{" \t ", nil, " "},
}

func TestTerms(t *testing.T) {
	for _, test := range termTests {
		q, err := Parse(test.line, isPhoto)
		if err != nil {
			t.Errorf("%q: %v", test.line, err)
			continue
		}
		if !slices.Equal(q.Terms, test.terms) {
			t.Errorf("%q: terms %+v, want %+v", test.line, q.Terms, test.terms)
		}
		want := test.want
		switch want {
		case "":
			want = test.line
		case " ":
			want = ""
		}
		if q.String() != want {
			t.Errorf("%q: String is %q, want %q", test.line, q.String(), want)
		}
	}
}

func TestNoPhotos(t *testing.T) {
	q, err := Parse("a.jpg", nil)
	if err != nil || !slices.Equal(q.Terms, terms(Term{1, "a.jpg", false})) {
		t.Errorf("%+v, %v", q, err)
	}
}

func TestFilters(t *testing.T) {
	for _, test := range []struct{ line, want string }{ // want "": the line
		{"label:dog", ""},
		{"label:dog>0.8", ""},
		{"LABEL:dog>=.80", "label:dog>=0.8"},
		{"label:dog>33.3%", "label:dog>0.333"},
		{"label:dog<1 label:cat<=0", ""},
		{`label:"golden retriever">0.8,cat`, ""},
		{`label:"a>b"`, ""},
		{`label:"dog"`, "label:dog"},
		{"tag:beach,dog -tag:people", ""},
		{`tag:"new york"`, ""},
		{`tag:new" "york`, `tag:"new york"`},
		{`tag:"a,b",c`, ""},
		{"tag:animals|birds", ""},
		{"tag:a:b", ""},
		{`tag:"say ""hi"""`, ""},
		{"folder:2024/summer", ""},
		{"name:img_04*", ""},
		{"after:2023-05-01 before:2023 on:2023-05", ""},
		{"on:2020-02-29,2021", ""},
		{"format:RAW,JPG,tif,nef", "format:raw,jpeg,tiff,nef"},
		{"is:untagged,Square", "is:untagged,square"},
		{"rating:3,4 rating:>=4 rating:-1 rating:>-1", ""},
		{"size:>2mb -size:<=1.50GiB size:>100", "size:>2mb -size:<=1.5gib size:>100"},
		{"pixels:>12mp pixels:<=100", ""},
	} {
		q, err := Parse(test.line, isPhoto)
		if err != nil {
			t.Errorf("%q: %v", test.line, err)
			continue
		}
		want := test.want
		if want == "" {
			want = test.line
		}
		if len(q.Terms) > 0 || !q.Filtered() || q.String() != want {
			t.Errorf("%q: terms %+v, String %q", test.line, q.Terms, q.String())
		}
	}
}

const (
	wantRating = "want a number of stars from -1 (rejected) to 5: rating:3, rating:>=4"
	wantLabel  = "want a label and, if wanted, a probability from 0 to 1: label:dog, label:dog>0.8"
	wantDate   = "want a day, month or year: after:2023-05-01, after:2023-05, after:2023"
	wantSize   = "want a comparison with a size in b, kb, mb, gb, kib, mib or gib: size:>2mb"
	wantTag    = `want a tag or one above it: tag:beach, tag:"new york"`
)

var errorTests = []struct{ line, want string }{
	{`a "b c`, `3: a quote is not closed: end it with ", and write "" for a quote within it`},
	{`tag:"a`, `5: a quote is not closed: end it with ", and write "" for a quote within it`},
	{`""`, `1: a text is empty: write something between its quotes`},
	{`a + " "`, `3: a text is empty: write something between its quotes`},
	{"a +", "3: nothing follows the +: write a text or the path of a photo behind it"},
	{"-", "1: nothing follows the -: write a text or the path of a photo behind it"},
	{"a - + b", `5: two operators follow each other: put a text between them, or quotes around "+"`},
	{"a --b", `3: two operators follow each other: put a text between them, or quotes around "-b"`},
	{"a + -0.5*b", `5: two operators follow each other: put a text between them, or quotes around "-"`},
	{"a + 2*", "3: nothing follows the weight 2: write a text or the path of a photo behind it"},
	{"2* - a", "1: nothing follows the weight 2: write a text or the path of a photo behind it"},
	{"0*a", "1: weight 0: want a number above 0 and at most 1000"},
	{"a + 1001*b", "3: weight 1001: want a number above 0 and at most 1000"},
	{"beach 0.5*sunset", "7: a weight stands at the start of a term: write + 0.5*sunset, or quotes around it"},
	{"lable:dog", "1: there is no filter lable:, perhaps label: is meant; a text with a colon needs quotes"},
	{"größe -rat:3", "7: there is no filter rat:, perhaps rating: is meant; a text with a colon needs quotes"},
	{"in:2024", "1: there is no filter in:, perhaps folder: is meant; a text with a colon needs quotes"},
	{"http://a.b", "1: there is no filter http:, only label, tag, folder, name, after, before, on, format, is, rating, size, pixels; a text with a colon needs quotes"},
	{"2*tag:a", `1: a filter has no weight: put quotes around "tag:a" if it is a text`},
	{"2* tag:a", `4: a filter has no weight: put quotes around "tag:a" if it is a text`},
	{"beach - tag:a b", "9: the - before tag:a is not part of it: write -tag:a without white space to exclude, or move the filter to the end"},
	{"beach + tag:a b", "9: filters are not added: leave out the + before tag:a"},
	{"beach +tag:a", "7: filters are not added: leave out the + before tag:a"},
	{"tag:", "1: tag: has no value: " + wantTag},
	{`tag:""`, "1: tag: has no value: " + wantTag},
	{"tag:a,", "1: tag: has an empty value beside a comma: " + wantTag},
	{"a -tag:,b", "3: tag: has an empty value beside a comma: " + wantTag},
	{"tag:|", "1: tag:|: " + wantTag},
	{"folder:/", "1: folder:/: want the name of a folder: folder:2024, folder:2024/summer"},
	{"label:dog > 0.8", "11: leave out the white space between label:dog and >"},
	{"label:dog >0.8", "11: leave out the white space between label:dog and >0.8"},
	{"label:dog>", "1: label:dog>: " + wantLabel},
	{"label:dog>80", "1: label:dog>80: " + wantLabel},
	{"label:dog=0.8", "1: label:dog=0.8: " + wantLabel},
	{"label:>0.8", "1: label:>0.8: " + wantLabel},
	{"label:dog>0.8x", "1: label:dog>0.8x: " + wantLabel},
	{"label:dog>1e-1", "1: label:dog>1e-1: " + wantLabel},
	{"after:2023-13", "1: after:2023-13: " + wantDate},
	{"after:2023-02-29", "1: after:2023-02-29: " + wantDate},
	{"after:>2023", "1: after:>2023: " + wantDate},
	{"after:may", "1: after:may: " + wantDate},
	{"rating:6", "1: rating:6: " + wantRating},
	{"rating:3.5", "1: rating:3.5: " + wantRating},
	{"rating:>=", "1: rating:>=: " + wantRating},
	{"rating:three", "1: rating:three: " + wantRating},
	{"rating:3%", "1: rating:3%: " + wantRating},
	{"size:2mb", "1: size:2mb: " + wantSize},
	{"size:>2tb", "1: size:>2tb: " + wantSize},
	{"size:>-2mb", "1: size:>-2mb: " + wantSize},
	{"size:>NaN", "1: size:>NaN: " + wantSize},
	{"pixels:>", "1: pixels:>: want a comparison with a number of pixels or of megapixels: pixels:>12mp"},
	{"format:psd", "1: format:psd: want one of raw, jpeg, png, gif, webp, tiff, bmp, arw, cr2, cr3, dng, nef, nrw, orf, pef, raf, rw2, srw"},
	{"is:big", "1: is:big: want one of untagged, tagged, rated, failed, portrait, landscape, square, accepted, rejected"},
}

func TestErrors(t *testing.T) {
	for _, test := range errorTests {
		_, err := Parse(test.line, isPhoto)
		got := ""
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "query, character ")
			var place *Error
			if !errors.As(err, &place) || place.Line != test.line {
				t.Errorf("%q: %#v", test.line, err)
			}
		}
		if got != test.want {
			t.Errorf("%q:\n got %s\nwant %s", test.line, got, test.want)
		}
	}
}

func TestLabels(t *testing.T) {
	q, err := Parse(`label:dog>0.8,"golden retriever" tag:cat -label:Dog label:cat`, nil)
	if want := []string{"dog", "golden retriever", "cat"}; err != nil || !slices.Equal(q.Labels(), want) {
		t.Errorf("Labels are %q, want %q (%v)", q.Labels(), want, err)
	}
}

func TestClosest(t *testing.T) {
	for name, want := range map[string]string{
		"tags": "tag", "tga": "tag", "foldr": "folder", "lable": "label", "befroe": "before", "ratings": "rating", "pix": "pixels",
		"aftr": "after", "stars": "rating", "http": "", "wow": "", "note": "", strings.Repeat("tag", 1000): "",
	} {
		var names []string
		for _, k := range kinds {
			names = append(names, k.name)
		}
		if got := closest(name, names); got != want {
			t.Errorf("%.20s is close to %q, want %q", name, got, want)
		}
	}
}

// FuzzParse: whatever is typed is an error at a place in the line, or a query
// whose String is the same query. Neither is out of proportion to the line.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"a dog in the snow", `beach + 0.5*sunset - "t-shirt - red" a.jpg`, `2:"x" -tag:"new york",b|c label:dog>=80%,"a<b"<.5`,
		"name:*img?04* folder:2024/*er", "after:2023-05 on:2023 before:2023-05-01 size:<=1.5gib rating:-1 pixels:>12mp",
		"format:raw,jpg is:square", `5 *"" x`, "\"a\xff\u00a0\"\u2003b", `"""":`, "i <3 tag:x", "C:\\a.jpg - 16:9 http://",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		q, err := Parse(line, isPhoto)
		if err != nil {
			if e := err.(*Error); e.Offset < 0 || e.Offset > len(line) || len(e.Text) > 500+4*len(line) {
				t.Errorf("%q: %#v", line, e)
			}
			return
		}
		text := q.String()
		if len(text) > 16+6*len(line) {
			t.Errorf("%q: a String of %d bytes", line, len(text))
		}
		again, err := Parse(text, isPhoto)
		if err != nil {
			t.Fatalf("%q: String %q: %v", line, text, err)
		}
		if !reflect.DeepEqual(again.Terms, q.Terms) || again.String() != text || again.Filtered() != q.Filtered() || !slices.Equal(again.Labels(), q.Labels()) {
			t.Errorf("%q: String %q is %+v, want %+v", line, text, again, q)
		}
		facts := Facts{Name: Fold(line), Tags: []string{Fold(line)}}
		if again.Match(&facts) != q.Match(&facts) {
			t.Errorf("%q and %q differ on %+v", line, text, facts)
		}
		start := WordStart(line, len(line)/2)
		for _, c := range Complete(line, len(line)/2, Words{Tags: []string{"new york", `a"b|c,d`}}) {
			if _, err := Parse(c, nil); err != nil && !strings.HasSuffix(c, ":") && strings.Count(line[start:len(line)/2], ",") == 0 {
				t.Errorf("%q: completion %q: %v", line, c, err)
			}
		}
	})
}
