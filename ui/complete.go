package ui

import "unicode"

// A Completer returns what the word that ends at the cursor can become, the
// best first: each text replaces the word. cursor is in bytes; a word begins
// after white space that is not within double quotes. It is called at a key, so
// it must be quick and read nothing.
type Completer func(line string, cursor int) []string

// completions is the list of what a word can become.
type completions struct {
	texts  []string
	at     int // the one that stands in the line, or -1
	top    int // first on screen
	before string
	after  string
}

// mostCompletions are on screen at once.
const mostCompletions = 8

// wordStart is where the word begins that ends at the end of s.
func wordStart(s string) int {
	start, quoted := 0, false
	for i, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case unicode.IsSpace(r) && !quoted:
			start = i + len(string(r))
		}
	}
	return start
}

// list finds the completions of the word at the cursor, or closes the list.
func (p *prompt) list() {
	p.completions = nil
	if p.complete == nil {
		return
	}
	runes := []rune(p.input.Value())
	head, after := string(runes[:p.input.Position()]), string(runes[p.input.Position():])
	if texts := p.complete(head+after, len(head)); len(texts) > 0 {
		p.completions = &completions{texts: texts, at: -1, before: head[:wordStart(head)], after: after}
	}
}

// tab completes the word as far as it is certain and lists what it can become;
// with the list open it goes through that.
func (p *prompt) tab(forward bool) {
	if p.completions != nil {
		p.cycle(forward)
		return
	}
	if p.list(); p.completions == nil {
		return
	}
	c := p.completions
	word := string([]rune(p.input.Value())[:p.input.Position()])[len(c.before):]
	if len(c.texts) == 1 {
		p.set(c.texts[0])
		p.completions = nil
	} else if sure := commonStart(c.texts); len(sure) > len(word) {
		p.set(sure)
	}
}

// cycle puts the next completion into the line.
func (p *prompt) cycle(forward bool) {
	c := p.completions
	switch n := len(c.texts); {
	case forward:
		c.at = (c.at + 1) % n
	default:
		c.at = (max(c.at, 0) + n - 1) % n
	}
	c.top = max(min(c.top, c.at), c.at-mostCompletions+1)
	p.set(c.texts[c.at])
}

// set replaces the word at the cursor.
func (p *prompt) set(word string) {
	c := p.completions
	p.input.SetValue(c.before + word + c.after)
	p.input.SetCursor(len([]rune(c.before + word)))
}

// commonStart is what all of the texts begin with.
func commonStart(texts []string) string {
	start := []rune(texts[0])
	for _, t := range texts[1:] {
		n := 0
		for _, r := range t {
			if n == len(start) || start[n] != r {
				break
			}
			n++
		}
		start = start[:n]
	}
	return string(start)
}

// panel lists the completions.
func (c *completions) panel(t theme, w int) panel {
	s := panel{title: plural(len(c.texts), "completion"), foot: "Tab next · Esc close"}
	for i := c.top; i < min(len(c.texts), c.top+mostCompletions); i++ {
		sign, field := "  ", ink("")
		if i == c.at {
			sign, field = "▸ ", t.chosen
		}
		var l line
		l.add("", " ").add(t.accent, sign).add(field, clip(clean(c.texts[i]), w-4))
		s.lines = append(s.lines, l.fit(w))
	}
	return s
}
