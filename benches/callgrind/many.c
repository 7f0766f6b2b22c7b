/* What it costs to tell one consumer of many rings about a message, by this library and by the designs
 * in which a message rings a bell that the consumer's rings have in common: for callgrind to count.
 *
 *     many none|eventfd|counter|any RINGS MESSAGES
 *
 * none, eventfd, counter: the producer's side. Claim 64 bytes and publish them, in turn to each of the
 * rings; and, unless none, write to an eventfd or add 1 to a counter that all producers share, as well.
 * any: the consumer's side. spsc_wait_any over all rings, of which one is ready, peek and release.
 *
 * Prints nanoseconds a message. Only work() is of interest: callgrind --toggle-collect=work.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "spsc_shm.h"

enum { MESSAGE = 64, BATCH = 32, MOST = 127 };

static spsc_ring *rings[MOST];
static spsc_wait_item items[MOST];
static int bell;
static _Atomic uint64_t counter;

static void check(spsc_status status) {
    if (status != SPSC_OK) {
        fprintf(stderr, "many: %s\n", spsc_status_string(status));
        exit(EXIT_FAILURE);
    }
}

static void publish(spsc_ring *ring) {
    void *to;
    check(spsc_claim(ring, MESSAGE, 0, &to));
    check(spsc_publish(ring, MESSAGE));
}

static void receive(spsc_ring *ring) {
    const void *from;
    check(spsc_peek(ring, MESSAGE, 0, &from));
    check(spsc_release(ring, MESSAGE));
}

static void ring_bell(const char *how) {
    const uint64_t one = 1;
    if (how[0] == 'e' && write(bell, &one, sizeof one) != sizeof one)
        exit(EXIT_FAILURE);
    if (how[0] == 'c')
        atomic_fetch_add(&counter, 1);
}

void work(const char *how, size_t count);

/* A batch of messages, as named. */
void __attribute__((noinline)) work(const char *how, size_t count) {
    for (size_t i = 0; i < BATCH; i++) {
        if (how[0] == 'a') {
            size_t ready;
            check(spsc_wait_any(items, count, SPSC_WAIT_FOREVER, &ready));
            receive(rings[count / 2]);
        } else {
            publish(rings[i % count]);
            ring_bell(how);
        }
    }
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return EXIT_FAILURE;
    const char *how = argv[1];
    const size_t count = strtoul(argv[2], NULL, 10), messages = strtoul(argv[3], NULL, 10);
    bell = eventfd(0, EFD_CLOEXEC);
    if (count == 0 || count > MOST || bell < 0)
        return EXIT_FAILURE;
    for (size_t i = 0; i < count; i++) {
        check(spsc_create_anonymous(1 << 12, &rings[i]));
        items[i].ring = rings[i];
        items[i].side = SPSC_CONSUMER;
        items[i].need = MESSAGE;
        publish(rings[i]);
        receive(rings[i]);
    }
    uint64_t least = UINT64_MAX;
    for (size_t done = 0; done < messages; done += BATCH) {
        for (size_t i = 0; how[0] == 'a' && i < BATCH; i++)
            publish(rings[count / 2]);
        const uint64_t start = now_ns();
        work(how, count);
        const uint64_t took = now_ns() - start;
        least = took < least ? took : least;
        for (size_t i = 0; how[0] != 'a' && i < BATCH; i++)
            receive(rings[i % count]);
    }
    printf("%.1f\n", (double)least / BATCH);
    return 0;
}
