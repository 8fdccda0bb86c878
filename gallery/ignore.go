package gallery

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// ignoreName is the file that names what is to be left out of its folder and
// of those below it, by the rules of gitignore(5).
//
// The rules are written here because no library that is kept up has them
// right: that of go-git, the only one alive, takes [!a] for [a!] and does not
// know [[:alpha:]]. The tests compare with git itself.
const ignoreName = ".siglaignore"

// ignoreBytes is how much of such a file is read.
const ignoreBytes = 1 << 20

// rules are the patterns of one folder, in the order of its file.
type rules struct {
	folder   string // absolute
	patterns []pattern
}

type pattern struct {
	glob     string
	negated  bool // what matches is not to be left out after all
	folders  bool // matches folders only
	anchored bool // compared with the whole path, otherwise with the name
}

// readRules reads the rules of a folder; none if it has no such file.
func readRules(folder string) (rules, error) {
	r := rules{folder: folder}
	path := folder + string(os.PathSeparator) + ignoreName
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil
	case err != nil:
		return r, err
	case !info.Mode().IsRegular():
		return r, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return r, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, ignoreBytes))
	if err != nil {
		return r, err
	}
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\ufeff"))) {
		if p, ok := parsePattern(string(line)); ok {
			r.patterns = append(r.patterns, p)
		}
	}
	return r, nil
}

// parsePattern reads a line; false if there is no pattern in it.
func parsePattern(line string) (p pattern, ok bool) {
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if strings.HasPrefix(line, "#") {
		return p, false
	}
	line, p.negated = strings.CutPrefix(trimSpaces(line), "!")
	line, p.folders = strings.CutSuffix(line, "/")
	p.anchored = strings.Contains(line, "/")
	p.glob = strings.TrimPrefix(line, "/")
	return p, line != ""
}

// trimSpaces removes the spaces at the end of a line but for one that is
// escaped.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' && i+1 < len(line) {
			i++
		} else if line[i] == ' ' {
			continue
		}
		end = i + 1
	}
	return line[:end]
}

// match says what the rules have for a path below their folder, given with
// slashes: the last pattern that matches it counts.
func (r rules) match(path string, folder bool) (ignored, matched bool) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	for i := len(r.patterns) - 1; i >= 0; i-- {
		p := &r.patterns[i]
		if p.folders && !folder {
			continue
		}
		text := name
		if p.anchored {
			text = path
		}
		if glob(p.glob, text, true) == matches {
			return !p.negated, true
		}
	}
	return false, false
}

// outcome of a comparison. The last two say that a longer stretch for the last
// star would not help: they keep patterns of many stars from taking for ever.
type outcome uint8

const (
	matches outcome = iota
	differs
	ends       // the text has come to its end
	needsStars // only ** could reach over a slash
)

// glob compares a text with a pattern byte by byte, as git's wildmatch does: *
// and ? and [ match no slash, ** as a whole part of a path matches any number of
// parts. start says that p is at the beginning of a part.
func glob(p, text string, start bool) outcome {
	for len(p) > 0 {
		c := p[0]
		if c == '*' {
			return globStar(p, text, start)
		}
		if text == "" {
			return ends
		}
		p, start = p[1:], c == '/'
		switch c {
		case '?':
			if text[0] == '/' {
				return differs
			}
		case '[':
			var in, ok bool
			if p, in, ok = globSet(p, text[0]); !ok || !in || text[0] == '/' {
				return differs
			}
		case '\\':
			if p == "" || p[0] != text[0] {
				return differs
			}
			p = p[1:]
		default:
			if c != text[0] {
				return differs
			}
		}
		text = text[1:]
	}
	if text == "" {
		return matches
	}
	return differs
}

// globStar is glob for a pattern that begins with a star.
func globStar(p, text string, start bool) outcome {
	rest := strings.TrimLeft(p, "*")
	deep := len(p)-len(rest) > 1 && start && (rest == "" || rest[0] == '/')
	switch {
	case deep && rest != "":
		if glob(rest[1:], text, true) == matches { // no part at all
			return matches
		}
	case rest == "" && !deep && strings.Contains(text, "/"):
		return needsStars
	case rest == "":
		return matches
	}
	for ; text != ""; text = text[1:] {
		switch o := glob(rest, text, false); {
		case o == matches, o == ends, o == needsStars && !deep:
			return o
		case !deep && text[0] == '/':
			return needsStars
		}
	}
	if o := glob(rest, "", false); o == matches {
		return matches
	}
	return ends
}

// globSet reads a set, behind its bracket, and says whether c is in it; ok is
// false if it does not end.
func globSet(p string, c byte) (rest string, in, ok bool) {
	negated := p != "" && (p[0] == '!' || p[0] == '^')
	if negated {
		p = p[1:]
	}
	for first := true; p != "" && (first || p[0] != ']'); first = false {
		if name, after, found := className(p); found {
			is, known := classes[name]
			if !known {
				return "", false, false
			}
			in, p = in || is(c), after
			continue
		}
		low, n := setByte(p)
		p = p[n:]
		high := low
		if len(p) > 1 && p[0] == '-' && p[1] != ']' {
			high, n = setByte(p[1:])
			p = p[1+n:]
		}
		in = in || low <= c && c <= high
	}
	if p == "" {
		return "", false, false
	}
	return p[1:], in != negated, true
}

// className reads the name of a class such as [:alpha:].
func className(p string) (name, rest string, ok bool) {
	if after, found := strings.CutPrefix(p, "[:"); found {
		if inner, rest, found := strings.Cut(after, "]"); found && strings.HasSuffix(inner, ":") {
			return inner[:len(inner)-1], rest, true
		}
	}
	return "", "", false
}

// setByte reads a byte of a set that may be escaped, and how long it is.
func setByte(p string) (byte, int) {
	if p[0] == '\\' && len(p) > 1 {
		return p[1], 2
	}
	return p[0], 1
}

var classes = map[string]func(byte) bool{
	"alnum":  func(c byte) bool { return isDigit(c) || isLetter(c) },
	"alpha":  isLetter,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return '!' <= c && c <= '~' },
	"lower":  func(c byte) bool { return 'a' <= c && c <= 'z' },
	"print":  func(c byte) bool { return ' ' <= c && c <= '~' },
	"punct":  func(c byte) bool { return '!' <= c && c <= '~' && !isDigit(c) && !isLetter(c) },
	"space":  func(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' },
	"upper":  func(c byte) bool { return 'A' <= c && c <= 'Z' },
	"xdigit": func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' },
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
