/* spsc_wakeup_all: interrupts the current wait of both sides, or the next one, exactly once. */
#include "check.h"

#include <pthread.h>
#include <sched.h>

static spsc_ring *ring;
static size_t capacity;
static void *to;
static const void *from;
static size_t len;

static void open_ring(void)
{
    OK(spsc_create_anonymous(1, &ring));
    capacity = (size_t)spsc_capacity(ring);
}

/* Waits in this thread, as one side or the other, for what does not come. */
static spsc_status wait_for_data(uint64_t timeout_ns)
{
    return spsc_peek(ring, 1, timeout_ns, &from);
}

static spsc_status wait_for_space(uint64_t timeout_ns)
{
    return spsc_claim(ring, 1, timeout_ns, &to);
}

static void *producer_thread(void *unused)
{
    CHECK_STATUS(wait_for_space(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    return unused;
}

static void *consumer_thread(void *unused)
{
    CHECK_STATUS(wait_for_data(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    return unused;
}

static spsc_stats_t stats(void)
{
    spsc_stats_t now;
    OK(spsc_stats(ring, &now, sizeof now));
    return now;
}

static void a_wait_that_sleeps_is_interrupted(void)
{
    pthread_t thread;
    open_ring();
    CHECK(pthread_create(&thread, NULL, consumer_thread, NULL) == 0);
    while (stats().consumer.parked == 0)
        sched_yield();
    OK(spsc_wakeup_all(ring));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(stats().consumer.interruptions == 1 && stats().consumer.parked == 0);

    send_bytes(ring, capacity);
    OK(spsc_wakeup_all(ring));
    CHECK_STATUS(wait_for_space(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    CHECK(pthread_create(&thread, NULL, producer_thread, NULL) == 0);
    while (stats().producer.parked == 0)
        sched_yield();
    OK(spsc_wakeup_all(ring));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(stats().producer.interruptions == 2 && stats().producer.parked == 0);
    spsc_close(ring);
}

static void the_next_wait_is_interrupted_once(void)
{
    open_ring();
    OK(spsc_wakeup_all(ring));
    CHECK_STATUS(wait_for_data(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    CHECK_STATUS(wait_for_data(MILLISECOND), SPSC_TIMEOUT);
    /* The other side has its own. */
    send_bytes(ring, capacity);
    CHECK_STATUS(wait_for_space(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    CHECK_STATUS(wait_for_space(MILLISECOND), SPSC_TIMEOUT);

    /* Each of the calls that can wait. */
    OK(spsc_wakeup_all(ring));
    CHECK_FAILS(to, spsc_claim(ring, 1, SPSC_WAIT_FOREVER, &to), SPSC_INTERRUPTED);
    OK(spsc_wakeup_all(ring));
    CHECK_FAILS(len, spsc_claim_some(ring, 1, SPSC_WAIT_FOREVER, &to, &len), SPSC_INTERRUPTED);
    OK(spsc_wakeup_all(ring));
    CHECK_STATUS(spsc_wait_for_space(ring, 1, SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    receive_bytes(ring, capacity);
    CHECK_FAILS(from, spsc_peek(ring, 1, SPSC_WAIT_FOREVER, &from), SPSC_INTERRUPTED);
    OK(spsc_wakeup_all(ring));
    CHECK_FAILS(len, spsc_peek_some(ring, 1, SPSC_WAIT_FOREVER, &from, &len), SPSC_INTERRUPTED);
    OK(spsc_wakeup_all(ring));
    CHECK_STATUS(spsc_wait_for_data(ring, 1, SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    spsc_close(ring);
}

static void calls_that_meet_the_same_wait_are_one(void)
{
    open_ring();
    for (int i = 0; i < 5; i++)
        OK(spsc_wakeup_all(ring));
    CHECK_STATUS(wait_for_data(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    CHECK_STATUS(wait_for_data(MILLISECOND), SPSC_TIMEOUT);
    spsc_close(ring);
}

static void a_call_that_does_not_wait_neither_sees_nor_uses_an_interruption(void)
{
    open_ring();
    OK(spsc_wakeup_all(ring));
    CHECK_STATUS(wait_for_data(0), SPSC_TIMEOUT);
    send_bytes(ring, capacity);
    CHECK_STATUS(wait_for_space(0), SPSC_TIMEOUT);
    /* Nor does one that has what it asks for. */
    OK(wait_for_data(SPSC_WAIT_FOREVER));
    receive_bytes(ring, capacity);
    OK(wait_for_space(SPSC_WAIT_FOREVER));
    CHECK_STATUS(wait_for_data(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    send_bytes(ring, capacity);
    CHECK_STATUS(wait_for_space(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    spsc_close(ring);
}

static void what_is_there_comes_before_an_interruption(void)
{
    open_ring();
    send_bytes(ring, 1);
    OK(spsc_wakeup_all(ring));
    OK(spsc_peek(ring, 1, SPSC_WAIT_FOREVER, &from));
    CHECK_STATUS(spsc_peek(ring, 2, SPSC_WAIT_FOREVER, &from), SPSC_INTERRUPTED);
    /* The peek before it still stands. */
    OK(spsc_release(ring, 1));
    spsc_close(ring);
}

static void every_attached_handle_is_interrupted(void)
{
    const char *name = new_name();
    spsc_ring *producer = new_ring(name, 1), *consumer = connected(name);
    send_bytes(producer, (size_t)spsc_capacity(producer));
    receive_bytes(consumer, 1);
    send_bytes(producer, 1);
    /* From a third handle, which has no role. */
    spsc_ring *third = connected(name);
    OK(spsc_wakeup_all(third));
    CHECK_STATUS(spsc_claim(producer, 1, SPSC_WAIT_FOREVER, &to), SPSC_INTERRUPTED);
    CHECK_STATUS(
        spsc_peek(consumer, (size_t)spsc_capacity(consumer), SPSC_WAIT_FOREVER, &from), SPSC_OK);
    receive_bytes(consumer, (size_t)spsc_capacity(consumer));
    CHECK_STATUS(spsc_peek(consumer, 1, SPSC_WAIT_FOREVER, &from), SPSC_INTERRUPTED);

    /* One that connects later is not meant. */
    spsc_close(consumer);
    consumer = connected(name);
    CHECK_STATUS(spsc_peek(consumer, 1, MILLISECOND, &from), SPSC_TIMEOUT);
    spsc_close(producer);
    spsc_close(consumer);
    spsc_close(third);
}

/* An emulated machine does fewer. */
#ifndef ROUNDS
#define ROUNDS 5000
#endif
static int waits;
static int rounds_done;

/* Counts its interruptions until the other thread is done. */
static void *count_interruptions(void *unused)
{
    while (__atomic_load_n(&rounds_done, __ATOMIC_ACQUIRE) < ROUNDS) {
        CHECK_STATUS(wait_for_data(SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
        __atomic_add_fetch(&waits, 1, __ATOMIC_RELEASE);
    }
    return unused;
}

/* One call, one interruption, wherever the other thread is at that moment: before its wait,
 * spinning, about to sleep, or asleep. A lost one would stop this program for good. */
static void no_interruption_is_lost_on_the_way_into_a_wait(void)
{
    pthread_t thread;
    open_ring();
    CHECK(pthread_create(&thread, NULL, count_interruptions, NULL) == 0);
    for (int round = 1; round <= ROUNDS; round++) {
        __atomic_store_n(&rounds_done, round, __ATOMIC_RELEASE);
        OK(spsc_wakeup_all(ring));
        while (__atomic_load_n(&waits, __ATOMIC_ACQUIRE) < round)
            sched_yield();
        for (volatile int pause = 0; pause < round % 997; pause = pause + 1) { }
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(waits == ROUNDS);
    CHECK(stats().consumer.interruptions == ROUNDS);
    spsc_close(ring);
}

int main(void)
{
    a_wait_that_sleeps_is_interrupted();
    the_next_wait_is_interrupted_once();
    calls_that_meet_the_same_wait_are_one();
    a_call_that_does_not_wait_neither_sees_nor_uses_an_interruption();
    what_is_there_comes_before_an_interruption();
    every_attached_handle_is_interrupted();
    no_interruption_is_lost_on_the_way_into_a_wait();
    return 0;
}
