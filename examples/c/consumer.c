/*
 * Writes to its standard output what a producer sends through a ring in shared memory.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -O2 -Iinclude -o consumer examples/c/consumer.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./consumer my-ring > COPY
 *
 * and in another terminal, before or after, a producer in C or C++: ./producer my-ring < FILE
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spsc_shm.h"

/* Ends the program with what went wrong. */
static void fail(const char *what, spsc_status status)
{
    fprintf(stderr, "consumer: %s: %s\n", what, spsc_status_string(status));
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s RING-NAME > FILE\n", argv[0]);
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

    for (;;) {
        /* Peeks at all the bytes that are there, once there are any. They are written right out of
         * the ring. */
        const void *data = NULL;
        size_t size = 0;
        status = spsc_peek_some(ring, 1, SPSC_WAIT_FOREVER, &data, &size);
        if (status == SPSC_CLOSED)
            break; /* All has been read, and the producer has closed its handle. */
        if (status == SPSC_INTERRUPTED)
            continue; /* Somebody called spsc_wakeup_all. It means nothing here. */
        if (status == SPSC_PEER_DEAD)
            fail("the rest will never come", status); /* What it had published is written. */
        if (status != SPSC_OK)
            fail("cannot receive", status);
        const ssize_t put = write(STDOUT_FILENO, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            perror("consumer: standard output");
            return 1;
        }
        status = spsc_release(ring, (size_t)put);
        if (status != SPSC_OK)
            fail("cannot release", status);
    }
    spsc_close(ring);
    return 0;
}
