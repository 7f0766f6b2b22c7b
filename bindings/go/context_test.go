package spscshm

import (
	"context"
	"testing"
	"time"
)

type contextKey struct{}

func TestCancellingEndsEveryWaitAndDisturbsNobody(t *testing.T) {
	r := anonymous(t, 1)
	fill(t, r)
	empty := anonymous(t, 1)
	peer := another(t, r)
	is(t, peer.WaitForData(r.Capacity(), 0), nil)
	waits := map[string]func(context.Context) error{
		"claim":          func(c context.Context) error { _, err := r.ClaimContext(c, 1); return err },
		"claim some":     func(c context.Context) error { _, err := r.ClaimSomeContext(c, 1); return err },
		"wait for space": func(c context.Context) error { return r.WaitForSpaceContext(c, 1) },
		"peek":           func(c context.Context) error { _, err := empty.PeekContext(c, 1); return err },
		"peek some":      func(c context.Context) error { _, err := empty.PeekSomeContext(c, 1); return err },
		"wait for data":  func(c context.Context) error { return empty.WaitForDataContext(c, 1) },
	}
	for name, call := range waits {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			wait := later(t, func() error { return call(ctx) })
			time.Sleep(soon)
			cancel()
			exactly(t, wait(), context.Canceled)
			exactly(t, call(ctx), context.Canceled)
			start := time.Now()
			ctx, cancel = context.WithTimeout(context.Background(), soon)
			defer cancel()
			exactly(t, call(ctx), context.DeadlineExceeded)
			if took := time.Since(start); took < soon {
				t.Fatalf("the deadline came after %v", took)
			}
		})
	}
	for _, ring := range []*Ring{r, empty, peer} {
		stats, err := ring.Stats()
		ok(t, err)
		equal(t, stats.Producer.Interruptions+stats.Consumer.Interruptions, 0)
	}
	// Nor is a later wait interrupted.
	is(t, peer.WaitForData(peer.Capacity(), time.Millisecond), nil)
	is(t, empty.WaitForData(1, time.Millisecond), ErrTimeout)
}

func TestACancelledContextEndsItsWaitOnly(t *testing.T) {
	r := anonymous(t, 1)
	send(t, r, "x")
	ctx, cancel := context.WithCancel(context.Background())
	producing := later(t, func() error { return r.WaitForSpaceContext(ctx, r.Capacity()) })
	consuming := later(t, func() error { return r.WaitForData(2, Forever) })
	parked(t, r, producer)
	parked(t, r, consumer)
	cancel()
	exactly(t, producing(), context.Canceled)
	send(t, r, "y")
	ok(t, consuming())
}

func TestAContextWaitEndsWithWhatItWaitsFor(t *testing.T) {
	r := anonymous(t, 1)
	contexts := map[string]func() (context.Context, context.CancelFunc){
		"without end": func() (context.Context, context.CancelFunc) {
			return context.Background(), func() {}
		},
		"to be cancelled": func() (context.Context, context.CancelFunc) {
			return context.WithCancel(context.WithValue(context.Background(), contextKey{}, 1))
		},
		"with a deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), patience)
		},
	}
	for name, make := range contexts {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := make()
			defer cancel()
			wait := later(t, func() error { _, err := r.PeekContext(ctx, 4); return err })
			time.Sleep(soon)
			send(t, r, "data")
			ok(t, wait())
			receive(t, r, "data")
			send(t, r, "more")
			data, err := r.PeekSomeContext(ctx, 1)
			ok(t, err)
			equal(t, string(data), "more")
			ok(t, r.Release(4))
		})
	}
}

func TestAContextWaitHasTheOutcomesOfAnyWait(t *testing.T) {
	r := anonymous(t, 1)
	peer := another(t, r)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	interrupted := later(t, func() error { return r.WaitForDataContext(ctx, 1) })
	parked(t, r, consumer)
	ok(t, r.WakeupAll())
	is(t, interrupted(), ErrInterrupted)
	is(t, r.WaitForDataContext(ctx, r.Capacity()+1), ErrTooLarge)
	closed := later(t, func() error { return r.WaitForDataContext(ctx, 1) })
	parked(t, r, consumer)
	ok(t, peer.WaitForSpace(1, 0))
	ok(t, peer.Close())
	is(t, closed(), ErrClosed)
	left := another(t, r)
	ok(t, left.WaitForSpace(1, 0))
	handle := later(t, func() error { return r.WaitForDataContext(ctx, 1) })
	parked(t, r, consumer)
	ok(t, r.Close())
	is(t, handle(), ErrHandleClosed)
}

func TestConnectContextWaitsForTheName(t *testing.T) {
	name := uniqueName(t)
	ctx, cancel := context.WithCancel(context.Background())
	connected := later(t, func() error {
		r, err := ConnectContext(ctx, name)
		if err == nil {
			r.Close()
		}
		return err
	})
	time.Sleep(soon)
	openedRing(t)(Create(name, 1))
	ok(t, connected())
	_, err := ConnectContext(ctx, "a/b")
	is(t, err, ErrInvalidName)
	never := later(t, func() error { _, err := ConnectContext(ctx, uniqueName(t)); return err })
	time.Sleep(soon)
	cancel()
	exactly(t, never(), context.Canceled)
}
