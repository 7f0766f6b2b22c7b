/*
 * Reads small records from another process as fast as it can: through the inline header, which calls
 * the library only to wait and to wake.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -O2 -Iinclude -o readings_consumer examples/c/readings_consumer.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./readings_consumer my-ring
 *
 * In another terminal, before or after, start the producer, in C or C++:
 * ./readings_producer my-ring 10000000
 */
#include <inttypes.h>
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
    fprintf(stderr, "consumer: %s: %s\n", what, spsc_status_string(status));
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s RING-NAME\n", argv[0]);
        return 2;
    }
    /* Whichever program starts first waits for the other. */
    spsc_ring *ring = NULL;
    spsc_status status = spsc_connect_timeout(argv[1], SPSC_WAIT_FOREVER, &ring);
    if (status != SPSC_OK)
        fail(argv[1], status);
    /* Both have the ring open now and no longer need its name. */
    status = spsc_unlink(argv[1]);
    if (status != SPSC_OK)
        fail("cannot remove the name", status);
    /* This side's position in the stream, for the calls below. It lives as long as the ring. */
    spsc_cursor *cursor = spsc_cursor_of(ring, SPSC_CONSUMER);

    uint64_t count = 0;
    double sum = 0;
    for (;;) {
        const void *data = NULL;
        status = spsc_inline_peek(
            ring, cursor, sizeof(struct reading), SPSC_WAIT_FOREVER, &data);
        if (status == SPSC_CLOSED)
            break; /* All has been read, and the producer has closed its handle. */
        if (status == SPSC_INTERRUPTED)
            continue; /* Somebody called spsc_wakeup_all. */
        if (status != SPSC_OK)
            fail("cannot receive", status); /* The producer has died, for example. */
        struct reading reading;
        memcpy(&reading, data, sizeof reading);
        status = spsc_inline_release(ring, cursor, sizeof reading);
        if (status != SPSC_OK)
            fail("cannot release", status);
        if (reading.number != count) {
            fprintf(stderr, "consumer: reading %" PRIu64 " is missing\n", count);
            return 1;
        }
        count++;
        sum += reading.value;
    }
    printf("%" PRIu64 " readings, sum %.0f\n", count, sum);
    spsc_close(ring);
    return 0;
}
