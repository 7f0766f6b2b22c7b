package spscshm

import (
	"context"
	"time"
)

// Claim waits until n bytes are free, and claims them: contiguous, wherever they lie, and the
// caller's to write until they are published. A new claim replaces the old one. The slice lies in
// the shared memory; it is valid until its bytes are published, the next claim, or Close.
//
// With a timeout of 0 or less it does not wait. The first claim makes this handle the ring's
// producer, until it is closed.
func (r *Ring) Claim(n int, timeout time.Duration) ([]byte, error) {
	return r.acquire(opClaim, n, timeout)
}

// ClaimContext is Claim with a context in place of the timeout: once it is done, the call returns
// ctx.Err() within some 10 ms, and the other side does not notice.
func (r *Ring) ClaimContext(ctx context.Context, n int) ([]byte, error) {
	return r.acquireContext(ctx, opClaim, n)
}

// ClaimSome waits until min bytes are free, and claims all that are: the way to share the cost of
// a call among many messages. With a min of 0 it takes what there is, be it nothing.
func (r *Ring) ClaimSome(min int, timeout time.Duration) ([]byte, error) {
	return r.acquire(opClaimSome, min, timeout)
}

// ClaimSomeContext is ClaimSome with a context in place of the timeout, as in ClaimContext.
func (r *Ring) ClaimSomeContext(ctx context.Context, min int) ([]byte, error) {
	return r.acquireContext(ctx, opClaimSome, min)
}

// Publish makes the first n claimed bytes visible to the consumer, and wakes it if it sleeps. n may
// be less than was claimed: the rest stays claimed, so that several publishes may share one claim.
func (r *Ring) Publish(n int) error {
	return r.advance(opPublish, n)
}

// WaitForSpace waits until need bytes are free. It claims nothing.
func (r *Ring) WaitForSpace(need int, timeout time.Duration) error {
	_, err := r.acquire(opWaitForSpace, need, timeout)
	return err
}

// WaitForSpaceContext is WaitForSpace with a context in place of the timeout, as in ClaimContext.
func (r *Ring) WaitForSpaceContext(ctx context.Context, need int) error {
	_, err := r.acquireContext(ctx, opWaitForSpace, need)
	return err
}
