package cpu

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// A pool runs the items of one operation at a time on the caller and on
// goroutines. They start with the first operation that has use for them, sleep
// between batches, and end with close. No timer runs.
//
// Between two items every worker offers its processor to other goroutines, so
// the terminal is never further than one item away from running. Items should
// take well under a millisecond.
type pool struct {
	threads int
	started bool
	job     atomic.Pointer[job]
	waiting atomic.Int32  // workers that look for a job
	asleep  atomic.Int32  // workers that need a token
	wake    chan struct{} // tokens
	idle    chan struct{} // the last item of a job was not the caller's
}

// patience is how long a worker looks for the next job before it sleeps, and
// the caller for the last item. A model issues operations back to back, and to
// wake a thread takes as long as many of them: 50 µs and more.
const patience = 100 * time.Microsecond

// A job is n items. A worker that comes late finds them taken.
type job struct {
	n          int64
	next, done atomic.Int64
	fn         func(worker, item int)
	fault      atomic.Pointer[fault]
}

// A fault is a panic on its way from a worker to the caller.
type fault struct {
	value any
	stack []byte
}

func (f *fault) String() string { return fmt.Sprintf("%v\n\nworker %s", f.value, f.stack) }

func newPool(threads int) *pool {
	return &pool{threads: threads, wake: make(chan struct{}, threads), idle: make(chan struct{}, 1)}
}

// run calls fn for the items 0 … n−1, each once, and returns when all are
// done. worker is below threads, and no two calls have the same one at a time.
// If items panic, run panics with what the first of them did.
func (p *pool) run(n int, fn func(worker, item int)) {
	if p.threads == 1 || n <= 1 {
		for i := range n {
			fn(0, i)
			runtime.Gosched()
		}
		return
	}
	if !p.started {
		p.started = true
		for w := 1; w < p.threads; w++ {
			go p.serve(w)
		}
	}
	j := &job{n: int64(n), fn: fn}
	p.job.Store(j)
	// A worker that goes to sleep looks for a job once more after it is counted,
	// so it is either counted here or sees j.
	tokens := min(int32(min(n, p.threads)-1)-p.waiting.Load(), p.asleep.Load())
	for range tokens {
		select {
		case p.wake <- struct{}{}:
		default: // as many tokens as workers are there already
		}
	}
	if tokens > 0 {
		runtime.Gosched() // a worker begins here, and another thread takes this on
	}
	if !j.work(0) {
		p.wait()
	}
	p.job.Store(nil) // what fn holds on to may be freed
	if f := j.fault.Load(); f != nil {
		panic(f.String())
	}
}

// wait returns when a worker has finished the job.
func (p *pool) wait() {
	for start := time.Now(); time.Since(start) < patience; runtime.Gosched() {
		select {
		case <-p.idle:
			return
		default:
		}
	}
	<-p.idle
}

// serve works on all jobs until close.
func (p *pool) serve(worker int) {
	var last *job
	for open := true; open; {
		if j := p.look(last); j == nil {
			open = p.sleep(last)
			last = nil // what its fn holds on to may be freed
		} else {
			last = j
			if j.work(worker) {
				p.idle <- struct{}{}
			}
		}
	}
}

// sleep returns when there is a job other than last, or a token, and reports
// false after close.
func (p *pool) sleep(last *job) (open bool) {
	p.asleep.Add(1)
	defer p.asleep.Add(-1)
	if j := p.job.Load(); j != nil && j != last {
		return true
	}
	_, open = <-p.wake
	return open
}

// look returns a job other than last, or nil if none comes.
func (p *pool) look(last *job) *job {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	for start := time.Now(); time.Since(start) < patience; runtime.Gosched() {
		if j := p.job.Load(); j != nil && j != last {
			return j
		}
	}
	return nil
}

// close ends the goroutines.
func (p *pool) close() { close(p.wake) }

// work takes items until none is left and reports whether it finished the last.
func (j *job) work(worker int) (last bool) {
	for i := j.next.Add(1) - 1; i < j.n; i = j.next.Add(1) - 1 {
		j.item(worker, int(i))
		last = j.done.Add(1) == j.n
		runtime.Gosched()
	}
	return last
}

func (j *job) item(worker, i int) {
	defer func() {
		if v := recover(); v != nil {
			j.fault.CompareAndSwap(nil, &fault{v, debug.Stack()})
		}
	}()
	j.fn(worker, i)
}
