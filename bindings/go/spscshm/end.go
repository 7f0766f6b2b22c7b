package spscshm

import (
	"errors"
	"io"
	"sync/atomic"
	"unsafe"
)

// end is what Producer and Consumer have in common: one side of a handle.
//
// A call on an end first enters it, which keeps Close away from the memory and a second goroutine
// away from the cursor. To enter and to leave are two atomic operations, on a cache line that the
// other end's goroutine does not touch.
type end struct {
	state  atomic.Uint32
	side   side
	cursor *cursor
	ring   *Ring
	// Closed by the call that was in progress when Close came, when it leaves.
	left chan struct{}
	// A slice was out when the ring was closed. The memory stays until this is false.
	lends atomic.Bool
	// For waits for many ends of which this is the first.
	any *anyWait
	_   [128]byte
}

// The states of an end.
const (
	idle uint32 = iota
	// A call is in progress.
	busy
	// A call is in progress, and waits or is in a foreign reader or writer.
	blocked
	// A call is in progress, and Close waits for it. When it leaves, the end is closed.
	closing
	closed
)

func (e *end) init(r *Ring, s side, c *cursor) {
	e.ring, e.side, e.cursor, e.left = r, s, c, make(chan struct{})
}

func (e *end) enter() bool { return e.state.CompareAndSwap(idle, busy) }

// leave ends a call that has never blocked.
func (e *end) leave() {
	if !e.state.CompareAndSwap(busy, idle) {
		e.leaveClosed()
	}
}

// leaveClosed ends a call that Close waits for.
func (e *end) leaveClosed() {
	e.state.Store(closed)
	close(e.left)
}

// block precedes what may take long, and reports whether the end is still open. If not, it is the
// caller's until it exits.
func (e *end) block() bool { return e.state.CompareAndSwap(busy, blocked) }

// unblock follows it, and reports whether the end is still open.
func (e *end) unblock() bool { return e.state.CompareAndSwap(blocked, busy) }

// exit ends any call, also one that panics while it is blocked.
func (e *end) exit() {
	if !e.state.CompareAndSwap(blocked, idle) {
		e.leave()
	}
}

// close lets no further call in, and ends the one that is in progress. The first time, it returns
// true, and the caller has the end for good.
func (e *end) close() bool {
	for {
		switch state := e.state.Load(); state {
		case idle:
			if e.state.CompareAndSwap(idle, closed) {
				return true
			}
		case busy, blocked:
			if e.state.CompareAndSwap(state, closing) {
				// Ends its wait, which it may be just about to begin.
				nativeInterrupt(e.ring.handle, e.side)
				if p := e.ring.poller; p != nil {
					p.kick(e.side)
				}
				<-e.left
				return true
			}
		default:
			return false
		}
	}
}

// refusal says why a call could not enter.
func (e *end) refusal(o op) error {
	switch e.state.Load() {
	case closing, closed:
		// Whoever is told so has done with its slice.
		e.ring.returned(e)
		return e.fail(o, ErrClosed)
	}
	return e.fail(o, ErrConcurrentUse)
}

func (e *end) fail(o op, reason error) error {
	return &Error{Op: o.String(), Name: e.ring.name, Err: reason, side: e.side}
}

// result turns what a call into the library gave into an error.
func (e *end) result(o op, r result) error {
	switch {
	case r.status == statusOK:
		return nil
	case r.status > statusOK && r.status <= lastOutcome:
		return &e.ring.outcomes[o][r.status-1]
	}
	return &Error{o.String(), e.ring.name, r.status, r.errno, e.side}
}

// grant hands out a slice of the next n bytes, if there is room.
func (e *end) grant(n int) ([]byte, bool) {
	c := e.cursor
	if !c.has(uint64(n)) {
		return nil, false
	}
	c.granted = uint64(n)
	return unsafe.Slice((*byte)(c.here()), n), true
}

// acquire is a claim or a peek.
func (e *end) acquire(o op, n int, l limit) ([]byte, error) {
	if !e.enter() {
		return nil, e.refusal(o)
	}
	if data, ok := e.grant(n); ok {
		e.leave()
		return data, nil
	}
	defer e.exit()
	if err := e.wait(o, n, l); err != nil {
		return nil, err
	}
	data, _ := e.grant(n)
	return data, nil
}

// acquireSome is a claim or a peek of all that there is, once there are min bytes.
func (e *end) acquireSome(o op, min int, l limit) ([]byte, error) {
	if !e.enter() {
		return nil, e.refusal(o)
	}
	if e.cursor.window != 0 && e.cursor.sees(uint64(min)) {
		data := e.grantAll()
		e.leave()
		return data, nil
	}
	defer e.exit()
	var err error
	if min == 0 {
		err = e.attach(o)
	} else {
		err = e.wait(o, min, l)
	}
	if err != nil {
		return nil, err
	}
	return e.grantAll(), nil
}

// grantAll hands out a slice of all that there is, by what was last seen.
func (e *end) grantAll() []byte {
	c := e.cursor
	c.granted = c.room()
	return c.bytes(c.granted)
}

// await is a wait that hands out nothing.
func (e *end) await(o op, need int, l limit) error {
	if !e.enter() {
		return e.refusal(o)
	}
	defer e.exit()
	if e.cursor.has(uint64(need)) {
		return nil
	}
	return e.wait(o, need, l)
}

// handOver is a publish or a release.
func (e *end) handOver(o op, n int) error {
	if !e.enter() {
		return e.refusal(o)
	}
	c := e.cursor
	// One comparison for both: 0 wraps to the largest number there is.
	if uint64(n)-1 >= c.granted {
		e.leave()
		if n == 0 {
			return nil
		}
		return e.fail(o, ErrMisuse)
	}
	c.granted -= uint64(n)
	e.advance(uint64(n))
	e.leave()
	return nil
}

// advance hands n bytes to the other side, of which there must be room.
func (e *end) advance(n uint64) {
	if e.cursor.advance(n) {
		nativeWake(e.ring.handle, e.side)
	}
}

// readInto reads from src into b, which may take long and end in a panic. After Close it reads
// nothing.
func (e *end) readInto(src io.Reader, b []byte) (int, error) {
	if !e.block() {
		return 0, nil
	}
	n, err := src.Read(b)
	e.unblock()
	if n < 0 || n > len(b) {
		return 0, errBadCount
	}
	return n, err
}

// writeOut writes b to w, as readInto reads.
func (e *end) writeOut(w io.Writer, b []byte) (int, error) {
	if !e.block() {
		return 0, nil
	}
	n, err := w.Write(b)
	e.unblock()
	if n < 0 || n > len(b) {
		return 0, errBadCount
	}
	return n, err
}

var errBadCount = errors.New("spscshm: a reader or writer gave an impossible count")
