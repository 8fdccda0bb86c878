package tokenize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// A cursor walks through JSON without building values. A vocabulary is most of
// a tokenizer.json, and encoding/json would look at each of its bytes three
// times and make several objects of every piece.
type cursor struct {
	data []byte
	pos  int
}

func (c *cursor) errorf(format string, args ...any) error {
	return fmt.Errorf("JSON at byte %d: %s", c.pos, fmt.Sprintf(format, args...))
}

// peek returns the next byte that is no white space, 0 at the end.
func (c *cursor) peek() byte {
	for ; c.pos < len(c.data); c.pos++ {
		switch b := c.data[c.pos]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

func (c *cursor) expect(b byte) error {
	if got := c.peek(); got != b {
		return c.errorf("%q belongs here", b)
	}
	c.pos++
	return nil
}

// object calls field for every key; field moves the cursor past the value.
func (c *cursor) object(field func(key []byte) error) error {
	return c.list('{', '}', func() error {
		key, err := c.text()
		if err != nil {
			return err
		}
		if err := c.expect(':'); err != nil {
			return err
		}
		return field(key)
	})
}

// array calls element for every element; it moves the cursor past it.
func (c *cursor) array(element func() error) error { return c.list('[', ']', element) }

func (c *cursor) list(open, close byte, item func() error) error {
	if err := c.expect(open); err != nil {
		return err
	}
	if c.peek() == close {
		c.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch c.peek() {
		case ',':
			c.pos++
		case close:
			c.pos++
			return nil
		default:
			return c.errorf("',' or %q belongs here", close)
		}
	}
}

// text reads a string. Without escapes the result is part of the data.
func (c *cursor) text() ([]byte, error) {
	if err := c.expect('"'); err != nil {
		return nil, err
	}
	start, escaped := c.pos, false
	for ; c.pos < len(c.data); c.pos++ {
		switch c.data[c.pos] {
		case '\\':
			escaped = true
			c.pos++
		case '"':
			c.pos++
			if !escaped {
				return c.data[start : c.pos-1 : c.pos-1], nil
			}
			var s string
			if err := json.Unmarshal(c.data[start-1:c.pos], &s); err != nil {
				return nil, c.errorf("%v", err)
			}
			return []byte(s), nil
		}
	}
	return nil, c.errorf("the string does not end")
}

func (c *cursor) number() (float64, error) {
	c.peek()
	start := c.pos
	for c.pos < len(c.data) && inNumber(c.data[c.pos]) {
		c.pos++
	}
	v, err := strconv.ParseFloat(string(c.data[start:c.pos]), 64)
	if err != nil {
		c.pos = start
		return 0, c.errorf("a number belongs here")
	}
	return v, nil
}

func inNumber(b byte) bool {
	return '0' <= b && b <= '9' || b == '.' || b == '-' || b == '+' || b|0x20 == 'e'
}

// skip moves past any value and returns it.
func (c *cursor) skip() (json.RawMessage, error) {
	c.peek()
	start := c.pos
	for depth := 0; ; {
		switch c.peek() {
		case 0:
			return nil, c.errorf("the value does not end")
		case '"':
			if _, err := c.text(); err != nil {
				return nil, err
			}
		case '{', '[':
			depth++
			c.pos++
		case '}', ']':
			depth--
			c.pos++
		case ',', ':':
			if depth == 0 {
				return nil, c.errorf("a value belongs here")
			}
			c.pos++
			continue
		default: // a number or a word
			for c.pos < len(c.data) && bytes.IndexByte([]byte(" \t\n\r,:{}[]\""), c.data[c.pos]) < 0 {
				c.pos++
			}
		}
		if depth < 0 {
			return nil, c.errorf("a value belongs here")
		}
		if depth == 0 {
			return c.data[start:c.pos], nil
		}
	}
}
