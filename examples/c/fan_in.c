/*
 * Receives from several processes, each through a ring of its own, in one thread: many producers
 * into one consumer.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -D_GNU_SOURCE -O2 -Iinclude -o fan_in examples/c/fan_in.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./fan_in
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spsc_shm.h"

enum {
    PRODUCERS = 4,
    COUNT = 250000, /* messages of each */
    TURN = 64       /* messages that are taken from one ring before it is another's turn */
};

struct message {
    uint64_t producer;
    uint64_t number;
};

static int fail(const char *what, spsc_status status)
{
    fprintf(stderr, "%s: %s\n", what, spsc_status_string(status));
    return 1;
}

static int produce(spsc_ring *ring, uint64_t producer)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        void *data = NULL;
        spsc_status status = spsc_claim(ring, sizeof(struct message), SPSC_WAIT_FOREVER, &data);
        if (status != SPSC_OK)
            return fail("cannot send", status);
        const struct message message = {producer, i};
        memcpy(data, &message, sizeof message);
        status = spsc_publish(ring, sizeof message);
        if (status != SPSC_OK)
            return fail("cannot publish", status);
    }
    return 0;
}

/* Takes what is there, but no more than a turn's worth: no ring is starved by a busier one. */
static int serve(spsc_ring *ring, uint64_t *next, uint64_t producer)
{
    const void *data = NULL;
    size_t size = 0;
    spsc_status status = spsc_peek_some(ring, sizeof(struct message), 0, &data, &size);
    if (status != SPSC_OK)
        return fail("cannot receive", status);
    size_t count = size / sizeof(struct message);
    if (count > TURN)
        count = TURN;
    for (size_t i = 0; i < count; i++) {
        struct message message;
        memcpy(&message, (const char *)data + i * sizeof message, sizeof message);
        if (message.producer != producer || message.number != (*next)++) {
            fprintf(stderr, "a message of producer %" PRIu64 " is not what was sent\n", producer);
            return 1;
        }
    }
    status = spsc_release(ring, count * sizeof(struct message));
    return status == SPSC_OK ? 0 : fail("cannot release", status);
}

static int consume(spsc_ring *const rings[])
{
    /* An item for each ring that is still open, and beside it whose it is. */
    spsc_wait_item items[PRODUCERS];
    uint64_t producers[PRODUCERS], next[PRODUCERS] = {0}, received = 0;
    size_t open = PRODUCERS;
    for (size_t i = 0; i < open; i++) {
        items[i] = (spsc_wait_item){.ring = rings[i],
            .side = SPSC_CONSUMER, .need = sizeof(struct message)};
        producers[i] = i;
    }
    while (open > 0) {
        size_t ready = 0;
        spsc_status status = spsc_wait_any(items, open, SPSC_WAIT_FOREVER, &ready);
        if (status == SPSC_INTERRUPTED)
            continue; /* Somebody called spsc_wakeup_all; nothing has changed for us. */
        if (status != SPSC_OK)
            return fail("cannot wait", status);
        /* All that are ready have a turn before the next wait. Backwards, so that the last one can
         * take the place of one that has ended. */
        for (size_t i = open; i-- > 0;) {
            if (items[i].status == SPSC_OK) {
                if (serve(items[i].ring, &next[producers[i]], producers[i]) != 0)
                    return 1;
            } else if (items[i].status == SPSC_CLOSED) {
                /* All has been read, and the producer has closed its handle. */
                received += next[producers[i]];
                open--;
                items[i] = items[open];
                producers[i] = producers[open];
            } else if (items[i].status != SPSC_TIMEOUT) {
                return fail("the rest will never come", items[i].status);
            }
        }
    }
    printf("%" PRIu64 " messages of %d producers received\n", received, PRODUCERS);
    return received != (uint64_t)PRODUCERS * COUNT;
}

int main(void)
{
    spsc_ring *rings[PRODUCERS];
    pid_t children[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) {
        const spsc_status status = spsc_create_anonymous(64 * 1024, &rings[i]);
        if (status != SPSC_OK)
            return fail("spsc_create_anonymous", status);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        children[i] = fork();
        if (children[i] < 0) {
            perror("fork");
            return 1;
        }
        if (children[i] == 0) {
            const int failed = produce(rings[i], (uint64_t)i);
            spsc_close(rings[i]); /* the end of the stream */
            return failed;
        }
    }
    int failed = consume(rings);
    for (int i = 0; i < PRODUCERS; i++) {
        /* A producer that still waits for room learns that nobody reads. */
        spsc_close(rings[i]);
        int how = 0;
        waitpid(children[i], &how, 0);
        failed |= how != 0;
    }
    return failed;
}
