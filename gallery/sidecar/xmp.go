package sidecar

import "strings"

// Bounds on what a document can make the parser do. Real ones stay far below:
// the largest known hold a few thousand properties at depth 15.
const (
	maxFile     = 50 << 20 // bytes of a sidecar or of a photo's packet
	maxDepth    = 100      // elements within each other
	maxValues   = 1 << 18  // properties and items of arrays
	maxBindings = 256      // namespaces declared around an element
)

const (
	spaceRDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	spaceX   = "adobe:ns:meta"
	spaceXML = "http://www.w3.org/XML/1998/namespace"
	// spaceSigla is the project's own, without its final slash.
	spaceSigla = "urn:sigla:xmp:1.0"
)

// A document is a parsed XMP document: RDF as XMP allows it, in every spelling
// that programs use. It holds the place of each property of the photo; what is
// nested within a property deeper than the items of an array is passed over.
//
// All places count in text, which is the file itself unless it was transcoded.
type document struct {
	text         string
	encoding     encoding // other than UTF-8, the file cannot be edited at these places
	ascii        bool     // the XML declaration promises no other characters
	packets      int      // <?xpacket begin=…?>, 0 if there is only XML
	trailer      int      // where <?xpacket end=…?> begins; 0 if there is none
	writable     bool     // and it says that the packet may be changed in place: end="w"
	meta         element  // x:xmpmeta
	root         element  // rdf:RDF, the first
	roots        int      // how many there are
	descriptions []element
	properties   []property // in the order of the text
	marks        []rawMark  // items of sigla:tags
}

// An element is rdf:RDF, x:xmpmeta, or an rdf:Description that holds
// properties of the photo.
type element struct {
	span  span // all of it
	open  span // its start tag
	inner span // what is between its tags; empty, at the end of the start tag, for <rdf:Description …/>
}

// A shape is what a value is.
type shape uint8

const (
	plain     shape = iota // characters
	structure              // fields
	bag                    // arrays
	seq
	alt
)

// A property is one property of the photo.
type property struct {
	value
	space       string // namespace URI without a final slash
	local       string
	description int  // index of the description it stands in
	array       span // of an array, the element rdf:Bag, rdf:Seq or rdf:Alt
	items       []value
}

// A value is that of a property or of an item of an array.
type value struct {
	shape     shape
	span      span // the element or the attribute, all of it
	attribute bool // is an attribute of the description
	// characters is where a plain value stands: between tags, or between quotes
	// if quoted. A value with qualifiers has it in its rdf:value, and one that
	// is an address in rdf:resource.
	characters span
	quoted     bool
	set        bool // characters were found
}

// value returns what a plain value says.
func (d *document) value(v value) (string, error) {
	return decode(d.text, v.characters, v.quoted)
}

// A role is what an element is in RDF.
type role uint8

const (
	roleWrapper    role = iota // around rdf:RDF: nothing, x:xmpmeta
	roleRoot                   // rdf:RDF
	roleNode                   // rdf:Description with properties of the photo
	roleProperty               // a property
	roleArray                  // rdf:Bag, rdf:Seq, rdf:Alt
	roleItem                   // rdf:li
	roleFields                 // rdf:Description within a property or an item
	roleCharacters             // rdf:value of a property or an item
	roleMark                   // a field of an item of sigla:tags
	roleOther                  // passed over with all that is in it
)

// A frame is an element that is open.
type frame struct {
	role     role
	name     string // as written
	from     int    // first byte of the start tag
	inner    int    // first byte after it
	bindings int    // that hold outside
	children bool   // has elements or fields in it
	fields   bool   // is rdf:parseType="Resource": its elements are fields
}

// A binding is what a prefix stands for.
type binding struct{ prefix, space string }

type parser struct {
	scanner
	doc      *document
	frames   []frame // the first is the document
	bindings []binding
	inItem   bool // of the last property
	inMarks  bool // the last property is sigla:tags
	isXMP    bool // x:xmpmeta or rdf:RDF was seen
	values   int
}

// parse reads an XMP document: a sidecar, or a packet of a photo. The error is
// a fault, whose place counts in data.
func parse(data string) (*document, error) {
	text, encoding, err := toUTF8(data)
	if err != nil {
		return nil, err
	}
	// Room for what most sidecars have; growing took a third of the time.
	p := parser{
		scanner:  scanner{text: text, attributes: make([]attribute, 0, 32)},
		doc:      &document{text: text, encoding: encoding, properties: make([]property, 0, 32)},
		frames:   make([]frame, 1, 16),
		bindings: append(make([]binding, 0, 24), binding{"xml", spaceXML}, binding{"", ""}),
	}
	if err := p.run(); err != nil {
		f := err.(*fault)
		return nil, &fault{encoding.original(text, f.at), f.text}
	}
	return p.doc, nil
}

func (p *parser) run() error {
	for {
		if err := p.next(); err != nil {
			return err
		}
		var err error
		switch p.kind {
		case tokenEnd:
			return p.finish()
		case tokenStart:
			if err = p.open(); err == nil && p.empty {
				p.close(p.at)
			}
		case tokenClose:
			top := p.frames[len(p.frames)-1]
			if len(p.frames) == 1 || top.name != p.name {
				return faultAt(p.span.from, "</%s> ends no element that is open", p.name)
			}
			p.close(p.span.from)
		case tokenInstruction:
			err = p.instruction()
		case tokenText, tokenCDATA:
			if len(p.frames) == 1 {
				err = p.outside()
			}
		}
		if err != nil {
			return err
		}
	}
}

// finish checks that the document has ended where the text does.
func (p *parser) finish() error {
	if top := p.frames[len(p.frames)-1]; len(p.frames) > 1 {
		return faultAt(p.at, "the text ends within <%s> of byte %d", top.name, p.doc.encoding.original(p.text, top.from))
	}
	if !p.isXMP {
		return faultAt(0, "no XMP: neither x:xmpmeta nor rdf:RDF is in it")
	}
	return nil
}

// instruction counts packets and refuses encodings that are not XMP's. What
// UTF-16 says of itself is known already.
func (p *parser) instruction() error {
	words := p.span.of(p.text)
	switch p.name {
	case "xpacket":
		if strings.Contains(words, "begin=") {
			p.doc.packets++
		} else if p.doc.trailer == 0 {
			p.doc.trailer = p.span.from
			p.doc.writable = strings.Contains(words, `end="w"`) || strings.Contains(words, "end='w'")
		}
	case "xml":
		_, name, _ := strings.Cut(words, "encoding=")
		if name = strings.ToLower(strings.TrimLeft(name, `"'`)); name == "" {
			break
		}
		name = name[:strings.IndexAny(name, "\"' ?>")]
		p.doc.ascii = name == "us-ascii"
		if name != "utf-8" && name != "utf8" && name != "us-ascii" && !strings.HasPrefix(name, "utf-16") {
			return faultAt(p.span.from, "the encoding %q is not supported; store it as UTF-8", name)
		}
	}
	return nil
}

// outside checks text that is in no element: padding and byte order marks.
func (p *parser) outside() error {
	if rest := strings.TrimLeft(p.span.of(p.text), " \t\r\n\x00\ufeff"); rest != "" || p.kind == tokenCDATA {
		return faultAt(p.span.to-len(rest), "text outside of all elements")
	}
	return nil
}
