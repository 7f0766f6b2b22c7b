/*
 * Prints the messages that a sender sends through a ring in shared memory, each with its tag.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -O2 -Iinclude -o receiver examples/c/receiver.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./receiver my-ring
 *
 * and in another terminal, before or after, a sender in C or Rust: ./sender my-ring < FILE
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "spsc_shm.h"

/* Ends the program with what went wrong. */
static void fail(const char *what, spsc_status status)
{
    fprintf(stderr, "receiver: %s: %s\n", what, spsc_status_string(status));
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
    status = spsc_unlink(argv[1]);
    if (status != SPSC_OK)
        fail("cannot remove the name", status);

    for (;;) {
        spsc_message message;
        status = spsc_receive(ring, SPSC_WAIT_FOREVER, &message);
        if (status == SPSC_CLOSED)
            break; /* All has been received, and the sender has closed its handle. */
        if (status == SPSC_INTERRUPTED)
            continue; /* Somebody called spsc_wakeup_all. It means nothing here. */
        if (status == SPSC_ERR_TOO_LARGE) {
            fprintf(stderr, "receiver: skipped a message of more than 64 MiB\n");
            spsc_receive_done(ring);
            continue;
        }
        if (status != SPSC_OK)
            fail("cannot receive", status);
        /* The bytes lie in the ring, or where the handle has put the fragments together. */
        printf("%" PRIu32 ": ", message.tag);
        fwrite(message.data, 1, message.len, stdout);
        putchar('\n');
        status = spsc_receive_done(ring);
        if (status != SPSC_OK)
            fail("cannot go on", status);
    }
    if (fflush(stdout) != 0) {
        perror("receiver: standard output");
        return 1;
    }
    spsc_close(ring);
    return 0;
}
