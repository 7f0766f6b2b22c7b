package spscshm

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	_ io.ReadCloser = (*Consumer)(nil)
	_ io.WriterTo   = (*Consumer)(nil)
)

// Consumer is the end of a ring that reads.
//
// The first call that needs data makes this handle the ring's consumer, until the end is closed. If
// another live handle is the consumer, the call returns [ErrRoleTaken].
//
// One goroutine at a time may use a Consumer, from a peek to the release of its last byte; it need
// not be the same from call to call. A second call at the same time gets [ErrConcurrentUse]. Only
// Close may be called at any time.
type Consumer struct {
	end      end
	receiver receiver
}

// Read waits until something is there, and takes what fits into b. After the producer has closed its
// end and all is read, it returns [io.EOF]. If the producer died, the error is [ErrPeerDead], which
// matches [io.ErrUnexpectedEOF].
func (c *Consumer) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	e := &c.end
	if !e.enter() {
		return 0, e.refusal(opRead)
	}
	if !e.cursor.has(1) {
		defer e.exit()
		if err := e.wait(opRead, 1, timeLimit(Forever)); err != nil {
			return 0, endOfFile(err)
		}
		return e.read(b), nil
	}
	n := e.read(b)
	e.leave()
	return n, nil
}

// read takes what fits into b. There must be something.
func (e *end) read(b []byte) int {
	c := e.cursor
	c.granted = 0
	there := min(c.room(), uint64(len(b)))
	for taken := uint64(0); taken < there; {
		n := copy(b[taken:], c.bytes(min(there-taken, c.share())))
		e.advance(uint64(n))
		taken += uint64(n)
	}
	return int(there)
}

// WriteTo writes to w all that comes until the producer closes its end, straight from the shared
// memory.
func (c *Consumer) WriteTo(w io.Writer) (int64, error) {
	e := &c.end
	if !e.enter() {
		return 0, e.refusal(opWriteTo)
	}
	defer e.exit()
	e.cursor.granted = 0
	total := int64(0)
	for {
		if !e.cursor.has(1) {
			if err := e.wait(opWriteTo, 1, timeLimit(Forever)); err != nil {
				if endOfFile(err) == io.EOF {
					err = nil
				}
				return total, err
			}
		}
		data := e.cursor.bytes(e.cursor.room())
		n, err := e.writeOut(w, data)
		if n > 0 {
			e.advance(uint64(n))
			total += int64(n)
		}
		switch {
		case err != nil:
			return total, err
		case e.state.Load() == closing:
			return total, e.cutShort(opWriteTo)
		case n < len(data):
			return total, io.ErrShortWrite
		}
	}
}

// endOfFile is io's word for a producer that closed.
func endOfFile(err error) error {
	if errors.Is(err, ErrPeerClosed) {
		return io.EOF
	}
	return err
}

// Close gives the role up: what was not released is kept for the next consumer, and a producer that
// finds the ring full gets [ErrPeerClosed]. The slice of the last peek must not be used any more.
// The ring stays open.
//
// A call that waits returns [ErrClosed], as does every later one; Close waits for the one that is in
// progress. Closing again does nothing.
func (c *Consumer) Close() error {
	c.end.ring.closeEnd(&c.end)
	return nil
}

// Ring is the ring that this is an end of.
func (c *Consumer) Ring() *Ring { return c.end.ring }

// Peek waits until n bytes are there, and returns them: contiguous, wherever they lie, and the
// caller's to read until they are released. They need not have been published in one piece.
//
// The slice lies in the shared memory. It must not be used after its bytes are released, the next
// peek or Read, a call that returned [ErrClosed], or Close of this end. The other process can change
// the bytes at any time, should it break the rules: copy before you validate.
//
// With a timeout of 0 or less it does not wait; [Forever] has no limit.
func (c *Consumer) Peek(n int, timeout time.Duration) ([]byte, error) {
	return c.end.acquire(opPeek, n, limit{timeout: timeout})
}

// PeekContext is Peek with a context in place of the timeout: once it is done, the call returns
// ctx.Err() at once, and the other side does not notice.
func (c *Consumer) PeekContext(ctx context.Context, n int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.end.acquire(opPeek, n, limit{ctx: ctx})
}

// PeekSome waits until min bytes are there, and returns all that are: many messages, to be released
// together. With a min of 0 it does not wait, and may return 0 bytes.
func (c *Consumer) PeekSome(min int, timeout time.Duration) ([]byte, error) {
	return c.end.acquireSome(opPeek, min, limit{timeout: timeout})
}

// PeekSomeContext is PeekSome with a context in place of the timeout, as in PeekContext.
func (c *Consumer) PeekSomeContext(ctx context.Context, min int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.end.acquireSome(opPeek, min, limit{ctx: ctx})
}

// Release consumes the first n peeked bytes, which the producer may then write over, and wakes it
// if it sleeps. n may be less than was peeked: the rest stays peeked.
func (c *Consumer) Release(n int) error {
	return c.end.handOver(opRelease, n)
}

// WaitForData waits until need bytes are there. It peeks nothing. With a timeout of 0 or less it
// does not wait.
func (c *Consumer) WaitForData(need int, timeout time.Duration) error {
	return c.end.await(opWaitForData, need, limit{timeout: timeout})
}

// WaitForDataContext is WaitForData with a context in place of the timeout, as in PeekContext.
func (c *Consumer) WaitForDataContext(ctx context.Context, need int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.end.await(opWaitForData, need, limit{ctx: ctx})
}
