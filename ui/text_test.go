package ui

import (
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain name.jpg":          "plain name.jpg",
		"a\nb\tc\rd":              "a·b·c·d",
		"\x1b[31mred\x1b]0;x\x07": "·[31mred·]0;x·",
		"\x7f\u0085\u009b2J":      "···2J",
		"bad \xff\xfe utf":        "bad · utf",
		"\u202egpj.exe":           "·gpj.exe",
		"日本語":                     "日本語",
		"cafe\u0301":              "cafe\u0301",
		"\u0301x":                 "◌\u0301x",
		"👨‍👩‍👧":                   "👨",
		"☁️ cloud":                "☁ cloud",
		"a\u2028b":                "a·b",
		"":                        "",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"a\nb", "\x1b[2J", "🇩🇪🇫🇷", "e\u0301\u0301", "👩🏽‍🚀", "\u200b\u200d", "각", "ก็", "\xc3\x28", "🇩\xf0", "🏽", "\u0600"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, s string, w int) {
		w = max(0, min(w, 200))
		c := clean(s)
		if a, b := ansi.StringWidth(c), ansi.StringWidthWc(c); a != b {
			t.Fatalf("clean(%q) = %q is %d or %d wide", s, c, a, b)
		}
		if c != clean(c) {
			t.Fatalf("clean(%q) = %q, and again %q", s, c, clean(c))
		}
		for what, cut := range map[string]string{"left": left(c, w), "right": right(c, w), "name": left(clipName(c, w), w), "path": left(clipPath(c, w), w), "reason": left(clipReason(c, w), w)} {
			if a, b := ansi.StringWidth(cut), ansi.StringWidthWc(cut); a != w || b != w {
				t.Fatalf("%s(%q, %d) = %q is %d or %d wide", what, c, w, cut, a, b)
			}
		}
	})
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{clip("abcdef", 4), "abc…"},
		{clip("abcdef", 6), "abcdef"},
		{clip("日本語", 4), "日…"},
		{clip("x", 0), ""},
		{clipName("IMG_2024_holiday_0412.jpg", 16), "IMG_2024_h…2.jpg"},
		{clipPath("holidays/panda/image_0008.jpg", 22), "…/panda/image_0008.jpg"},
		{clipPath("holidays/panda/image_0008.jpg", 21), "…/image_0008.jpg"},
		{clipPath("holidays/panda/image_0008.jpg", 13), "image_00….jpg"},
		{clipPath("holidays/", 30), "holidays/"},
		{clipPath("/a/very/long/way/", 10), "…/way/"},
		{clipReason("read photo a.jpg: truncated", 30), "read photo a.jpg: truncated"},
		{clipReason("read photo /home/me/pictures/holidays/a.jpg: truncated", 38), "read photo …/holidays/a.jpg: truncated"},
		{clipReason("read photo /home/me/pictures/holidays/a.jpg: truncated", 20), "truncated"},
		{clipReason(`search "a long sentence with \"quotes\" in it": no words for it`, 40), `search "a long se…n it": no words for it`},
		{clipReason("nothing to leave out here", 10), "nothing t…"},
		{left("日", 3), "日 "},
		{right("7", 3), "  7"},
		{count(0), "0"},
		{count(999), "999"},
		{count(1204), "1,204"},
		{count(-1234567), "-1,234,567"},
		{signed(46), "+46"},
		{signed(-3), "-3"},
		{signed(0), "±0"},
		{plural(1, "photo"), "1 photo"},
		{plural(2000, "photo"), "2,000 photos"},
		{fileSize(812), "812 B"},
		{fileSize(5_300_000), "5.3 MB"},
		{fileSize(999_600), "1.0 MB"},
		{fileSize(51_234), "51 kB"},
		{clock(0), "0:00"},
		{clock(1200 * time.Millisecond), "0:02"},
		{clock(3599*time.Second + 1), "1:00:00"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
