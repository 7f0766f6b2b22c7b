package spscshm

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// poller is how both ends of a connection wait: in the runtime's poller, for the connection's
// descriptor. So a goroutine that waits holds no thread.
//
// The descriptor tells of both directions, and to ask for one is to read what it told of the other. So
// of two goroutines that wait, one for each direction, one leads: it waits for the descriptor, and asks
// for both whenever that is readable. The other waits to be told, or to lead.
type poller struct {
	conn connHandle
	// The descriptor, once more: the connection's own can't be the runtime's as well.
	file *os.File
	raw  syscall.RawConn

	// Held while the connection is asked, and for all below.
	mu      sync.Mutex
	waiters [2]waiter // by side
	leader  *waiter
}

// waiter is one side's wait. One at a time, as the end is entered.
type waiter struct {
	waits bool
	need  int
	// The bytes are there, or will not come: the library knows which. Or asking failed.
	decided bool
	failed  result
	// Somebody wants it to look up. Set and cleared under mu.
	kicked bool
	// Tells a follower to look up. Never blocks: one token is enough.
	token chan struct{}

	// Rounds of looking before the next wait. It grows where that helps.
	spin int

	deadline deadline
}

const (
	leastSpin = 50
	mostSpin  = 1500
)

func newPoller(conn connHandle, fd int) (*poller, error) {
	syscall.ForkLock.RLock()
	copied, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(copied)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	// The socket does not block: so this file is the poller's.
	p := &poller{conn: conn, file: os.NewFile(uintptr(copied), "spscshm")}
	for i := range p.waiters {
		p.waiters[i].token = make(chan struct{}, 1)
		p.waiters[i].spin = mostSpin
	}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

func (p *poller) waiter(s side) *waiter { return &p.waiters[s.index()] }

// kick makes the side's wait, or its next one, look up.
func (p *poller) kick(s side) {
	p.mu.Lock()
	p.kickLocked(p.waiter(s))
	p.mu.Unlock()
}

func (p *poller) kickLocked(w *waiter) {
	w.kicked = true
	p.wake(w)
}

func (p *poller) wake(w *waiter) {
	if p.leader == w {
		// Ends the leader's wait for the descriptor, also one that has not begun.
		p.file.SetReadDeadline(longAgo)
		return
	}
	select {
	case w.token <- struct{}{}:
	default:
	}
}

var longAgo = time.Unix(1, 0)

// look asks the connection for all that is waited for. It tells the others, and reports whether w has
// done with waiting.
func (p *poller) look(w *waiter) bool {
	// What is decided is not armed, and nor is the other direction: that is asked for once more.
	for p.lookOnce(w) {
	}
	return w.decided || w.kicked
}

// lookOnce reports whether it has found anything decided.
func (p *poller) lookOnce(w *waiter) bool {
	var need [2]int
	for i := range p.waiters {
		if other := &p.waiters[i]; other.waits && !other.decided {
			need[i] = other.need
		}
	}
	if need == [2]int{} {
		return false
	}
	ready, r := nativeArm(p.conn, need)
	found := false
	for i := range p.waiters {
		other := &p.waiters[i]
		if need[i] == 0 || (r.status == statusOK && !ready[i]) {
			continue
		}
		found, other.decided, other.failed = true, true, r
		if other != w {
			p.wake(other)
		}
	}
	return found
}

// wait waits until need bytes are there on e's side, or will not come, or stop reports that the caller
// has another reason, for which it must kick.
func (p *poller) wait(e *end, need int, stop func() bool) result {
	w := p.waiter(e.side)
	if need > e.ring.capacity {
		return result{status: ErrTooLarge}
	}
	if e.spin(w, need) {
		return result{}
	}
	for {
		p.mu.Lock()
		w.waits, w.need, w.decided, w.failed = true, need, false, result{}
		for !w.decided && !w.kicked {
			p.waitOnce(w)
		}
		w.waits, w.kicked = false, false
		failed, decided := w.failed, w.decided
		if p.leader == nil {
			for i := range p.waiters {
				if other := &p.waiters[i]; other.waits && other != w {
					p.wake(other) // to lead
				}
			}
		}
		p.mu.Unlock()
		if failed.status != statusOK {
			return failed
		}
		if decided {
			// Says why, if they will not come.
			if r := nativeWait(e.ring.handle, e.side, need, 0); r.status != ErrTimeout {
				return r
			}
		}
		if stop() {
			return result{status: ErrInterrupted}
		}
	}
}

// waitOnce waits for one event. The caller holds mu, which is free meanwhile.
func (p *poller) waitOnce(w *waiter) {
	if p.leader != nil {
		if p.look(w) {
			return
		}
		p.mu.Unlock()
		<-w.token
		p.mu.Lock()
		return
	}
	p.leader = w
	p.mu.Unlock()
	err := p.raw.Read(func(uintptr) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.look(w)
	})
	p.mu.Lock()
	p.leader = nil
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.file.SetReadDeadline(time.Time{})
	case err != nil && !w.decided:
		w.decided, w.failed = true, result{status: ErrSystem}
	}
}

// spin looks for a while, as most waits of a busy connection end soon.
func (e *end) spin(w *waiter, need int) bool {
	for i := 0; i < w.spin; i++ {
		if e.cursor.window != 0 && e.cursor.has(uint64(need)) {
			w.spin = min(2*w.spin, mostSpin)
			return true
		}
		if i%32 == 31 {
			// The peer may be a goroutine of this process.
			runtime.Gosched()
		}
	}
	w.spin = max(w.spin/2, leastSpin)
	return false
}

// close also forgets the deadlines, whose timers would keep the connection's memory until then.
func (p *poller) close() {
	for i := range p.waiters {
		p.waiters[i].deadline.set(time.Time{}, nil)
	}
	p.file.Close()
}

// deadline is a point in time that may be moved.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	passed atomic.Bool
}

// set calls passes, which tells whoever waits, when it is t. The zero time is never.
func (d *deadline) set(t time.Time, passes func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	left := time.Until(t)
	d.passed.Store(!t.IsZero() && left <= 0)
	switch {
	case t.IsZero():
	case left <= 0:
		passes()
	default:
		var timer *time.Timer
		timer = time.AfterFunc(left, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			// It may have been moved as this was about to run.
			if d.timer == timer {
				d.passed.Store(true)
				passes()
			}
		})
		d.timer = timer
	}
}

// waitPoller is e.wait for an end of a connection.
func (e *end) waitPoller(o op, need int, l limit) error {
	p := e.ring.poller
	if !e.block() {
		return e.cutShort(o)
	}
	w := p.waiter(e.side)
	var late atomic.Bool
	if l.ctx != nil && l.ctx.Done() != nil {
		defer context.AfterFunc(l.ctx, func() { p.kick(e.side) })()
	} else if l.ctx == nil && l.timeout != Forever {
		defer time.AfterFunc(l.timeout, func() {
			late.Store(true)
			p.kick(e.side)
		}).Stop()
	}
	r := p.wait(e, need, func() bool {
		return e.state.Load() == closing || w.deadline.passed.Load() || late.Load() ||
			l.ctx != nil && l.ctx.Err() != nil
	})
	switch {
	case !e.unblock():
		return e.cutShort(o)
	case r.status != ErrInterrupted:
		return e.result(o, r)
	case l.ctx != nil && l.ctx.Err() != nil:
		return l.ctx.Err()
	}
	return e.result(o, result{status: ErrTimeout})
}
