package spscshm

/*
#include <errno.h>
#include <stdlib.h>
#include "spsc_shm.h"

// Each function here is one crossing. What a call gives comes back by value, so that no Go pointer
// goes to C; with errno, as the goroutine may go on in another thread.

typedef struct {
	int32_t status;
	int32_t os_error;
} spscgo_result;

typedef struct {
	spsc_ring *ring;
	spsc_cursor *producer, *consumer;
	uint64_t capacity;
	spscgo_result result;
} spscgo_opened;

static spscgo_result spscgo_result_of(spsc_status status)
{
	spscgo_result result = {status, errno};
	return result;
}

static spscgo_opened spscgo_opened_by(spsc_status status, spsc_ring *ring)
{
	// First, while errno is what the call left.
	spscgo_result result = spscgo_result_of(status);
	spscgo_opened opened = {
		ring,
		spsc_cursor_of(ring, SPSC_PRODUCER),
		spsc_cursor_of(ring, SPSC_CONSUMER),
		spsc_capacity(ring),
		result,
	};
	return opened;
}

static spsc_options spscgo_options(uint32_t mode, uint32_t flags, uint64_t spin_ns)
{
	spsc_options options = SPSC_OPTIONS_INIT;
	options.mode = mode;
	options.flags = flags;
	options.spin_ns = spin_ns;
	return options;
}

static spscgo_opened spscgo_create(const char *name, size_t min_capacity, uint32_t mode,
                                   uint32_t flags, uint64_t spin_ns)
{
	spsc_ring *ring = NULL;
	spsc_options options = spscgo_options(mode, flags, spin_ns);
	spsc_status status = spsc_create_with(name, min_capacity, &options, &ring);
	return spscgo_opened_by(status, ring);
}

static spscgo_opened spscgo_anonymous(size_t min_capacity, uint32_t mode, uint32_t flags,
                                      uint64_t spin_ns)
{
	spsc_ring *ring = NULL;
	spsc_options options = spscgo_options(mode, flags, spin_ns);
	spsc_status status = spsc_create_anonymous_with(min_capacity, &options, &ring);
	return spscgo_opened_by(status, ring);
}

static spscgo_opened spscgo_connect(const char *name)
{
	spsc_ring *ring = NULL;
	spsc_status status = spsc_connect(name, &ring);
	return spscgo_opened_by(status, ring);
}

static spscgo_opened spscgo_connect_fd(int fd)
{
	spsc_ring *ring = NULL;
	spsc_status status = spsc_connect_fd(fd, &ring);
	return spscgo_opened_by(status, ring);
}

static spscgo_result spscgo_unlink(const char *name)
{
	return spscgo_result_of(spsc_unlink(name));
}

static spscgo_result spscgo_wait(spsc_ring *ring, uint32_t side, size_t need, uint64_t timeout_ns)
{
	return spscgo_result_of(side == SPSC_PRODUCER ? spsc_wait_for_space(ring, need, timeout_ns)
	                                              : spsc_wait_for_data(ring, need, timeout_ns));
}

static spscgo_result spscgo_wait_any(void *items, size_t count, uint64_t timeout_ns)
{
	size_t ready;
	return spscgo_result_of(spsc_wait_any(items, count, timeout_ns, &ready));
}

static spsc_stats_t spscgo_stats(const spsc_ring *ring)
{
	spsc_stats_t stats = {0};
	(void)!spsc_stats(ring, &stats, sizeof stats);
	return stats;
}
*/
import "C"

import (
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// side is one side of a ring, as C numbers it.
type side uint32

const (
	producing side = C.SPSC_PRODUCER
	consuming side = C.SPSC_CONSUMER
)

// index is 0 or 1.
func (s side) index() int { return int(s / consuming) }

type handle = *C.spsc_ring

// result is a status, and the operating system's error number where the error came from there.
type result struct {
	status Status
	errno  syscall.Errno
}

type opened struct {
	ring               handle
	producer, consumer *cursor
	capacity           int
	result             result
}

func goResult(r C.spscgo_result) result {
	return result{Status(r.status), syscall.Errno(r.os_error)}
}

func goOpened(o C.spscgo_opened) opened {
	return opened{
		ring:     o.ring,
		producer: (*cursor)(unsafe.Pointer(o.producer)),
		consumer: (*cursor)(unsafe.Pointer(o.consumer)),
		capacity: int(o.capacity),
		result:   goResult(o.result),
	}
}

// cName is name for C; to be freed. A NUL would cut it short, and another ring would be meant.
func cName(name string) (*C.char, bool) {
	if strings.IndexByte(name, 0) >= 0 {
		return nil, false
	}
	return C.CString(name), true
}

var invalidName = result{status: ErrInvalidName}

func nativeCreate(name string, minCapacity int, o *options) opened {
	copied, ok := cName(name)
	if !ok {
		return opened{result: invalidName}
	}
	defer C.free(unsafe.Pointer(copied))
	return goOpened(C.spscgo_create(copied, C.size_t(minCapacity), C.uint32_t(o.mode),
		C.uint32_t(o.flags), C.uint64_t(o.spin)))
}

func nativeAnonymous(minCapacity int, o *options) opened {
	return goOpened(C.spscgo_anonymous(C.size_t(minCapacity), C.uint32_t(o.mode),
		C.uint32_t(o.flags), C.uint64_t(o.spin)))
}

func nativeConnect(name string) opened {
	copied, ok := cName(name)
	if !ok {
		return opened{result: invalidName}
	}
	defer C.free(unsafe.Pointer(copied))
	return goOpened(C.spscgo_connect(copied))
}

func nativeConnectFD(fd uintptr) opened {
	return goOpened(C.spscgo_connect_fd(C.int(fd)))
}

func nativeUnlink(name string) result {
	copied, ok := cName(name)
	if !ok {
		return invalidName
	}
	defer C.free(unsafe.Pointer(copied))
	return goResult(C.spscgo_unlink(copied))
}

func nativeClose(ring handle) { C.spsc_close(ring) }

func nativeLeave(ring handle, s side) { C.spsc_leave(ring, C.uint32_t(s)) }

// nativeWait waits until need bytes can be claimed, or peeked at.
func nativeWait(ring handle, s side, need int, timeout time.Duration) result {
	r := goResult(C.spscgo_wait(ring, C.uint32_t(s), C.size_t(need), nanoseconds(timeout)))
	raceAcquire()
	return r
}

func nanoseconds(timeout time.Duration) C.uint64_t {
	switch {
	case timeout <= 0:
		return 0
	case timeout == Forever:
		return C.SPSC_WAIT_FOREVER
	}
	return C.uint64_t(timeout)
}

const mostItems = C.SPSC_WAIT_ANY_MAX

// nativeItem is a spsc_wait_item, without a pointer in it: Go need not look for any before the call.
type nativeItem struct {
	ring   uintptr
	side   uint32
	status int32
	need   uintptr
}

// The two structs are the same, or this does not compile.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(nativeItem{})-unsafe.Sizeof(C.spsc_wait_item{})]
	_ = [1]struct{}{}[unsafe.Offsetof(nativeItem{}.ring)-unsafe.Offsetof(C.spsc_wait_item{}.ring)]
	_ = [1]struct{}{}[unsafe.Offsetof(nativeItem{}.side)-unsafe.Offsetof(C.spsc_wait_item{}.side)]
	_ = [1]struct{}{}[unsafe.Offsetof(nativeItem{}.status)-unsafe.Offsetof(C.spsc_wait_item{}.status)]
	_ = [1]struct{}{}[unsafe.Offsetof(nativeItem{}.need)-unsafe.Offsetof(C.spsc_wait_item{}.need)]
)

// nativeItems are the items of a wait.
type nativeItems [mostItems]nativeItem

func (items *nativeItems) set(i int, ring handle, s side, need int) {
	items[i] = nativeItem{ring: uintptr(unsafe.Pointer(ring)), side: uint32(s), need: uintptr(need)}
}

func (items *nativeItems) status(i int) Status { return Status(items[i].status) }

// nativeWaitAny waits for the first count of items.
func nativeWaitAny(items *nativeItems, count int, timeout time.Duration) result {
	r := goResult(C.spscgo_wait_any(unsafe.Pointer(items), C.size_t(count), nanoseconds(timeout)))
	raceAcquire()
	return r
}

func nativeWake(ring handle, s side) { C.spsc_wake(ring, C.uint32_t(s)) }

func nativeInterrupt(ring handle, s side) { C.spsc_interrupt(ring, C.uint32_t(s)) }

func nativeClearInterrupt(ring handle, s side) { C.spsc_clear_interrupt(ring, C.uint32_t(s)) }

func nativeWakeupAll(ring handle) { C.spsc_wakeup_all(ring) }

func nativeFD(ring handle) int { return int(C.spsc_fd(ring)) }

func nativeAvailable(ring handle) int { return int(C.spsc_available(ring)) }

func nativeDebugDump(ring handle, prefix string) {
	copied := C.CString(prefix)
	defer C.free(unsafe.Pointer(copied))
	C.spsc_debug_dump(ring, copied)
}

func nativeStats(ring handle) Stats {
	stats := C.spscgo_stats(ring)
	return Stats{
		Capacity:  uint64(stats.capacity),
		Published: uint64(stats.published),
		Released:  uint64(stats.released),
		Available: uint64(stats.available),
		Producer:  roleStats(&stats.producer),
		Consumer:  roleStats(&stats.consumer),
	}
}

func roleStats(stats *C.spsc_role_stats) RoleStats {
	return RoleStats{
		State:         RoleState(stats.state),
		Generation:    uint32(stats.generation),
		PID:           uint32(stats.pid),
		Parked:        stats.parked != 0,
		Parks:         uint64(stats.parks),
		Wakes:         uint64(stats.wakes),
		Interruptions: uint64(stats.interruptions),
	}
}
