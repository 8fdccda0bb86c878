package tokenize

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// sentencePiece is a spiece.model or tokenizer.model: the parts of the protocol
// buffer ModelProto (sentencepiece_model.proto) that encoding needs.
type sentencePiece struct {
	pieces      []piece
	kind        int32 // trainer_spec.model_type
	suffixSpace bool  // treat_whitespace_as_suffix
	eos, pad    int32

	charsmap    []byte
	dummyPrefix bool // a space before the text
	squeeze     bool // remove_extra_whitespaces
	escape      bool // spaces become ▁
}

const (
	kindUnigram = 1
	kindBPE     = 2
)

func parseProto(data []byte) (*sentencePiece, error) {
	s := &sentencePiece{kind: kindUnigram, eos: 2, pad: -1, dummyPrefix: true, squeeze: true, escape: true}
	err := eachField(data, func(f field) error {
		switch f.number {
		case 1:
			return s.readPiece(f.bytes)
		case 2:
			return eachField(f.bytes, s.readTrainer)
		case 3:
			return eachField(f.bytes, s.readNormalizer)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch {
	case len(s.pieces) == 0:
		return nil, errors.New("there is no vocabulary; this is no SentencePiece model")
	case s.suffixSpace || !s.escape:
		return nil, errors.New("a model that marks words other than by a ▁ before them is not supported")
	}
	return s, nil
}

func (s *sentencePiece) readPiece(data []byte) error {
	p := piece{kind: normalPiece}
	err := eachField(data, func(f field) error {
		switch f.number {
		case 1:
			p.text = f.bytes
		case 2:
			p.score = float64(math.Float32frombits(uint32(f.value)))
		case 3:
			p.kind = pieceKind(f.value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("piece %d: %w", len(s.pieces), err)
	}
	// Where a token of half a character were cut out, half a character would be left.
	if len(p.text) == 0 || !utf8.Valid(p.text) || math.IsNaN(p.score) || math.IsInf(p.score, 0) {
		return fmt.Errorf("piece %d, %q with the score %v, is no piece", len(s.pieces), p.text, p.score)
	}
	s.pieces = append(s.pieces, p)
	return nil
}

func (s *sentencePiece) readTrainer(f field) error {
	switch f.number {
	case 3:
		s.kind = int32(f.value)
	case 24:
		s.suffixSpace = f.value != 0
	case 42:
		s.eos = int32(f.value)
	case 43:
		s.pad = int32(f.value)
	}
	return nil
}

func (s *sentencePiece) readNormalizer(f field) error {
	switch f.number {
	case 2:
		s.charsmap = f.bytes
	case 3:
		s.dummyPrefix = f.value != 0
	case 4:
		s.squeeze = f.value != 0
	case 5:
		s.escape = f.value != 0
	}
	return nil
}

// A field is one record of a protocol buffer message.
type field struct {
	number uint64
	value  uint64 // of a number, in its bits
	bytes  []byte // of a string or a message
}

var errCut = errors.New("it is cut off or no protocol buffer")

// eachField walks through a message.
func eachField(data []byte, do func(field) error) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			return errCut
		}
		data = data[n:]
		f := field{number: tag >> 3}
		size := 0
		switch wire := tag & 7; wire {
		case 0: // variable length
			f.value, size = binary.Uvarint(data)
			if size <= 0 {
				return errCut
			}
		case 1: // 64 bits
			if size = 8; len(data) < size {
				return errCut
			}
			f.value = binary.LittleEndian.Uint64(data)
		case 2: // a length, then bytes
			length, n := binary.Uvarint(data)
			if n <= 0 || length > uint64(len(data)-n) {
				return errCut
			}
			size = n + int(length)
			f.bytes = data[n:size:size]
		case 5: // 32 bits
			if size = 4; len(data) < size {
				return errCut
			}
			f.value = uint64(binary.LittleEndian.Uint32(data))
		default:
			return fmt.Errorf("a field of unknown wire type %d", wire)
		}
		data = data[size:]
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}
