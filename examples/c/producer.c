/*
 * Sends its standard input to another process, through a ring in shared memory.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -O2 -Iinclude -o producer examples/c/producer.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./producer my-ring < FILE
 *
 * and in another terminal, before or after, a consumer in C or C++: ./consumer my-ring > COPY
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spsc_shm.h"

/* Ends the program with what went wrong. */
static void fail(const char *what, spsc_status status)
{
    fprintf(stderr, "producer: %s: %s\n", what, spsc_status_string(status));
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s RING-NAME < FILE\n", argv[0]);
        return 2;
    }
    spsc_ring *ring = NULL;
    spsc_status status = spsc_create(argv[1], 64 * 1024, &ring);
    if (status != SPSC_OK)
        fail(argv[1], status);

    for (;;) {
        /* Claims all the room that is free, once there is any. The input is read right into it. */
        void *room = NULL;
        size_t size = 0;
        status = spsc_claim_some(ring, 1, SPSC_WAIT_FOREVER, &room, &size);
        if (status == SPSC_INTERRUPTED)
            continue; /* Somebody called spsc_wakeup_all. It means nothing here. */
        if (status == SPSC_CLOSED || status == SPSC_PEER_DEAD)
            fail("nobody reads the rest", status); /* A new consumer could, but we give up. */
        if (status != SPSC_OK)
            fail("cannot send", status);
        const ssize_t got = read(STDIN_FILENO, room, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            perror("producer: standard input");
            return 1;
        }
        if (got == 0)
            break;
        status = spsc_publish(ring, (size_t)got);
        if (status != SPSC_OK)
            fail("cannot publish", status);
    }
    /* The consumer gets what is left in the ring, and then SPSC_CLOSED. If none has come yet, the
     * ring waits for it under its name. */
    spsc_close(ring);
    return 0;
}
