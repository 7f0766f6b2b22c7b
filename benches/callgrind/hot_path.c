/* claim, publish, peek, release of 64 bytes, ROUNDS times in one thread: for callgrind to count.
 *
 *     hot_path calls|inline|messages ROUNDS
 *
 * messages: send, receive and receive_done of 64 bytes, and the one copy that send makes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spsc_shm_inline.h"

enum { MESSAGE = 64 };

static void check(spsc_status status) {
    if (status != SPSC_OK) {
        fprintf(stderr, "hot_path: %s\n", spsc_status_string(status));
        exit(EXIT_FAILURE);
    }
}

/* As a caller who uses the pointer: it can't be left out. */
static inline void keep(const void *data) { __asm__ volatile("" : : "r"(data)); }

static void __attribute__((noinline)) by_calls(spsc_ring *ring, long rounds) {
    for (long i = 0; i < rounds; i++) {
        void *in;
        const void *out;
        check(spsc_claim(ring, MESSAGE, 0, &in));
        check(spsc_publish(ring, MESSAGE));
        check(spsc_peek(ring, MESSAGE, 0, &out));
        check(spsc_release(ring, MESSAGE));
    }
}

static void __attribute__((noinline)) inlined(spsc_ring *ring, long rounds) {
    spsc_cursor *producer = spsc_cursor_of(ring, SPSC_PRODUCER);
    spsc_cursor *consumer = spsc_cursor_of(ring, SPSC_CONSUMER);
    if (producer == NULL || consumer == NULL) {
        return;
    }
    for (long i = 0; i < rounds; i++) {
        void *in;
        const void *out;
        check(spsc_inline_claim(ring, producer, MESSAGE, 0, &in));
        keep(in);
        check(spsc_inline_publish(ring, producer, MESSAGE));
        check(spsc_inline_peek(ring, consumer, MESSAGE, 0, &out));
        keep(out);
        check(spsc_inline_release(ring, consumer, MESSAGE));
    }
}

static void __attribute__((noinline)) by_messages(spsc_ring *ring, long rounds) {
    char payload[MESSAGE] = {0};
    for (long i = 0; i < rounds; i++) {
        spsc_message message;
        check(spsc_send(ring, 1, payload, sizeof payload, 0));
        check(spsc_receive(ring, 0, &message));
        check(spsc_receive_done(ring));
    }
}

int main(int argc, char **argv) {
    spsc_ring *ring;
    if (argc != 3) {
        return EXIT_FAILURE;
    }
    check(spsc_create_anonymous(1 << 16, &ring));
    const long rounds = strtol(argv[2], NULL, 10);
    if (strcmp(argv[1], "inline") == 0) {
        inlined(ring, rounds);
    } else if (strcmp(argv[1], "messages") == 0) {
        by_messages(ring, rounds);
    } else {
        by_calls(ring, rounds);
    }
    spsc_close(ring);
    return 0;
}
