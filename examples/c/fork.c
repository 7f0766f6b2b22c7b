/*
 * Forks, and streams messages to the child through a ring that has no name.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -D_GNU_SOURCE -O2 -Iinclude -o fork examples/c/fork.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./fork
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spsc_shm.h"

enum { COUNT = 1000000 };

struct message {
    uint64_t number;
    uint64_t square;
};

static int fail(const char *what, spsc_status status)
{
    fprintf(stderr, "%s: %s\n", what, spsc_status_string(status));
    return 1;
}

static int produce(spsc_ring *ring)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        void *data = NULL;
        spsc_status status = spsc_claim(ring, sizeof(struct message), SPSC_WAIT_FOREVER, &data);
        if (status != SPSC_OK)
            return fail("cannot send", status);
        const struct message message = {i, i * i};
        memcpy(data, &message, sizeof message);
        status = spsc_publish(ring, sizeof message);
        if (status != SPSC_OK)
            return fail("cannot publish", status);
    }
    return 0;
}

static int consume(spsc_ring *ring)
{
    for (uint64_t i = 0;; i++) {
        const void *data = NULL;
        spsc_status status = spsc_peek(ring, sizeof(struct message), SPSC_WAIT_FOREVER, &data);
        if (status == SPSC_CLOSED) { /* All has been read, and the producer has closed the ring. */
            printf("%" PRIu64 " messages received\n", i);
            return i != COUNT;
        }
        if (status != SPSC_OK)
            return fail("cannot receive", status);
        struct message message;
        memcpy(&message, data, sizeof message);
        status = spsc_release(ring, sizeof message);
        if (status != SPSC_OK)
            return fail("cannot release", status);
        if (message.number != i || message.square != i * i) {
            fprintf(stderr, "message %" PRIu64 " is not what was sent\n", i);
            return 1;
        }
    }
}

int main(void)
{
    spsc_ring *ring = NULL;
    const spsc_status status = spsc_create_anonymous(64 * 1024, &ring);
    if (status != SPSC_OK)
        return fail("spsc_create_anonymous", status);
    const pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return 1;
    }
    /* Each process now has a handle of its own, which takes a role with its first call. */
    const int failed = child == 0 ? consume(ring) : produce(ring);
    spsc_close(ring);
    if (child == 0)
        return failed;
    int how = 0;
    waitpid(child, &how, 0);
    return failed || how != 0;
}
