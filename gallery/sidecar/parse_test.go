package sidecar

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// seeds returns all texts of testdata, by name.
func seeds(t testing.TB) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"testdata/*.xmp", "testdata/broken/*.xmp"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal("no texts in", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(text)
		}
	}
	return texts
}

// TestSpans: each property's element or attribute, array, items and characters.
func TestSpans(t *testing.T) {
	text := `<?xpacket begin="" id=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="` + spaceRDF + `">
 <r:Description r:about="" xmlns:a="urn:a/" a:one = '1&amp;' a:two="">
  <a:three>3</a:three><a:four/>
  <a:five><r:Seq><r:li>x</r:li> <r:li r:value="y"/><r:li a:b="c"/></r:Seq></a:five>
  <a:six r:parseType="Resource"> <a:b>c</a:b><r:value>6<!-- --></r:value></a:six>
  <a:seven r:resource="urn:7"/>
 </r:Description><r:Description/></r:RDF></x:xmpmeta>`
	d, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range d.properties {
		if p.space != "urn:a" || p.description != 0 {
			t.Errorf("%s: namespace %q, description %d", p.local, p.space, p.description)
		}
		s := fmt.Sprintf("%s %d %v %s", p.local, p.shape, p.attribute, p.span.of(text))
		if p.shape == plain {
			s += fmt.Sprintf(" = %s", p.characters.of(text))
		} else {
			s += " " + p.array.of(text)
		}
		for _, v := range p.items {
			s += fmt.Sprintf(" | %d %s = %s", v.shape, v.span.of(text), v.characters.of(text))
		}
		got = append(got, s)
	}
	want := []string{
		`one 0 true a:one = '1&amp;' = 1&amp;`,
		`two 0 true a:two="" = `,
		`three 0 false <a:three>3</a:three> = 3`,
		`four 0 false <a:four/> = `,
		`five 3 false <a:five><r:Seq><r:li>x</r:li> <r:li r:value="y"/><r:li a:b="c"/></r:Seq></a:five> ` +
			`<r:Seq><r:li>x</r:li> <r:li r:value="y"/><r:li a:b="c"/></r:Seq>` +
			` | 0 <r:li>x</r:li> = x | 0 <r:li r:value="y"/> = y | 1 <r:li a:b="c"/> = `,
		`six 0 false <a:six r:parseType="Resource"> <a:b>c</a:b><r:value>6<!-- --></r:value></a:six> = 6<!-- -->`,
		`seven 0 false <a:seven r:resource="urn:7"/> = urn:7`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d.packets != 1 || len(d.descriptions) != 2 {
		t.Fatalf("%d packets, descriptions %v", d.packets, d.descriptions)
	}
	first, second := d.descriptions[0], d.descriptions[1]
	if s := first.open.of(text); s != `<r:Description r:about="" xmlns:a="urn:a/" a:one = '1&amp;' a:two="">` {
		t.Error(s)
	}
	if s := first.span.of(text); s != first.open.of(text)+first.inner.of(text)+"</r:Description>" {
		t.Error(s)
	}
	if s := second.span.of(text); s != "<r:Description/>" || second.open != second.span || second.inner != (span{second.span.to, second.span.to}) {
		t.Errorf("%s, %+v", s, second)
	}
}

// TestCorpusSpans: what is said of the places holds in every document.
func TestCorpusSpans(t *testing.T) {
	for name, text := range seeds(t) {
		if d, err := parse(text); err == nil {
			checkPlaces(t, name, d, 1<<10)
		}
	}
}

// checkPlaces checks up to most properties of a document: read by itself, the
// text at the place of a property has the same value; and without that text,
// or that of an item, the rest of the document has the values it had.
func checkPlaces(t *testing.T, name string, d *document, most int) {
	t.Helper()
	before := contents(t, d)
	for i, p := range d.properties[:min(most, len(d.properties))] {
		alone, err := parse(extract(t, d, i))
		if err != nil {
			t.Errorf("%s: property %s by itself: %v", name, p.local, err)
			continue
		}
		if got := contents(t, alone); !reflect.DeepEqual(got, before[i:i+1]) {
			t.Errorf("%s: property %s by itself: %+v, want %+v", name, p.local, got, before[i])
		}
		without := append(append([]content{}, before[:i]...), before[i+1:]...)
		checkCut(t, name, d, p.span, without)
		for j, v := range p.items[:min(most, len(p.items))] {
			without := append([]content{}, before...)
			values := append([]string{}, without[i].values[:j]...)
			without[i].values = append(values, without[i].values[j+1:]...)
			checkCut(t, name, d, v.span, without)
		}
	}
}

func checkCut(t *testing.T, name string, d *document, cut span, want []content) {
	t.Helper()
	rest, err := parse(d.text[:cut.from] + d.text[cut.to:])
	if err != nil {
		t.Errorf("%s: without %q: %v", name, cut.of(d.text), err)
		return
	}
	if got := contents(t, rest); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s: without %q: %+v, want %+v", name, cut.of(d.text), got, want)
	}
}

// A content is what a property says, without places.
type content struct {
	space, local string
	shape        shape
	attribute    bool
	values       []string // of an array, its items
}

func contents(t *testing.T, d *document) []content {
	t.Helper()
	var list []content
	for _, p := range d.properties {
		c := content{p.space, p.local, p.shape, p.attribute, []string{}}
		values := p.items
		if p.shape < bag {
			values = []value{p.value}
		}
		for _, v := range values {
			text, err := d.value(v)
			switch {
			case v.shape != plain:
				text = "(fields)"
			case err != nil:
				text = err.Error() // of a reference
			}
			c.values = append(c.values, text)
		}
		list = append(list, c)
	}
	return list
}

// extract returns a document with one property: the start tags of what it
// stands in, without other properties, its text, and end tags.
func extract(t *testing.T, d *document, i int) string {
	t.Helper()
	p := d.properties[i]
	open := d.descriptions[p.description].open
	s := scanner{text: d.text}
	var tags []string
	var names []string
	for s.span.from != open.from || s.kind != tokenStart {
		if err := s.next(); err != nil || s.kind == tokenEnd {
			t.Fatalf("no element begins at byte %d: %v", open.from, err)
		}
		switch {
		case s.kind == tokenStart && !s.empty:
			tags, names = append(tags, s.span.of(d.text)), append(names, s.name)
		case s.kind == tokenClose:
			tags, names = tags[:len(tags)-1], names[:len(names)-1]
		}
	}
	if s.empty {
		names = append(names, s.name)
	} else {
		tags = tags[:len(tags)-1]
	}
	text := strings.Join(tags, "")
	at := open.from
	for j, other := range d.properties {
		if j != i && other.attribute && other.description == p.description {
			text += d.text[at:other.span.from]
			at = other.span.to
		}
	}
	text += strings.TrimSuffix(strings.TrimSuffix(d.text[at:open.to], ">"), "/") + ">"
	if !p.attribute {
		text += p.span.of(d.text)
	}
	for len(names) > 0 {
		text += "</" + names[len(names)-1] + ">"
		names = names[:len(names)-1]
	}
	return text
}

// TestFaults: what is wrong with a text is told with its place.
func TestFaults(t *testing.T) {
	const around = "<x:a xmlns:x='adobe:ns:meta/'>"
	for _, c := range []struct{ text, at, want string }{
		{"<", "", "no name"},
		{"<1>", "1", "no name"},
		{"<>", ">", "no name"},
		{"</", "", "no name"},
		{"</x:a", "</x:a", "the tag </x:a has no end"},
		{"</x:a b>", "</x:a b", "the tag </x:a has no end"},
		{"<x:b", "<x:b", "the tag <x:b has no end"},
		{"<x:b/ >", "/ >", "goes on without white space"},
		{"<x:b/", "/", "goes on without white space"},
		{"<x:b c>", "c>", "the attribute c has no value"},
		{"<x:b c=d>", "c=d", "the attribute c has no value in quotes"},
		{"<x:b c=", "c=", "the attribute c has no value in quotes"},
		{"<x:b c='d>", "c='d", "the value of c has no end"},
		{"<x:b c='<'>", "<'>", "< in the value of c"},
		{"<x:b c='d'e='f'/>", "e='f'", "the tag <x:b goes on without white space"},
		{"<x:b =''/>", "=''", "no name"},
		{"<?", "", "no name"},
		{"<?x", "<?x", "no ?> ends"},
		{"<!-- --", "<!--", "no --> ends"},
		{"<![CDATA[ ]]", "<![CDATA[", "no ]]> ends"},
		{"<!ENTITY a 'b'>", "<!ENTITY", "document type"},
		{"</x:b>", "</x:b>", "</x:b> ends no element"},
		{"<b:c/>", "<b:c", "the prefix of b:c is not declared"},
		{"<x:b xmlns:c='&d;'/>", "&d;", "&d; is not known"},
		{"</x:a><r:RDF xmlns:r='" + spaceRDF + "'><r:Description b:c=''/></r:RDF>", "b:c=", "the prefix of b:c is not declared"},
		{"</x:a>\n<![CDATA[]]>", "<![CDATA[", "text outside"},
	} {
		at := strings.Index(c.text, c.at)
		if c.at == "" {
			at = len(c.text)
		}
		_, err := parse(around + c.text)
		f, ok := err.(*fault)
		if !ok || f.at != len(around)+at || !strings.Contains(f.text, c.want) {
			t.Errorf("%s: %#v, want byte %d and %q", c.text, err, len(around)+at, c.want)
		}
	}
}

// TestBounds: what is larger than any real document is refused, not followed.
func TestBounds(t *testing.T) {
	around := func(attributes, inner string) string {
		return `<r:RDF xmlns:r="` + spaceRDF + `" xmlns:a="urn:a"><r:Description ` + attributes + `>` + inner + `</r:Description></r:RDF>`
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	tests := []struct{ name, text, want string }{
		{"depth", around("", strings.Repeat("<a:b>", maxDepth-2)+strings.Repeat("</a:b>", maxDepth-2)), ""},
		{"depth", around("", strings.Repeat("<a:b>", maxDepth-1)), "elements nested deeper than 100"},
		{"depth", strings.Repeat("<a>", 1<<20), "elements nested deeper than 100"},
		{"attributes", around(many(maxAttributes, " a:b%d=''"), ""), ""},
		{"attributes", around(many(maxAttributes+1, " a:b%d=''"), ""), "more than 4096 attributes"},
		{"namespaces", around(many(maxBindings, " xmlns:b%d='u'"), ""), "more than 256 namespaces"},
		{"namespaces that end", around("", many(1000, "<a:b xmlns:b%d='u'/>")), ""},
		{"values", around("", "<a:b><r:Bag>"+strings.Repeat("<r:li/>", maxValues)+"</r:Bag></a:b>"), "more than 262144 values"},
		{"descriptions", around("", "") + around("/><r:Description", "") + strings.Repeat("<r:RDF xmlns:r='"+spaceRDF+"'><r:Description/></r:RDF>", maxValues), "more than 262144 values"},
	}
	for _, c := range tests {
		_, err := parse(c.text)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestUTF16Offsets: a place in a transcoded text is told as one of the file.
func TestUTF16Offsets(t *testing.T) {
	for _, c := range []struct{ text, mark string }{
		{"<a>é🦉</b>", "</b>"},
		{"\ufeff<a>夜</b>", "</b>"},
		{`<r:RDF xmlns:r="` + spaceRDF + `"><r:Description xmlns:d="http://purl.org/dc/elements/1.1/"><d:subject>🦉 &owl;</d:subject></r:Description></r:RDF>`, "&owl;"},
	} {
		for _, encoded := range []string{utf16LEOf(c.text), swapped(utf16LEOf(c.text))} {
			d, err := parse(encoded)
			if err == nil {
				_, err = d.values()
			}
			f, ok := err.(*fault)
			if !ok {
				t.Errorf("%s: %v", c.text, err)
				continue
			}
			if want := len(utf16LEOf(c.text[:strings.Index(c.text, c.mark)])); f.at != want {
				t.Errorf("%s: byte %d, want %d", c.text, f.at, want)
			}
		}
	}
	// A half of a pair is a character of its own.
	d, err := parse(utf16LEOf("<x:a xmlns:x='adobe:ns:meta/'><!--") + "\x00\xd8\x00\xdc\x00\xd8" + utf16LEOf("--></x:a>"))
	if err != nil || !strings.Contains(d.text, "<!--\U00010000\ufffd-->") || d.encoding != utf16LE {
		t.Errorf("%v, %v", d, err)
	}
}

func swapped(s string) string {
	b := []byte(s)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		raw    string
		quoted bool
		want   string
	}{
		{"plain", false, "plain"},
		{"a\r\nb\rc\nd\te", false, "a\nb\nc\nd\te"},
		{"a\r\nb\rc\nd\te", true, "a b c d e"},
		{"a&#xA;b&#9;c", true, "a\nb\tc"},
		{"&amp;lt;", false, "&lt;"},
		{"<![CDATA[&amp;\r\n]]]>x", false, "&amp;\n]x"},
		{"<!--a-->b<?c d?>", false, "b"},
		{"&#x10FFFF;&#0000065;", false, "\U0010ffffA"},
		{"\xe4 \xc3\xa4 \ufffd \x80", false, "ä ä \ufffd €"},
	} {
		if got, err := decode("<<"+c.raw+"<", span{2, 2 + len(c.raw)}, c.quoted); err != nil || got != c.want {
			t.Errorf("%q: %q, %v, want %q", c.raw, got, err, c.want)
		}
	}
	for _, raw := range []string{"&", "a&b", "&;", "&#;", "&#x;", "&#0;", "&#xDFFF;", "&#x110000;", "&#-1;", "&#x+1;", "&toolongtobeknown;", "&AMP;"} {
		got, err := decode(raw, span{0, len(raw)}, false)
		if f, ok := err.(*fault); !ok || f.at != strings.IndexByte(raw, '&') {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
}

// BenchmarkParse: the sidecars of testdata by program, read into values.
func BenchmarkParse(b *testing.B) {
	texts := seeds(b)
	for _, name := range []string{"lightroom", "darktable", "digikam", "exiftool"} {
		text := texts["testdata/"+name+".xmp"]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				d, err := parse(text)
				if err == nil {
					_, err = d.values()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
