package spscshm

import (
	"context"
	"time"
)

// Peek waits until n bytes are there, and returns them: contiguous, wherever they lie, and the
// caller's to read until they are released. They need not have been published in one piece. The
// slice lies in the shared memory; it is valid until its bytes are released or Close. The other
// process can change it at any time, should it break the rules: copy before you validate.
//
// With a timeout of 0 or less it does not wait. The first peek makes this handle the ring's
// consumer, until it is closed.
func (r *Ring) Peek(n int, timeout time.Duration) ([]byte, error) {
	return r.acquire(opPeek, n, timeout)
}

// PeekContext is Peek with a context in place of the timeout: once it is done, the call returns
// ctx.Err() within some 10 ms, and the other side does not notice.
func (r *Ring) PeekContext(ctx context.Context, n int) ([]byte, error) {
	return r.acquireContext(ctx, opPeek, n)
}

// PeekSome waits until min bytes are there, and returns all that are: the way to share the cost of
// a call among many messages. With a min of 0 it takes what there is, be it nothing.
func (r *Ring) PeekSome(min int, timeout time.Duration) ([]byte, error) {
	return r.acquire(opPeekSome, min, timeout)
}

// PeekSomeContext is PeekSome with a context in place of the timeout, as in PeekContext.
func (r *Ring) PeekSomeContext(ctx context.Context, min int) ([]byte, error) {
	return r.acquireContext(ctx, opPeekSome, min)
}

// Release consumes the first n peeked bytes, which the producer may then write over, and wakes it
// if it sleeps. n may be less than was peeked: the rest stays peeked.
func (r *Ring) Release(n int) error {
	return r.advance(opRelease, n)
}

// WaitForData waits until need bytes are there. It peeks nothing.
func (r *Ring) WaitForData(need int, timeout time.Duration) error {
	_, err := r.acquire(opWaitForData, need, timeout)
	return err
}

// WaitForDataContext is WaitForData with a context in place of the timeout, as in PeekContext.
func (r *Ring) WaitForDataContext(ctx context.Context, need int) error {
	_, err := r.acquireContext(ctx, opWaitForData, need)
	return err
}
