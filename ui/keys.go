package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery/catalog"
)

// KeyHelp is one row of the key table: what to press, what it is called, what
// it does.
type KeyHelp struct {
	Keys  []string // as Bubble Tea names them: "pgdown", "ctrl+c", "["
	Name  string   // one or two words, for hints
	Help  string   // a line
	Group string   // heading under which the help shows it
}

// Label writes the keys as people read them: "← h".
func (k KeyHelp) Label() string {
	shown := make([]string, len(k.Keys))
	for i, key := range k.Keys {
		shown[i] = key
		if s, ok := keySigns[key]; ok {
			shown[i] = s
		}
	}
	return strings.Join(shown, " ")
}

var keySigns = map[string]string{
	"left": "←", "right": "→", "up": "↑", "down": "↓",
	"pgup": "PgUp", "pgdown": "PgDn", "home": "Home", "end": "End",
	"enter": "Enter", "tab": "Tab", "esc": "Esc", "backspace": "Backspace", "delete": "Del",
	"ctrl+c": "Ctrl-C", "ctrl+z": "Ctrl-Z", "ctrl+f": "Ctrl-F", "ctrl+b": "Ctrl-B", "space": "Space", "ctrl+a": "Ctrl-A",
	"shift+left": "⇧←", "shift+right": "⇧→", "shift+up": "⇧↑", "shift+down": "⇧↓",
}

// action is a row of the table with its effect.
type action struct {
	KeyHelp
	do func(*root) tea.Cmd
}

// Groups of the table, in the order in which the help shows them.
const (
	groupMove    = "Moving"
	groupView    = "Looking"
	groupMarks   = "Marking several photos"
	groupBias    = "Bias and thresholds"
	groupLabels  = "Labels"
	groupAnswers = "Answers and tags"
	groupRest    = "The rest"

	// Keys of a list, while it is open.
	groupSort    = "In the list of orders"
	groupFolders = "In the list of folders"
	groupJobs    = "In the list of jobs"
	groupTrain   = "Before a training"
	groupTags    = "In the tags to be written"

	groupTraining = "While it trains"
)

var groups = []string{groupMove, groupView, groupMarks, groupBias, groupLabels, groupAnswers, groupRest, groupSort, groupFolders, groupJobs, groupTags, groupTrain, groupTraining}

// lists says which overlay the keys of a group belong to; the others are of the
// photos.
var lists = map[string]overlay{
	groupSort: overlaySort, groupFolders: overlayFolders, groupJobs: overlayJobs, groupTags: overlayTags,
	groupTrain: overlayTrain, groupTraining: overlayTraining,
}

// actions is the one key table: the handlers, the hints, the ? screen, and
// what Keys returns all come from it.
var actions = []action{
	{KeyHelp{[]string{"left", "h"}, "left", "previous photo", groupMove}, func(m *root) tea.Cmd { return m.moveBy(-1) }},
	{KeyHelp{[]string{"right", "l"}, "right", "next photo", groupMove}, func(m *root) tea.Cmd { return m.moveBy(1) }},
	{KeyHelp{[]string{"up", "k"}, "up", "photo, or label, above", groupMove}, func(m *root) tea.Cmd { return m.moveRows(-1) }},
	{KeyHelp{[]string{"down", "j"}, "down", "photo, or label, below", groupMove}, func(m *root) tea.Cmd { return m.moveRows(1) }},
	{KeyHelp{[]string{"pgup", "ctrl+b"}, "page up", "one page up", groupMove}, func(m *root) tea.Cmd { return m.movePages(-1) }},
	{KeyHelp{[]string{"pgdown", "ctrl+f"}, "page down", "one page down", groupMove}, func(m *root) tea.Cmd { return m.movePages(1) }},
	{KeyHelp{[]string{"home", "g"}, "first", "first photo or label", groupMove}, func(m *root) tea.Cmd { return m.moveEnd(false) }},
	{KeyHelp{[]string{"end", "G"}, "last", "last photo or label", groupMove}, func(m *root) tea.Cmd { return m.moveEnd(true) }},

	{KeyHelp{[]string{"enter"}, "large", "chosen photo large, and back", groupView}, (*root).toggleLarge},
	{KeyHelp{[]string{"tab"}, "labels", "between photos and labels", groupView}, (*root).toggleFocus},
	{KeyHelp{[]string{"/"}, "search", "search by text, best matches first", groupView}, (*root).openSearch},
	{KeyHelp{[]string{"s"}, "sort", "sort by name, date, label, …", groupView}, (*root).openSort},
	{KeyHelp{[]string{"f"}, "folders", "folders, to look into one", groupView}, (*root).openFolders},
	{KeyHelp{[]string{"+", "="}, "larger", "larger thumbnails", groupView}, func(m *root) tea.Cmd { return m.zoomBy(1) }},
	{KeyHelp{[]string{"-"}, "smaller", "smaller thumbnails", groupView}, func(m *root) tea.Cmd { return m.zoomBy(-1) }},
	{KeyHelp{[]string{"esc"}, "back", "one step back", groupView}, (*root).back},

	{KeyHelp{[]string{"space"}, "mark", "mark the photo, or not, and go on", groupMarks}, (*root).toggleMark},
	{KeyHelp{[]string{"v"}, "range", "begin a range, or end it", groupMarks}, (*root).toggleRange},
	{KeyHelp{[]string{"shift+left"}, "mark left", "mark, and go left", groupMarks}, func(m *root) tea.Cmd { return m.markTo((*root).moveBy, -1) }},
	{KeyHelp{[]string{"shift+right"}, "mark right", "mark, and go right", groupMarks}, func(m *root) tea.Cmd { return m.markTo((*root).moveBy, 1) }},
	{KeyHelp{[]string{"shift+up"}, "mark up", "mark, and go up", groupMarks}, func(m *root) tea.Cmd { return m.markTo((*root).moveRows, -1) }},
	{KeyHelp{[]string{"shift+down"}, "mark down", "mark, and go down", groupMarks}, func(m *root) tea.Cmd { return m.markTo((*root).moveRows, 1) }},
	{KeyHelp{[]string{"ctrl+a"}, "all", "mark all that are listed, or none", groupMarks}, (*root).markAll},
	{KeyHelp{[]string{"i"}, "invert", "mark the others in the list", groupMarks}, (*root).invertMarks},

	{KeyHelp{[]string{"["}, "less", "bias δ down by 0.1: fewer tags", groupBias}, func(m *root) tea.Cmd { return m.biasBy(-1) }},
	{KeyHelp{[]string{"]"}, "more", "bias δ up by 0.1: more tags", groupBias}, func(m *root) tea.Cmd { return m.biasBy(1) }},
	{KeyHelp{[]string{"0", "backspace"}, "reset", "bias δ back to 0, the model's own", groupBias}, (*root).resetBias},
	{KeyHelp{[]string{"{"}, "threshold -", "chosen label's threshold down by 0.05", groupBias}, func(m *root) tea.Cmd { return m.thresholdBy(-1) }},
	{KeyHelp{[]string{"}"}, "threshold +", "chosen label's threshold up by 0.05", groupBias}, func(m *root) tea.Cmd { return m.thresholdBy(1) }},

	{KeyHelp{[]string{"a"}, "add", "add labels, separated by commas", groupLabels}, (*root).openAdd},
	{KeyHelp{[]string{"x", "d", "delete"}, "remove", "remove the chosen label", groupLabels}, (*root).removeLabel},
	{KeyHelp{[]string{"u"}, "undo", "undo the last answer or change", groupLabels}, (*root).undo},

	{KeyHelp{[]string{"y"}, "accept", "accept the chosen label, or not", groupAnswers}, func(m *root) tea.Cmd { return m.answer(catalog.Accept) }},
	{KeyHelp{[]string{"n"}, "reject", "reject the chosen label, or not", groupAnswers}, func(m *root) tea.Cmd { return m.answer(catalog.Reject) }},
	{KeyHelp{[]string{"t"}, "tags", "tags to be written, and undone", groupAnswers}, (*root).openTags},

	{KeyHelp{[]string{"T"}, "train", "learn from tags, or see how it goes", groupLabels}, (*root).openTraining},

	{KeyHelp{[]string{"J"}, "jobs", "what is at work, and how far it is", groupRest}, func(m *root) tea.Cmd { return m.toggleOverlay(overlayJobs) }},
	{KeyHelp{[]string{"p"}, "pause", "pause embedding, or go on", groupRest}, (*root).togglePause},
	{KeyHelp{[]string{"?"}, "keys", "this page", groupRest}, func(m *root) tea.Cmd { return m.toggleOverlay(overlayKeys) }},
	{KeyHelp{[]string{"!"}, "problems", "what could not be read or saved", groupRest}, func(m *root) tea.Cmd { return m.toggleOverlay(overlayProblems) }},
	{KeyHelp{[]string{"R"}, "rescan", "look for changes in the folders", groupRest}, (*root).rescan},
	{KeyHelp{[]string{"ctrl+z"}, "suspend", "to the shell; fg comes back", groupRest}, func(*root) tea.Cmd { return tea.Suspend }},
	{KeyHelp{[]string{"q", "ctrl+c"}, "quit", "leave", groupRest}, (*root).quit},

	{KeyHelp{[]string{"enter", "space"}, "sort so", "sort so; again: turned round", groupSort}, (*root).sortChosen},
	{KeyHelp{[]string{"r"}, "turn round", "the other way round", groupSort}, (*root).turnRound},
	{KeyHelp{[]string{"m"}, "match", "how well they fit the search", groupSort}, func(m *root) tea.Cmd { return m.sortFor("match") }},
	{KeyHelp{[]string{"f"}, "folder", "as they lie in the folders", groupSort}, func(m *root) tea.Cmd { return m.sortFor("folder") }},
	{KeyHelp{[]string{"n"}, "name", "name of the file", groupSort}, func(m *root) tea.Cmd { return m.sortFor("name") }},
	{KeyHelp{[]string{"d"}, "date", "date taken, or else written", groupSort}, func(m *root) tea.Cmd { return m.sortFor("date") }},
	{KeyHelp{[]string{"b"}, "size", "size of the file", groupSort}, func(m *root) tea.Cmd { return m.sortFor("size") }},
	{KeyHelp{[]string{"p"}, "probability", "probability of the chosen label", groupSort}, func(m *root) tea.Cmd { return m.sortFor("probability") }},
	{KeyHelp{[]string{"l"}, "likeness", "likeness to the chosen photo", groupSort}, func(m *root) tea.Cmd { return m.sortFor("likeness") }},

	{KeyHelp{[]string{"enter"}, "look into", "show only what is in the folder", groupFolders}, (*root).enterFolder},
	{KeyHelp{[]string{"right"}, "open", "show the folders in it", groupFolders}, (*root).unfold},
	{KeyHelp{[]string{"left"}, "close", "hide them, or one level up", groupFolders}, (*root).fold},

	{KeyHelp{[]string{"x"}, "stop", "stop embedding, or start it", groupJobs}, (*root).toggleStop},

	{KeyHelp{[]string{"enter"}, "start", "start", groupTrain}, (*root).startTraining},
	{KeyHelp{[]string{"c"}, "complete", "absent tags: wrong, or nobody knows", groupTrain}, (*root).toggleComplete},
	{KeyHelp{[]string{"t"}, "aim", "thresholds: as they are, or fitted", groupTrain}, (*root).nextAim},
	{KeyHelp{[]string{"m"}, "heads", "heads: learned, or means of photos", groupTrain}, (*root).togglePrototype},

	{KeyHelp{[]string{"space"}, "hold", "pause, or go on", groupTraining}, (*root).holdTraining},
	{KeyHelp{[]string{"s"}, "finish", "stop here, and see what it brought", groupTraining}, (*root).finishTraining},
	{KeyHelp{[]string{"r"}, "rewind", "back to a checkpoint, forget the rest", groupTraining}, (*root).rewindTraining},
	{KeyHelp{[]string{"b"}, "branch", "on from a checkpoint, and keep the rest", groupTraining}, (*root).branchTraining},
	{KeyHelp{[]string{"enter"}, "keep", "keep what became better, and use it", groupTraining}, (*root).keepTraining},
	{KeyHelp{[]string{"d"}, "discard", "twice: discard it; nothing has changed", groupTraining}, (*root).discardTraining},

	{KeyHelp{[]string{"a"}, "apply", "write the sidecars, after a question", groupTags}, (*root).askApply},
	{KeyHelp{[]string{"u"}, "undo last", "take the last run back, to the byte", groupTags}, (*root).askUndo},
	{KeyHelp{[]string{"e"}, "explain", "why these tags, or which fields", groupTags}, (*root).toggleStory},
	{KeyHelp{[]string{"x"}, "export", "the plan to a file, as JSON lines", groupTags}, (*root).openExport},
	{KeyHelp{[]string{"m"}, "model too", "what the model says counts, or not", groupTags}, (*root).toggleModel},
	{KeyHelp{[]string{"s"}, "stop writing", "stop what is being written", groupTags}, (*root).stopWriting},
	{KeyHelp{[]string{"enter"}, "to photo", "the photo on the sheet", groupTags}, (*root).toPhoto},
}

// keyIn is a key where it has its meaning: in an overlay, or with the photos.
type keyIn struct {
	overlay overlay
	key     string
}

// byKey finds the action of a key, and firstKey the key of an action by its name;
// they are filled in init because the handlers refer to the table themselves.
var (
	byKey    = map[keyIn]func(*root) tea.Cmd{}
	firstKey = map[string]string{}
)

func init() {
	for _, a := range actions {
		firstKey[a.Name] = a.Keys[0]
		for _, k := range a.Keys {
			byKey[keyIn{lists[a.Group], k}] = a.do
		}
	}
}

// Keys returns the key table.
func Keys() []KeyHelp {
	out := make([]KeyHelp, len(actions))
	for i, a := range actions {
		out[i] = a.KeyHelp
	}
	return out
}

// hint finds the row of an action by its name, for the hints in the header.
func hint(name string) string { return keyOf(name) + " " + name }

// keyOf is the first key of an action.
func keyOf(name string) string {
	key, ok := firstKey[name]
	if !ok {
		panic("no action " + name)
	}
	return key
}

// signOf is the first key of an action as people read it.
func signOf(name string) string {
	key := keyOf(name)
	if sign, ok := keySigns[key]; ok {
		return sign
	}
	return key
}
