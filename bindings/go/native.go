package spscshm

/*
#include <errno.h>
#include <stdlib.h>
#include "spsc_shm.h"

// Each function here is one crossing. What a call gives comes back by value, so that no Go pointer
// goes to C; with errno, as the goroutine may go on in another thread.

typedef struct {
	void *data;
	size_t len;
	int32_t status;
	int32_t os_error;
} spscgo_grant;

typedef struct {
	spsc_ring *ring;
	uint64_t capacity;
	int32_t status;
	int32_t os_error;
} spscgo_opened;

// Even numbers are the producer's, odd ones the consumer's.
enum {
	SPSCGO_CLAIM,
	SPSCGO_PEEK,
	SPSCGO_CLAIM_SOME,
	SPSCGO_PEEK_SOME,
	SPSCGO_WAIT_FOR_SPACE,
	SPSCGO_WAIT_FOR_DATA,
	SPSCGO_PUBLISH,
	SPSCGO_RELEASE,
};

static spscgo_grant spscgo_wait(spsc_ring *ring, int op, size_t n, uint64_t timeout_ns)
{
	spscgo_grant grant = {NULL, n, SPSC_ERR_PANIC, 0};
	const void *peeked = NULL;
	switch (op) {
	case SPSCGO_CLAIM:
		grant.status = spsc_claim(ring, n, timeout_ns, &grant.data);
		break;
	case SPSCGO_CLAIM_SOME:
		grant.status = spsc_claim_some(ring, n, timeout_ns, &grant.data, &grant.len);
		break;
	case SPSCGO_WAIT_FOR_SPACE:
		grant.status = spsc_wait_for_space(ring, n, timeout_ns);
		grant.len = 0;
		break;
	case SPSCGO_PEEK:
		grant.status = spsc_peek(ring, n, timeout_ns, &peeked);
		grant.data = (void *)peeked;
		break;
	case SPSCGO_PEEK_SOME:
		grant.status = spsc_peek_some(ring, n, timeout_ns, &peeked, &grant.len);
		grant.data = (void *)peeked;
		break;
	case SPSCGO_WAIT_FOR_DATA:
		grant.status = spsc_wait_for_data(ring, n, timeout_ns);
		grant.len = 0;
		break;
	}
	grant.os_error = errno;
	return grant;
}

static spscgo_opened spscgo_result(spsc_status status, spsc_ring *ring)
{
	spscgo_opened opened = {ring, spsc_capacity(ring), status, errno};
	return opened;
}

static spscgo_opened spscgo_create(const char *name, size_t min_capacity, uint32_t mode,
                                   uint32_t flags, uint64_t spin_ns)
{
	spsc_ring *ring = NULL;
	spsc_options options;
	spsc_options_init(&options, sizeof options);
	options.mode = mode;
	options.flags = flags;
	options.spin_ns = spin_ns;
	spsc_status status = spsc_create_with(name, min_capacity, &options, &ring);
	return spscgo_result(status, ring);
}

static spscgo_opened spscgo_create_anonymous(size_t min_capacity)
{
	spsc_ring *ring = NULL;
	spsc_status status = spsc_create_anonymous(min_capacity, &ring);
	return spscgo_result(status, ring);
}

static spscgo_opened spscgo_connect(const char *name, uint64_t timeout_ns)
{
	spsc_ring *ring = NULL;
	spsc_status status = spsc_connect_timeout(name, timeout_ns, &ring);
	return spscgo_result(status, ring);
}

static spscgo_opened spscgo_connect_fd(int fd)
{
	spsc_ring *ring = NULL;
	spsc_status status = spsc_connect_fd(fd, &ring);
	return spscgo_result(status, ring);
}

static spscgo_opened spscgo_unlink(const char *name)
{
	spsc_status status = spsc_unlink(name);
	return spscgo_result(status, NULL);
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
	"time"
	"unsafe"
)

// op is a call on an open ring.
type op uint8

const (
	opClaim        op = C.SPSCGO_CLAIM
	opPeek         op = C.SPSCGO_PEEK
	opClaimSome    op = C.SPSCGO_CLAIM_SOME
	opPeekSome     op = C.SPSCGO_PEEK_SOME
	opWaitForSpace op = C.SPSCGO_WAIT_FOR_SPACE
	opWaitForData  op = C.SPSCGO_WAIT_FOR_DATA
	opPublish      op = C.SPSCGO_PUBLISH
	opRelease      op = C.SPSCGO_RELEASE
)

var opNames = [...]string{
	opClaim:        "claim",
	opPeek:         "peek",
	opClaimSome:    "claim some",
	opPeekSome:     "peek some",
	opWaitForSpace: "wait for space",
	opWaitForData:  "wait for data",
	opPublish:      "publish",
	opRelease:      "release",
}

// side is 0 for the producer's calls and 1 for the consumer's.
func (o op) side() int { return int(o & 1) }

type (
	handle = *C.spsc_ring
	grant  = C.spscgo_grant
	opened = C.spscgo_opened
)

func nativeWait(ring handle, o op, n int, timeout time.Duration) grant {
	return C.spscgo_wait(ring, C.int(o), C.size_t(n), C.uint64_t(timeout))
}

func nativeAdvance(ring handle, o op, n int) Status {
	if o == opPublish {
		return Status(C.spsc_publish(ring, C.size_t(n)))
	}
	return Status(C.spsc_release(ring, C.size_t(n)))
}

func grantedBytes(g *grant) []byte {
	return unsafe.Slice((*byte)(g.data), int(g.len))
}

// withName calls f with a C copy of name. A NUL would cut the name short, and the ring of another
// name would be opened.
func withName(name string, f func(*C.char) opened) opened {
	if strings.IndexByte(name, 0) >= 0 {
		return opened{status: C.SPSC_ERR_INVALID_NAME}
	}
	copied := C.CString(name)
	defer C.free(unsafe.Pointer(copied))
	return f(copied)
}

func nativeCreate(name string, minCapacity int, o *options) opened {
	return withName(name, func(name *C.char) opened {
		return C.spscgo_create(name, C.size_t(minCapacity), C.uint32_t(o.mode), C.uint32_t(o.flags),
			C.uint64_t(o.spin))
	})
}

func nativeCreateAnonymous(minCapacity int) opened {
	return C.spscgo_create_anonymous(C.size_t(minCapacity))
}

func nativeConnect(name string, timeout time.Duration) opened {
	limit := C.uint64_t(timeout)
	switch {
	case timeout < 0:
		limit = 0
	case timeout == Forever:
		limit = C.SPSC_WAIT_FOREVER
	}
	return withName(name, func(name *C.char) opened { return C.spscgo_connect(name, limit) })
}

func nativeConnectFD(fd int) opened {
	// A number that C would cut to another one is no descriptor.
	if int(C.int(fd)) != fd {
		fd = -1
	}
	return C.spscgo_connect_fd(C.int(fd))
}

func nativeUnlink(name string) opened {
	return withName(name, func(name *C.char) opened { return C.spscgo_unlink(name) })
}

func nativeClose(ring handle) { C.spsc_close(ring) }

func nativeFD(ring handle) int { return int(C.spsc_fd(ring)) }

func nativeAvailable(ring handle) int { return int(C.spsc_available(ring)) }

func nativeWakeupAll(ring handle) Status { return Status(C.spsc_wakeup_all(ring)) }

func nativeDebugDump(ring handle, prefix string) Status {
	copied := C.CString(prefix)
	defer C.free(unsafe.Pointer(copied))
	return Status(C.spsc_debug_dump(ring, copied))
}

func nativeStats(ring handle) Stats {
	stats := C.spscgo_stats(ring)
	return Stats{
		Capacity:  uint64(stats.capacity),
		Head:      uint64(stats.published),
		Tail:      uint64(stats.released),
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
