// Package spscshm sends bytes from one process to another through a lock-free single-producer
// single-consumer ring in shared memory, without a copy and, while both sides are busy, without a
// system call. The other process may be written in any language that the library speaks.
//
// # Claims and peeks
//
// The producer claims free bytes, writes them where they lie, and publishes them; the consumer
// peeks at bytes, reads them where they lie, and releases them. What a claim or a peek returns is
// contiguous at any position and of any size up to the capacity, and sizes on the two sides need
// not match: the ring is a stream of bytes.
//
// The slices lie in the shared memory, which the garbage collector does not know: they are valid
// as long as their function says, and until [Ring.Close] at most. There is no finalizer: nothing is
// unmapped unless Close says so, and only Close gives up a role.
//
// # io
//
// A Ring is an [io.Reader], an [io.Writer] and an [io.Closer]. Read and Write copy, so that the
// rules about slices don't apply; [io.Copy] hands the shared memory itself to the other reader or
// writer for the time of a call. For small writes or reads put a [bufio.Writer] or a
// [bufio.Reader] around it.
//
// # Cost
//
// A call costs one crossing from Go to C, some tens of nanoseconds, which for small messages is
// more than the ring itself. ClaimSome and PeekSome pay it once for many messages: claim what is
// free, fill it with as many messages as fit, publish once. No call allocates, unless it fails with
// an error of the caller's making; timeouts and the like don't. (Go 1.26 is meant; older releases
// may allocate a few bytes for any call into C.)
//
// A call that waits holds an operating-system thread meanwhile, as any call into C does.
//
// # Waiting
//
// A timeout of 0 does not wait, [Forever] has no limit. Cancelling a context ends its wait within
// some 10 ms, and never disturbs the other side. A wait also ends with [ErrClosed] when the other
// side closed its handle, with [ErrPeerDead] when its process died, within 250 ms, and with
// [ErrInterrupted] when somebody called [Ring.WakeupAll].
//
// # Linking
//
// By default the package links the static library of the source tree that it lies in, as `cargo
// build --release` leaves it. With the build tag spscshm_pkgconfig it links the installed library
// that pkg-config finds as spsc_shm.
package spscshm
