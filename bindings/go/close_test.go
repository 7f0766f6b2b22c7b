package spscshm

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestCloseEndsTheWaitsOfItsHandleAndNoOthers(t *testing.T) {
	r := anonymous(t, 1)
	peer := another(t, r)
	fill(t, r)
	wait := later(t, func() error { return r.WaitForSpace(1, Forever) })
	parked(t, r, producer)
	ok(t, r.Close())
	is(t, wait(), ErrHandleClosed)
	data, err := peer.PeekSome(1, 0)
	ok(t, err)
	ok(t, peer.Release(len(data)))
	// Neither interrupted nor anything else but the end.
	is(t, peer.WaitForData(1, Forever), ErrClosed)
	stats, err := peer.Stats()
	ok(t, err)
	equal(t, stats.Consumer.Interruptions, 0)
}

func TestCloseWaitsForBothSidesOfASharedHandle(t *testing.T) {
	r := anonymous(t, 1)
	send(t, r, "x")
	producing := later(t, func() error { return r.WaitForSpace(r.Capacity(), Forever) })
	consuming := later(t, func() error { return r.WaitForData(2, Forever) })
	parked(t, r, producer)
	parked(t, r, consumer)
	ok(t, r.Close())
	is(t, producing(), ErrHandleClosed)
	is(t, consuming(), ErrHandleClosed)
}

func TestAClosedHandleRefusesEveryCall(t *testing.T) {
	r := anonymous(t, 1)
	ok(t, r.Close())
	ok(t, r.Close())
	_, claim := r.Claim(1, Forever)
	_, peek := r.PeekSome(0, 0)
	_, read := r.Read(make([]byte, 1))
	_, write := r.Write([]byte{1})
	_, stats := r.Stats()
	for _, err := range []error{
		claim, peek, read, write, stats, r.Publish(1), r.Release(1), r.WakeupAll(), r.DebugDump(""),
	} {
		is(t, err, ErrHandleClosed)
		is(t, err, os.ErrClosed)
	}
	equal(t, r.Available(), 0)
	equal(t, r.FD(), -1)
	equal(t, r.Capacity(), pageSize)
}

func TestCloseWhileEveryOtherCallIsInFlight(t *testing.T) {
	for i := 0; i < 50; i++ {
		r := anonymous(t, 1)
		start := make(chan struct{})
		var calls sync.WaitGroup
		for _, call := range []func() error{
			func() error { _, err := r.Claim(8, time.Millisecond); return err },
			func() error { _, err := r.PeekSome(1, time.Millisecond); return err },
			func() error { _, err := r.Stats(); return err },
			func() error { r.Available(); r.FD(); return r.WakeupAll() },
			func() error { return r.Close() },
		} {
			calls.Add(1)
			go func(call func() error) {
				defer calls.Done()
				<-start
				for j := 0; j < 100; j++ {
					_ = call()
				}
			}(call)
		}
		close(start)
		calls.Wait()
	}
}

func TestASecondCallOnASideIsRefused(t *testing.T) {
	r := anonymous(t, 1)
	wait := later(t, func() error { return r.WaitForData(1, patience) })
	parked(t, r, consumer)
	_, err := r.Peek(1, Forever)
	is(t, err, ErrConcurrentUse)
	is(t, r.Release(1), ErrConcurrentUse)
	send(t, r, "x")
	ok(t, wait())
	receive(t, r, "x")
}

func TestASliceOutlivesItsHandlesLastReference(t *testing.T) {
	data := func() []byte {
		// Not closed, and dropped: this leak is the documented one.
		r, err := CreateAnonymous(1)
		ok(t, err)
		send(t, r, "still mapped")
		data, err := r.Peek(12, 0)
		ok(t, err)
		return data
	}()
	for i := 0; i < 5; i++ {
		runtime.GC()
		equal(t, string(data), "still mapped")
	}
}
