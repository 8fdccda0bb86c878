package ui

import (
	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
)

// prompt asks for a line of text in place of the status line.
type prompt struct {
	input textinput.Model
	hint  string
	done  func(m *root, text string) tea.Cmd
}

// newPrompt opens a prompt. The cursor is the terminal's own, which blinks
// without a timer of ours.
func newPrompt(sign, hint, text string, done func(*root, string) tea.Cmd) *prompt {
	in := textinput.New()
	in.Prompt = sign
	in.SetStyles(textinput.Styles{})
	in.SetVirtualCursor(false)
	in.CharLimit = 1000
	in.KeyMap.Paste = key.NewBinding() // terminals paste by themselves
	in.SetValue(text)
	in.Focus()
	return &prompt{in, hint, done}
}

func (m *root) openSearch() tea.Cmd {
	m.prompt = newPrompt("/ ", "what the photo shows · Enter search · Esc back", m.search.text, (*root).find)
	return nil
}

func (m *root) openAdd() tea.Cmd {
	m.prompt = newPrompt("add label: ", "one, or several with commas · Enter add · Esc back", "", func(m *root, text string) tea.Cmd {
		if text == "" {
			return nil
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
	case "esc":
		m.prompt = nil
		return nil
	case "enter":
		m.prompt = nil
		return p.done(m, p.input.Value())
	}
	p.input, _ = p.input.Update(msg) // without its own cursor it has no commands
	return nil
}

// paste goes into the prompt; without one it is a search, not keys.
func (m *root) paste(msg tea.PasteMsg) tea.Cmd {
	if m.prompt == nil {
		m.openSearch()
	}
	m.prompt.input, _ = m.prompt.input.Update(msg)
	return nil
}

// promptLine draws the prompt and returns where the cursor is.
func (m *root) promptLine(w int) (string, int) {
	p := m.prompt
	hint := width(p.hint) + 2
	if w-hint < 40 {
		hint = 0
	}
	p.input.SetWidth(max(1, w-hint-width(p.input.Prompt)-3))
	var l line
	l.add("", " ")
	text := p.input.View()
	l.raw(text, width(text))
	l.to(w - hint)
	if hint > 0 {
		l.add(m.theme.quiet, p.hint)
	}
	x := 1
	if c := p.input.Cursor(); c != nil {
		x += c.X
	}
	return l.fit(w), min(x, w-1)
}
