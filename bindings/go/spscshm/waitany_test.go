package spscshm

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestWaitAnySaysHowEachItemStands(t *testing.T) {
	r1, p1, c1 := anonymous(t, 1)
	_, p2, c2 := anonymous(t, 1)
	r3, p3, c3 := anonymous(t, 1)
	items := []WaitItem{{End: c1, Need: 1}, {End: c2, Need: 8}, {End: c3, Need: 1}}
	n, err := WaitAny(items, 0)
	equal(t, n, 0)
	is(t, err, ErrTimeout)
	for i := range items {
		is(t, items[i].Err, ErrTimeout)
		equal(t, items[i].Ready(), false)
	}
	send(t, p2, "eight...")
	ok(t, p3.WaitForSpace(1, 0))
	ok(t, p3.Close())
	n, err = WaitAny(items, Forever)
	ok(t, err)
	equal(t, n, 2)
	equal(t, items[0].Ready(), false)
	ok(t, items[1].Err)
	is(t, items[2].Err, ErrPeerClosed)
	equal(t, items[2].Ready(), true)
	receive(t, c2, "eight...")

	fill(t, p1)
	mixed := []WaitItem{{End: p1, Need: 1}, {End: c1, Need: r1.Capacity() + 1}, {End: p2, Need: 1}}
	n, err = WaitAny(mixed, Forever)
	ok(t, err)
	equal(t, n, 2)
	is(t, mixed[0].Err, ErrTimeout)
	is(t, mixed[1].Err, ErrTooLarge)
	ok(t, mixed[2].Err)
	equal(t, statsOf(t, r3).Consumer.State, RoleAttached)
}

func TestWaitAnyWakesForWhicheverComes(t *testing.T) {
	const rings = 8
	var items []WaitItem
	var producers []*Producer
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < rings; i++ {
		_, p, c := anonymous(t, 1)
		producers = append(producers, p)
		items = append(items, WaitItem{End: c, Need: 1})
	}
	for i, p := range producers {
		var n int
		wait := later(t, func() (err error) {
			if i%2 == 0 {
				n, err = WaitAny(items, Forever)
			} else {
				n, err = WaitAnyContext(ctx, items)
			}
			return err
		})
		asleep(t, items[i].End.Ring(), consumer)
		send(t, p, "x")
		ok(t, wait())
		equal(t, n, 1)
		for j := range items {
			equal(t, items[j].Ready(), i == j)
		}
		receive(t, items[i].End.(*Consumer), "x")
	}
}

func TestACancelledContextEndsWaitAnyAtOnce(t *testing.T) {
	r, p, c := anonymous(t, 1)
	_, _, other := anonymous(t, 1)
	ctx, cancel := context.WithCancel(context.Background())
	items := []WaitItem{{End: other, Need: 1}, {End: c, Need: 1}}
	wait := later(t, func() error { _, err := WaitAnyContext(ctx, items); return err })
	asleep(t, r, consumer)
	cancel()
	exactly(t, wait(), context.Canceled)
	_, err := WaitAnyContext(ctx, items)
	exactly(t, err, context.Canceled)
	// No trace of it is left.
	is(t, other.WaitForData(1, soon), ErrTimeout)
	is(t, c.WaitForData(1, soon), ErrTimeout)
	send(t, p, "x")
	n, err := WaitAnyContext(context.Background(), items)
	ok(t, err)
	equal(t, n, 1)
	deadline, stop := context.WithTimeout(context.Background(), soon)
	defer stop()
	_, err = WaitAnyContext(deadline, items[:1])
	exactly(t, err, context.DeadlineExceeded)
}

func TestWaitAnyIsInterrupted(t *testing.T) {
	r, _, c := anonymous(t, 1)
	_, _, other := anonymous(t, 1)
	items := []WaitItem{{End: other, Need: 1}, {End: c, Need: 1}}
	wait := later(t, func() error { _, err := WaitAny(items, Forever); return err })
	asleep(t, r, consumer)
	ok(t, r.WakeupAll())
	is(t, wait(), ErrInterrupted)
	equal(t, items[1].Ready(), false)
	is(t, c.WaitForData(1, time.Millisecond), ErrTimeout)
}

func TestClosingAnItemEndsWaitAny(t *testing.T) {
	closes := map[string]func(*Consumer) error{
		"the end":  (*Consumer).Close,
		"the ring": func(c *Consumer) error { return c.Ring().Close() },
	}
	for name, close := range closes {
		t.Run(name, func(t *testing.T) {
			r, _, c := anonymous(t, 1)
			_, _, other := anonymous(t, 1)
			items := []WaitItem{{End: other, Need: 1}, {End: c, Need: 1}}
			n := 0
			wait := later(t, func() (err error) { n, err = WaitAny(items, Forever); return err })
			asleep(t, r, consumer)
			ok(t, close(c))
			ok(t, wait())
			equal(t, n, 1)
			is(t, items[1].Err, ErrClosed)
			equal(t, items[0].Ready(), false)
			// One that is closed already does not keep the others from being looked at.
			n, err := WaitAny(items, Forever)
			ok(t, err)
			equal(t, n, 1)
			is(t, items[1].Err, ErrClosed)
			n, err = WaitAny(items[1:], Forever)
			ok(t, err)
			equal(t, n, 1)
		})
	}
}

func TestWaitAnyRefusesWhatItCanNotDo(t *testing.T) {
	r, _, c := anonymous(t, 1)
	_, err := WaitAny(nil, Forever)
	is(t, err, ErrInvalidArgument)
	_, err = WaitAny(make([]WaitItem, MaxWaitItems+1), Forever)
	is(t, err, ErrTooLarge)
	twice := []WaitItem{{End: c, Need: 1}, {End: c, Need: 1}}
	n, err := WaitAny(twice, Forever)
	ok(t, err)
	equal(t, n, 1)
	is(t, twice[1].Err, ErrConcurrentUse)
	waiting := later(t, func() error { _, err := WaitAny(twice[:1], Forever); return err })
	asleep(t, r, consumer)
	_, err = c.Peek(1, 0)
	is(t, err, ErrConcurrentUse)
	ok(t, c.Close())
	ok(t, waiting())
}

func TestADeadProducerAmongLiveOnesIsReported(t *testing.T) {
	if name := os.Getenv("SPSCSHM_CHILD"); name != "" {
		send(t, openedRing(t)(Open(name)).Producer(), "x")
		ok(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	mortal := named(t, 1)
	_, p, c := anonymous(t, 1)
	ok(t, p.WaitForSpace(1, 0))
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "SPSCSHM_CHILD="+mortal.Name())
	ok(t, child.Start())
	defer child.Wait()
	receive(t, mortal.Consumer(), "x")
	items := []WaitItem{{End: c, Need: 1}, {End: mortal.Consumer(), Need: 1}}
	n, err := WaitAny(items, patience)
	ok(t, err)
	equal(t, n, 1)
	is(t, items[1].Err, ErrPeerDead)
	equal(t, items[0].Ready(), false)
}

// As TestACancellationThatComesTooLateEndsNoLaterWait.
func TestACancellationThatComesTooLateForWaitAnyIsTakenBack(t *testing.T) {
	p, c := apart(t, 1)
	_, _, other := anonymous(t, 1)
	items := []WaitItem{{End: c, Need: 1}, {End: other, Need: 1}}
	for i := 0; i < 1000; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		sent := later(t, func() error {
			time.Sleep(time.Duration(60+i%40) * time.Microsecond)
			_, err := p.Write([]byte("x"))
			cancel()
			return err
		})
		_, err := WaitAnyContext(ctx, items)
		if err != nil {
			exactly(t, err, context.Canceled)
		}
		ok(t, sent())
		is(t, c.WaitForData(2, time.Microsecond), ErrTimeout)
		receive(t, c, "x")
	}
}
