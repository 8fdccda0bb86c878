package ui

import (
	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
)

// prompt asks for a line of text in place of the status line. It stays open
// with what was typed if done says that it cannot be used.
type prompt struct {
	input        textinput.Model
	hint         string
	history      *history  // what up and down go through; nil: nothing
	complete     Completer // nil: tab does nothing
	*completions           // shown; nil: none
	done         func(m *root, text string) (cmd tea.Cmd, ok bool)
}

// newPrompt opens a prompt. The cursor is the terminal's own, which blinks
// without a timer of ours.
func newPrompt(sign, hint string, done func(*root, string) (tea.Cmd, bool)) *prompt {
	in := textinput.New()
	in.Prompt = sign
	in.SetStyles(textinput.Styles{})
	in.SetVirtualCursor(false)
	in.CharLimit = 1000
	in.KeyMap.Paste = key.NewBinding() // terminals paste by themselves
	in.Focus()
	return &prompt{input: in, hint: hint, done: done}
}

func (m *root) openSearch() tea.Cmd {
	m.prompt = newPrompt("/ ", "what it shows, or a photo's path · ↑ earlier · Esc back", (*root).find)
	m.prompt.history, m.prompt.complete = &m.searched, m.o.Complete
	m.searched.up = 0
	if m.o.Complete != nil {
		return nil
	}
	return m.gatherWords(m.prompt)
}

func (m *root) openAdd() tea.Cmd {
	m.prompt = newPrompt("add label: ", "one, or several with commas · Enter add · Esc back", func(m *root, text string) (tea.Cmd, bool) {
		if text == "" {
			return nil, true
		}
		return m.addLabels(text)
	})
	return nil
}

func (m *root) promptKey(msg tea.KeyPressMsg) tea.Cmd {
	p := m.prompt
	switch msg.String() {
	case "ctrl+c":
		return tea.Quit
	case "tab", "shift+tab":
		p.tab(msg.String() == "tab")
		return nil
	case "esc":
		if p.completions != nil {
			p.completions = nil
			return nil
		}
		m.prompt = nil
		return nil
	case "enter":
		cmd, ok := p.done(m, p.input.Value())
		if ok {
			m.prompt = nil
		}
		return cmd
	case "up", "down":
		if p.history != nil {
			n := 1
			if msg.String() == "down" {
				n = -1
			}
			p.input.SetValue(p.history.move(p.input.Value(), n))
			p.input.CursorEnd()
			return nil
		}
	}
	p.input, _ = p.input.Update(msg) // without its own cursor it has no commands
	if p.completions != nil {
		p.list() // of what is typed now
	}
	return nil
}

// paste goes into the prompt; without one it is a search, not keys.
func (m *root) paste(msg tea.PasteMsg) tea.Cmd {
	var cmd tea.Cmd
	if m.prompt == nil {
		cmd = m.openSearch()
	}
	m.prompt.input, _ = m.prompt.input.Update(msg)
	return cmd
}

// promptLine draws the prompt and returns where the cursor is. What is wrong
// with the line stands in place of the hint.
func (m *root) promptLine(w int) (string, int) {
	p := m.prompt
	said, k := p.hint, m.theme.quiet
	if m.toast.text != "" {
		if m.toast.warn {
			k = m.theme.warn
		}
		said = clipSaid(m.toast.line(), max(20, w-width(p.input.Prompt)-25)) // 20 are for the line
	}
	hint := width(said) + 2
	if m.toast.text == "" && w-hint < 40 {
		hint = 0
	}
	p.input.SetWidth(max(1, w-hint-width(p.input.Prompt)-3))
	p.input.SetCursor(p.input.Position()) // scrolls it to fit the new width
	var l line
	l.add("", " ")
	text := p.input.View()
	l.raw(text, width(text))
	l.to(w - hint)
	if hint > 0 {
		l.add(k, said)
	}
	x := 1
	if c := p.input.Cursor(); c != nil {
		x += c.X
	}
	return l.fit(w), min(x, w-1)
}
