package ui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"sigla/ui/chart"
)

// jobState says how far a job is, with a mark of its own.
type jobState string

const (
	jobWaits   jobState = "○"
	jobRuns    jobState = "●"
	jobPaused  jobState = "‖"
	jobDone    jobState = "✓"
	jobFailed  jobState = "✗"
	jobStopped jobState = "■"
)

// job is a line of the list of jobs.
type job struct {
	name  string
	state jobState
	done  float64 // part, 0 to 1; below 0: not known, and no bar
	said  string
}

// jobs are the pieces of work behind the screen, in the order in which a photo
// passes them. All are listed always, so that no line jumps; a training stands
// last, if there is one.
func (m *root) jobs() []job {
	p := m.progress
	scan := job{"finding photos", jobDone, -1, count(p.Found) + " found"}
	if m.scanning {
		scan.state = jobRuns
	}
	if m.scanErr != nil {
		scan.state = jobFailed
	}
	load := job{"loading the model", jobRuns, -1, ""}
	switch {
	case m.loadErr != nil:
		load.state, load.said = jobFailed, clean(m.loadErr.Error())
	case m.enc != nil:
		load.state, load.said = jobDone, clean(m.info.Name)+" · "+clean(m.device)
	}
	scored := job{"scoring", jobWaits, -1, count(m.tally.scored) + " scored"}
	switch {
	case m.scoring:
		scored.state = jobRuns
	case m.tally.scored > 0 && m.tally.scored == p.Done:
		scored.state = jobDone
	}
	sorted := job{"sorting", jobDone, -1, m.list.ordered().words()}
	if m.listPace.running() || m.listPace.due {
		sorted.state = jobRuns
	}
	saved := job{"saving labels", jobDone, -1, plural(len(m.labels.set.Labels), "label")}
	switch {
	case m.o.Save == nil:
		saved.state, saved.said = jobWaits, "they are not kept"
	case m.labels.saveErr != nil:
		saved.state, saved.said = jobFailed, clean(m.labels.saveErr.Error())
	case m.labels.saving || m.labels.unsaved:
		saved.state = jobRuns
	}
	list := []job{scan, load, m.embedJob(), scored, sorted, saved, m.tagsJob()}
	if trains, ok := m.trainJob(); ok {
		list = append(list, trains)
	}
	return list
}

// tagsJob is what is written to sidecars, or was not.
func (m *root) tagsJob() job {
	w := &m.tags.writing
	j := job{"writing tags", jobWaits, -1, "nothing is being written"}
	switch {
	case w.running():
		j.state, j.said = jobRuns, w.words()
		if w.of > 0 {
			j.done = float64(w.done) / float64(w.of)
		}
	case len(m.tags.failed) > 0:
		j.state, j.said = jobFailed, count(len(m.tags.failed))+" not written; "+keyOf("problems")+" lists them"
	case w.number > 0:
		j.state, j.said = jobDone, w.doing+" has come to its end"
	}
	return j
}

func (m *root) embedJob() job {
	p := m.progress
	found, settled := count(p.Found), p.Done+p.Failed
	j := job{"embedding", jobWaits, 0, right(count(settled), width(found)) + "/" + found}
	if p.Found > 0 {
		j.done = float64(settled) / float64(p.Found)
	}
	switch {
	case m.loadErr != nil:
		j.state = jobFailed
	case m.stopped && settled < p.Found:
		j.state = jobStopped
		j.said += "  stopped"
	case m.paused && settled < p.Found:
		j.state = jobPaused
		j.said += "  paused"
	case m.embedding:
		j.state = jobRuns
		if p.Rate > 0 && settled < p.Found {
			j.said += right(fmt.Sprintf("%.0f/s", p.Rate), 7) + right(clock(p.Left), 8) + " left"
		}
	case settled == p.Found && p.Found > 0:
		j.state = jobDone
	}
	return j
}

// jobsPanel lists the jobs.
func (m *root) jobsPanel() panel {
	t, w := m.theme, m.lay.w
	pause, stop := "pauses embedding", "stops it"
	if m.paused {
		pause = "goes on with embedding"
	}
	if m.stopped {
		stop = "starts it"
	}
	s := panel{title: "jobs", foot: keyOf("pause") + " " + pause + " · " + keyOf("stop") + " " + stop + " · Esc back"}
	const nameCells, barCells = 20, 24
	for _, j := range m.jobs() {
		k := t.quiet
		switch j.state {
		case jobRuns:
			k = t.accent
		case jobFailed, jobPaused, jobStopped:
			k = t.warn
		}
		var l line
		l.add("", " ").add(k, string(j.state)).add("", " "+left(j.name, nameCells))
		if j.done >= 0 {
			bar, end, _ := chart.Meter(j.done, 1, barCells)
			l.add(t.accent, bar).add(t.rule, end).add("", "  ")
		}
		l.add(t.quiet, clip(j.said, w-l.cells-1))
		s.lines = append(s.lines, l.fit(w))
	}
	return s
}

// jobsKey takes the keys that close the list; the others mean what they always
// mean, and the list stays.
func (m *root) jobsKey(key string) bool {
	if key != "esc" && key != keyOf("jobs") {
		return false
	}
	m.overlay = overlayNone
	return true
}

// togglePause pauses the embedding, or lets it go on.
func (m *root) togglePause() tea.Cmd {
	if !m.paused && (!m.embedding || m.stopped) {
		m.say("nothing is being embedded")
		return nil
	}
	m.paused = !m.paused
	return m.lookAgain()
}

// toggleStop ends the embedding, or starts it again.
func (m *root) toggleStop() tea.Cmd {
	switch {
	case m.stopped:
		m.stopped, m.paused = false, false
		return tea.Batch(m.lookAgain(), m.embed())
	case !m.embedding:
		m.say("nothing is being embedded")
	default:
		m.stopped = true
		m.stopEmbed()
	}
	return nil
}
