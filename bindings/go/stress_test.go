package spscshm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const streamed = 50_000

// produceNumbers publishes the numbers below streamed, in messages of one to seven.
func produceNumbers(r *Ring, each func()) error {
	for next := uint64(0); next < streamed; {
		count := min(1+next%7, streamed-next)
		space, err := r.Claim(int(8*count), patience)
		if err != nil {
			return fmt.Errorf("at %d: %w", next, err)
		}
		for ; len(space) > 0; space = space[8:] {
			binary.LittleEndian.PutUint64(space, next)
			next++
		}
		if err := r.Publish(int(8 * count)); err != nil {
			return err
		}
		each()
	}
	return nil
}

func consumeNumbers(r *Ring, each func()) error {
	for next := uint64(0); next < streamed; {
		data, err := r.PeekSome(8, patience)
		if err != nil {
			return fmt.Errorf("at %d: %w", next, err)
		}
		whole := len(data) / 8 * 8
		for i := 0; i < whole; i += 8 {
			if got := binary.LittleEndian.Uint64(data[i:]); got != next {
				return fmt.Errorf("%d in place of %d", got, next)
			}
			next++
		}
		if err := r.Release(whole); err != nil {
			return err
		}
		each()
	}
	return nil
}

func streamNumbers(t *testing.T, each func()) {
	t.Helper()
	r := anonymous(t, 1)
	produced := later(t, func() error { return produceNumbers(r, each) })
	ok(t, consumeNumbers(r, each))
	ok(t, produced())
}

func TestTwoGoroutinesShareAHandle(t *testing.T) {
	streamNumbers(t, func() {})
}

func TestGoroutinesMayChangeThreads(t *testing.T) {
	var calls atomic.Uint64
	streamNumbers(t, func() {
		// Blocked in the kernel, a goroutine gives its processor away, and may wake on another.
		if calls.Add(1)%64 == 0 {
			syscall.Nanosleep(&syscall.Timespec{Nsec: 1000}, nil)
		}
		runtime.Gosched()
	})
}

// TestEachCallMayComeFromAnotherThread moves the call, not the goroutine: each message is produced
// on a thread of its own.
func TestEachCallMayComeFromAnotherThread(t *testing.T) {
	r := anonymous(t, 1)
	for i := 0; i < 200; i++ {
		message := fmt.Sprint("message ", i)
		sent := later(t, func() error {
			// Never unlocked, so that the thread ends with the goroutine.
			runtime.LockOSThread()
			space, err := r.Claim(len(message), patience)
			if err != nil {
				return err
			}
			copy(space, message)
			return r.Publish(len(message))
		})
		receive(t, r, message)
		ok(t, sent())
	}
}

func TestStreamingUnderGarbageCollection(t *testing.T) {
	stop := make(chan struct{})
	var collector sync.WaitGroup
	collector.Add(1)
	go func() {
		defer collector.Done()
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	var garbage atomic.Pointer[[]byte]
	streamNumbers(t, func() {
		made := make([]byte, 256)
		garbage.Store(&made)
	})
	close(stop)
	collector.Wait()
}

// TestAWaitSurvivesAStormOfPreemptions sends to every thread the signal by which the runtime
// preempts goroutines.
func TestAWaitSurvivesAStormOfPreemptions(t *testing.T) {
	r := anonymous(t, 1)
	waits := []func() error{
		later(t, func() error { return r.WaitForData(1, Forever) }),
		later(t, func() error {
			start := time.Now()
			err := anonymous(t, 1).WaitForData(1, 10*soon)
			if took := time.Since(start); took < 10*soon {
				return fmt.Errorf("a wait of %v took %v", 10*soon, took)
			}
			return err
		}),
	}
	parked(t, r, consumer)
	for start := time.Now(); time.Since(start) < 5*soon; {
		threads, err := os.ReadDir("/proc/self/task")
		ok(t, err)
		for _, thread := range threads {
			var id int
			fmt.Sscan(thread.Name(), &id)
			_, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(id), uintptr(syscall.SIGURG))
		}
	}
	is(t, waits[1](), ErrTimeout)
	send(t, r, "x")
	ok(t, waits[0]())
}

// TestARingOrdersOrdinaryMemory is for the race detector, to which every call into C is an act of
// synchronisation: what is written before a publish may be read after the peek that finds it, and
// so back.
func TestARingOrdersOrdinaryMemory(t *testing.T) {
	r := anonymous(t, 1)
	var shared bytes.Buffer
	sent := later(t, func() error {
		for i := 0; i < 100; i++ {
			// All of the ring: the next turn waits for the consumer's release.
			if _, err := r.Claim(r.Capacity(), patience); err != nil {
				return err
			}
			shared.WriteString("x")
			if err := r.Publish(r.Capacity()); err != nil {
				return err
			}
		}
		return nil
	})
	for i := 0; i < 100; i++ {
		_, err := r.Peek(r.Capacity(), patience)
		ok(t, err)
		equal(t, shared.String(), "x")
		shared.Reset()
		ok(t, r.Release(r.Capacity()))
	}
	ok(t, sent())
}

func min(a, b uint64) uint64 {
	if a < b {
		return a
	}
	return b
}
