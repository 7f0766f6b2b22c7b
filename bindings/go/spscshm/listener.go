package spscshm

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Listener waits for clients at a path of the file system, where a Unix socket then stands. It is a
// [net.Listener]: its connections are of type *[Conn].
//
// Any goroutine may call any method at any time.
type Listener struct {
	path string
	// The listener's descriptor, once more, as the runtime's poller knows it.
	file *os.File
	raw  syscall.RawConn
	// Held for reading while the listener is used, so that it stays open.
	mu     sync.RWMutex
	handle listenerHandle
}

// Listen listens at a path, of at most 103 bytes. One whose listener is gone is taken over; one that is
// in use gives [ErrAlreadyExists].
func Listen(path string, options ...Option) (*Listener, error) {
	handle, fd, r := nativeListen(path, choose(options))
	if err := openError(opListen, path, r); err != nil {
		return nil, err
	}
	l := &Listener{path: path, handle: handle}
	syscall.ForkLock.RLock()
	copied, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(copied)
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		// So that the file is the poller's. Nothing reads from it.
		err = syscall.SetNonblock(copied, true)
		l.file = os.NewFile(uintptr(copied), path)
	}
	if err == nil {
		l.raw, err = l.file.SyscallConn()
	}
	if err != nil {
		nativeListenerClose(handle)
		if l.file != nil {
			l.file.Close()
		}
		return nil, os.NewSyscallError("dup", err)
	}
	return l, nil
}

// Accept waits for the next client.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn is Accept, with the connection in its own type.
func (l *Listener) AcceptConn() (*Conn, error) {
	var m met
	err := l.raw.Read(func(uintptr) bool {
		l.mu.RLock()
		defer l.mu.RUnlock()
		if l.handle == nil {
			m.result.status = ErrInterrupted // by Close
			return true
		}
		m = nativeAccept(l.handle)
		return m.result.status != ErrTimeout
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, l.error(&Error{Op: opAccept.String(), Name: l.path, Err: ErrTimeout})
	case err != nil || m.result.status == ErrInterrupted:
		return nil, l.error(ErrClosed)
	case m.result.status != statusOK:
		return nil, l.error(openError(opAccept, l.path, m.result))
	}
	c, err := newConn(l.path, m)
	if err != nil {
		return nil, l.error(err)
	}
	return c, nil
}

func (l *Listener) error(err error) error {
	return &net.OpError{Op: "accept", Net: Addr.Network(""), Addr: l.Addr(), Err: err}
}

// Close removes the path. An Accept that waits returns an error that matches [net.ErrClosed], as does
// every later one. Connections that were accepted stay. Closing again gives that error, too.
func (l *Listener) Close() error {
	if l.file.Close() != nil {
		return l.error(ErrClosed)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	nativeListenerClose(l.handle)
	l.handle = nil
	return nil
}

// Addr is the path.
func (l *Listener) Addr() net.Addr { return Addr(l.path) }

// SetDeadline sets when Accept ends with an error that matches [os.ErrDeadlineExceeded]. It counts for a
// call that is in progress, too. The zero time is never.
func (l *Listener) SetDeadline(t time.Time) error { return l.file.SetReadDeadline(t) }
