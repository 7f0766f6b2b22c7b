package spscshm

// #include "spsc_shm.h"
import "C"

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// Status says why a call ended without success. Each is a value to ask for with [errors.Is].
type Status int32

// Outcomes of a wait, in which nothing is wrong. They come only where a call would have to wait:
// what was published can always be read, and free space can always be filled.
const (
	// ErrTimeout: the time ran out first. Also matches os.ErrDeadlineExceeded.
	ErrTimeout Status = C.SPSC_TIMEOUT
	// ErrInterrupted: somebody called Ring.WakeupAll.
	ErrInterrupted Status = C.SPSC_INTERRUPTED
	// ErrPeerClosed: the other side closed its end, and what is asked for can't come until a new
	// peer attaches. From a Consumer it matches io.EOF, from a Producer syscall.EPIPE;
	// Consumer.Read gives io.EOF itself.
	ErrPeerClosed Status = C.SPSC_CLOSED
	// ErrPeerDead: the other side's process died without closing. From a Consumer it matches
	// io.ErrUnexpectedEOF, from a Producer syscall.EPIPE. It comes within 250 ms of the moment in
	// which the kernel closes the process's descriptors, which is after it has freed its memory and
	// written a core file, if any.
	ErrPeerDead Status = C.SPSC_PEER_DEAD
)

// Errors.
const (
	// ErrInvalidArgument: a bad descriptor or option, or a capacity that can't be represented.
	ErrInvalidArgument Status = C.SPSC_ERR_INVALID_ARGUMENT
	// ErrInvalidName: a name that is empty, over 255 bytes, "." or "..", or that has a NUL, or a
	// slash other than one leading.
	ErrInvalidName Status = C.SPSC_ERR_INVALID_NAME
	// ErrAlreadyExists: the name is taken. Also matches fs.ErrExist.
	ErrAlreadyExists Status = C.SPSC_ERR_ALREADY_EXISTS
	// ErrNotFound: no ring of this name. Also matches fs.ErrNotExist.
	ErrNotFound Status = C.SPSC_ERR_NOT_FOUND
	// ErrPermission: the operating system refused access. Also matches fs.ErrPermission.
	ErrPermission Status = C.SPSC_ERR_PERMISSION
	// ErrNoSpace: the shared-memory file system can't hold the ring.
	ErrNoSpace Status = C.SPSC_ERR_NO_SPACE
	// ErrNoMemory: out of memory, address space or file descriptors.
	ErrNoMemory Status = C.SPSC_ERR_NO_MEMORY
	// ErrNotReady: the creator has not finished; or, from a first claim or peek, the ring was
	// replaced under its name since this handle connected.
	ErrNotReady Status = C.SPSC_ERR_NOT_READY
	// ErrNotARing: another kind of object has this name, or a descriptor's object is not sealed.
	ErrNotARing Status = C.SPSC_ERR_NOT_A_RING
	// ErrVersion: the ring has another layout version, or its creator another page size.
	ErrVersion Status = C.SPSC_ERR_VERSION
	// ErrRoleTaken: another live handle is already the producer, or the consumer.
	ErrRoleTaken Status = C.SPSC_ERR_ROLE_TAKEN
	// ErrTooLarge: more than the capacity, which could never be satisfied.
	ErrTooLarge Status = C.SPSC_ERR_TOO_LARGE
	// ErrMisuse: publish of more than is claimed, or release of more than is peeked.
	ErrMisuse Status = C.SPSC_ERR_MISUSE
	// ErrCorrupt: the shared counters contradict each other.
	ErrCorrupt Status = C.SPSC_ERR_CORRUPT
	// ErrSystem: any other error of the operating system; see Error.Errno.
	ErrSystem Status = C.SPSC_ERR_SYSTEM
	// ErrPanic: a defect in the library.
	ErrPanic Status = C.SPSC_ERR_PANIC
)

// Errors of this package's own.
var (
	// ErrClosed: this ring, or this end of it, was closed here. Also matches net.ErrClosed and
	// os.ErrClosed. What the other side's closing gives is ErrPeerClosed.
	ErrClosed error = errClosed{}
	// ErrConcurrentUse: another goroutine is in a call on the same end.
	ErrConcurrentUse = errors.New("another goroutine is in a call on this end of the ring")
	// ErrInUse: the ring is closed, but for its memory, as a claim or a peek is not finished.
	ErrInUse = errors.New("a claim or a peek is not finished, so that the memory stays")
)

const (
	statusOK     Status = C.SPSC_OK
	lastOutcome         = ErrPeerDead
	outcomeCount        = int(lastOutcome)
)

// Error says what the status means.
func (s Status) Error() string {
	return C.GoString(C.spsc_status_string(C.int32_t(s)))
}

// Is reports whether target is the standard library's word for the same thing.
func (s Status) Is(target error) bool {
	switch s {
	case ErrTimeout:
		return target == os.ErrDeadlineExceeded
	case ErrAlreadyExists:
		return target == fs.ErrExist
	case ErrNotFound:
		return target == fs.ErrNotExist
	case ErrPermission:
		return target == fs.ErrPermission
	}
	return false
}

type errClosed struct{}

func (errClosed) Error() string { return "closed" }

func (errClosed) Is(target error) bool { return target == net.ErrClosed || target == os.ErrClosed }

// Error is what a call that fails returns, but for what a context or an io function's partner gives.
// Ask for the reason with [errors.Is], and for the number that the operating system gave, where it
// did, with [errors.As] and a [syscall.Errno].
type Error struct {
	// Op is the call, as in "claim".
	Op string
	// Name is the ring's name; empty for an anonymous ring.
	Name string
	// Err is a Status, ErrClosed, ErrConcurrentUse or ErrInUse.
	Err error
	// Errno is the operating system's error number, or 0.
	Errno syscall.Errno
	// side is the end that was called, if one was.
	side side
}

// Error names the call, the ring and the reason.
func (e *Error) Error() string {
	text := "spscshm: " + e.Op
	if e.Name != "" {
		text += " " + e.Name
	}
	text += ": " + e.Err.Error()
	if e.Errno != 0 {
		text += ": " + e.Errno.Error()
	}
	return text
}

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the operating system's error number, or stands for it, or is what
// the standard library says of a stream that ended so.
func (e *Error) Is(target error) bool {
	switch {
	case e.Errno != 0:
		return target == e.Errno || e.Errno.Is(target)
	case e.side == producing:
		return target == syscall.EPIPE && (e.Err == ErrPeerClosed || e.Err == ErrPeerDead)
	case e.side == consuming:
		return target == io.EOF && e.Err == ErrPeerClosed ||
			target == io.ErrUnexpectedEOF && e.Err == ErrPeerDead
	}
	return false
}

// As gives the operating system's error number to a *syscall.Errno.
func (e *Error) As(target any) bool {
	errno, ok := target.(*syscall.Errno)
	if !ok || e.Errno == 0 {
		return false
	}
	*errno = e.Errno
	return true
}

// Timeout reports whether the time ran out.
func (e *Error) Timeout() bool { return e.Err == ErrTimeout }
