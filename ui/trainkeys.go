package ui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"sigla/finetune"
)

// pick is the choice of a checkpoint.
type pick struct {
	on     bool
	branch bool // what came after stays, too
	steps  []int
	at     int
}

// holdTraining pauses the training, or lets it go on.
func (m *root) holdTraining() tea.Cmd {
	t := &m.train
	if t.stage != trainRuns || t.run == nil {
		m.say("nothing is being trained")
		return nil
	}
	if t.paused = !t.paused; t.paused {
		t.run.Pause()
	} else {
		t.run.Resume()
	}
	return nil
}

// finishTraining ends the training where it is, to see what it brought.
func (m *root) finishTraining() tea.Cmd {
	t := &m.train
	if t.stage != trainRuns || t.run == nil {
		m.say("nothing is being trained")
		return nil
	}
	t.stage = trainEnds
	t.run.Stop()
	return nil
}

// discardTraining takes two presses: a training may be hours of work.
func (m *root) discardTraining() tea.Cmd {
	t := &m.train
	switch {
	case t.plan.Recorded || t.run == nil || t.stage == trainKeeps:
		return nil
	case !t.sure:
		t.sure = true
		m.say(keyOf("discard") + " again discards the training")
		return nil
	case t.stage == trainDone:
		return m.dropTraining()
	}
	t.drop = true
	if t.stage == trainRuns {
		t.stage = trainEnds
		t.run.Stop()
	}
	return nil
}

type checkpointsMsg struct {
	run    Training
	branch bool
	steps  []int
	err    error
}

func (m *root) rewindTraining() tea.Cmd { return m.askCheckpoints(false) }
func (m *root) branchTraining() tea.Cmd { return m.askCheckpoints(true) }

// askCheckpoints asks where the run can go back to.
func (m *root) askCheckpoints(branch bool) tea.Cmd {
	t := &m.train
	if t.run == nil || t.plan.Recorded || t.stage != trainRuns && t.stage != trainDone {
		return nil
	}
	run := t.run
	return m.work.command(func(context.Context) tea.Msg {
		steps, err := run.Checkpoints()
		return checkpointsMsg{run, branch, steps, err}
	})
}

func (m *root) checkpointsCame(msg checkpointsMsg) {
	switch {
	case msg.run != m.train.run:
	case msg.err != nil:
		m.warn(msg.err)
	case len(msg.steps) == 0:
		m.say("there is no checkpoint to go back to")
	default:
		m.train.pick = pick{true, msg.branch, msg.steps, len(msg.steps) - 1}
	}
}

type wentBackMsg struct {
	run  Training
	step int
	err  error
}

// goBack goes back to the checkpoint that is picked.
func (m *root) goBack() tea.Cmd {
	t := &m.train
	step, branch, run := t.pick.steps[t.pick.at], t.pick.branch, t.run
	t.pick = pick{}
	return m.work.command(func(context.Context) tea.Msg {
		if branch {
			return wentBackMsg{run, step, run.Branch(step)}
		}
		return wentBackMsg{run, step, run.Rewind(step)}
	})
}

func (m *root) wentBack(msg wentBackMsg) tea.Cmd {
	t := &m.train
	switch {
	case msg.run != t.run:
	case msg.err != nil:
		m.warn(msg.err)
	default:
		t.cut(msg.step)
		t.pace.want(true)
		if t.stage == trainDone {
			return m.trainOn()
		}
	}
	return nil
}

// trainingKey takes the keys of the screen of a training. While a checkpoint is
// picked there are no others.
func (m *root) trainingKey(key string) (tea.Cmd, bool) {
	t := &m.train
	if p := &t.pick; p.on {
		switch key {
		case "left", "h", "up", "k":
			p.at = max(0, p.at-1)
		case "right", "l", "down", "j":
			p.at = min(len(p.steps)-1, p.at+1)
		case "home", "g":
			p.at = 0
		case "end", "G":
			p.at = len(p.steps) - 1
		case "enter":
			return m.goBack(), true
		case "esc":
			t.pick = pick{}
		case "ctrl+c", "ctrl+z":
			return nil, false
		}
		return nil, true // other keys would act on a run that is about to go back
	}
	if key != keyOf("discard") {
		t.sure = false
	}
	if key != keyOf("keep") {
		t.anyway = false
	}
	if do, ok := byKey[keyIn{overlayTraining, key}]; ok {
		return do(m), true
	}
	switch key {
	case "esc":
		if t.plan.Recorded {
			return tea.Quit, true
		}
		m.overlay = overlayNone
	case "q", "ctrl+c", "ctrl+z", "?", "!", keyOf("jobs"), keyOf("train"):
		return nil, false
	default: // keys of the photos do nothing here
		m.pageKey(key)
		m.overlay = overlayTraining
	}
	return nil, true
}

// trainJob is the line of the training in the list of jobs.
func (m *root) trainJob() (j job, ok bool) {
	t := &m.train
	if t.stage == trainNone {
		return job{}, false
	}
	j = job{"training", jobRuns, -1, string(t.plan.Depth)}
	if e := t.last; e.Steps > 0 {
		j.done = float64(e.Step) / float64(e.Steps)
		j.said += "  " + stepWords(e) + right(clock(timeLeft(e)), 8) + " left"
	}
	switch {
	case t.stage == trainMeasure || t.stage == trainKeeps:
		j.said = string(t.plan.Depth) + "  measuring what it brought"
	case t.stage == trainDone:
		j.state, j.said = jobDone, string(t.plan.Depth)+"  done: "+keyOf("train")+" shows what it brought"
		if t.err != nil {
			j.state, j.said = jobFailed, clean(t.err.Error())
		}
	case t.paused:
		j.state = jobPaused
		j.said = string(t.plan.Depth) + "  " + stepWords(t.last) + "  paused"
	}
	return j, true
}

// stepWords says how far a run is, in a fixed width.
func stepWords(e finetune.Event) string {
	all := count(e.Steps)
	return "step " + right(count(e.Step), width(all)) + " / " + all
}
