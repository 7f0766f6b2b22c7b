package spscshm

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	_ net.Conn     = (*Conn)(nil)
	_ net.Listener = (*Listener)(nil)
)

// Conn is a connection between two processes: a ring for each direction, and the Unix socket over
// which they were handed. It is a [net.Conn], and whatever works over one works over it.
//
// While both sides are busy, neither makes a system call. A goroutine that waits does so in the
// runtime's poller and holds no thread, also in the calls of [Conn.Sender] and [Conn.Receiver].
//
// Any goroutine may call any method at any time.
type Conn struct {
	sender, receiver Ring
	handle           connHandle
	poller           *poller
	path             string
	peer             Peer
	// How many of the two rings still need the connection.
	rings atomic.Int32
	// Held for the whole of a Read or a Write, so that each is one.
	reading, writing sync.Mutex
}

// Peer is the process at the other end of a connection, as the kernel tells: the one that dialled, that
// listened, or that made the pair of sockets.
type Peer struct {
	// PID is its number in this process's PID namespace; 0 if it has none there.
	PID int
	// UID and GID are its effective user and group, as of then.
	UID, GID int
}

// Addr is a listener's path. An end that was adopted has an empty one.
type Addr string

// Network is "spsc".
func (Addr) Network() string { return "spsc" }

func (a Addr) String() string { return string(a) }

// Dial connects to the listener at a path, and waits until it accepts. While more clients wait than the
// listener's backlog, a call that waits for a place in it holds a thread.
func Dial(path string, options ...Option) (*Conn, error) {
	return DialContext(context.Background(), path, options...)
}

// DialContext is Dial until the context is done: then it returns ctx.Err().
func DialContext(ctx context.Context, path string, options ...Option) (*Conn, error) {
	socket, err := connect(ctx, path)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, dialError(path, err)
	}
	defer socket.Close()
	return adopt(ctx, opDial, path, socket.(*net.UnixConn), false, chooseForClient(options))
}

func connect(ctx context.Context, path string) (net.Conn, error) {
	if strings.HasPrefix(path, "@") {
		path = "./" + path // a file, too: not what Go and the kernel call an abstract name
	}
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", path)
	if !errors.Is(err, syscall.EAGAIN) {
		return socket, err
	}
	// The listener's queue is full, and the kernel lets only a call that blocks wait for a place in it.
	// Nothing ends that call: when the context is done it is left behind.
	type connected struct {
		socket net.Conn
		err    error
	}
	done := make(chan connected)
	go func() {
		socket, err := connectBlocking(path)
		select {
		case done <- connected{socket, err}:
		case <-ctx.Done():
			if err == nil {
				socket.Close()
			}
		}
	}()
	select {
	case c := <-done:
		return c.socket, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func connectBlocking(path string) (net.Conn, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	for {
		switch err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err {
		case nil:
			return net.FileConn(file)
		case syscall.EINTR:
		default:
			return nil, err
		}
	}
}

// dialError is the same as for spsc_dial.
func dialError(path string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return &Error{Op: opDial.String(), Name: path, Err: ErrInvalidName}
	}
	reason := ErrSystem
	switch errno {
	case syscall.ENOENT, syscall.ECONNREFUSED, syscall.ENOTDIR:
		reason = ErrNotFound
	case syscall.EACCES, syscall.EPERM:
		reason = ErrPermission
	case syscall.EINVAL, syscall.ENAMETOOLONG:
		reason = ErrInvalidName
	case syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE:
		reason = ErrNoMemory
	}
	return &Error{Op: opDial.String(), Name: path, Err: reason, Errno: errno}
}

// Adopt makes a connection of a connected Unix socket: one end of a pair, or one that a service
// manager has accepted. The process at its other end does the same at the same time, in whatever
// language, with the other server: the server makes the rings, and its options count. Nothing may have
// been sent over the socket. It stays the caller's, to be closed; once the connection is closed, it is
// shut down.
//
// When the context is done, it returns ctx.Err().
func Adopt(ctx context.Context, socket *net.UnixConn, server bool, options ...Option) (*Conn, error) {
	chosen := choose(options)
	if !server {
		chosen = chooseForClient(options)
	}
	return adopt(ctx, opAdopt, "", socket, server, chosen)
}

func adopt(ctx context.Context, o op, path string, socket *net.UnixConn, server bool, chosen *options) (*Conn, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, failed := -1, error(nil)
	err = raw.Control(func(original uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, failed = syscall.Dup(int(original)); failed == nil {
			syscall.CloseOnExec(fd)
		}
	})
	if err = errors.Join(err, os.NewSyscallError("dup", failed)); err != nil {
		return nil, err
	}
	// What the peer says in the handshake is waited for by a thread. A socket that is shut down ends
	// that.
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		syscall.Shutdown(fd, syscall.SHUT_RDWR)
		close(stopped)
	})
	m := nativeAdopt(fd, server, chosen)
	cancelled := !stop()
	if cancelled {
		<-stopped
	}
	if m.result.status != statusOK {
		syscall.Close(fd)
		if cancelled {
			return nil, ctx.Err()
		}
		return nil, openError(o, path, m.result)
	}
	c, err := newConn(path, m)
	if err == nil && cancelled {
		c.Close()
		return nil, ctx.Err()
	}
	return c, err
}

func newConn(path string, m met) (*Conn, error) {
	p, err := newPoller(m.conn, m.fd)
	if err != nil {
		nativeConnClose(m.conn)
		return nil, err
	}
	c := &Conn{handle: m.conn, poller: p, path: path, peer: nativePeer(m.conn)}
	c.rings.Store(2)
	for _, r := range []struct {
		ring   *Ring
		opened opened
	}{{&c.sender, m.sender}, {&c.receiver, m.receiver}} {
		r.ring.conn, r.ring.poller = c, p
		r.ring.init(path, r.opened)
	}
	return c, nil
}

// freed says that one of the rings is closed, and its last slice returned.
func (c *Conn) freed() {
	if c.rings.Add(-1) == 0 {
		// In this order: who sees the end of the socket sees that of the rings.
		nativeConnClose(c.handle)
		c.poller.close()
	}
}

// Read waits until something is there, and takes what fits into b. After the peer has closed its end, or
// its CloseWrite, and all is read, it returns [io.EOF].
func (c *Conn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	end := &c.receiver.consumer.end
	if c.poller.waiter(consuming).deadline.passed.Load() {
		return 0, c.error("read", end.late(opRead))
	}
	n, err := c.receiver.consumer.Read(b)
	if n == 0 && len(b) == 0 && end.isClosed() {
		err = end.refusal(opRead)
	}
	return n, c.error("read", err)
}

// Write sends all of b, however long, and waits for space as long as that takes.
func (c *Conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.poller.waiter(producing).deadline.passed.Load() {
		return 0, c.error("write", c.sender.producer.end.late(opWrite))
	}
	n, err := c.sender.producer.Write(b)
	return n, c.error("write", err)
}

// late is what a call gives whose deadline has passed.
func (e *end) late(o op) error {
	if e.isClosed() {
		return e.refusal(o)
	}
	return e.result(o, result{status: ErrTimeout})
}

func (e *end) isClosed() bool {
	state := e.state.Load()
	return state == closing || state == closed
}

// error is err in the terms of package net.
func (c *Conn) error(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: Addr.Network(""), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Sender is the end that writes to the peer: for claims, and for messages, which a peer must expect.
// Closing it ends this direction alone.
func (c *Conn) Sender() *Producer { return &c.sender.producer }

// Receiver is the end that reads from the peer.
func (c *Conn) Receiver() *Consumer { return &c.receiver.consumer }

// Peer is the process at the other end.
func (c *Conn) Peer() Peer { return c.peer }

// Close closes both directions. The peer reads all that was written and then comes to the end. Calls
// that wait return an error that matches [net.ErrClosed], as does every later one.
//
// The memory is never unmapped under a slice that is still out: see [Ring.Close], whose [ErrInUse] this
// gives, too.
func (c *Conn) Close() error {
	return errors.Join(c.sender.Close(), c.receiver.Close())
}

// CloseWrite ends the direction to the peer, which reads all that was written and then [io.EOF].
func (c *Conn) CloseWrite() error { return c.sender.producer.Close() }

// CloseRead ends the direction from the peer, whose writes fail from then on, once the ring is full.
func (c *Conn) CloseRead() error { return c.receiver.consumer.Close() }

// LocalAddr is the listener's path, at either end.
func (c *Conn) LocalAddr() net.Addr { return Addr(c.path) }

// RemoteAddr is the listener's path, at either end.
func (c *Conn) RemoteAddr() net.Addr { return Addr(c.path) }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets when Read, and any wait of the Receiver, ends with an error that matches
// [os.ErrDeadlineExceeded]. It counts for a call that is in progress, too. The zero time is never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.receiver.consumer.end, t) }

// SetWriteDeadline is the same for Write, and for any wait of the Sender. What was written until then
// was written.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.sender.producer.end, t) }

func (c *Conn) setDeadline(e *end, t time.Time) error {
	if e.isClosed() {
		return c.error("set", ErrClosed)
	}
	c.poller.waiter(e.side).deadline.set(t, func() { c.poller.kick(e.side) })
	return nil
}
