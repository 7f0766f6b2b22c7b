package spscshm

import (
	"context"
	"errors"
	"math"
	"sync"
	"syscall"
	"time"
)

// Forever is a timeout without limit.
const Forever time.Duration = math.MaxInt64

// Ring is one process's handle on a ring.
//
// At any time at most one goroutine may produce and one consume. They may share a handle or use
// one each, and be different goroutines from call to call. A second goroutine on the same side at
// the same time gets ErrConcurrentUse.
type Ring struct {
	// First, so that what both sides read lies on no line that one of them writes.
	sides    [2]side
	ring     handle
	name     string
	capacity int
	// What a wait gives when it ends without success, made beforehand: a call that polls or times
	// out is as good as one that succeeds, and must not allocate either.
	outcomes [opWaitForData + 1][outcomeCount]Error

	closing sync.Once
	// Keeps the handle open during the calls that belong to neither side.
	mu     sync.RWMutex
	closed bool
}

// Create makes a ring under a name and opens it. The name is as for shm_open, with or without one
// leading slash; the capacity is rounded up to a power of two that is at least a page. The name
// stays until Unlink, the memory as long as any process has the ring open.
func Create(name string, minCapacity int, options ...Option) (*Ring, error) {
	return newRing("create", name, nativeCreate(name, minCapacity, choose(options)))
}

// CreateAnonymous makes a ring without a name and opens it. Its memory is a memfd that no other
// process can cut short: the kind for parties that don't trust each other. Hand FD to the other
// process, for ConnectFD.
func CreateAnonymous(minCapacity int) (*Ring, error) {
	return newRing("create", "", nativeCreateAnonymous(minCapacity))
}

// Connect opens the ring of this name.
func Connect(name string) (*Ring, error) {
	return ConnectTimeout(name, 0)
}

// ConnectTimeout opens the ring of this name, and waits for it to appear and be ready. With a
// timeout of 0 it is Connect; else ErrTimeout stands for ErrNotFound and ErrNotReady.
func ConnectTimeout(name string, timeout time.Duration) (*Ring, error) {
	return newRing("connect", name, nativeConnect(name, timeout))
}

// ConnectContext opens the ring of this name, and waits for it to appear and be ready until the
// context is done: then it returns ctx.Err().
func ConnectContext(ctx context.Context, name string) (*Ring, error) {
	const shortest, longest = 50 * time.Microsecond, 5 * time.Millisecond
	for pause := shortest; ; pause *= 2 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := Connect(name)
		if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotReady) {
			return r, err
		}
		if pause > longest {
			pause = longest
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// ConnectFD opens the anonymous ring behind a descriptor, which is duplicated and stays the
// caller's. The object of a named ring gives ErrNotARing.
func ConnectFD(fd int) (*Ring, error) {
	return newRing("connect", "", nativeConnectFD(fd))
}

// Unlink removes a name. Whoever has the ring open keeps it.
func Unlink(name string) error {
	return opError("unlink", name, nativeUnlink(name))
}

func opError(op, name string, o opened) error {
	if Status(o.status) == statusOK {
		return nil
	}
	return &Error{op, name, Status(o.status), syscall.Errno(o.os_error)}
}

func newRing(op, name string, o opened) (*Ring, error) {
	if err := opError(op, name, o); err != nil {
		return nil, err
	}
	r := &Ring{ring: o.ring, name: name, capacity: int(o.capacity)}
	for i := range r.sides {
		r.sides[i].left = make(chan struct{})
	}
	for op := range r.outcomes {
		for i := range r.outcomes[op] {
			r.outcomes[op][i] = Error{Op: opNames[op], Name: name, Err: Status(i + 1)}
		}
	}
	return r, nil
}

// Close gives up the handle's roles, wakes the other side, and unmaps the memory: every slice from
// a claim or a peek is invalid from here on, and touching one is a fault that no recover catches.
// The other side reads all that was published and then gets ErrClosed.
//
// A wait of another goroutine on this handle ends with ErrHandleClosed, within a tenth of a
// second; Close waits for it, and for any other call to return. It must therefore not be called by
// the reader or the writer that ReadFrom or WriteTo is working with. Closing again does nothing.
//
// Nothing but Close ever unmaps the memory. A slice of it does not keep the Ring reachable, so
// that a finalizer could run under a live slice; there is none, and a Ring that is dropped without
// Close stays open until the process ends.
func (r *Ring) Close() error {
	r.closing.Do(func() {
		for i := range r.sides {
			r.sides[i].close()
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.closed = true
		nativeClose(r.ring)
	})
	return nil
}

// Name is what the ring was created or connected by; empty for an anonymous ring.
func (r *Ring) Name() string { return r.name }

// Capacity is how many bytes the ring holds at most.
func (r *Ring) Capacity() int { return r.capacity }

// Available is how many bytes are published and not yet released; 0 once the handle is closed.
func (r *Ring) Available() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return 0
	}
	return nativeAvailable(r.ring)
}

// FD is the descriptor of the ring's memory, to hand to another process for ConnectFD. It stays
// the handle's own: duplicate it for an [os.File], which would close it. It is -1 once the handle
// is closed.
func (r *Ring) FD() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return -1
	}
	return nativeFD(r.ring)
}

// WakeupAll interrupts the current wait of both sides, in every process, or where a side is not
// waiting its next one: it ends with ErrInterrupted, unless what it waits for is there. Calls with
// a timeout of 0 don't wait, and are not interrupted. To end a wait of one's own, without the
// other side's noticing, use a context.
func (r *Ring) WakeupAll() error {
	return r.withOpen("wake up all", func() Status { return nativeWakeupAll(r.ring) })
}

// Stats is what can be seen of the ring from outside.
func (r *Ring) Stats() (Stats, error) {
	var stats Stats
	err := r.withOpen("stats", func() Status {
		stats = nativeStats(r.ring)
		return statusOK
	})
	return stats, err
}

// DebugDump writes what Stats says to the standard error stream, in one line that begins with
// prefix.
func (r *Ring) DebugDump(prefix string) error {
	return r.withOpen("debug dump", func() Status { return nativeDebugDump(r.ring, prefix) })
}

// withOpen makes a call that belongs to neither side, and that Close must wait for.
func (r *Ring) withOpen(op string, call func() Status) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return &Error{Op: op, Name: r.name, Err: ErrHandleClosed}
	}
	if status := call(); status != statusOK {
		return &Error{Op: op, Name: r.name, Err: status}
	}
	return nil
}
