/* spsc_shm_inline.h: its functions do what those of the same name do, and both may be mixed. */
#include "check.h"
#include "payload.h"

#include "spsc_shm_inline.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

static spsc_ring *ring;
static spsc_cursor *producer, *consumer;
static size_t capacity;
static void *to;
static const void *from;

static void take(spsc_ring *opened)
{
    ring = opened;
    producer = spsc_cursor_of(ring, SPSC_PRODUCER);
    consumer = spsc_cursor_of(ring, SPSC_CONSUMER);
    capacity = (size_t)spsc_capacity(ring);
    CHECK(producer != NULL && consumer != NULL && producer != consumer);
}

static void open_ring(void)
{
    spsc_ring *opened = NULL;
    OK(spsc_create_anonymous(1, &opened));
    take(opened);
}

static spsc_status claim(size_t want, uint64_t timeout_ns)
{
    return spsc_inline_claim(ring, producer, want, timeout_ns, &to);
}

static spsc_status peek(size_t want, uint64_t timeout_ns)
{
    return spsc_inline_peek(ring, consumer, want, timeout_ns, &from);
}

static spsc_status publish(size_t n)
{
    return spsc_inline_publish(ring, producer, n);
}

static spsc_status release(size_t n)
{
    return spsc_inline_release(ring, consumer, n);
}

static void put(size_t n)
{
    OK(claim(n, 0));
    memset(to, 'x', n);
    OK(publish(n));
}

static void get(size_t n)
{
    OK(peek(n, 0));
    OK(release(n));
}

static spsc_stats_t stats(void)
{
    spsc_stats_t now;
    OK(spsc_stats(ring, &now, sizeof now));
    return now;
}

static void what_is_published_is_peeked(void)
{
    open_ring();
    OK(claim(5, SPSC_WAIT_FOREVER));
    memcpy(to, "hello", 5);
    CHECK_FAILS(from, peek(1, 0), SPSC_TIMEOUT);
    OK(publish(2));
    OK(publish(0));
    OK(publish(3));
    CHECK(spsc_available(ring) == 5);
    OK(peek(5, SPSC_WAIT_FOREVER));
    CHECK(memcmp(from, "hello", 5) == 0);
    OK(release(4));
    OK(release(0));
    OK(peek(1, 0));
    CHECK(memcmp(from, "o", 1) == 0);
    OK(release(1));
    OK(claim(0, SPSC_WAIT_FOREVER));
    OK(peek(0, SPSC_WAIT_FOREVER));
    CHECK(to != NULL && from != NULL);
    CHECK(stats().published == 5 && stats().released == 5);
    spsc_close(ring);
}

static void a_wait_ends_as_the_function_says(void)
{
    open_ring();
    CHECK_FAILS(from, peek(1, 0), SPSC_TIMEOUT);
    CHECK_FAILS(from, peek(1, MILLISECOND), SPSC_TIMEOUT);
    OK(spsc_interrupt(ring, SPSC_CONSUMER));
    CHECK_FAILS(from, peek(1, SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    put(capacity);
    CHECK_FAILS(to, claim(1, 0), SPSC_TIMEOUT);
    CHECK_FAILS(to, claim(1, MILLISECOND), SPSC_TIMEOUT);
    OK(spsc_wakeup_all(ring));
    CHECK_FAILS(to, claim(1, SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    CHECK_FAILS(to, claim(capacity + 1, 0), SPSC_ERR_TOO_LARGE);
    CHECK_FAILS(to, claim(SIZE_MAX, 0), SPSC_ERR_TOO_LARGE);
    CHECK_FAILS(from, peek(capacity + 1, 0), SPSC_ERR_TOO_LARGE);
    CHECK_FAILS(from, peek(SIZE_MAX, 0), SPSC_ERR_TOO_LARGE);
    /* None of that took away what there is. */
    get(capacity);
    spsc_close(ring);
}

static void the_end_comes_after_all_that_was_published(void)
{
    const char *name = new_name();
    spsc_ring *other = new_ring(name, 1);
    take(connected(name));
    send_bytes(other, 3);
    spsc_close(other);
    get(3);
    CHECK_FAILS(from, peek(1, SPSC_WAIT_FOREVER), SPSC_CLOSED);

    /* The next peer is killed in its role. */
    const pid_t child = fork();
    if (child == 0) {
        other = connected(name);
        send_bytes(other, 4);
        raise(SIGKILL);
    }
    int how = 0;
    CHECK(waitpid(child, &how, 0) == child && WIFSIGNALED(how));
    get(4);
    CHECK_FAILS(from, peek(1, SPSC_WAIT_FOREVER), SPSC_PEER_DEAD);

    other = connected(name);
    CHECK_STATUS(spsc_wait_for_data(other, 1, 0), SPSC_ERR_ROLE_TAKEN);
    put(capacity);
    spsc_close(ring);
    take(other);
    CHECK_FAILS(to, claim(1, SPSC_WAIT_FOREVER), SPSC_CLOSED);
    get(capacity);
    spsc_close(ring);
}

/* Without a role the cursor has no room: the first call is the function, which asks for the role. */
static void a_role_is_taken_as_by_the_functions(void)
{
    const char *name = new_name();
    spsc_ring *first = new_ring(name, 1);
    send_bytes(first, 1);
    CHECK_STATUS(spsc_wait_for_data(first, 1, 0), SPSC_OK);
    take(connected(name));
    CHECK_FAILS(to, claim(1, 0), SPSC_ERR_ROLE_TAKEN);
    CHECK_FAILS(from, peek(1, 0), SPSC_ERR_ROLE_TAKEN);
    CHECK_STATUS(publish(1), SPSC_ERR_MISUSE);
    CHECK_STATUS(release(1), SPSC_ERR_MISUSE);
    /* Nothing handed over is nothing stored: the counters are those of others. */
    OK(publish(0));
    OK(release(0));
    CHECK(stats().published == 1 && stats().available == 1);
    spsc_close(first);
    /* It goes on where the stream stands. */
    get(1);
    put(1);
    CHECK(stats().producer.generation == 2 && stats().consumer.generation == 2);
    /* A role that was given up is asked for again. */
    first = connected(name);
    OK(spsc_leave(ring, SPSC_PRODUCER));
    send_bytes(first, 1);
    CHECK_FAILS(to, claim(1, 0), SPSC_ERR_ROLE_TAKEN);
    CHECK_STATUS(publish(1), SPSC_ERR_MISUSE);
    spsc_close(first);
    spsc_close(ring);
}

static void handing_over_more_than_was_granted_changes_nothing(void)
{
    open_ring();
    CHECK_STATUS(publish(1), SPSC_ERR_MISUSE);
    CHECK_STATUS(release(1), SPSC_ERR_MISUSE);
    OK(claim(4, 0));
    CHECK_STATUS(publish(5), SPSC_ERR_MISUSE);
    CHECK_STATUS(publish(SIZE_MAX), SPSC_ERR_MISUSE);
    CHECK(spsc_available(ring) == 0);
    OK(publish(4));
    CHECK_STATUS(publish(1), SPSC_ERR_MISUSE);
    OK(peek(3, 0));
    CHECK_STATUS(release(4), SPSC_ERR_MISUSE);
    CHECK_STATUS(release(SIZE_MAX), SPSC_ERR_MISUSE);
    OK(release(3));
    CHECK_STATUS(release(1), SPSC_ERR_MISUSE);
    CHECK(spsc_available(ring) == 1);
    /* A failed claim leaves the last one as it was. */
    OK(claim(2, 0));
    CHECK_FAILS(to, claim(capacity, 0), SPSC_TIMEOUT);
    OK(publish(2));
    spsc_close(ring);
}

static void null_is_refused(void)
{
    open_ring();
    CHECK(spsc_cursor_of(NULL, SPSC_PRODUCER) == NULL);
    CHECK(spsc_cursor_of(ring, 0) == NULL);
    CHECK(spsc_cursor_of(ring, SPSC_PRODUCER | SPSC_CONSUMER) == NULL);
    errno = ENOENT;
    CHECK_STATUS(spsc_inline_claim(ring, producer, 1, 0, NULL), SPSC_ERR_INVALID_ARGUMENT);
    CHECK(errno == 0);
    errno = ENOENT;
    CHECK_STATUS(spsc_inline_peek(ring, consumer, 1, 0, NULL), SPSC_ERR_INVALID_ARGUMENT);
    CHECK(errno == 0);
    CHECK_FAILS(to, spsc_inline_claim(NULL, NULL, 1, 0, &to), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(from, spsc_inline_peek(NULL, NULL, 1, 0, &from), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_inline_publish(NULL, NULL, 1), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_inline_release(NULL, NULL, 1), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_wake(NULL, SPSC_PRODUCER), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_wake(ring, 0), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_wake(ring, SPSC_PRODUCER | SPSC_CONSUMER), SPSC_ERR_INVALID_ARGUMENT);
    /* Without a cursor each is the call alone. */
    OK(spsc_inline_claim(ring, NULL, 2, 0, &to));
    memcpy(to, "ab", 2);
    OK(spsc_inline_publish(ring, NULL, 2));
    OK(spsc_inline_peek(ring, NULL, 2, 0, &from));
    CHECK(memcmp(from, "ab", 2) == 0);
    OK(spsc_inline_release(ring, NULL, 2));
    spsc_close(ring);
}

/* Inline or by the function, chosen anew for every call. */

static spsc_status any_claim(uint64_t *random, size_t want)
{
    return payload_next(random) & 1 ? claim(want, 0) : spsc_claim(ring, want, 0, &to);
}

static spsc_status any_publish(uint64_t *random, size_t n)
{
    return payload_next(random) & 1 ? publish(n) : spsc_publish(ring, n);
}

static spsc_status any_peek(uint64_t *random, size_t want)
{
    return payload_next(random) & 1 ? peek(want, 0) : spsc_peek(ring, want, 0, &from);
}

static spsc_status any_release(uint64_t *random, size_t n)
{
    return payload_next(random) & 1 ? release(n) : spsc_release(ring, n);
}

/* The counters of the ring, as its peer could write them. */
struct counters {
    volatile uint64_t *head, *tail;
    void *mapping;
};

static struct counters map_counters(void)
{
    struct counters counters;
    void *control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, spsc_fd(ring), 0);
    CHECK(control != MAP_FAILED);
    counters.mapping = control;
    counters.head = (volatile uint64_t *)((char *)control + 128);
    counters.tail = (volatile uint64_t *)((char *)control + 256);
    return counters;
}

static void unmap(struct counters counters)
{
    CHECK(munmap(counters.mapping, 4096) == 0);
}

/* Both may be mixed in one stream, at every offset and where the counters themselves wrap. */
static void mixed_with_the_functions(uint64_t start)
{
    uint64_t writer = 20, reader = 20, random = 21;
    open_ring();
    struct counters counters = map_counters();
    *counters.head = *counters.tail = start;
    unmap(counters);
    for (int i = 0; i < 20000; i++) {
        const size_t room = capacity - (size_t)spsc_available(ring);
        /* In words of 8 bytes, which is what the payload is made of. */
        const size_t in = (size_t)(payload_next(&random) % (room / 8 + 1)) * 8;
        OK(any_claim(&random, in));
        payload_fill(&writer, to, in);
        OK(any_publish(&random, in / 16 * 8));
        CHECK_STATUS(any_publish(&random, in + 1), SPSC_ERR_MISUSE);
        OK(any_publish(&random, in - in / 16 * 8));
        CHECK_STATUS(any_claim(&random, room - in + 1),
            room - in == capacity ? SPSC_ERR_TOO_LARGE : SPSC_TIMEOUT);
        const size_t there = (size_t)spsc_available(ring);
        const size_t out = (size_t)(payload_next(&random) % (there / 8 + 1)) * 8;
        OK(any_peek(&random, out));
        CHECK(payload_matches(&reader, from, out));
        OK(any_release(&random, out / 16 * 8));
        CHECK_STATUS(any_release(&random, out + 1), SPSC_ERR_MISUSE);
        OK(any_release(&random, out - out / 16 * 8));
        CHECK_STATUS(any_peek(&random, there - out + 1),
            there - out == capacity ? SPSC_ERR_TOO_LARGE : SPSC_TIMEOUT);
    }
    CHECK(stats().published - start > 100 * capacity);
    spsc_close(ring);
}

static void the_whole_capacity_is_contiguous_from_every_offset(void)
{
    open_ring();
    for (size_t offset = 0; offset < capacity; offset += 7) {
        uint64_t writer = offset, reader = offset;
        OK(claim(capacity, 0));
        payload_fill(&writer, to, capacity);
        OK(publish(capacity));
        OK(peek(capacity, 0));
        CHECK(payload_matches(&reader, from, capacity));
        OK(release(capacity));
        put(7);
        get(7);
    }
    spsc_close(ring);
}

/* Whatever stands in the peer's counter, no more is granted than is mapped. */
static void nonsense_in_the_peers_counter_is_found_out(void)
{
    open_ring();
    put(10);
    get(4);
    struct counters counters = map_counters();
    CHECK(*counters.head == 10 && *counters.tail == 4);
    const uint64_t heads[] = {3, 9, 4 + capacity + 1, 4 + 2 * capacity, UINT64_MAX,
        UINT64_C(1) << 63, (UINT64_C(1) << 32) + 10};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        *counters.head = heads[i];
        CHECK_FAILS(from, peek(7, SPSC_WAIT_FOREVER), SPSC_ERR_CORRUPT);
        CHECK_FAILS(from, peek(capacity, SPSC_WAIT_FOREVER), SPSC_ERR_CORRUPT);
        CHECK_FAILS(from, peek(SIZE_MAX, SPSC_WAIT_FOREVER), SPSC_ERR_TOO_LARGE);
        CHECK(consumer->limit - consumer->position == 6);
        /* What was there is there. */
        OK(peek(6, 0));
    }
    *counters.head = 10;
    CHECK_FAILS(from, peek(7, 0), SPSC_TIMEOUT);
    get(6);

    put(capacity);
    CHECK(*counters.head == 10 + capacity && *counters.tail == 10);
    const uint64_t tails[] = {9, 0, 10 + capacity + 1, UINT64_MAX, UINT64_C(1) << 63,
        (UINT64_C(1) << 32) + 10};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        *counters.tail = tails[i];
        CHECK_FAILS(to, claim(1, SPSC_WAIT_FOREVER), SPSC_ERR_CORRUPT);
        CHECK_FAILS(to, claim(capacity, SPSC_WAIT_FOREVER), SPSC_ERR_CORRUPT);
        CHECK(producer->limit == producer->position);
    }
    *counters.tail = 10;
    CHECK_FAILS(to, claim(1, 0), SPSC_TIMEOUT);
    get(capacity);
    unmap(counters);
    spsc_close(ring);

    /* Before a role is taken nothing in the shared memory gives any room. */
    open_ring();
    counters = map_counters();
    *counters.tail = 1;
    CHECK_FAILS(to, claim(1, 0), SPSC_ERR_CORRUPT);
    CHECK_FAILS(from, peek(1, 0), SPSC_ERR_CORRUPT);
    CHECK_STATUS(publish(1), SPSC_ERR_MISUSE);
    CHECK_STATUS(release(1), SPSC_ERR_MISUSE);
    unmap(counters);
    spsc_close(ring);
}

static void *a_late_peek(void *unused)
{
    OK(peek(2, SPSC_WAIT_FOREVER));
    return unused;
}

static void *a_late_claim(void *unused)
{
    OK(claim(2, SPSC_WAIT_FOREVER));
    return unused;
}

/* A handle counts whom it has woken. A sleeper looks up by itself ten times a second, and is not woken
 * if it does so at that moment: so not every round counts. */
static void a_sleeper_is_woken_once_it_has_enough(void)
{
    pthread_t thread;
    uint64_t consumers_woken = 0, producers_woken = 0;
    for (int i = 0; i < 20; i++) {
        open_ring();
        CHECK(pthread_create(&thread, NULL, a_late_peek, NULL) == 0);
        while (stats().consumer.parked == 0)
            sched_yield();
        put(1);
        CHECK(stats().producer.wakes == 0);
        put(1);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(stats().producer.wakes <= 1);
        consumers_woken += stats().producer.wakes;
        OK(release(2));

        put(capacity);
        CHECK(pthread_create(&thread, NULL, a_late_claim, NULL) == 0);
        while (stats().producer.parked == 0)
            sched_yield();
        OK(peek(2, 0));
        OK(release(1));
        CHECK(stats().consumer.wakes == 0);
        OK(release(1));
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(stats().consumer.wakes <= 1);
        producers_woken += stats().consumer.wakes;
        spsc_close(ring);
    }
    CHECK(consumers_woken > 0 && producers_woken > 0);
}

int main(void)
{
    what_is_published_is_peeked();
    a_wait_ends_as_the_function_says();
    the_end_comes_after_all_that_was_published();
    a_role_is_taken_as_by_the_functions();
    handing_over_more_than_was_granted_changes_nothing();
    null_is_refused();
    const uint64_t edges[] = {0, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        mixed_with_the_functions(edges[i] - edges[i] % 4096);
    the_whole_capacity_is_contiguous_from_every_offset();
    nonsense_in_the_peers_counter_is_found_out();
    a_sleeper_is_woken_once_it_has_enough();
    return 0;
}
