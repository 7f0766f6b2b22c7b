package spscshm

import (
	"context"
	"errors"
	"testing"
	"time"
)

// waits are the calls with a context: the producer's of a full ring, and the consumer's of an empty
// one.
func waits(p *Producer, c *Consumer) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"claim":          func(ctx context.Context) error { _, err := p.ClaimContext(ctx, 1); return err },
		"claim some":     func(ctx context.Context) error { _, err := p.ClaimSomeContext(ctx, 1); return err },
		"wait for space": func(ctx context.Context) error { return p.WaitForSpaceContext(ctx, 1) },
		"peek":           func(ctx context.Context) error { _, err := c.PeekContext(ctx, 1); return err },
		"peek some":      func(ctx context.Context) error { _, err := c.PeekSomeContext(ctx, 1); return err },
		"wait for data":  func(ctx context.Context) error { return c.WaitForDataContext(ctx, 1) },
	}
}

func TestCancellingEndsEveryWaitAndDisturbsNobody(t *testing.T) {
	full, p, _ := anonymous(t, 1)
	fill(t, p)
	empty, _, c := anonymous(t, 1)
	peer := another(t, full).Consumer()
	ok(t, peer.WaitForData(full.Capacity(), 0))
	for name, call := range waits(p, c) {
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
	equal(t, statsOf(t, peer.Ring()).Consumer.Interruptions, 0)
	// Nor is a later wait interrupted.
	is(t, p.WaitForSpace(1, soon), ErrTimeout)
	is(t, c.WaitForData(1, soon), ErrTimeout)
	equal(t, statsOf(t, empty).Producer.Interruptions, 0)
}

// A context that is cancelled at any moment of a wait that ends in another way, too, ends that wait
// or none: what came too late is taken back.
func TestACancellationThatComesTooLateEndsNoLaterWait(t *testing.T) {
	p, c := apart(t, 1)
	cancelled, delivered := 0, 0
	for i := 0; i < 2000; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		ended := later(t, func() error {
			if i%2 == 0 {
				time.Sleep(time.Duration(i%37) * time.Microsecond)
			}
			cancel()
			return nil
		})
		if i%3 != 0 {
			send(t, p, "x")
		}
		_, err := c.PeekContext(ctx, 1)
		switch err {
		case nil:
			delivered++
		case context.Canceled:
			cancelled++
		default:
			t.Fatal(err)
		}
		// No trace of it is left for this one.
		is(t, c.WaitForData(2, time.Microsecond), ErrTimeout)
		ok(t, ended())
		is(t, c.WaitForData(2, time.Microsecond), ErrTimeout)
		if i%3 != 0 {
			receive(t, c, "x")
		}
	}
	if cancelled == 0 || delivered == 0 {
		t.Fatalf("%d cancelled, %d delivered: one of the two was not tried", cancelled, delivered)
	}
}

func TestACancelledContextEndsTheWaitOfItsEndOnly(t *testing.T) {
	r, p, c := anonymous(t, 1)
	send(t, p, "x")
	ctx, cancel := context.WithCancel(context.Background())
	producing := later(t, func() error { return p.WaitForSpaceContext(ctx, r.Capacity()) })
	consuming := later(t, func() error { return c.WaitForData(2, Forever) })
	asleep(t, r, producer)
	asleep(t, r, consumer)
	cancel()
	exactly(t, producing(), context.Canceled)
	send(t, p, "y")
	ok(t, consuming())
}

func TestAContextIsLookedAtBeforeTheRing(t *testing.T) {
	_, p, c := anonymous(t, 1)
	send(t, p, "x")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, call := range waits(p, c) {
		if err := call(ctx); err != context.Canceled {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAContextWaitEndsWithWhatItWaitsFor(t *testing.T) {
	_, p, c := anonymous(t, 1)
	type key struct{}
	contexts := map[string]func() (context.Context, context.CancelFunc){
		"without end": func() (context.Context, context.CancelFunc) {
			return context.Background(), func() {}
		},
		"to be cancelled": func() (context.Context, context.CancelFunc) {
			return context.WithCancel(context.WithValue(context.Background(), key{}, 1))
		},
		"with a deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), patience)
		},
	}
	for name, make := range contexts {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := make()
			defer cancel()
			wait := later(t, func() error { _, err := c.PeekContext(ctx, 4); return err })
			time.Sleep(soon)
			send(t, p, "data")
			ok(t, wait())
			receive(t, c, "data")
			send(t, p, "more")
			data, err := c.PeekSomeContext(ctx, 1)
			ok(t, err)
			equal(t, string(data), "more")
			ok(t, c.Release(4))
			nothing, err := c.PeekSomeContext(ctx, 0)
			ok(t, err)
			equal(t, len(nothing), 0)
		})
	}
}

func TestAContextWaitHasTheOutcomesOfAnyWait(t *testing.T) {
	r, p, c := anonymous(t, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	wait := func() func() error {
		ended := later(t, func() error { return c.WaitForDataContext(ctx, 1) })
		asleep(t, r, consumer)
		return ended
	}
	interrupted := wait()
	ok(t, r.WakeupAll())
	is(t, interrupted(), ErrInterrupted)
	is(t, c.WaitForDataContext(ctx, r.Capacity()+1), ErrTooLarge)
	ok(t, p.WaitForSpace(1, 0))
	ended := wait()
	ok(t, p.Close())
	is(t, ended(), ErrPeerClosed)
	ok(t, another(t, r).Producer().WaitForSpace(1, 0))
	closed := wait()
	ok(t, r.Close())
	is(t, closed(), ErrClosed)
}

// Close and a cancellation may meet in one wait. Neither is lost, and nothing hangs.
func TestCloseAndACancellationAtOnce(t *testing.T) {
	for i := 0; i < 200; i++ {
		r, _, c := anonymous(t, 1)
		ctx, cancel := context.WithCancel(context.Background())
		wait := later(t, func() error { return c.WaitForDataContext(ctx, 1) })
		if i%2 == 0 {
			asleep(t, r, consumer)
		}
		closed := later(t, r.Close)
		cancel()
		if err := wait(); !errors.Is(err, ErrClosed) && err != context.Canceled {
			t.Fatal(err)
		}
		ok(t, closed())
		equal(t, r.freed, true)
	}
}

func TestConnectWaitsForTheName(t *testing.T) {
	name := uniqueName(t)
	ctx, cancel := context.WithCancel(context.Background())
	connected := later(t, func() error {
		r, err := Connect(ctx, name)
		if err == nil {
			r.Close()
		}
		return err
	})
	time.Sleep(soon)
	openedRing(t)(Create(name, 1))
	ok(t, connected())
	_, err := Connect(ctx, "a/b")
	is(t, err, ErrInvalidName)
	never := later(t, func() error { _, err := Connect(ctx, uniqueName(t)); return err })
	time.Sleep(soon)
	cancel()
	exactly(t, never(), context.Canceled)
}
