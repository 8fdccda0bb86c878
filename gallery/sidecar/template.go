package sidecar

import "strings"

// blank is a sidecar that says nothing: UTF-8, in a packet, as Adobe's
// programs and exiv2 write it.
const blank = "<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" +
	"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n" +
	" <rdf:RDF xmlns:rdf=\"" + spaceRDF + "\">\n" +
	" </rdf:RDF>\n" +
	"</x:xmpmeta>\n" +
	"<?xpacket end=\"w\"?>\n"

// roomy is the packet of a photo that has none yet: with room, as Adobe's
// programs leave it, so that what is added later moves no byte of the picture.
var roomy = strings.Replace(blank, "\n<?xpacket end", strings.Repeat("\n"+strings.Repeat(" ", 99), 41)+"\n<?xpacket end", 1)

// New returns a new sidecar for a change. One that several photos could take
// for theirs names the extension of its photo, as CR2; else extension is "".
func New(c Change, extension string) ([]byte, error) {
	return Edit(template(extension), c)
}

// IsBlank reports whether a sidecar is as New makes one for no tags: it is not
// needed any longer.
func IsBlank(doc []byte) bool {
	text := string(doc)
	if text == blank {
		return true
	}
	_, after, _ := strings.Cut(text, `SidecarForExtension="`)
	raw, _, ok := strings.Cut(after, `"`)
	extension, err := decode(raw, span{0, len(raw)}, true)
	return ok && err == nil && text == string(template(extension))
}

// template returns a sidecar without tags.
func template(extension string) []byte {
	if extension == "" {
		return []byte(blank)
	}
	s := style{doc: &document{}, quote: `"`}
	return []byte(strings.Replace(blank, "\n </rdf:RDF>", "\n  <rdf:Description rdf:about=\"\"\n"+
		"    xmlns:photoshop=\""+ForExtension.space()+"/\"\n"+
		"   photoshop:SidecarForExtension=\""+s.escape(extension)+"\"/>\n </rdf:RDF>", 1))
}
