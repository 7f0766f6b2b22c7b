package spscshm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
func produceNumbers(p *Producer, each func()) error {
	for next := uint64(0); next < streamed; {
		count := min(1+next%7, streamed-next)
		space, err := p.Claim(int(8*count), patience)
		if err != nil {
			return fmt.Errorf("at %d: %w", next, err)
		}
		for ; len(space) > 0; space = space[8:] {
			binary.LittleEndian.PutUint64(space, next)
			next++
		}
		if err := p.Publish(int(8 * count)); err != nil {
			return err
		}
		each()
	}
	return nil
}

func consumeNumbers(c *Consumer, each func()) error {
	for next := uint64(0); next < streamed; {
		data, err := c.PeekSome(8, patience)
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
		if err := c.Release(whole); err != nil {
			return err
		}
		each()
	}
	return nil
}

func streamNumbers(t *testing.T, each func()) {
	t.Helper()
	_, p, c := anonymous(t, 1)
	produced := later(t, func() error { return produceNumbers(p, each) })
	ok(t, consumeNumbers(c, each))
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
	_, p, c := anonymous(t, 1)
	for i := 0; i < 200; i++ {
		message := fmt.Sprint("message ", i)
		sent := later(t, func() error {
			// Never unlocked, so that the thread ends with the goroutine.
			runtime.LockOSThread()
			space, err := p.Claim(len(message), patience)
			if err != nil {
				return err
			}
			copy(space, message)
			return p.Publish(len(message))
		})
		receive(t, c, message)
		ok(t, sent())
	}
}

// Goroutines that share an end, which they must not, are told so, and break nothing: as many bytes
// arrive as were accepted.
func TestGoroutinesThatShareAnEndBreakNothing(t *testing.T) {
	_, p, c := anonymous(t, 1)
	var accepted, refused atomic.Int64
	var writers sync.WaitGroup
	for i := 0; i < 4; i++ {
		writers.Add(1)
		go func() {
			defer writers.Done()
			message := bytes.Repeat([]byte{'x'}, 1000)
			for j := 0; j < 5000; j++ {
				n, err := p.Write(message)
				accepted.Add(int64(n))
				if errors.Is(err, ErrConcurrentUse) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			}
		}()
	}
	received := later(t, func() error {
		text, err := io.ReadAll(c)
		if int64(len(text)) != accepted.Load() || bytes.Count(text, []byte{'x'}) != len(text) {
			return fmt.Errorf("%d bytes of %d", len(text), accepted.Load())
		}
		return err
	})
	writers.Wait()
	ok(t, p.Close())
	ok(t, received())
	t.Logf("%d writes of 20000 were refused", refused.Load())
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
	r, p, c := anonymous(t, 1)
	_, _, idle := anonymous(t, 1)
	data := later(t, func() error { return c.WaitForData(1, Forever) })
	nothing := later(t, func() error {
		start := time.Now()
		err := idle.WaitForData(1, 10*soon)
		if took := time.Since(start); took < 10*soon {
			return fmt.Errorf("a wait of %v took %v", 10*soon, took)
		}
		return err
	})
	asleep(t, r, consumer)
	for start := time.Now(); time.Since(start) < 5*soon; {
		threads, err := os.ReadDir("/proc/self/task")
		ok(t, err)
		for _, thread := range threads {
			var id int
			fmt.Sscan(thread.Name(), &id)
			_, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(id), uintptr(syscall.SIGURG))
		}
	}
	is(t, nothing(), ErrTimeout)
	send(t, p, "x")
	ok(t, data())
}

// TestARingOrdersOrdinaryMemory is for the race detector: what is written before a publish may be
// read after the peek that finds it, and so back. On one handle and on two.
func TestARingOrdersOrdinaryMemory(t *testing.T) {
	_, p, c := anonymous(t, 1)
	orders(t, p, c)
	p, c = apart(t, 1)
	orders(t, p, c)
}

func orders(t *testing.T, p *Producer, c *Consumer) {
	t.Helper()
	all := p.Ring().Capacity()
	var shared bytes.Buffer
	sent := later(t, func() error {
		for i := 0; i < 1000; i++ {
			// All of the ring: the next turn needs the consumer's release.
			if _, err := p.Claim(all, patience); err != nil {
				return err
			}
			shared.WriteString("x")
			if err := p.Publish(all); err != nil {
				return err
			}
		}
		return nil
	})
	for i := 0; i < 1000; i++ {
		_, err := c.Peek(all, patience)
		ok(t, err)
		equal(t, shared.String(), "x")
		shared.Reset()
		ok(t, c.Release(all))
	}
	ok(t, sent())
}
