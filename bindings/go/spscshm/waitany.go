package spscshm

import (
	"context"
	"errors"
	"time"
)

// End is an end of a ring: a *[Producer] or a *[Consumer].
type End interface {
	Ring() *Ring
	Close() error
	waitEnd() *end
}

func (p *Producer) waitEnd() *end { return &p.end }

func (c *Consumer) waitEnd() *end { return &c.end }

// WaitItem is one end to wait for, together with others.
type WaitItem struct {
	// End is the producer to wait for free bytes of, or the consumer to wait for data of.
	End End
	// Need is how many bytes.
	Need int
	// Err is set by the wait: nil if the bytes are there; [ErrTimeout] if they are not yet; else what
	// a wait for this end alone would have returned. An end that is closed, dead or in error stays
	// so: leave it out of the next wait, or that returns at once, too.
	Err error
}

// Ready reports whether the last wait found the item decided: its bytes are there, or will not come.
func (i *WaitItem) Ready() bool { return !errors.Is(i.Err, ErrTimeout) }

// MaxWaitItems is the most items of one wait.
const MaxWaitItems = mostItems

// WaitAny waits until at least one item is decided, sets the Err of each, and returns how many are.
// Serve all that are before the next wait, and none is starved. It claims, peeks and consumes nothing:
// a message that was received is still there for it until [Consumer.ReceiveDone].
//
// If none is decided, the error says why: [ErrTimeout], or [ErrInterrupted] after a
// [Ring.WakeupAll]. More than [MaxWaitItems] give [ErrTooLarge], and none at all
// [ErrInvalidArgument].
//
// The call is one on each item's end: another goroutine's at the same time gets [ErrConcurrentUse],
// and so does an end that is there twice. Close of an end, or of its ring, ends the wait, with the
// item's Err [ErrClosed].
//
// With a timeout of 0 or less it does not wait; [Forever] has no limit.
func WaitAny(items []WaitItem, timeout time.Duration) (int, error) {
	return waitAny(items, limit{timeout: timeout})
}

// WaitAnyContext is WaitAny with a context in place of the timeout: once it is done, the call
// returns ctx.Err() at once, and no other side notices.
func WaitAnyContext(ctx context.Context, items []WaitItem) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return waitAny(items, limit{ctx: ctx})
}

// anyWait is a wait that is under way.
type anyWait struct {
	// An object of its own, as Go looks for pointers in all of what is handed to C.
	native *nativeItems
	// The items that are waited for, and their ends: less those that could not be entered.
	items [mostItems]int
	ends  [mostItems]*end
	count int
}

// anyWait gives the wait whose first end this is. It is large, and made over and over, so it is kept.
// The caller has entered.
func (e *end) anyWait() *anyWait {
	if e.any == nil {
		e.any = &anyWait{native: new(nativeItems)}
	}
	return e.any
}

func waitAny(items []WaitItem, l limit) (int, error) {
	if len(items) == 0 || len(items) > MaxWaitItems {
		reason := ErrInvalidArgument
		if len(items) != 0 {
			reason = ErrTooLarge
		}
		return 0, &Error{Op: opWaitAny.String(), Err: reason}
	}
	var w *anyWait
	defer func() { w.done() }()
	decided := 0
	for i := range items {
		e := items[i].End.waitEnd()
		o := e.opWait()
		if !e.enter() {
			items[i].Err = e.refusal(o)
			decided++
			continue
		}
		if w == nil {
			w = e.anyWait()
		}
		w.native.set(w.count, e.ring.handle, e.side, items[i].Need)
		w.items[w.count], w.ends[w.count] = i, e
		w.count++
	}
	if w == nil {
		return decided, nil
	}
	if decided != 0 {
		l = timeLimit(0)
	}
	r, cancelled := w.wait(l)
	for at, i := range w.items[:w.count] {
		e := w.ends[at]
		o := e.opWait()
		status := w.native.status(at)
		switch {
		case !e.unblock() && e.state.Load() == closing:
			items[i].Err = e.cutShort(o)
			decided++
			continue
		case r.status < statusOK || status == ErrInterrupted:
			// An interrupt is the call's, and not the item's.
			status = ErrTimeout
		}
		if status != ErrTimeout {
			decided++
		}
		items[i].Err = e.result(o, result{status: status})
	}
	switch {
	case r.status < statusOK:
		return 0, &Error{Op: opWaitAny.String(), Err: r.status, Errno: r.errno}
	case decided != 0:
		return decided, nil
	case cancelled:
		return 0, l.ctx.Err()
	case r.status == ErrInterrupted:
		return 0, errAnyInterrupted
	}
	return 0, errAnyTimeout
}

// What a wait gives that ends without success. A poll must not allocate.
var (
	errAnyTimeout     = &Error{Op: opWaitAny.String(), Err: ErrTimeout}
	errAnyInterrupted = &Error{Op: opWaitAny.String(), Err: ErrInterrupted}
)

// wait waits for the items, and reports whether the context ended the wait.
func (w *anyWait) wait(l limit) (result, bool) {
	const briefly = 50 * time.Microsecond // as in waitContext

	if l.ctx != nil && l.ctx.Done() == nil {
		l = timeLimit(Forever)
	}
	if l.ctx == nil && l.timeout <= 0 {
		return nativeWaitAny(w.native, w.count, 0), false
	}
	for _, e := range w.ends[:w.count] {
		if !e.block() {
			// Close has come already, and waits.
			return nativeWaitAny(w.native, w.count, 0), false
		}
	}
	if l.ctx == nil {
		return nativeWaitAny(w.native, w.count, l.timeout), false
	}
	r := nativeWaitAny(w.native, w.count, briefly)
	if r.status != ErrTimeout {
		return r, false
	}
	// One end's interrupt is enough to end the wait for all.
	first := w.ends[0]
	interrupted := make(chan struct{})
	stop := context.AfterFunc(l.ctx, func() {
		nativeInterrupt(first.ring.handle, first.side)
		close(interrupted)
	})
	r = nativeWaitAny(w.native, w.count, Forever)
	if stop() {
		return r, false
	}
	<-interrupted
	nativeClearInterrupt(first.ring.handle, first.side)
	return r, r.status == ErrInterrupted
}

// done leaves all ends. The first is the last, as w is its own.
func (w *anyWait) done() {
	if w == nil || w.count == 0 {
		return
	}
	first := w.ends[0]
	for _, e := range w.ends[1:w.count] {
		e.exit()
	}
	clear(w.ends[:w.count])
	w.count = 0
	first.exit()
}

// opWait is the wait for this end alone.
func (e *end) opWait() op {
	if e.side == producing {
		return opWaitForSpace
	}
	return opWaitForData
}
