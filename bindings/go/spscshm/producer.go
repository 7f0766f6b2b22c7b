package spscshm

import (
	"context"
	"io"
	"time"
)

var (
	_ io.WriteCloser = (*Producer)(nil)
	_ io.ReaderFrom  = (*Producer)(nil)
)

// Producer is the end of a ring that writes.
//
// The first call that needs space makes this handle the ring's producer, until the end is closed. If
// another live handle is the producer, the call returns [ErrRoleTaken].
//
// One goroutine at a time may use a Producer, from a claim to the publish of its last byte; it need
// not be the same from call to call. A second call at the same time gets [ErrConcurrentUse]. Only
// Close may be called at any time.
type Producer struct {
	end end
	// The largest payload that the last ClaimMessage allows. Valid while bytes are granted.
	claimed int
}

// Write sends all of p, however long, and waits for space as long as that takes. If the consumer
// closes or dies, the error matches [syscall.EPIPE].
func (p *Producer) Write(b []byte) (int, error) {
	e := &p.end
	if !e.enter() {
		return 0, e.refusal(opWrite)
	}
	c := e.cursor
	n := uint64(len(b))
	if n > c.share() || !c.has(n) {
		defer e.exit()
		return e.write(opWrite, b)
	}
	if n != 0 {
		copy(c.bytes(n), b)
		c.granted = 0
		e.advance(n)
	}
	e.leave()
	return len(b), nil
}

// write sends all of b. The caller has entered, and exits.
func (e *end) write(o op, b []byte) (int, error) {
	c := e.cursor
	c.granted = 0
	written := 0
	for written < len(b) {
		// A byte is enough: to wait for more could be to wait for a peer that waits for us.
		if !c.has(1) {
			if err := e.wait(o, 1, timeLimit(Forever)); err != nil {
				return written, err
			}
		}
		n := copy(c.bytes(min(c.room(), c.share())), b[written:])
		e.advance(uint64(n))
		written += n
	}
	return written, nil
}

// ReadFrom sends all that src gives until its end, which it reads straight into the shared memory
// where that has room.
func (p *Producer) ReadFrom(src io.Reader) (int64, error) {
	// Into less than this it is not worthwhile to read.
	const leastDirect = 1024
	// From many reads in a row without an error or a byte nothing will ever come.
	const mostEmpty = 100

	e := &p.end
	if !e.enter() {
		return 0, e.refusal(opReadFrom)
	}
	defer e.exit()
	c := e.cursor
	if c.window == 0 {
		if err := e.attach(opReadFrom); err != nil {
			return 0, err
		}
	}
	c.granted = 0
	var aside []byte
	total := int64(0)
	for empty := 0; ; {
		var n int
		var err, failed error
		if c.has(leastDirect) {
			n, err = e.readInto(src, c.bytes(c.room()))
			if n > 0 {
				e.advance(uint64(n))
			}
		} else {
			// To wait for room first would be to wait with the end of src unseen, perhaps for a
			// consumer that waits to be told of that end.
			if aside == nil {
				aside = make([]byte, leastDirect)
			}
			n, err = e.readInto(src, aside)
			n, failed = e.write(opReadFrom, aside[:n])
		}
		total += int64(n)
		if failed != nil {
			return total, failed
		}
		if e.state.Load() == closing {
			return total, e.cutShort(opReadFrom)
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, err
		case n > 0:
			empty = 0
		default:
			if empty++; empty == mostEmpty {
				return total, io.ErrNoProgress
			}
		}
	}
}

// Close gives the role up: the other side reads all that was published and then comes to the end of
// the stream. What was claimed and not published is gone, and the slice of the claim must not be
// used any more. The ring stays open.
//
// A call that waits returns [ErrClosed], as does every later one; Close waits for the one that is in
// progress. Closing again does nothing.
func (p *Producer) Close() error {
	p.end.ring.closeEnd(&p.end)
	return nil
}

// Ring is the ring that this is an end of.
func (p *Producer) Ring() *Ring { return p.end.ring }

// Claim waits until n bytes are free, and claims them: contiguous, wherever they lie, and the
// caller's to write until they are published. A new claim replaces the old one, and so does a Write.
//
// The slice lies in the shared memory. It must not be used after its bytes are published, the next
// claim or Write, a call that returned [ErrClosed], or Close of this end.
//
// With a timeout of 0 or less it does not wait; [Forever] has no limit.
func (p *Producer) Claim(n int, timeout time.Duration) ([]byte, error) {
	return p.end.acquire(opClaim, n, limit{timeout: timeout})
}

// ClaimContext is Claim with a context in place of the timeout: once it is done, the call returns
// ctx.Err() at once, and the other side does not notice.
func (p *Producer) ClaimContext(ctx context.Context, n int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.end.acquire(opClaim, n, limit{ctx: ctx})
}

// ClaimSome waits until min bytes are free, and claims all that are: to fill with many messages that
// are published together. With a min of 0 it does not wait, and may claim 0 bytes.
func (p *Producer) ClaimSome(min int, timeout time.Duration) ([]byte, error) {
	return p.end.acquireSome(opClaim, min, limit{timeout: timeout})
}

// ClaimSomeContext is ClaimSome with a context in place of the timeout, as in ClaimContext.
func (p *Producer) ClaimSomeContext(ctx context.Context, min int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.end.acquireSome(opClaim, min, limit{ctx: ctx})
}

// Publish makes the first n claimed bytes visible to the consumer, and wakes it if it sleeps. n may
// be less than was claimed: the rest stays claimed, so that several publishes may share one claim.
func (p *Producer) Publish(n int) error {
	return p.end.handOver(opPublish, n)
}

// WaitForSpace waits until need bytes are free. It claims nothing. With a timeout of 0 or less it
// does not wait.
func (p *Producer) WaitForSpace(need int, timeout time.Duration) error {
	return p.end.await(opWaitForSpace, need, limit{timeout: timeout})
}

// WaitForSpaceContext is WaitForSpace with a context in place of the timeout, as in ClaimContext.
func (p *Producer) WaitForSpaceContext(ctx context.Context, need int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.end.await(opWaitForSpace, need, limit{ctx: ctx})
}
