package cpu

import "sigla/backend"

// A MatMul or a DepthwiseConv is postponed until the next call, for if that is
// the ReLU6 of its result, the limits cost nothing before the result is
// stored, and a pass over memory is saved: 15 % of the time of the starter's
// stem. Whatever touches memory goes through Engine.data, which first does
// what was postponed, so nobody can tell.
type postponed struct {
	dst backend.Buf
	run func(clamp bool) // nil: nothing waits
}

// postpone leaves run, which writes dst, for later.
func (e *Engine) postpone(dst backend.Buf, run func(clamp bool)) {
	e.finish(false)
	e.late = postponed{dst, run}
}

// finish does what was postponed.
func (e *Engine) finish(clamp bool) {
	if run := e.late.run; run != nil {
		e.late = postponed{}
		run(clamp)
	}
}
