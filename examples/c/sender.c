/*
 * Sends each line of its standard input to another process as a message, with its number as the tag.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -O2 -Iinclude -o sender examples/c/sender.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./sender my-ring < FILE
 *
 * and in another terminal, before or after, a receiver in C or Rust: ./receiver my-ring
 */
#define _POSIX_C_SOURCE 200809L /* for getline */
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "spsc_shm.h"

/* Ends the program with what went wrong. */
static void fail(const char *what, spsc_status status)
{
    fprintf(stderr, "sender: %s: %s\n", what, spsc_status_string(status));
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
    /* Be the producer before there is anything to send: an empty file has an end, too. */
    status = spsc_wait_for_space(ring, 1, SPSC_WAIT_FOREVER);
    if (status != SPSC_OK)
        fail("cannot send", status);

    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    for (uint32_t number = 1; (length = getline(&line, &size, stdin)) >= 0; number++) {
        if (length > 0 && line[length - 1] == '\n')
            length--;
        /* A line may be longer than the ring: it goes in fragments then, while the other side
         * receives them. */
        do {
            status = spsc_send(ring, number, line, (size_t)length, SPSC_WAIT_FOREVER);
        } while (status == SPSC_INTERRUPTED); /* What was sent of it is discarded. */
        if (status != SPSC_OK)
            fail("nobody reads the rest", status);
    }
    free(line);
    /* The receiver gets what is left in the ring, and then SPSC_CLOSED. */
    spsc_close(ring);
    return 0;
}
