/* Every function once or more, in ways that end well and in ways that do not: to be run under a
 * memory checker. */
#include "spsc_shm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "failed: %s\n", what);
        exit(1);
    }
}
#define CHECK(condition) check(condition, #condition)

static char name[64];

static void remove_name(void) { spsc_unlink(name); }

static void exchange(spsc_ring *producer, spsc_ring *consumer) {
    void *to;
    const void *from;
    size_t len;
    size_t capacity = (size_t)spsc_capacity(producer);
    for (int lap = 0; lap < 3; lap++) {
        CHECK(spsc_claim(producer, 100, SPSC_WAIT_FOREVER, &to) == SPSC_OK);
        memset(to, lap, 100);
        CHECK(spsc_publish(producer, 100) == SPSC_OK);
        CHECK(spsc_publish(producer, 1) == SPSC_ERR_MISUSE);
        CHECK(spsc_claim_some(producer, 1, 0, &to, &len) == SPSC_OK);
        CHECK(len == capacity - 100);
        memset(to, lap, len);
        CHECK(spsc_publish(producer, len) == SPSC_OK);
        CHECK(spsc_wait_for_space(producer, 1, 1000) == SPSC_TIMEOUT);
        CHECK(spsc_wait_for_data(consumer, capacity, 0) == SPSC_OK);
        CHECK(spsc_peek(consumer, capacity, 0, &from) == SPSC_OK);
        for (size_t i = 0; i < capacity; i++) CHECK(((const char *)from)[i] == lap);
        CHECK(spsc_release(consumer, capacity - 1) == SPSC_OK);
        CHECK(spsc_peek_some(consumer, 1, 0, &from, &len) == SPSC_OK && len == 1);
        CHECK(spsc_release(consumer, 1) == SPSC_OK);
    }
    CHECK(spsc_wakeup_all(producer) == SPSC_OK);
    CHECK(spsc_peek(consumer, 1, 1000000, &from) == SPSC_INTERRUPTED);
    CHECK(spsc_peek(consumer, capacity + 1, 0, &from) == SPSC_ERR_TOO_LARGE);
    CHECK(spsc_claim(consumer, 1, 0, &to) == SPSC_ERR_ROLE_TAKEN);
    CHECK(spsc_available(consumer) == 0);
    spsc_stats_t stats;
    CHECK(spsc_stats(consumer, &stats, sizeof stats) == SPSC_OK && stats.published == stats.released);
    CHECK(spsc_debug_dump(consumer, "memcheck: ") == SPSC_OK);
    spsc_close(producer);
    CHECK(spsc_peek(consumer, 1, SPSC_WAIT_FOREVER, &from) == SPSC_CLOSED);
    spsc_close(consumer);
}

int main(void) {
    spsc_ring *made = NULL, *met = NULL, *none = NULL;
    spsc_options options;
    snprintf(name, sizeof name, "spsc-memcheck-%d", (int)getpid());
    atexit(remove_name);
    CHECK(spsc_version() == SPSC_VERSION_NUMBER);
    for (int number = -20; number < 10; number++) CHECK(spsc_status_string(number)[0] != 0);

    CHECK(spsc_connect(name, &none) == SPSC_ERR_NOT_FOUND);
    CHECK(spsc_connect_timeout(name, 1000, &none) == SPSC_TIMEOUT);
    CHECK(spsc_create("a/b", 1, &none) == SPSC_ERR_INVALID_NAME);
    CHECK(spsc_create(name, 1, &made) == SPSC_OK);
    CHECK(spsc_create(name, 1, &none) == SPSC_ERR_ALREADY_EXISTS);
    CHECK(spsc_connect(name, &met) == SPSC_OK);
    exchange(made, met);
    CHECK(spsc_options_init(&options, sizeof options) == SPSC_OK);
    options.flags = SPSC_REPLACE_STALE | SPSC_PREFAULT;
    CHECK(spsc_create_with(name, 1, &options, &made) == SPSC_OK);
    CHECK(spsc_connect_fd(spsc_fd(made), &none) == SPSC_ERR_NOT_A_RING);
    spsc_close(made);
    CHECK(spsc_unlink(name) == SPSC_OK);
    CHECK(spsc_unlink(name) == SPSC_ERR_NOT_FOUND);

    CHECK(spsc_create_anonymous(1, &made) == SPSC_OK);
    CHECK(spsc_connect_fd(spsc_fd(made), &met) == SPSC_OK);
    exchange(met, made);
    CHECK(spsc_connect_fd(-1, &none) == SPSC_ERR_INVALID_ARGUMENT);
    CHECK(none == NULL);
    spsc_close(NULL);
    return 0;
}
