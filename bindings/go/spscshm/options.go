package spscshm

// #include "spsc_shm.h"
import "C"

import (
	"io/fs"
	"time"
)

type options struct {
	mode  uint32
	flags uint32
	spin  uint64
	// Of connections only.
	toServer, toClient int
	backlog            int
}

// Option is a choice in the making of a ring or of a connection. Each says for which it counts.
type Option func(*options)

// A client's wish. Through rings that hold four times as much as a large Write, both sides copy at once,
// also where they share their processors with others.
const wish = 256 << 10

func choose(chosen []Option) *options {
	o := &options{mode: 0o600, spin: C.SPSC_SPIN_ADAPTIVE}
	o.apply(chosen)
	return o
}

// chooseForClient is choose for the end of a connection that only wishes.
func chooseForClient(chosen []Option) *options {
	o := &options{spin: C.SPSC_SPIN_ADAPTIVE, toServer: wish, toClient: wish, mode: 0o600}
	o.apply(chosen)
	return o
}

func (o *options) apply(chosen []Option) {
	for _, option := range chosen {
		option(o)
	}
}

// WithMode sets the permission bits of a named ring, less the process's umask, or those of a listener's
// path, whatever the umask. The default is 0600. Who may write a listener's path may connect.
func WithMode(mode fs.FileMode) Option {
	return func(o *options) { o.mode = uint32(mode) }
}

// WithReplaceStale lets Create replace a ring of the same name that has no live producer, no live
// consumer and no live creator.
func WithReplaceStale() Option {
	return func(o *options) { o.flags |= C.SPSC_REPLACE_STALE }
}

// WithCapacities sets how many bytes the two rings of a connection hold at least: the one from the
// client to the server, and the one back. The server's choice counts. Where it makes none, which is 0 and
// the default, a client gets what it asks for, up to 1 MiB: this package's asks for 256 KiB. One that
// does not ask gets 64 KiB.
func WithCapacities(toServer, toClient int) Option {
	return func(o *options) { o.toServer, o.toClient = toServer, toClient }
}

// WithBacklog sets how many clients of a listener may be on their way in: 128 by default, at most
// 4096.
func WithBacklog(clients int) Option {
	return func(o *options) { o.backlog = clients }
}

// WithPrefault enters all pages into the creator's page tables at once, so that the first lap
// takes no page faults.
func WithPrefault() Option {
	return func(o *options) { o.flags |= C.SPSC_PREFAULT }
}

// WithSpin sets the longest spin before a wait sleeps, on both sides of the ring: 0 for none, at
// most 100 ms. Without it, or with a negative one, the library learns what pays. A spin holds a
// whole processor.
func WithSpin(spin time.Duration) Option {
	return func(o *options) {
		o.spin = C.SPSC_SPIN_ADAPTIVE
		if spin >= 0 {
			o.spin = uint64(spin)
		}
	}
}
