package main

/*
#include <stdint.h>
#include <string.h>
#include <time.h>
#include "spsc_shm.h"

static int64_t now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

// The loops give nanoseconds, or a status that is not SPSC_OK, made negative.

static int64_t c_claims_out(spsc_ring *ring, size_t size, int64_t count)
{
	unsigned char message[4096] = {0};
	for (int64_t i = 0; i < count; i++) {
		void *space;
		spsc_status status = spsc_claim(ring, size, SPSC_WAIT_FOREVER, &space);
		if (status != SPSC_OK)
			return status > 0 ? -status : status;
		memcpy(message, &i, sizeof i);
		memcpy(space, message, size);
		spsc_publish(ring, size);
	}
	return 0;
}

static int64_t c_claims_in(spsc_ring *ring, size_t size, int64_t count)
{
	unsigned char message[4096];
	int64_t start = 0;
	for (int64_t i = 0; i < count; i++) {
		const void *data;
		spsc_status status = spsc_peek(ring, size, SPSC_WAIT_FOREVER, &data);
		if (status != SPSC_OK)
			return status > 0 ? -status : status;
		memcpy(message, data, size);
		__asm__ volatile("" : : "r"(message) : "memory");
		spsc_release(ring, size);
		if (i == 0)
			start = now();
	}
	return now() - start;
}

static int64_t c_messages_out(spsc_ring *ring, size_t size, int64_t count)
{
	unsigned char message[4096] = {0};
	for (int64_t i = 0; i < count; i++) {
		memcpy(message, &i, sizeof i);
		spsc_status status = spsc_send(ring, 1, message, size, SPSC_WAIT_FOREVER);
		if (status != SPSC_OK)
			return status > 0 ? -status : status;
	}
	return 0;
}

static int64_t c_messages_in(spsc_ring *ring, size_t size, int64_t count)
{
	unsigned char message[4096];
	int64_t start = 0;
	for (int64_t i = 0; i < count; i++) {
		spsc_message received;
		spsc_status status = spsc_receive(ring, SPSC_WAIT_FOREVER, &received);
		if (status != SPSC_OK)
			return status > 0 ? -status : status;
		memcpy(message, received.data, received.len < size ? received.len : size);
		__asm__ volatile("" : : "r"(message) : "memory");
		spsc_receive_done(ring);
		if (i == 0)
			start = now();
	}
	return now() - start;
}
*/
import "C"

import (
	"fmt"
	"os"
)

// peerC is a C program's loop, in one call from Go.
type peerC struct{ ring *C.spsc_ring }

func newPeerC(file *os.File) (peer, error) {
	var p peerC
	if status := C.spsc_connect_fd(C.int(file.Fd()), &p.ring); status != C.SPSC_OK {
		return nil, statusError(C.int64_t(status))
	}
	return p, nil
}

func (p peerC) produce(b block) error {
	var failed C.int64_t
	if b.Messages {
		failed = C.c_messages_out(p.ring, C.size_t(b.Size), C.int64_t(b.Count))
	} else {
		failed = C.c_claims_out(p.ring, C.size_t(b.Size), C.int64_t(b.Count))
	}
	if failed != 0 {
		return statusError(failed)
	}
	return nil
}

func (p peerC) consume(b block) (int64, error) {
	var took C.int64_t
	if b.Messages {
		took = C.c_messages_in(p.ring, C.size_t(b.Size), C.int64_t(b.Count))
	} else {
		took = C.c_claims_in(p.ring, C.size_t(b.Size), C.int64_t(b.Count))
	}
	if took < 0 {
		return 0, statusError(took)
	}
	return int64(took), nil
}

func (p peerC) close() { C.spsc_close(p.ring) }

func statusError(status C.int64_t) error {
	if status < 0 {
		status = -status
	}
	return fmt.Errorf("from C: status %d", int64(status))
}
