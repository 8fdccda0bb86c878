package sidecar

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"slices"
)

// digestOf is what image resource 0x0425 says of IPTC, so that programs see
// whether one that knows no XMP has written it.
func digestOf(iptc string) string {
	sum := md5.Sum([]byte(iptc))
	return string(sum[:])
}

// text returns the data of IPTC.
func (b *iptcBlock) text() string { return b.data.of(b.block.data) }

// values returns the keywords.
func (b *iptcBlock) values() []Value {
	var values []Value
	for _, d := range b.sets {
		if d.isKeyword() {
			values, _ = appendValue(values, Keywords, b.decode(d.value.of(b.text())), 0)
		}
	}
	return values
}

// strip returns the data without so many keywords at places that this program
// has written, the last ones of them, and without rejected ones.
func (b *iptcBlock) strip(ours map[place]int, reject map[place]bool) string {
	var cut []splice
	for _, d := range slices.Backward(b.sets) {
		if !d.isKeyword() {
			continue
		}
		p, _ := placeOf(Value{Keywords, b.decode(d.value.of(b.text()))})
		switch {
		case ours[p] > 0:
			ours[p]--
		case !reject[p]:
			continue
		}
		cut = append(cut, splice{span: d.span})
	}
	return spliced(b.text(), cut)
}

// insert returns data of IPTC with more keywords behind the last one.
func (c coding) insert(data string, words []string) (string, error) {
	if len(words) == 0 {
		return data, nil
	}
	sets, _, err := dataSets(data)
	if err != nil {
		return "", err
	}
	at := -1
	for _, d := range sets {
		if d.isKeyword() {
			at = d.to
		}
	}
	if at < 0 {
		return "", errors.New("its IPTC has no keywords to add to")
	}
	var more []byte
	for _, w := range words {
		text, ok := c.encode(w)
		if !ok {
			return "", errors.New("its IPTC cannot hold " + w)
		}
		more = append(more, 0x1c, 2, 25)
		more = binary.BigEndian.AppendUint16(more, uint16(len(text)))
		more = append(more, text...)
	}
	return data[:at] + string(more) + data[at:], nil
}

// splices returns what changes in the file for other data: as little as can
// be, for the block may be spread over segments, its size, its padding to an
// even length, and the digest if that was the data's.
func (b *iptcBlock) splices(data string) ([]splice, error) {
	old := b.text()
	if data == old {
		return nil, nil
	}
	pad := span{b.data.to, b.data.to + len(old)&1}
	if pad.to > len(b.block.data) || pad.of(b.block.data) > "\x00" {
		return nil, errors.New("its IPTC is not padded as it should be")
	}
	from := 0
	for from < min(len(old), len(data)) && old[from] == data[from] {
		from++
	}
	same := 0
	for same < min(len(old), len(data))-from && old[len(old)-1-same] == data[len(data)-1-same] {
		same++
	}
	list := []splice{
		{span{b.data.from - 4, b.data.from}, string(binary.BigEndian.AppendUint32(nil, uint32(len(data))))},
		{span{b.data.from + from, b.data.to - same}, data[from : len(data)-same]},
	}
	if len(data)&1 != len(old)&1 {
		list = append(list, splice{pad, "\x00"[:len(data)&1]})
	}
	if b.fits {
		list = append(list, splice{b.digest, digestOf(data)})
	}
	for i, s := range list {
		at := int(b.offset(max(0, min(s.from, len(b.block.data)-1))))
		if n := s.to - s.from; n > 0 && int(b.offset(s.to-1)) != at+n-1 {
			return nil, errors.New("its IPTC is spread over segments where it is to change")
		}
		if s.from == len(b.block.data) { // behind its last byte
			at++
		}
		list[i].span = span{at, at + s.to - s.from}
	}
	return list, nil
}
