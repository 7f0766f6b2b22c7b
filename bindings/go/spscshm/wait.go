package spscshm

import (
	"context"
	"math"
	"time"
)

// Waiting is the library's; for the rings of a connection it is the runtime's (poller.go). What ends a
// wait of this process from outside is spsc_interrupt, which the other process does not notice: Close,
// and a context that is done. An interrupt that no wait has answered would end a later one, so a wait
// with a context takes back what came too late for it. After Close there is no later one.

// Forever is a timeout without limit.
const Forever time.Duration = math.MaxInt64

// limit is what ends a wait: the context if there is one, else the timeout.
type limit struct {
	timeout time.Duration
	ctx     context.Context
}

func timeLimit(timeout time.Duration) limit { return limit{timeout: timeout} }

// wait waits until there is room for need bytes. The caller has entered, and exits.
func (e *end) wait(o op, need int, l limit) error {
	if e.ring.poller != nil && (l.ctx != nil || l.timeout > 0) {
		return e.waitPoller(o, need, l)
	}
	if l.ctx != nil {
		if l.ctx.Done() != nil {
			return e.waitContext(o, need, l.ctx)
		}
		l.timeout = Forever
	}
	if l.timeout <= 0 {
		return e.result(o, nativeWait(e.ring.handle, e.side, need, 0))
	}
	if !e.block() {
		return e.cutShort(o)
	}
	r := nativeWait(e.ring.handle, e.side, need, l.timeout)
	if !e.unblock() {
		return e.cutShort(o)
	}
	return e.result(o, r)
}

// waitContext is wait until the context is done.
func (e *end) waitContext(o op, need int, ctx context.Context) error {
	// Most waits of a busy ring end within this, while the library spins, and to watch a context
	// takes longer than they do.
	const briefly = 50 * time.Microsecond

	if !e.block() {
		return e.cutShort(o)
	}
	r := nativeWait(e.ring.handle, e.side, need, briefly)
	cancelled := false
	if r.status == ErrTimeout {
		r, cancelled = e.waitWatching(ctx, need)
	}
	switch {
	case !e.unblock():
		return e.cutShort(o)
	case cancelled:
		return ctx.Err()
	}
	return e.result(o, r)
}

// waitWatching waits, and reports whether the context ended the wait.
func (e *end) waitWatching(ctx context.Context, need int) (result, bool) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		nativeInterrupt(e.ring.handle, e.side)
		close(interrupted)
	})
	r := nativeWait(e.ring.handle, e.side, need, Forever)
	if stop() {
		return r, false
	}
	// It has interrupted, or is about to, and the wait may have ended by something else.
	<-interrupted
	nativeClearInterrupt(e.ring.handle, e.side)
	return r, r.status == ErrInterrupted
}

// attach takes the role, if this end does not have it, and waits for nothing.
func (e *end) attach(o op) error {
	r := nativeWait(e.ring.handle, e.side, 1, 0)
	if r.status > statusOK && r.status <= lastOutcome {
		return nil
	}
	return e.result(o, r)
}

// cutShort is what a call returns that Close has ended. Its caller has done with the slice that it
// may have, and learns so by this.
func (e *end) cutShort(o op) error {
	e.cursor.granted = 0
	return e.fail(o, ErrClosed)
}
