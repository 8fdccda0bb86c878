package sidecar

import (
	"strconv"
	"strings"
)

// A packet may have room: white space before its trailer, in lines of one
// length, so that it can be changed in a file where it has a fixed place. Then
// what is added is taken from the front of the room, sigla:padding says how
// much, and it is put back by repeating the lines.

// A room is the padding of a packet.
type room struct {
	span
	period int // length of its lines
	most   int // bytes that can be taken and put back
}

// padding returns the room of the document; most is 0 if it has none.
func (d *document) padding() room {
	if !d.writable || d.encoding != utf8Text {
		return room{}
	}
	r := room{span: d.withSpace(span{d.trailer, d.trailer})}
	text := r.of(d.text)
	last := strings.LastIndexByte(text, '\n')
	if last < 0 {
		return room{}
	}
	r.period = last - strings.LastIndexByte(text[:last], '\n')
	const lines = 3 // that stay, to know the others by
	if r.most = len(text) - lines*r.period; r.most <= 0 || r.period == last+1 {
		return room{}
	}
	if text[:len(text)-r.period] != text[r.period:] {
		return room{}
	}
	return r
}

// refill puts back what was taken from the room.
func (s *stripper) refill(p *property) error {
	text, err := s.value(p.value)
	if err != nil {
		return err
	}
	taken, err := strconv.Atoi(strings.TrimSpace(text))
	r := s.document.padding()
	if err != nil || taken <= 0 || taken > maxFile || r.period == 0 {
		return nil // another program has written the packet anew
	}
	lines := strings.Repeat(r.of(s.text)[:r.period], taken/r.period+1)
	s.cut = append(s.cut, splice{span{r.from, r.from}, lines[len(lines)-taken:]})
	return nil
}
