/* spsc_wait_any: one wait for many rings, which says of each how it stands. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

enum { MOST = 127 };

static spsc_ring *rings[MOST];
static spsc_wait_item items[MOST + 1];
static size_t ready;

/* Items for a byte of data in each of so many new rings. */
static void open_rings(size_t count)
{
    memset(items, 0x5a, sizeof items);
    for (size_t i = 0; i < count; i++) {
        OK(spsc_create_anonymous(1, &rings[i]));
        items[i].ring = rings[i];
        items[i].side = SPSC_CONSUMER;
        items[i].need = 1;
    }
}

static void close_rings(size_t count)
{
    for (size_t i = 0; i < count; i++)
        spsc_close(rings[i]);
}

static uint32_t is_parked(spsc_ring *ring)
{
    spsc_stats_t now;
    OK(spsc_stats(ring, &now, sizeof now));
    return now.consumer.parked;
}

static void arguments_are_checked(void)
{
    open_rings(1);
    send_bytes(rings[0], 1);
    CHECK_FAILS(ready, spsc_wait_any(NULL, 1, 0, &ready), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(ready, spsc_wait_any(items, 0, SPSC_WAIT_FOREVER, &ready), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(ready, spsc_wait_any(items, MOST + 1, 0, &ready), SPSC_ERR_TOO_LARGE);
    CHECK_FAILS(ready, spsc_wait_any(items, SIZE_MAX, 0, &ready), SPSC_ERR_TOO_LARGE);
    CHECK_STATUS(spsc_wait_any(items, 1, 0, NULL), SPSC_ERR_INVALID_ARGUMENT);
    CHECK(SPSC_WAIT_ANY_MAX == MOST);
    close_rings(1);
}

/* An item that is in error is decided, and its error is its own. */
static void an_item_in_error_is_reported_for_itself(void)
{
    enum { COUNT = 7 };
    const char *name = new_name();
    spsc_ring *taken = new_ring(name, 1), *other = connected(name);
    CHECK_STATUS(spsc_wait_for_data(other, 1, 0), SPSC_TIMEOUT);
    open_rings(COUNT);
    items[0].ring = NULL;
    items[1].side = 0;
    items[2].side = SPSC_PRODUCER | SPSC_CONSUMER;
    items[3].side = SPSC_CONSUMER | 4;
    items[4].need = (size_t)spsc_capacity(rings[4]) + 1;
    items[5].ring = taken;
    const spsc_status expected[COUNT] = { SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_INVALID_ARGUMENT,
        SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_TOO_LARGE,
        SPSC_ERR_ROLE_TAKEN, SPSC_TIMEOUT };
    OK(spsc_wait_any(items, COUNT, SPSC_WAIT_FOREVER, &ready));
    CHECK(ready == COUNT - 1);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_STATUS(items[i].status, expected[i]);
    close_rings(COUNT);
    spsc_close(taken);
    spsc_close(other);
}

static void all_that_are_ready_are_reported(void)
{
    enum { COUNT = 5 };
    open_rings(COUNT);
    /* A producer's item: it waits for space. */
    items[4].side = SPSC_PRODUCER;
    items[4].need = (size_t)spsc_capacity(rings[4]);
    CHECK_STATUS(spsc_wait_any(items, 4, 0, &ready), SPSC_TIMEOUT);
    for (size_t i = 0; i < 4; i++)
        CHECK_STATUS(items[i].status, SPSC_TIMEOUT);
    send_bytes(rings[1], 1);
    send_bytes(rings[3], 1);
    OK(spsc_wait_any(items, COUNT, SPSC_WAIT_FOREVER, &ready));
    CHECK(ready == 3);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_STATUS(items[i].status, i == 0 || i == 2 ? SPSC_TIMEOUT : SPSC_OK);
    /* Nothing was claimed or peeked, and nothing is lost. */
    CHECK_STATUS(spsc_release(rings[1], 1), SPSC_ERR_MISUSE);
    CHECK_STATUS(spsc_publish(rings[4], 1), SPSC_ERR_MISUSE);
    receive_bytes(rings[1], 1);
    receive_bytes(rings[3], 1);
    /* A need of nothing is met. */
    items[2].need = 0;
    OK(spsc_wait_any(items, 4, SPSC_WAIT_FOREVER, &ready));
    CHECK(ready == 1);
    CHECK_STATUS(items[2].status, SPSC_OK);
    close_rings(COUNT);
}

static void one_ring_may_be_there_more_than_once(void)
{
    open_rings(1);
    send_bytes(rings[0], 2);
    for (int i = 1; i < 4; i++)
        items[i] = items[0];
    items[1].side = SPSC_PRODUCER;
    items[1].need = (size_t)spsc_capacity(rings[0]);
    items[2].need = 3;
    OK(spsc_wait_any(items, 4, SPSC_WAIT_FOREVER, &ready));
    CHECK(ready == 2);
    CHECK(items[0].status == SPSC_OK && items[3].status == SPSC_OK);
    CHECK(items[1].status == SPSC_TIMEOUT && items[2].status == SPSC_TIMEOUT);
    /* A claim of before stands. */
    void *to = NULL;
    OK(spsc_claim(rings[0], 8, 0, &to));
    OK(spsc_wait_any(items, 4, SPSC_WAIT_FOREVER, &ready));
    OK(spsc_publish(rings[0], 8));
    close_rings(1);
}

static uint64_t publish_after_ms;

static void *publish(void *ring)
{
    while (is_parked((spsc_ring *)ring) == 0)
        sched_yield();
    usleep((useconds_t)(publish_after_ms * 1000));
    send_bytes((spsc_ring *)ring, 1);
    return NULL;
}

/* Whichever of many publishes ends the sleep, also the first and the last, and of one that is there
 * twice the item that needs less. */
static void a_publish_to_any_ends_the_sleep(void)
{
    open_rings(MOST - 1);
    items[MOST - 1] = items[5];
    items[5].need = 2;
    const size_t publishers[] = { 0, 5, 64, MOST - 2 };
    for (size_t i = 0; i < sizeof publishers / sizeof publishers[0]; i++) {
        pthread_t thread;
        const size_t which = publishers[i];
        publish_after_ms = i;
        CHECK(pthread_create(&thread, NULL, publish, rings[which]) == 0);
        OK(spsc_wait_any(items, MOST, SPSC_WAIT_FOREVER, &ready));
        CHECK(ready == 1);
        for (size_t j = 0; j < MOST; j++)
            CHECK_STATUS(items[j].status,
                j == (which == 5 ? (size_t)MOST - 1 : which) ? SPSC_OK : SPSC_TIMEOUT);
        CHECK(pthread_join(thread, NULL) == 0);
        for (size_t j = 0; j < MOST - 1; j++)
            CHECK(is_parked(rings[j]) == 0);
        receive_bytes(rings[which], 1);
    }
    close_rings(MOST - 1);
}

/* Of two items for one side, the one that needs less is woken for, whichever comes first. Now and then a
 * publish meets the waiter between two sleeps, and wakes nobody: never twenty in a row. */
static void the_nearer_of_two_needs_is_woken_for(void)
{
    for (int near = 0; near < 2; near++) {
        open_rings(1);
        items[1] = items[0];
        items[1 - near].need = 2;
        uint64_t wakes = 0;
        publish_after_ms = 0;
        for (int round = 0; round < 20 && wakes == 0; round++) {
            pthread_t thread;
            CHECK(pthread_create(&thread, NULL, publish, rings[0]) == 0);
            OK(spsc_wait_any(items, 2, SPSC_WAIT_FOREVER, &ready));
            CHECK(ready == 1 && items[near].status == SPSC_OK);
            CHECK(pthread_join(thread, NULL) == 0);
            receive_bytes(rings[0], 1);
            spsc_stats_t now;
            OK(spsc_stats(rings[0], &now, sizeof now));
            wakes = now.producer.wakes;
        }
        CHECK(wakes > 0);
        close_rings(1);
    }
}

static void the_time_runs_out_and_not_before(void)
{
    open_rings(3);
    const uint64_t timeouts[] = { 0, 1, 100000, 30 * MILLISECOND, 130 * MILLISECOND };
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        const uint64_t start = now_ns();
        CHECK_FAILS(ready, spsc_wait_any(items, 3, timeouts[i], &ready), SPSC_TIMEOUT);
        CHECK(now_ns() - start >= timeouts[i]);
        for (int j = 0; j < 3; j++)
            CHECK_STATUS(items[j].status, SPSC_TIMEOUT);
    }
    close_rings(3);
}

/* Child processes that produce: one publishes and closes, one dies, one lives on. */
static void the_closed_and_the_dead_are_reported_for_themselves(void)
{
    const char *names[3];
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        names[i] = new_name();
        rings[i] = new_ring(names[i], 1);
        memset(&items[i], 0, sizeof items[i]);
        items[i].ring = rings[i];
        items[i].side = SPSC_CONSUMER;
        items[i].need = 1;
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            spsc_ring *ring = connected(names[i]);
            send_bytes(ring, 1);
            if (i == 0)
                spsc_close(ring);
            for (;;)
                pause();
        }
        receive_bytes(rings[i], 1);
    }
    OK(spsc_wait_any(items, 3, SPSC_WAIT_FOREVER, &ready));
    CHECK(ready == 1);
    CHECK(items[0].status == SPSC_CLOSED);
    CHECK(items[1].status == SPSC_TIMEOUT && items[2].status == SPSC_TIMEOUT);
    /* Left waiting for the next peer, the closed one decides nothing. */
    items[0].side |= SPSC_ITEM_NEXT_PEER;
    CHECK_STATUS(spsc_wait_any(items, 3, 20 * MILLISECOND, &ready), SPSC_TIMEOUT);
    CHECK(items[0].status == SPSC_TIMEOUT);
    CHECK(kill(children[1], SIGKILL) == 0);
    OK(spsc_wait_any(items, 3, SPSC_WAIT_FOREVER, &ready));
    CHECK(ready == 1);
    CHECK(items[1].status == SPSC_PEER_DEAD);
    CHECK(items[0].status == SPSC_TIMEOUT && items[2].status == SPSC_TIMEOUT);
    items[1].side |= SPSC_ITEM_NEXT_PEER;
    CHECK_STATUS(spsc_wait_any(items, 3, 150 * MILLISECOND, &ready), SPSC_TIMEOUT);
    /* Their successors do. */
    for (int i = 0; i < 2; i++) {
        spsc_ring *next = connected(names[i]);
        send_bytes(next, 1);
        OK(spsc_wait_any(items, 3, SPSC_WAIT_FOREVER, &ready));
        CHECK(ready == 1);
        CHECK(items[i].status == SPSC_OK);
        receive_bytes(rings[i], 1);
        spsc_close(next);
    }
    for (int i = 0; i < 3; i++) {
        kill(children[i], SIGKILL);
        CHECK(waitpid(children[i], NULL, 0) == children[i]);
        spsc_close(rings[i]);
    }
}

static void an_interrupt_is_reported_for_its_item(void)
{
    open_rings(3);
    CHECK_STATUS(spsc_wait_any(items, 3, 0, &ready), SPSC_TIMEOUT);
    OK(spsc_interrupt(rings[1], SPSC_CONSUMER));
    /* Neither a call that does not wait nor one that need not uses it up. */
    CHECK_STATUS(spsc_wait_any(items, 3, 0, &ready), SPSC_TIMEOUT);
    send_bytes(rings[2], 1);
    OK(spsc_wait_any(items, 3, SPSC_WAIT_FOREVER, &ready));
    CHECK(ready == 1 && items[1].status == SPSC_TIMEOUT && items[2].status == SPSC_OK);
    receive_bytes(rings[2], 1);
    CHECK_FAILS(ready, spsc_wait_any(items, 3, SPSC_WAIT_FOREVER, &ready), SPSC_INTERRUPTED);
    CHECK(items[0].status == SPSC_TIMEOUT && items[2].status == SPSC_TIMEOUT);
    CHECK(items[1].status == SPSC_INTERRUPTED);
    CHECK_STATUS(spsc_wait_any(items, 3, MILLISECOND, &ready), SPSC_TIMEOUT);

    OK(spsc_wakeup_all(rings[0]));
    OK(spsc_interrupt(rings[2], SPSC_CONSUMER));
    CHECK_STATUS(spsc_wait_any(items, 3, SPSC_WAIT_FOREVER, &ready), SPSC_INTERRUPTED);
    CHECK(items[0].status == SPSC_INTERRUPTED && items[1].status == SPSC_TIMEOUT);
    CHECK(items[2].status == SPSC_INTERRUPTED);
    CHECK_STATUS(spsc_wait_any(items, 3, MILLISECOND, &ready), SPSC_TIMEOUT);

    /* One that is taken back, and ones that are too old. */
    OK(spsc_interrupt(rings[0], SPSC_CONSUMER));
    OK(spsc_clear_interrupt(rings[0], SPSC_CONSUMER));
    OK(spsc_interrupt(rings[1], SPSC_CONSUMER));
    OK(spsc_wakeup_all(rings[1]));
    items[1].side |= SPSC_ITEM_FRESH;
    CHECK_STATUS(spsc_wait_any(items, 3, MILLISECOND, &ready), SPSC_TIMEOUT);
    close_rings(3);
}

static void *interrupt(void *ring)
{
    while (is_parked((spsc_ring *)ring) == 0)
        sched_yield();
    OK(spsc_interrupt((spsc_ring *)ring, SPSC_CONSUMER));
    return NULL;
}

static void a_sleep_is_interrupted(void)
{
    pthread_t thread;
    open_rings(8);
    for (int i = 0; i < 8; i += 7) {
        CHECK(pthread_create(&thread, NULL, interrupt, rings[i]) == 0);
        CHECK_STATUS(spsc_wait_any(items, 8, SPSC_WAIT_FOREVER, &ready), SPSC_INTERRUPTED);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(items[i].status == SPSC_INTERRUPTED);
    }
    close_rings(8);
}

int main(void)
{
    arguments_are_checked();
    an_item_in_error_is_reported_for_itself();
    all_that_are_ready_are_reported();
    one_ring_may_be_there_more_than_once();
    a_publish_to_any_ends_the_sleep();
    the_nearer_of_two_needs_is_woken_for();
    the_time_runs_out_and_not_before();
    the_closed_and_the_dead_are_reported_for_themselves();
    an_interrupt_is_reported_for_its_item();
    a_sleep_is_interrupted();
    return 0;
}
