package spscshm

/*
#include <errno.h>
#include <stdlib.h>
#include "spsc_shm.h"

// As in native.go: one crossing each, and what a call gives comes back by value.

typedef struct {
	spsc_conn *conn;
	spsc_ring *rings[2];           // by side: the sender's and the receiver's
	spsc_cursor *cursors[2][2];    // of each, by side
	uint64_t capacities[2];
	int fd;
	int32_t status, os_error;
} spscgo_met;

typedef struct {
	spsc_listener *listener;
	int fd;
	int32_t status, os_error;
} spscgo_listening;

typedef struct {
	uint32_t ready;
	int32_t status, os_error;
} spscgo_armed;

static spscgo_met spscgo_met_by(spsc_status status, spsc_conn *conn)
{
	spscgo_met met = {.conn = conn, .status = status, .os_error = errno};
	met.rings[0] = spsc_conn_sender(conn);
	met.rings[1] = spsc_conn_receiver(conn);
	for (int i = 0; i < 2; i++) {
		met.cursors[i][0] = spsc_cursor_of(met.rings[i], SPSC_PRODUCER);
		met.cursors[i][1] = spsc_cursor_of(met.rings[i], SPSC_CONSUMER);
		met.capacities[i] = spsc_capacity(met.rings[i]);
	}
	met.fd = spsc_conn_fd(conn);
	return met;
}

static spsc_conn_options spscgo_conn_options(size_t to_server, size_t to_client, uint32_t mode,
                                             uint32_t flags, uint32_t backlog, uint64_t spin_ns)
{
	spsc_conn_options options = SPSC_CONN_OPTIONS_INIT;
	options.to_server = to_server;
	options.to_client = to_client;
	options.mode = mode;
	options.flags = flags;
	options.spin_ns = spin_ns;
	if (backlog != 0)
		options.backlog = backlog;
	return options;
}

static spscgo_listening spscgo_listen(const char *path, spsc_conn_options options)
{
	spscgo_listening listening = {0};
	listening.status = spsc_listen(path, &options, &listening.listener);
	listening.os_error = errno;
	listening.fd = spsc_listener_fd(listening.listener);
	return listening;
}

static spscgo_met spscgo_accept(spsc_listener *listener)
{
	spsc_conn *conn = NULL;
	spsc_status status = spsc_accept(listener, 0, &conn);
	return spscgo_met_by(status, conn);
}

static spscgo_met spscgo_adopt(int socket, int is_server, spsc_conn_options options)
{
	spsc_conn *conn = NULL;
	spsc_status status = spsc_conn_adopt(socket, is_server, &options, SPSC_WAIT_FOREVER, &conn);
	return spscgo_met_by(status, conn);
}

static spscgo_armed spscgo_arm(spsc_conn *conn, size_t need_data, size_t need_space)
{
	spscgo_armed armed = {0};
	armed.status = spsc_conn_arm(conn, need_data, need_space, &armed.ready);
	armed.os_error = errno;
	return armed;
}

static spsc_peer spscgo_peer(const spsc_conn *conn)
{
	spsc_peer peer = {.pidfd = -1};
	(void)!spsc_conn_peer(conn, &peer, sizeof peer);
	return peer;
}
*/
import "C"

import (
	"syscall"
	"unsafe"
)

type (
	connHandle     = *C.spsc_conn
	listenerHandle = *C.spsc_listener
)

// met is a new connection.
type met struct {
	conn connHandle
	// The rings to the peer and from it.
	sender, receiver opened
	fd               int
	result           result
}

func goMet(m C.spscgo_met) met {
	ring := func(i int) opened {
		return opened{
			ring:     m.rings[i],
			producer: (*cursor)(unsafe.Pointer(m.cursors[i][0])),
			consumer: (*cursor)(unsafe.Pointer(m.cursors[i][1])),
			capacity: int(m.capacities[i]),
		}
	}
	return met{
		conn:     m.conn,
		sender:   ring(0),
		receiver: ring(1),
		fd:       int(m.fd),
		result:   result{Status(m.status), syscall.Errno(m.os_error)},
	}
}

func (o *options) conn() C.spsc_conn_options {
	return C.spscgo_conn_options(C.size_t(o.toServer), C.size_t(o.toClient), C.uint32_t(o.mode),
		C.uint32_t(o.flags), C.uint32_t(o.backlog), C.uint64_t(o.spin))
}

func nativeListen(path string, o *options) (listenerHandle, int, result) {
	copied, ok := cName(path)
	if !ok {
		return nil, -1, invalidName
	}
	defer C.free(unsafe.Pointer(copied))
	l := C.spscgo_listen(copied, o.conn())
	return l.listener, int(l.fd), result{Status(l.status), syscall.Errno(l.os_error)}
}

// nativeAccept does not wait.
func nativeAccept(l listenerHandle) met { return goMet(C.spscgo_accept(l)) }

func nativeListenerClose(l listenerHandle) { C.spsc_listener_close(l) }

// nativeAdopt waits for the peer. On success the socket belongs to the connection.
func nativeAdopt(socket int, server bool, o *options) met {
	isServer := C.int(0)
	if server {
		isServer = 1
	}
	return goMet(C.spscgo_adopt(C.int(socket), isServer, o.conn()))
}

func nativeConnClose(c connHandle) { C.spsc_conn_close(c) }

// nativeArm asks for need bytes of each side, by side, and reports which are decided already.
func nativeArm(c connHandle, need [2]int) ([2]bool, result) {
	a := C.spscgo_arm(c, C.size_t(need[consuming.index()]), C.size_t(need[producing.index()]))
	raceAcquire()
	var ready [2]bool
	ready[consuming.index()] = a.ready&C.SPSC_READABLE != 0
	ready[producing.index()] = a.ready&C.SPSC_WRITABLE != 0
	return ready, result{Status(a.status), syscall.Errno(a.os_error)}
}

func nativePeer(c connHandle) Peer {
	peer := C.spscgo_peer(c)
	return Peer{PID: int(peer.pid), UID: int(peer.uid), GID: int(peer.gid)}
}
