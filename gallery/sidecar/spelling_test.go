package sidecar

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSpellings: values are the same in whatever of its ways RDF spells them,
// and their places are right.
func TestSpellings(t *testing.T) {
	words := []string{"owl", "salt & pepper", "<b>", `"quoted" 'twice'`, "]]>", "Käuzchen", "🦉", "two  words", "a|b/c", "-->", "?>"}
	for seed := range uint64(300) {
		s := speller{rand.New(rand.NewPCG(seed, 5))}
		text, want := s.sidecar(words)
		encoded := []string{text, "\ufeff" + text, utf16LEOf(text), swapped(utf16LEOf("\ufeff" + text))}[s.IntN(4)]
		d, err := parse(encoded)
		if err != nil {
			t.Fatalf("seed %d: %v in %s", seed, err, text)
		}
		values, err := d.values()
		var got []string
		for _, v := range values {
			got = append(got, string(v.Field)+" "+v.Text)
		}
		slices.Sort(got) // attributes come before elements
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("seed %d: %q, %v, want %q, in %s", seed, got, err, want, text)
		}
		checkPlaces(t, fmt.Sprint("seed ", seed), d, 8)
	}
}

// sidecar is a document with some of the words, and its values: fields and
// texts.
func (s speller) sidecar(words []string) (text string, want []string) {
	var attributes, elements string
	for range s.IntN(6) {
		row := fields[s.IntN(len(fields))]
		if row.field == Categories {
			continue
		}
		words := words[s.IntN(len(words)-2):][:1+s.IntN(3)]
		for _, w := range words {
			want = append(want, string(row.field)+" "+w)
		}
		name := prefix(row.space) + ":" + row.local
		declared := "xmlns:" + prefix(row.space) + "=" + s.quoted(row.space+s.pick("", "/"))
		if len(words) == 1 && s.IntN(2) == 0 && !strings.Contains(attributes, prefix(row.space)) {
			attributes += s.space() + declared + s.space() + name + s.gap() + "=" + s.gap() + s.quoted(words[0])
		} else {
			elements += s.noise() + s.property(name, declared, words)
		}
	}
	return s.document(attributes, elements), want
}

// prefix is that of a namespace in all documents.
func prefix(space string) string {
	for i, row := range fields {
		if row.space == space {
			return fmt.Sprintf("p%d_", i)
		}
	}
	return "q"
}

// A speller writes the same in many ways.
type speller struct{ *rand.Rand }

func (s speller) pick(choices ...string) string { return choices[s.IntN(len(choices))] }

func (s speller) space() string { return s.pick(" ", "\n ", "\t", "\r\n\t") }

func (s speller) gap() string { return s.pick("", "", s.space()) }

func (s speller) noise() string {
	return s.gap() + s.pick("", "", "<!-- <dc:subject>no</dc:subject> -->", "<?no <y> ?>", `<z:z xmlns:z="urn:z"><r:Bag><r:li z:a="b"/></r:Bag></z:z>`)
}

// quoted is an attribute's value.
func (s speller) quoted(text string) string {
	quote := s.pick(`"`, `'`)
	return quote + s.escaped(text, quote) + quote
}

func (s speller) escaped(text, quote string) string {
	var b strings.Builder
	for _, r := range text {
		switch c := string(r); {
		case s.IntN(8) == 0:
			fmt.Fprintf(&b, s.pick("&#%d;", "&#x%x;", "&#x0%X;"), r)
		case c == "&":
			b.WriteString("&amp;")
		case c == "<":
			b.WriteString("&lt;")
		case c == ">" && s.IntN(2) == 0:
			b.WriteString("&gt;")
		case c == `"` && (c == quote || s.IntN(2) == 0):
			b.WriteString("&quot;")
		case c == "'" && (c == quote || s.IntN(2) == 0):
			b.WriteString("&apos;")
		default:
			b.WriteString(c)
		}
	}
	return b.String()
}

// characters is the content of an element.
func (s speller) characters(text string) string {
	switch s.IntN(4) {
	case 0:
		return "<![CDATA[" + strings.ReplaceAll(text, "]]>", "]]]]><![CDATA[>") + "]]>"
	case 1:
		at := strings.IndexByte(text, ' ') + 1
		return s.escaped(text[:at], "") + s.pick("<!--no-->", "<?no?>", "<![CDATA[]]>") + s.escaped(text[at:], "")
	}
	return s.escaped(text, "")
}

// holder is an element that holds a plain value.
func (s speller) holder(name, declared, text string) string {
	end := "</" + name + s.gap() + ">"
	switch s.IntN(6) {
	case 0:
		return "<" + name + s.space() + declared + s.space() + "r:value=" + s.quoted(text) + s.gap() + "/>"
	case 1:
		return "<" + name + s.space() + "r:parseType='Resource'" + s.space() + declared + ">" + s.noise() +
			"<r:value>" + s.characters(text) + "</r:value>" + s.noise() + end
	case 2:
		return "<" + name + s.space() + declared + ">" + s.gap() + "<r:Description>" + s.noise() +
			"<r:value>" + s.characters(text) + "</r:value>" + "</r:Description>" + s.gap() + end
	case 3:
		return "<" + name + s.space() + declared + ">" + s.gap() + "<r:Description r:value=" + s.quoted(text) + "/>" + s.gap() + end
	}
	return "<" + name + s.space() + declared + s.gap() + ">" + s.characters(text) + end
}

func (s speller) property(name, declared string, list []string) string {
	if len(list) == 1 && s.IntN(2) == 0 {
		return s.holder(name, declared, list[0])
	}
	array := s.pick("r:Bag", "r:Seq", "r:Alt")
	text := "<" + name + s.space() + declared + ">" + s.gap() + "<" + array + ">"
	for i, word := range list {
		text += s.gap() + s.holder(s.pick("r:li", "r:li", fmt.Sprintf("r:_%d", i+1)), s.pick("", "xml:lang='en'"), word)
	}
	return text + s.gap() + "</" + array + ">" + s.gap() + "</" + name + ">"
}

func (s speller) document(attributes, elements string) string {
	text := "<r:RDF" + s.space() + "xmlns:r=" + s.quoted(spaceRDF) + ">" + s.gap() + "<r:Description r:about=''" + attributes
	if elements == "" {
		text += "/>"
	} else {
		text += ">" + elements + s.gap() + "</r:Description>"
	}
	text += s.gap() + "</r:RDF>"
	if s.IntN(4) > 0 {
		text = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + text + "</x:xmpmeta>"
	}
	switch s.IntN(3) {
	case 0:
		return "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>" + text + "<?xpacket end='w'?>" + strings.Repeat("\x00", s.IntN(3))
	case 1:
		return "<?xml version='1.0'?>" + text
	}
	return text
}
