package spscshm

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// Ring is an open ring, or one process's handle on it. To use it, take its [Producer] or its
// [Consumer], or both.
//
// All its methods may be called by any goroutine at any time.
type Ring struct {
	producer Producer
	consumer Consumer
	handle   handle
	name     string
	capacity int
	// Of a connection's ring, which goes with the connection and waits as that does; else nil.
	conn   *Conn
	poller *poller
	// What a wait gives when it ends without success, made beforehand: a call that polls or times
	// out is as good as one that succeeds, and must not allocate either.
	outcomes [opCount][outcomeCount]Error

	// Held while the ring or an end is being closed, which may take as long as a call on the end.
	closing sync.Mutex
	// Held for reading during the calls that belong to neither end, so that the handle stays open.
	mu     sync.RWMutex
	closed bool
	// Whether the handle is gone.
	freed bool
}

// Create makes a ring under a name and opens it. The name is as for shm_open, with or without one
// leading slash; the capacity is rounded up to a power of two that is at least a page. The name
// stays until [Unlink], the memory as long as any process has the ring open.
func Create(name string, capacity int, options ...Option) (*Ring, error) {
	return newRing(opCreate, name, nativeCreate(name, capacity, choose(options)))
}

// Anonymous makes a ring without a name and opens it. Its memory is a memfd that no other process
// can cut short: the kind for parties that don't trust each other. Hand its [Ring.File] to the other
// process, for [FromFile].
func Anonymous(capacity int, options ...Option) (*Ring, error) {
	return newRing(opCreate, "", nativeAnonymous(capacity, choose(options)))
}

// Open opens the ring of this name, which must be there: else the error matches [ErrNotFound], or
// [ErrNotReady] while its creator has not finished.
func Open(name string) (*Ring, error) {
	return newRing(opOpen, name, nativeConnect(name))
}

// Connect opens the ring of this name, and waits for it to appear and be ready until the context is
// done: then it returns ctx.Err().
func Connect(ctx context.Context, name string) (*Ring, error) {
	const shortest, longest = 50 * time.Microsecond, 5 * time.Millisecond
	for pause := shortest; ; pause = min(2*pause, longest) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := Open(name)
		if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotReady) {
			return r, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// FromFile opens the anonymous ring behind a file. The file stays the caller's, who may close it. A
// file that is no ring, or the object of a named ring, gives [ErrNotARing].
func FromFile(file *os.File) (*Ring, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var o opened
	if err := raw.Control(func(fd uintptr) { o = nativeConnectFD(fd) }); err != nil {
		return nil, err
	}
	return newRing(opOpen, "", o)
}

// Unlink removes a name. Whoever has the ring open keeps it.
func Unlink(name string) error {
	return openError(opUnlink, name, nativeUnlink(name))
}

func openError(o op, name string, r result) error {
	if r.status == statusOK {
		return nil
	}
	return &Error{Op: o.String(), Name: name, Err: r.status, Errno: r.errno}
}

func newRing(o op, name string, opened opened) (*Ring, error) {
	if err := openError(o, name, opened.result); err != nil {
		return nil, err
	}
	r := new(Ring)
	r.init(name, opened)
	return r, nil
}

func (r *Ring) init(name string, opened opened) {
	r.handle, r.name, r.capacity = opened.ring, name, opened.capacity
	r.producer.end.init(r, producing, opened.producer)
	r.consumer.end.init(r, consuming, opened.consumer)
	r.consumer.receiver.max = defaultMaxMessage
	for o := range r.outcomes {
		for i := range r.outcomes[o] {
			r.outcomes[o][i] = Error{Op: op(o).String(), Name: name, Err: Status(i + 1), side: op(o).side()}
		}
	}
}

// Producer is the end that writes. It is the same one at each call.
func (r *Ring) Producer() *Producer { return &r.producer }

// Consumer is the end that reads. It is the same one at each call.
func (r *Ring) Consumer() *Consumer { return &r.consumer }

// Close closes both ends, as their own Close does, and unmaps the memory. A call that waits on an
// end returns [ErrClosed], as does every later call on the ring or an end. The other process reads
// all that was published and then comes to the end of the stream. Closing again does nothing.
//
// Close waits for the calls that are in progress on the ends. So it must not be called by the reader
// or the writer that ReadFrom or WriteTo is working with.
//
// The memory is never unmapped under a slice that is still out, from a claim that is not published or
// a peek that is not released, to its last byte. Then Close returns [ErrInUse], having done all else,
// and the memory goes when the end of that slice is closed, or is called for the next time. Only
// Close unmaps it: a Ring that is dropped without Close stays open until the process ends.
func (r *Ring) Close() error {
	r.closing.Lock()
	defer r.closing.Unlock()
	// Both are shut before either leaves, so that neither takes it for its peer's end.
	for _, e := range r.shut(&r.producer.end, &r.consumer.end) {
		nativeLeave(r.handle, e.side)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if !r.free() {
		return &Error{Op: opClose.String(), Name: r.name, Err: ErrInUse}
	}
	return nil
}

// shut closes ends, and returns those that were open.
func (r *Ring) shut(ends ...*end) (shut []*end) {
	for _, e := range ends {
		if e.close() {
			e.lends.Store(e.cursor.granted != 0)
			shut = append(shut, e)
		}
	}
	return shut
}

// closeEnd is Close of an end, whose slice is no longer used.
func (r *Ring) closeEnd(e *end) {
	r.closing.Lock()
	defer r.closing.Unlock()
	if len(r.shut(e)) != 0 {
		nativeLeave(r.handle, e.side)
	}
	r.returned(e)
}

// returned says that the slice of a closed end is no longer used.
func (r *Ring) returned(e *end) {
	if e.lends.Load() {
		r.mu.Lock()
		defer r.mu.Unlock()
		e.lends.Store(false)
		if r.closed {
			r.free()
		}
	}
}

// free closes the handle, unless a slice is still out. The caller holds mu.
func (r *Ring) free() bool {
	if r.producer.end.lends.Load() || r.consumer.end.lends.Load() {
		return false
	}
	if !r.freed {
		r.freed = true
		if r.conn != nil {
			r.conn.freed()
		} else {
			nativeClose(r.handle)
		}
	}
	return true
}

// Name is what the ring was created or opened by; empty for an anonymous ring.
func (r *Ring) Name() string { return r.name }

// Capacity is how many bytes the ring holds at most.
func (r *Ring) Capacity() int { return r.capacity }

// Available is how many bytes are published and not yet released; 0 once the ring is closed.
func (r *Ring) Available() int {
	available := 0
	_ = r.whileOpen(opStats, func() { available = nativeAvailable(r.handle) })
	return available
}

// File is a new file for the memory of an anonymous ring, to hand to another process for
// [FromFile]: by [os/exec.Cmd.ExtraFiles], or over a Unix socket. The caller closes it. A named ring
// gives [ErrNotARing]: through its file the memory could be cut short, under whoever uses it.
func (r *Ring) File() (*os.File, error) {
	if r.name != "" && r.conn == nil {
		return nil, &Error{Op: opFile.String(), Name: r.name, Err: ErrNotARing}
	}
	var fd int
	var failed error
	err := r.whileOpen(opFile, func() {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, failed = syscall.Dup(nativeFD(r.handle)); failed == nil {
			syscall.CloseOnExec(fd)
		}
	})
	if err == nil && failed != nil {
		err = os.NewSyscallError("dup", failed)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "spscshm"), nil
}

// WakeupAll interrupts the current wait of both sides, in every process, or where a side is not
// waiting its next one: it ends with [ErrInterrupted], unless what it waits for is there. Calls with
// a timeout of 0 don't wait, and are not interrupted. To end a wait of one's own, without the other
// side's noticing, use a context.
func (r *Ring) WakeupAll() error {
	return r.whileOpen(opWakeupAll, func() { nativeWakeupAll(r.handle) })
}

// Stats is what can be seen of the ring from outside.
func (r *Ring) Stats() (Stats, error) {
	var stats Stats
	err := r.whileOpen(opStats, func() { stats = nativeStats(r.handle) })
	return stats, err
}

// DebugDump writes what Stats says to the standard error stream, in one line that begins with
// prefix.
func (r *Ring) DebugDump(prefix string) error {
	return r.whileOpen(opDump, func() { nativeDebugDump(r.handle, prefix) })
}

// whileOpen makes a call that belongs to neither end, and that Close must wait for.
func (r *Ring) whileOpen(o op, call func()) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return &Error{Op: o.String(), Name: r.name, Err: ErrClosed}
	}
	call()
	return nil
}
