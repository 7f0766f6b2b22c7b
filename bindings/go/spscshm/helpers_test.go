package spscshm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// pageSize is the least capacity.
var pageSize = os.Getpagesize()

// patience is what a test waits for something that must come; soon is what it gives a wait that
// must not end.
const (
	patience = 4 * time.Minute
	soon     = 30 * time.Millisecond
)

var names atomic.Uint64

// uniqueName is the name of a ring that does not outlive the test.
func uniqueName(t testing.TB) string {
	name := fmt.Sprintf("spscshm-go-%d-%d", os.Getpid(), names.Add(1))
	t.Cleanup(func() { _ = Unlink(name) })
	return name
}

// openedRing is for the result of a function that opens a ring: openedRing(t)(Open(name)).
func openedRing(t testing.TB) func(*Ring, error) *Ring {
	return func(r *Ring, err error) *Ring {
		t.Helper()
		ok(t, err)
		t.Cleanup(func() { r.Close() })
		return r
	}
}

// anonymous gives a ring without a name, and its two ends.
func anonymous(t testing.TB, minCapacity int, options ...Option) (*Ring, *Producer, *Consumer) {
	t.Helper()
	r := openedRing(t)(Anonymous(minCapacity, options...))
	return r, r.Producer(), r.Consumer()
}

// another is a second handle on an anonymous ring.
func another(t testing.TB, r *Ring) *Ring {
	t.Helper()
	file, err := r.File()
	ok(t, err)
	defer file.Close()
	return openedRing(t)(FromFile(file))
}

// apart gives two handles on one ring, as two processes have them: the producer of the one and the
// consumer of the other.
func apart(t testing.TB, minCapacity int) (*Producer, *Consumer) {
	t.Helper()
	r, p, _ := anonymous(t, minCapacity)
	return p, another(t, r).Consumer()
}

func named(t testing.TB, minCapacity int, options ...Option) *Ring {
	t.Helper()
	return openedRing(t)(Create(uniqueName(t), minCapacity, options...))
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("not %q but %v", target, err)
	}
}

// exactly is for errors that callers compare with ==.
func exactly(t testing.TB, err, target error) {
	t.Helper()
	if err != target {
		t.Fatalf("not %q but %v", target, err)
	}
}

func equal[T comparable](t testing.TB, got, expected T) {
	t.Helper()
	if got != expected {
		t.Fatalf("got %v, expected %v", got, expected)
	}
}

// send publishes s as one message.
func send(t testing.TB, p *Producer, s string) {
	t.Helper()
	space, err := p.Claim(len(s), patience)
	ok(t, err)
	copy(space, s)
	ok(t, p.Publish(len(s)))
}

// receive takes as many bytes as s has, and compares.
func receive(t testing.TB, c *Consumer, s string) {
	t.Helper()
	data, err := c.Peek(len(s), patience)
	ok(t, err)
	equal(t, string(data), s)
	ok(t, c.Release(len(s)))
}

// fill publishes as many bytes as are free.
func fill(t testing.TB, p *Producer) {
	t.Helper()
	space, err := p.ClaimSome(0, 0)
	ok(t, err)
	ok(t, p.Publish(len(space)))
}

func statsOf(t testing.TB, r *Ring) Stats {
	t.Helper()
	stats, err := r.Stats()
	ok(t, err)
	return stats
}

// asleep waits until the consumer, or the producer, of r sleeps.
func asleep(t testing.TB, r *Ring, role func(Stats) RoleStats) {
	t.Helper()
	for deadline := time.Now().Add(patience); !role(statsOf(t, r)).Parked; {
		if time.Now().After(deadline) {
			t.Fatal("nobody sleeps")
		}
		time.Sleep(time.Millisecond)
	}
}

func consumer(s Stats) RoleStats { return s.Consumer }
func producer(s Stats) RoleStats { return s.Producer }

// later runs call in another goroutine. The function it returns waits for the result.
func later(t testing.TB, call func() error) func() error {
	result := make(chan error, 1)
	go func() { result <- call() }()
	return func() error {
		t.Helper()
		select {
		case err := <-result:
			return err
		case <-time.After(patience):
			t.Fatal("the call does not return")
			return nil
		}
	}
}
