// Package spscshm sends bytes from one process to another through a lock-free single-producer
// single-consumer ring in shared memory. While both sides are busy, a message of 64 bytes costs some
// tens of nanoseconds, no call into C, and no system call. The other process may be written in any
// language that the library speaks.
//
// # A ring and its two ends
//
// [Create], [Anonymous], [Open], [Connect] and [FromFile] give a [Ring], which is one process's
// handle. Its [Producer] writes and its [Consumer] reads; mostly a process uses one of them. The
// ring is a stream of bytes: sizes on the two sides need not match.
//
// A Producer is an [io.Writer], a Consumer an [io.Reader]. Write and Read copy. [io.Copy] hands the
// shared memory itself to the other reader or writer for the time of a call.
//
// # Messages
//
// A ring carries either bytes or messages, and its consumer must know which. [Producer.Send] sends a
// message with a tag, of any size; [Consumer.Receive] and the iterator [Consumer.Messages] give it
// where it lies, unless it was larger than half the ring. Programs in other languages send and
// receive the same.
//
// # Claims and peeks
//
// To spare the copy, the producer claims free bytes, writes them where they lie, and publishes them;
// the consumer peeks at bytes, reads them where they lie, and releases them. What a claim or a peek
// returns is contiguous at any position and of any size up to the capacity.
//
// The slice lies in the shared memory, which the garbage collector does not know, and so does the Data
// of a message. It is valid until its bytes are published or released, and no longer than its function
// says. Until then no Close, in
// whatever goroutine, takes the memory away. Afterwards the slice must not be used: its bytes are
// the other process's, and once the ring is closed its addresses may be anybody's.
//
// # Waiting
//
// A timeout of 0 does not wait, [Forever] has no limit. Cancelling a context ends its wait at once,
// and the other side does not notice; so does Close, of the end or of the ring. A wait also ends
// with [ErrPeerClosed] when the other side closed, with [ErrPeerDead] when its process died, and
// with [ErrInterrupted] when somebody called [Ring.WakeupAll]. These come only where a call would
// have to wait: what was published can always be read, and free space can always be filled.
//
// [WaitAny] waits for several rings at once.
//
// A call that waits holds an operating-system thread meanwhile, as any call into C does, but for the
// rings of a connection.
//
// # Connections
//
// [Listen] and [Dial] give a [Conn], a [net.Conn] of two rings that have no name and are nobody else's.
// Whatever waits on one waits in the runtime's poller, and holds no thread.
//
// # Cost
//
// Claim, Publish, Peek, Release, Write, Read, Send and Receive are Go from end to end, and call into C
// only to wait or to wake the other side. They don't allocate. What allocates is opening a ring,
// ReadFrom, a message of fragments that is larger than those before it, a wait with a context that
// takes longer than some 50 µs, and an error other than a timeout, an interruption, and the end of the
// other side. (Go 1.26 is meant; older releases may allocate a few bytes for any call into C.)
//
// # Linking
//
// By default the package links a static library, which a module for each platform has; in the source
// tree, what `cargo build --release` leaves there. With the build tag spscshm_pkgconfig it links the
// installed library that pkg-config finds as spsc_shm.
package spscshm
