/*
 * Sends small records to another process as fast as it can: through the inline header, which calls
 * the library only to wait and to wake.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -O2 -Iinclude -o readings_producer examples/c/readings_producer.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./readings_producer my-ring 10000000
 *
 * In another terminal, before or after, start the consumer, in C or C++: ./readings_consumer my-ring
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spsc_shm_inline.h"

struct reading {
    uint64_t number;
    double value;
};

/* Ends the program with what went wrong. */
static void fail(const char *what, spsc_status status)
{
    fprintf(stderr, "producer: %s: %s\n", what, spsc_status_string(status));
    exit(1);
}

int main(int argc, char **argv)
{
    const uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    if (count == 0) {
        fprintf(stderr, "usage: %s RING-NAME COUNT\n", argv[0]);
        return 2;
    }
    spsc_ring *ring = NULL;
    spsc_status status = spsc_create(argv[1], 64 * 1024, &ring);
    if (status != SPSC_OK)
        fail(argv[1], status);
    /* This side's position in the stream, for the calls below. It lives as long as the ring. */
    spsc_cursor *cursor = spsc_cursor_of(ring, SPSC_PRODUCER);

    for (uint64_t i = 0; i < count; i++) {
        void *room = NULL;
        do {
            status = spsc_inline_claim(
                ring, cursor, sizeof(struct reading), SPSC_WAIT_FOREVER, &room);
        } while (status == SPSC_INTERRUPTED); /* Somebody called spsc_wakeup_all. */
        if (status != SPSC_OK)
            fail("cannot send", status); /* The consumer has closed its handle or died. */
        const struct reading reading = {i, (double)(i % 1000)};
        memcpy(room, &reading, sizeof reading);
        status = spsc_inline_publish(ring, cursor, sizeof reading);
        if (status != SPSC_OK)
            fail("cannot publish", status);
    }
    /* The consumer reads what is left in the ring, and then gets SPSC_CLOSED. */
    spsc_close(ring);
    return 0;
}
