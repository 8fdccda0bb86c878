package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// A tagList is a file that says what photos show.
type tagList struct {
	file     string
	captions bool // it has texts in place of tags
	rows     []listedPhoto
}

// listedPhoto is a line of a list.
type listedPhoto struct {
	line    int
	path    string
	caption string
	tags    []listedTag
}

type listedTag struct {
	name  string
	value int8 // +1 or −1
}

// The names of columns, in any case.
var (
	pathColumns    = []string{"path", "file", "filename", "image", "photo", "name"}
	tagColumns     = []string{"tag", "tags", "label", "labels", "keyword", "keywords", "class"}
	captionColumns = []string{"caption", "captions", "text", "description", "comment"}
)

// readTagList reads CSV of one of these forms:
//
//	beach/1.jpg,dog           a tag, or several: dog;beach
//	path,tags                 the same below a heading
//	path,dog,beach            a column for each tag: 1 it shows it, -1 it does
//	                          not, 0 it does not or, where there is any -1,
//	                          nobody knows, as if empty
//	path,caption              a text for each line
//
// Errors say file and line.
func readTagList(file string) (tagList, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return tagList{}, fmt.Errorf("read tags: %w", err)
	}
	list := tagList{file: file}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	var records [][]string
	var lines []int
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if broken := (*csv.ParseError)(nil); errors.As(err, &broken) {
			return list, list.errorf(broken.Line, "%v", broken.Err)
		} else if err != nil {
			return list, fmt.Errorf("read tags %s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		records, lines = append(records, record), append(lines, line)
	}
	if len(records) == 0 {
		return list, fmt.Errorf("read tags %s: it is empty", file)
	}
	head := records[0]
	isHead := slices.Contains(pathColumns, strings.ToLower(strings.TrimSpace(head[0]))) && len(head) > 1
	second := strings.ToLower(strings.TrimSpace(slices.Concat(head, []string{""})[1]))
	switch {
	case !isHead:
		err = list.readTags(records, lines)
	case len(head) == 2 && slices.Contains(captionColumns, second):
		list.captions = true
		err = list.readCaptions(records[1:], lines[1:])
	case len(head) == 2 && slices.Contains(tagColumns, second):
		err = list.readTags(records[1:], lines[1:])
	default:
		err = list.readMatrix(head, records[1:], lines[0], lines[1:])
	}
	if err == nil && len(list.rows) == 0 {
		err = fmt.Errorf("read tags %s: it names no photo", file)
	}
	return list, err
}

func (l *tagList) errorf(line int, format string, v ...any) error {
	return fmt.Errorf("read tags %s:%d: %s", l.file, line, fmt.Sprintf(format, v...))
}

// two checks that a record has a path and one field more.
func (l *tagList) two(record []string, line int) error {
	switch {
	case len(record) != 2:
		return l.errorf(line, "it has %d fields; want a path and a tag, or several with ; between them", len(record))
	case strings.TrimSpace(record[0]) == "":
		return l.errorf(line, "it has no path")
	}
	return nil
}

func (l *tagList) readTags(records [][]string, lines []int) error {
	for i, record := range records {
		if err := l.two(record, lines[i]); err != nil {
			return err
		}
		row := listedPhoto{line: lines[i], path: strings.TrimSpace(record[0])}
		for name := range strings.SplitSeq(record[1], ";") {
			if name = strings.TrimSpace(name); name != "" {
				row.tags = append(row.tags, listedTag{name, 1})
			}
		}
		l.rows = append(l.rows, row)
	}
	return nil
}

func (l *tagList) readCaptions(records [][]string, lines []int) error {
	for i, record := range records {
		if err := l.two(record, lines[i]); err != nil {
			return err
		}
		text := strings.TrimSpace(record[1])
		if text == "" {
			return l.errorf(lines[i], "the caption of %s is empty", record[0])
		}
		l.rows = append(l.rows, listedPhoto{line: lines[i], path: strings.TrimSpace(record[0]), caption: text})
	}
	return nil
}

func (l *tagList) readMatrix(head []string, records [][]string, headLine int, lines []int) error {
	for i, name := range head {
		head[i] = strings.TrimSpace(name)
		if head[i] == "" {
			return l.errorf(headLine, "column %d has no name", i+1)
		}
	}
	zero := int8(-1)
	for _, record := range records {
		for _, cell := range record[1:] {
			if strings.TrimSpace(cell) == "-1" {
				zero = 0
			}
		}
	}
	values := map[string]int8{"1": 1, "-1": -1, "0": zero, "": 0}
	for i, record := range records {
		if len(record) != len(head) {
			return l.errorf(lines[i], "it has %d fields, the heading %d", len(record), len(head))
		}
		row := listedPhoto{line: lines[i], path: strings.TrimSpace(record[0])}
		if row.path == "" {
			return l.errorf(lines[i], "it has no path")
		}
		for k, cell := range record[1:] {
			value, ok := values[strings.TrimSpace(cell)]
			if !ok {
				return l.errorf(lines[i], "%s is %q; want 1, 0, -1 or nothing", head[k+1], cell)
			}
			if value != 0 {
				row.tags = append(row.tags, listedTag{head[k+1], value})
			}
		}
		l.rows = append(l.rows, row)
	}
	return nil
}
