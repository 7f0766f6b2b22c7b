package spscshm

import (
	"context"
	"syscall"
	"time"
)

// A wait that may be long is made of shorter ones. Between two of them it looks whether it is
// cancelled or its handle closed. The library has one way to end a wait from outside,
// spsc_wakeup_all, but that interrupts the peer as well, in its process: a cancelled context or a
// closed handle here is no business of the peer's. A slice is a few microseconds of work.
const (
	// Cancelling a context takes so long at most, beside scheduling.
	contextSlice = 10 * time.Millisecond
	// Close takes so long at most: as often as the library itself looks for a dead peer.
	plainSlice = 100 * time.Millisecond
)

// enter begins a call. Each enter that succeeds has its leave.
func (r *Ring) enter(o op) error {
	if s := &r.sides[o.side()]; !s.enter() {
		return r.refusal(o, s)
	}
	return nil
}

func (r *Ring) leave(o op) { r.sides[o.side()].leave() }

func (r *Ring) refusal(o op, s *side) error {
	reason := ErrConcurrentUse
	if s.isClosing() {
		reason = ErrHandleClosed
	}
	return &Error{Op: opNames[o], Name: r.name, Err: reason}
}

// acquire is a claim, a peek or a wait, whole.
func (r *Ring) acquire(o op, n int, timeout time.Duration) ([]byte, error) {
	if err := r.enter(o); err != nil {
		return nil, err
	}
	data, err := r.wait(o, n, timeout)
	r.leave(o)
	return data, err
}

// acquireContext is acquire with a context.
func (r *Ring) acquireContext(ctx context.Context, o op, n int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ctx.Done() == nil {
		return r.acquire(o, n, Forever)
	}
	if err := r.enter(o); err != nil {
		return nil, err
	}
	data, err := r.waitContext(ctx, o, n)
	r.leave(o)
	return data, err
}

// wait is acquire within enter and leave.
func (r *Ring) wait(o op, n int, timeout time.Duration) ([]byte, error) {
	// Without waiting first: then the clock is read only if there is need to wait.
	g := nativeWait(r.ring, o, n, 0)
	if Status(g.status) == ErrTimeout && timeout > 0 {
		var deadline time.Time
		if timeout != Forever {
			deadline = time.Now().Add(timeout)
		}
		g = r.waitInSlices(o, n, plainSlice, deadline, nil)
	}
	return r.result(o, &g)
}

func (r *Ring) waitContext(ctx context.Context, o op, n int) ([]byte, error) {
	g := nativeWait(r.ring, o, n, 0)
	if Status(g.status) == ErrTimeout {
		deadline, _ := ctx.Deadline()
		g = r.waitInSlices(o, n, contextSlice, deadline, ctx.Done())
		if Status(g.status) == ErrTimeout && !r.sides[o.side()].isClosing() {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			// The deadline has passed, though the context's timer has not fired yet.
			return nil, context.DeadlineExceeded
		}
	}
	return r.result(o, &g)
}

// waitInSlices waits until the deadline, if there is one, until done is closed, or until the
// handle is: each gives ErrTimeout.
func (r *Ring) waitInSlices(o op, n int, slice time.Duration, deadline time.Time, done <-chan struct{}) grant {
	for {
		rest := slice
		last := false
		if !deadline.IsZero() {
			if left := time.Until(deadline); left <= slice {
				rest, last = left, true
			}
		}
		if rest < 0 {
			rest = 0
		}
		g := nativeWait(r.ring, o, n, rest)
		if last || Status(g.status) != ErrTimeout || r.sides[o.side()].isClosing() {
			return g
		}
		select {
		case <-done:
			return g
		default:
		}
	}
}

func (r *Ring) result(o op, g *grant) ([]byte, error) {
	status := Status(g.status)
	if status == statusOK {
		return grantedBytes(g), nil
	}
	s := &r.sides[o.side()]
	switch {
	case status == ErrTimeout && s.isClosing():
		return nil, r.refusal(o, s)
	case status > statusOK && status <= lastOutcome:
		return nil, &r.outcomes[o][status-1]
	}
	return nil, &Error{opNames[o], r.name, status, syscall.Errno(g.os_error)}
}

// advance is a publish or a release, whole.
func (r *Ring) advance(o op, n int) error {
	if err := r.enter(o); err != nil {
		return err
	}
	err := r.handOver(o, n)
	r.leave(o)
	return err
}

// handOver is advance within enter and leave.
func (r *Ring) handOver(o op, n int) error {
	if status := nativeAdvance(r.ring, o, n); status != statusOK {
		return &Error{Op: opNames[o], Name: r.name, Err: status}
	}
	return nil
}
