package ui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/sidecar"
)

// tagDetail is what is known of the photo of the chosen row.
type tagDetail struct {
	id      int // -1: of none
	plan    sidecar.PhotoPlan
	stories []told
}

// told is the story of a tag, and the sign of what becomes of it.
type told struct {
	sign string
	gallery.Story
}

type shownMsg struct {
	planner *gallery.TagPlanner
	tagDetail
	err error
}

// askPlan asks for the plan of the chosen row's photo, if it is not there. One
// command at a time does it.
func (m *root) askPlan() tea.Cmd {
	t := &m.tags
	if m.overlay != overlayTags || t.asking || t.at >= len(t.draft.rows) || t.shown.id == t.draft.rows[t.at].id {
		return nil
	}
	t.asking = true
	planner, id := t.draft.planner, t.draft.rows[t.at].id
	return m.work.command(func(ctx context.Context) tea.Msg {
		msg := shownMsg{planner: planner, tagDetail: tagDetail{id: id}}
		plan, err := planner.Draft(ctx, []int{id})
		if err != nil {
			msg.err = err
			return msg
		}
		if len(plan.Photos) > 0 {
			msg.plan = plan.Photos[0]
			msg.err = msg.tell(planner)
		}
		return msg
	})
}

// tell asks for the stories of all tags of the plan.
func (d *tagDetail) tell(planner *gallery.TagPlanner) error {
	lists := []struct {
		sign string
		tags []string
	}{{"+", d.plan.Added}, {"-", d.plan.Removed}, {"✗", nil}, {"=", d.plan.Kept}}
	for _, gone := range d.plan.Missing {
		lists[2].tags = append(lists[2].tags, gone.Label)
	}
	for _, list := range lists {
		for _, tag := range list.tags {
			story, err := planner.Why(d.id, tag)
			if err != nil {
				return err
			}
			story.Tag = tag
			d.stories = append(d.stories, told{list.sign, story})
		}
	}
	return nil
}

func (m *root) planShown(msg shownMsg) {
	t := &m.tags
	t.asking = false
	if msg.err == nil && msg.planner == t.draft.planner {
		t.shown = msg.tagDetail
	}
}

// detailLines describes the chosen row in at most h lines.
func (m *root) detailLines(w, h int) []string {
	t := &m.tags
	if t.at >= len(t.draft.rows) || t.shown.id != t.draft.rows[t.at].id {
		return nil
	}
	if t.explain {
		return m.storyLines(w)
	}
	p, r := t.shown.plan, t.draft.rows[t.at]
	var lines []string
	add := func(head string, k ink, text string) {
		for i, s := range wrap(text, w-detailHead-3) {
			if i > 0 {
				head = ""
			}
			var l line
			l.add("", "  ").add(m.theme.quiet, left(head, detailHead)).add(k, s)
			lines = append(lines, l.fit(w))
		}
	}
	if p.Refused != "" {
		add("refused", m.theme.warn, clean(p.Refused))
	}
	for _, f := range p.Files {
		if clean(lastOf(f.Path)) == lastOf(r.file) {
			m.fieldLines(f, add)
		}
	}
	if len(p.Kept) > 0 {
		add("kept", "", plural(len(p.Kept), "tag")+": "+clean(strings.Join(p.Kept, ", ")))
	}
	if len(p.Shown) > 0 {
		m.programLines(p, add)
	}
	for _, s := range p.Notes {
		add("note", "", clean(s))
	}
	for _, gone := range p.Missing {
		add("taken out", "", clean(gone.Label)+" by another program: that counts as rejected")
	}
	return lines[:min(len(lines), h)]
}

// detailHead is the cells of the words at the beginning of a line.
const detailHead = 24

// lastOf is the name of a file in its folder.
func lastOf(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// fieldLines says what becomes of the fields of a sidecar.
func (m *root) fieldLines(f sidecar.FilePlan, add func(string, ink, string)) {
	for _, field := range f.Fields {
		var parts []string
		for _, v := range field.Added {
			parts = append(parts, "+"+clean(v))
		}
		for _, v := range field.Removed {
			parts = append(parts, "-"+clean(v))
		}
		if n := len(field.Kept); n > 0 {
			parts = append(parts, fmt.Sprintf("(%d kept)", n))
		}
		add(string(field.Field), m.theme.strong, strings.Join(parts, "  "))
	}
	if f.New {
		add("new file", "", "there is none yet")
	} else {
		add("every other byte", "", "of the "+fileSize(f.Size)+" stays as it is")
	}
}

// programLines says what programs will show, those together that show the same.
func (m *root) programLines(p sidecar.PhotoPlan, add func(string, ink, string)) {
	said := map[string][]string{}
	var order []string
	for _, r := range sidecar.Readers {
		list := clean(strings.Join(p.Shown[r], ", "))
		if list == "" {
			list = "nothing"
		}
		if said[list] == nil {
			order = append(order, list)
		}
		said[list] = append(said[list], string(r))
	}
	for _, list := range order {
		add("programs show", "", strings.Join(said[list], ", ")+": "+list)
	}
}

// storyLines says of every tag why it is as it is planned.
func (m *root) storyLines(w int) []string {
	d := m.tags.shown
	var lines []string
	tell := func(sign, label, why string) {
		for i, s := range wrap(clean(why), w-detailHead-3) {
			head := sign + " " + clean(label)
			if i > 0 {
				head = ""
			}
			var l line
			l.add("", "  ").add(m.theme.strong, left(head, detailHead-1)).add("", " "+s)
			lines = append(lines, l.fit(w))
		}
	}
	if d.plan.Refused != "" {
		tell("✗", "refused", d.plan.Refused)
	}
	for _, s := range d.stories {
		tell(s.sign, s.Tag, s.words())
	}
	if len(lines) == 0 {
		tell("", "", "no tag changes; fields that programs read are made to agree")
	}
	return lines
}

// words are the story in a line: the rule, what a person said last, and what was
// written because of whom.
func (s told) words() string {
	parts := []string{s.Ruling.Why}
	if n := len(s.Answers); n > 0 {
		a := s.Answers[n-1]
		switch rule := s.Ruling.Rule; {
		case a.Elsewhere:
			parts = append(parts, "taken out in another program, as was seen "+at(a.When))
		case rule == gallery.RuleAccepted, rule == gallery.RuleRejected: // which say what was answered
			parts[0] += ", " + at(a.When)
		default:
			parts = append(parts, fmt.Sprintf("you %sed it %s", a.Verdict, at(a.When)))
		}
	}
	for _, set := range s.Set {
		text := "written " + at(set.When)
		switch set.Source {
		case sidecar.User:
			text += " for you"
		case sidecar.Auto:
			text += fmt.Sprintf(" for the model, with %.2f of at least %.2f", set.P, set.Threshold)
		}
		if set.Gone {
			text += ", and taken out since"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func at(t time.Time) string {
	if t.IsZero() {
		return "some time ago"
	}
	return when(t)
}
