package spscshm

import "sync/atomic"

// side keeps Close away from a call, and calls on the same side away from each other. Uncontended,
// it is two atomic operations a call, on cache lines that the other side's goroutine does not
// touch.
type side struct {
	state atomic.Uint32
	// Closed by the call that was in flight when Close came.
	left chan struct{}
	_    [128 - 16]byte
}

const (
	idle uint32 = 0
	busy uint32 = 1
	// Added to either, once and for good.
	closing uint32 = 2
)

func (s *side) enter() bool { return s.state.CompareAndSwap(idle, busy) }

func (s *side) leave() {
	if !s.state.CompareAndSwap(busy, idle) {
		close(s.left)
	}
}

func (s *side) isClosing() bool { return s.state.Load()&closing != 0 }

// close lets no further call in, and waits for the one that is.
func (s *side) close() {
	if s.state.Add(closing)&busy != 0 {
		<-s.left
	}
}
