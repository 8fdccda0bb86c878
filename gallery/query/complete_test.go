package query

import (
	"slices"
	"testing"
)

func TestComplete(t *testing.T) {
	words := Words{
		Labels:  []string{"dog", "golden retriever"},
		Tags:    []string{"Beach", "animals|birds|Owl", "new york", "a,b", "Éclair"},
		Folders: []string{"2024", "2024/summer trip"},
		Formats: []string{"jpeg", "raw"},
	}
	for _, test := range []struct {
		line string // ^ is the cursor
		want []string
	}{
		{"ta^", []string{"tag:"}},
		{"a dog -TA^", []string{"-tag:"}},
		{"a dog ra^ beach", []string{"rating:"}},
		{"a dog ta^gbeach", []string{"tag:"}},
		{"dog^", nil},
		{`"ta^`, nil},
		{"+ta^", nil},
		{"f^", []string{"folder:", "format:"}},
		{"tag:^", []string{"tag:Beach", "tag:animals|birds|Owl", `tag:"new york"`, `tag:"a,b"`, "tag:Éclair"}},
		{"tag:b^", []string{"tag:Beach", "tag:animals|birds|Owl"}},
		{"-TAG:ow^", []string{"-TAG:animals|birds|Owl"}},
		{"tag:e\u0301^", []string{"tag:Éclair"}},
		{`tag:"new y^`, []string{`tag:"new york"`}},
		{`tag:"a,^`, []string{`tag:"a,b"`}},
		{`tag:"a,b",be^`, []string{`tag:"a,b",Beach`}},
		{"tag:x,^", []string{"tag:x,Beach", "tag:x,animals|birds|Owl", `tag:x,"new york"`, `tag:x,"a,b"`, "tag:x,Éclair"}},
		{"label:g^", []string{`label:"golden retriever"`}},
		{"label:dog>0.8,g^", []string{`label:dog>0.8,"golden retriever"`}},
		{"label:dog>^", nil},
		{"folder:su^", []string{`folder:"2024/summer trip"`}},
		{"folder:2024^", []string{"folder:2024", `folder:"2024/summer trip"`}},
		{"format:r^", []string{"format:raw"}},
		{"is:ra^", []string{"is:rated"}},
		{"rating:^", nil},
		{"nothing:^", nil},
		{"größe ta^", []string{"tag:"}},
	} {
		cursor := slices.Index([]byte(test.line), '^')
		line := test.line[:cursor] + test.line[cursor+1:]
		if got := Complete(line, cursor, words); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.line, got, test.want)
		}
	}
	all := len(kinds)
	for _, line := range []string{"", "a dog "} {
		if got := Complete(line, len(line), words); len(got) != all {
			t.Errorf("%q: %q", line, got)
		}
	}
	if got := Complete("ta", 99, words); !slices.Equal(got, []string{"tag:"}) {
		t.Errorf("a cursor behind the end: %q", got)
	}
	if got := Complete("ta", -1, words); len(got) != all {
		t.Errorf("a cursor before the start: %q", got)
	}
}

func TestWordStart(t *testing.T) {
	for _, test := range []struct {
		line         string
		cursor, want int
	}{
		{"", 0, 0}, {"ab cd", 5, 3}, {"ab cd", 4, 3}, {"ab cd", 3, 3}, {"ab cd", 2, 0}, {`tag:"a b`, 8, 0}, {"é x", 4, 3}, {"ab", 9, 0}, {"ab", -1, 0},
	} {
		if got := WordStart(test.line, test.cursor); got != test.want {
			t.Errorf("WordStart of %q at %d is %d, want %d", test.line, test.cursor, got, test.want)
		}
	}
}
