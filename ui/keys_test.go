package ui

import (
	"slices"
	"testing"
)

// TestKeyTable: no key has two meanings in one place, every row says what it
// does, names are unique, and the help fits into the narrowest page.
func TestKeyTable(t *testing.T) {
	seen, names := map[keyIn]string{}, map[string]bool{}
	for _, k := range Keys() {
		if len(k.Keys) == 0 || k.Name == "" || k.Help == "" || !slices.Contains(groups, k.Group) {
			t.Errorf("incomplete row %+v", k)
		}
		if names[k.Name] {
			t.Errorf("two rows are called %q", k.Name)
		}
		names[k.Name] = true
		for _, key := range k.Keys {
			in := keyIn{lists[k.Group], key}
			if other := seen[in]; other != "" {
				t.Errorf("%s means %q and %q", key, other, k.Name)
			}
			seen[in] = k.Name
			if got := keyPress(key).String(); got != key {
				t.Errorf("Bubble Tea calls the key %q %q", key, got)
			}
		}
		if width(k.Label()) > 17 || width(k.Help) > leastWidth-21 {
			t.Errorf("row %q is too long for the page: %q, %q", k.Name, k.Label(), k.Help)
		}
	}
}

func TestOverlays(t *testing.T) {
	d := open(t, 80, 24, photos(t, 4), nil).start().press("?")
	for _, g := range []string{groupMove, groupView} {
		d.has(g)
	}
	d.has("lines more").press("down", "j", "pgdown", "pgdown", "pgdown", "pgdown", "space").has("While it trains", "nothing has changed").hasNot("lines more")
	d.press("up", "g").has(groupMove).press("?").has("001-red")
	// A key of the photos closes the page and does what it does.
	d.press("?", "right").has("001-red")
	if d.m.cursor != 1 {
		t.Errorf("photo %d", d.m.cursor)
	}
	d.press("!", "?").has(groupMove).press("esc").hasNot(groupMove)
	if d.press("?", "q"); !d.quit {
		t.Error("q does not quit from a page")
	}
}

func TestQuit(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"ctrl+c"}, {"/", "q", "ctrl+c"}, {"tab", "q"}, {"enter", "q"}} {
		d := open(t, 80, 24, photos(t, 2), nil).start()
		if d.press(keys[:len(keys)-1]...); d.quit {
			t.Errorf("%v quits too early", keys)
		}
		if d.press(keys[len(keys)-1]); !d.quit {
			t.Errorf("%v does not quit", keys)
		}
	}
	d := open(t, 10, 3, photos(t, 2), nil).start()
	if d.press("q"); !d.quit {
		t.Error("q does not quit a terminal that is too small")
	}
}
