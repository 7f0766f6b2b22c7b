package spscshm

// #include "spsc_shm.h"
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// cursor is one side's position in the stream: the library's spsc_cursor, which the library's
// functions work on as well. It lies in C's memory, and lives as long as the handle. Only who has
// entered the end may touch it.
//
// What claims, publishes, peeks and releases while nobody has to wait is below, in Go, by the rules
// that spsc_shm.h states. Go's atomic operations are sequentially consistent, and so stronger than
// the rules ask for.
type cursor struct {
	position     uint64         // bytes since the ring was made
	limit        uint64         // how far position may go, by what was last seen of the other side
	granted      uint64         // bytes from position on that a slice was handed out for
	mask         uint64         // capacity - 1
	window       uint64         // the most that limit may be ahead of position; 0 without the role
	lead         uint64         // the other side's counter plus this is the limit
	data         unsafe.Pointer // 2 * capacity bytes are mapped from here
	ownCounter   *atomic.Uint64 // in the shared memory
	otherCounter *atomic.Uint64 // in the shared memory
	otherParked  *atomic.Uint32 // in the shared memory: not 0 if the other side may be asleep
	fenced       uint32         // not 0: the other side must be looked after at each advance
	reserved     uint32
}

// The two structs are the same, or this does not compile.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(cursor{})-unsafe.Sizeof(C.spsc_cursor{})]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.position)-unsafe.Offsetof(C.spsc_cursor{}.position)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.limit)-unsafe.Offsetof(C.spsc_cursor{}.limit)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.granted)-unsafe.Offsetof(C.spsc_cursor{}.granted)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.mask)-unsafe.Offsetof(C.spsc_cursor{}.mask)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.window)-unsafe.Offsetof(C.spsc_cursor{}.window)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.lead)-unsafe.Offsetof(C.spsc_cursor{}.lead)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.data)-unsafe.Offsetof(C.spsc_cursor{}.data)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.ownCounter)-unsafe.Offsetof(C.spsc_cursor{}.own_counter)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.otherCounter)-unsafe.Offsetof(C.spsc_cursor{}.other_counter)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.otherParked)-unsafe.Offsetof(C.spsc_cursor{}.other_parked)]
	_ = [1]struct{}{}[unsafe.Offsetof(cursor{}.fenced)-unsafe.Offsetof(C.spsc_cursor{}.fenced)]
)

// room is how many bytes this side could move over, by what was last seen.
func (c *cursor) room() uint64 { return c.limit - c.position }

// has reports whether there is room for n bytes. It looks at the other side only if it must.
func (c *cursor) has(n uint64) bool { return n <= c.limit-c.position || c.sees(n) }

// sees looks at the other side's counter, and reports whether it makes room for n bytes, which is
// not less than was known. If it is still short, or implausible, the library decides.
func (c *cursor) sees(n uint64) bool {
	limit := c.otherCounter.Load() + c.lead
	room := limit - c.position
	if room < n || room < c.limit-c.position || room > c.window {
		return false
	}
	raceAcquire()
	c.limit = limit
	return true
}

// share is the most bytes that are copied before they are handed over, so that both sides copy at the
// same time, and not in turns.
func (c *cursor) share() uint64 { return (c.mask + 1) / 4 }

// here is where the position lies in the data. A capacity of bytes is mapped from there.
func (c *cursor) here() unsafe.Pointer { return unsafe.Add(c.data, c.position&c.mask) }

// bytes is the next n bytes, of which there must be room.
func (c *cursor) bytes(n uint64) []byte { return unsafe.Slice((*byte)(c.here()), int(n)) }

// advance hands n bytes to the other side, of which there must be room, and reports whether that
// side may be asleep.
func (c *cursor) advance(n uint64) bool {
	position := c.position + n
	c.position = position
	raceRelease()
	c.ownCounter.Store(position)
	return c.otherParked.Load()|c.fenced != 0
}
