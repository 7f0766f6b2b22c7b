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
	patience = 30 * time.Second
	soon     = 30 * time.Millisecond
)

var names atomic.Uint64

// uniqueName is the name of a ring that does not outlive the test.
func uniqueName(t testing.TB) string {
	name := fmt.Sprintf("spscshm-go-%d-%d", os.Getpid(), names.Add(1))
	t.Cleanup(func() { _ = Unlink(name) })
	return name
}

// openedRing is for the result of a function that opens a ring: openedRing(t)(Connect(name)).
func openedRing(t testing.TB) func(*Ring, error) *Ring {
	return func(r *Ring, err error) *Ring {
		t.Helper()
		ok(t, err)
		t.Cleanup(func() { r.Close() })
		return r
	}
}

func anonymous(t testing.TB, minCapacity int) *Ring {
	t.Helper()
	return openedRing(t)(CreateAnonymous(minCapacity))
}

// another is a second handle on an anonymous ring.
func another(t testing.TB, r *Ring) *Ring {
	t.Helper()
	return openedRing(t)(ConnectFD(r.FD()))
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
func send(t testing.TB, r *Ring, s string) {
	t.Helper()
	space, err := r.Claim(len(s), patience)
	ok(t, err)
	copy(space, s)
	ok(t, r.Publish(len(s)))
}

// receive takes as many bytes as s has, and compares.
func receive(t testing.TB, r *Ring, s string) {
	t.Helper()
	data, err := r.Peek(len(s), patience)
	ok(t, err)
	equal(t, string(data), s)
	ok(t, r.Release(len(s)))
}

// fill publishes as many bytes as are free.
func fill(t testing.TB, r *Ring) {
	t.Helper()
	space, err := r.ClaimSome(0, 0)
	ok(t, err)
	ok(t, r.Publish(len(space)))
}

// parked waits until the consumer, or the producer, of r sleeps.
func parked(t testing.TB, r *Ring, role func(Stats) RoleStats) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		stats, err := r.Stats()
		ok(t, err)
		if role(stats).Parked {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody sleeps")
		}
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
