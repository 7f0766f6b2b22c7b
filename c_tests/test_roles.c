/* Claim, peek, publish and release when they can't do what is asked: every status of theirs. */
#include "check.h"

#include <sys/mman.h>
#include <sys/resource.h>

static void *data;
static const void *bytes;
static size_t len;

/* The six calls that may wait, each with the same question and the same answer expected. */
static void producer_gets(spsc_ring *ring, size_t want, uint64_t timeout_ns, spsc_status expected)
{
    CHECK_FAILS(data, spsc_claim(ring, want, timeout_ns, &data), expected);
    CHECK_FAILS(data, spsc_claim_some(ring, want, timeout_ns, &data, &len), expected);
    CHECK_FAILS(len, spsc_claim_some(ring, want, timeout_ns, &data, &len), expected);
    CHECK_STATUS(spsc_wait_for_space(ring, want, timeout_ns), expected);
}

static void consumer_gets(spsc_ring *ring, size_t want, uint64_t timeout_ns, spsc_status expected)
{
    CHECK_FAILS(bytes, spsc_peek(ring, want, timeout_ns, &bytes), expected);
    CHECK_FAILS(bytes, spsc_peek_some(ring, want, timeout_ns, &bytes, &len), expected);
    CHECK_FAILS(len, spsc_peek_some(ring, want, timeout_ns, &bytes, &len), expected);
    CHECK_STATUS(spsc_wait_for_data(ring, want, timeout_ns), expected);
}

static spsc_ring *anonymous(void)
{
    spsc_ring *ring = NULL;
    OK(spsc_create_anonymous(1, &ring));
    return ring;
}

static spsc_ring *second_handle(const spsc_ring *ring)
{
    spsc_ring *other = NULL;
    OK(spsc_connect_fd(spsc_fd(ring), &other));
    return other;
}

static void more_than_the_capacity_is_refused_at_once(void)
{
    spsc_ring *ring = anonymous();
    const size_t capacity = (size_t)spsc_capacity(ring);
    const size_t sizes[] = {capacity + 1, 2 * capacity, SIZE_MAX / 2 + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        producer_gets(ring, sizes[i], SPSC_WAIT_FOREVER, SPSC_ERR_TOO_LARGE);
        consumer_gets(ring, sizes[i], SPSC_WAIT_FOREVER, SPSC_ERR_TOO_LARGE);
    }
    OK(spsc_claim(ring, capacity, 0, &data));
    spsc_close(ring);
}

static void publishing_what_is_not_claimed_changes_nothing(void)
{
    spsc_ring *ring = anonymous();
    CHECK_STATUS(spsc_publish(ring, 1), SPSC_ERR_MISUSE);
    OK(spsc_publish(ring, 0));
    OK(spsc_claim(ring, 10, 0, &data));
    CHECK_STATUS(spsc_publish(ring, 11), SPSC_ERR_MISUSE);
    CHECK_STATUS(spsc_publish(ring, SIZE_MAX), SPSC_ERR_MISUSE);
    CHECK(spsc_available(ring) == 0);
    /* A claim that fails leaves the one before. */
    producer_gets(ring, SIZE_MAX, 0, SPSC_ERR_TOO_LARGE);
    OK(spsc_publish(ring, 10));
    CHECK_STATUS(spsc_publish(ring, 1), SPSC_ERR_MISUSE);
    CHECK(spsc_available(ring) == 10);
    /* Waiting for space claims none. */
    OK(spsc_wait_for_space(ring, 10, 0));
    CHECK_STATUS(spsc_publish(ring, 1), SPSC_ERR_MISUSE);
    spsc_close(ring);
}

static void releasing_what_is_not_peeked_changes_nothing(void)
{
    spsc_ring *ring = anonymous();
    CHECK_STATUS(spsc_release(ring, 1), SPSC_ERR_MISUSE);
    OK(spsc_release(ring, 0));
    send_bytes(ring, 20);
    CHECK_STATUS(spsc_release(ring, 1), SPSC_ERR_MISUSE);
    OK(spsc_peek(ring, 10, 0, &bytes));
    CHECK_STATUS(spsc_release(ring, 11), SPSC_ERR_MISUSE);
    CHECK_STATUS(spsc_release(ring, SIZE_MAX), SPSC_ERR_MISUSE);
    CHECK(spsc_available(ring) == 20);
    /* A peek that fails leaves the one before. */
    consumer_gets(ring, 21, 0, SPSC_TIMEOUT);
    OK(spsc_release(ring, 10));
    CHECK_STATUS(spsc_release(ring, 1), SPSC_ERR_MISUSE);
    CHECK(spsc_available(ring) == 10);
    OK(spsc_wait_for_data(ring, 10, 0));
    CHECK_STATUS(spsc_release(ring, 1), SPSC_ERR_MISUSE);
    spsc_close(ring);
}

static void a_wait_lasts_as_long_as_its_timeout(void)
{
    spsc_ring *ring = anonymous();
    const size_t capacity = (size_t)spsc_capacity(ring);
    const uint64_t timeouts[] = {0, 1, 1000, MILLISECOND, 20 * MILLISECOND};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        uint64_t start = now_ns();
        consumer_gets(ring, 1, timeouts[i], SPSC_TIMEOUT);
        CHECK(now_ns() - start >= 4 * timeouts[i]);
    }
    send_bytes(ring, capacity);
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        uint64_t start = now_ns();
        producer_gets(ring, 1, timeouts[i], SPSC_TIMEOUT);
        CHECK(now_ns() - start >= 4 * timeouts[i]);
    }
    /* One byte too few is not enough. */
    receive_bytes(ring, 99);
    producer_gets(ring, 100, 0, SPSC_TIMEOUT);
    OK(spsc_claim(ring, 99, 0, &data));
    spsc_close(ring);
}

static void a_role_has_one_holder_at_a_time(void)
{
    const char *name = new_name();
    spsc_ring *first = new_ring(name, 1), *second = connected(name);
    OK(spsc_claim(first, 1, 0, &data));
    consumer_gets(first, 1, 0, SPSC_TIMEOUT);
    producer_gets(second, 1, SPSC_WAIT_FOREVER, SPSC_ERR_ROLE_TAKEN);
    consumer_gets(second, 1, SPSC_WAIT_FOREVER, SPSC_ERR_ROLE_TAKEN);
    spsc_close(first);
    OK(spsc_claim(second, 1, 0, &data));
    send_bytes(second, 1);
    receive_bytes(second, 1);
    spsc_close(second);

    /* Waiting takes the role too. */
    first = connected(name), second = connected(name);
    OK(spsc_wait_for_space(first, 1, 0));
    CHECK_STATUS(spsc_wait_for_data(first, 1, 0), SPSC_TIMEOUT);
    producer_gets(second, 1, 0, SPSC_ERR_ROLE_TAKEN);
    consumer_gets(second, 1, 0, SPSC_ERR_ROLE_TAKEN);
    spsc_close(first);
    spsc_close(second);
}

static void closing_the_producer_ends_the_stream_after_its_last_byte(void)
{
    spsc_ring *producer = anonymous(), *consumer = second_handle(producer);
    send_bytes(producer, 10);
    OK(spsc_claim(producer, 5, 0, &data));
    spsc_close(producer);
    consumer_gets(consumer, 11, 0, SPSC_CLOSED);
    consumer_gets(consumer, 11, SPSC_WAIT_FOREVER, SPSC_CLOSED);
    receive_bytes(consumer, 10);
    consumer_gets(consumer, 1, SPSC_WAIT_FOREVER, SPSC_CLOSED);

    /* It is not final: another producer goes on where the stream stands. */
    producer = second_handle(consumer);
    send_bytes(producer, 3);
    receive_bytes(consumer, 3);
    consumer_gets(consumer, 1, 0, SPSC_TIMEOUT);
    spsc_close(producer);
    spsc_close(consumer);
}

static void closing_the_consumer_lets_the_producer_fill_the_ring(void)
{
    spsc_ring *producer = anonymous(), *consumer = second_handle(producer);
    const size_t capacity = (size_t)spsc_capacity(producer);
    send_bytes(producer, 10);
    receive_bytes(consumer, 6);
    OK(spsc_peek(consumer, 4, 0, &bytes));
    spsc_close(consumer);
    send_bytes(producer, capacity - 4);
    producer_gets(producer, 1, 0, SPSC_CLOSED);
    producer_gets(producer, 1, SPSC_WAIT_FOREVER, SPSC_CLOSED);

    /* What was peeked and not released is the next consumer's. */
    consumer = second_handle(producer);
    receive_bytes(consumer, capacity);
    OK(spsc_claim(producer, capacity, 0, &data));
    spsc_close(producer);
    spsc_close(consumer);
}

/* A process that sends or receives `n` bytes, and ends without closing its handle. */
static void die_after(spsc_ring *ring, size_t send, size_t receive)
{
    pid_t child = fork();
    if (child == 0) {
        if (send > 0)
            send_bytes(ring, send);
        if (receive > 0)
            receive_bytes(ring, receive);
        _exit(0);
    }
    join_child(child);
}

static void a_dead_producer_is_reported_after_its_last_byte(void)
{
    spsc_ring *consumer = anonymous();
    die_after(consumer, 10, 0);
    receive_bytes(consumer, 9);
    consumer_gets(consumer, 2, SPSC_WAIT_FOREVER, SPSC_PEER_DEAD);
    receive_bytes(consumer, 1);
    consumer_gets(consumer, 1, SPSC_WAIT_FOREVER, SPSC_PEER_DEAD);
    spsc_ring *producer = second_handle(consumer);
    send_bytes(producer, 1);
    receive_bytes(consumer, 1);
    consumer_gets(consumer, 1, 0, SPSC_TIMEOUT);
    spsc_close(producer);
    spsc_close(consumer);
}

static void a_dead_consumer_is_reported_when_the_ring_is_full(void)
{
    spsc_ring *producer = anonymous();
    const size_t capacity = (size_t)spsc_capacity(producer);
    send_bytes(producer, capacity);
    die_after(producer, 0, 10);
    send_bytes(producer, 10);
    producer_gets(producer, 1, SPSC_WAIT_FOREVER, SPSC_PEER_DEAD);
    spsc_ring *consumer = second_handle(producer);
    receive_bytes(consumer, capacity);
    OK(spsc_claim(producer, capacity, 0, &data));
    spsc_close(consumer);
    spsc_close(producer);
}

static void a_forked_child_has_none_of_its_parents_roles(void)
{
    spsc_ring *ring = anonymous();
    send_bytes(ring, 4);
    consumer_gets(ring, 5, 0, SPSC_TIMEOUT);
    pid_t child = fork();
    if (child == 0) {
        CHECK_STATUS(spsc_publish(ring, 1), SPSC_ERR_MISUSE);
        producer_gets(ring, 1, 0, SPSC_ERR_ROLE_TAKEN);
        consumer_gets(ring, 1, 0, SPSC_ERR_ROLE_TAKEN);
        spsc_close(ring);
        exit(0);
    }
    join_child(child);
    receive_bytes(ring, 4);
    consumer_gets(ring, 1, 0, SPSC_TIMEOUT);

    /* Where the child can't get locks of its own, it says so rather than use the parent's. */
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const struct rlimit none_left = {0, limit.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &none_left) == 0);
    child = fork();
    if (child == 0) {
        producer_gets(ring, 1, 0, SPSC_ERR_SYSTEM);
        consumer_gets(ring, 1, 0, SPSC_ERR_SYSTEM);
        exit(0);
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    join_child(child);
    spsc_close(ring);
}

static void counters_that_contradict_each_other_are_refused(void)
{
    spsc_ring *ring = anonymous();
    const uint64_t capacity = spsc_capacity(ring);
    void *control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, spsc_fd(ring), 0);
    CHECK(control != MAP_FAILED);
    uint64_t *head = (uint64_t *)((char *)control + 128);
    uint64_t *tail = (uint64_t *)((char *)control + 256);
    send_bytes(ring, 10);
    receive_bytes(ring, 4);
    CHECK(*head == 10 && *tail == 4);

    /* The consumer has seen 10: less is a step back. */
    const uint64_t heads[] = {3, 9, 4 + capacity + 1, UINT64_MAX, UINT64_C(1) << 63};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        *head = heads[i];
        consumer_gets(ring, 7, SPSC_WAIT_FOREVER, SPSC_ERR_CORRUPT);
        CHECK(spsc_available(ring) <= capacity);
    }
    *head = 10;
    consumer_gets(ring, 7, 0, SPSC_TIMEOUT);
    receive_bytes(ring, 6);

    send_bytes(ring, (size_t)capacity);
    CHECK(*head == 10 + capacity && *tail == 10);
    const uint64_t tails[] = {9, 0, 10 + capacity + 1, UINT64_MAX, UINT64_C(1) << 63};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        *tail = tails[i];
        producer_gets(ring, 1, SPSC_WAIT_FOREVER, SPSC_ERR_CORRUPT);
        CHECK(spsc_available(ring) <= capacity);
    }
    *tail = 10;
    producer_gets(ring, 1, 0, SPSC_TIMEOUT);
    receive_bytes(ring, (size_t)capacity);

    /* A new handle takes no role in such a ring. */
    spsc_close(ring);
    ring = anonymous();
    munmap(control, 4096);
    control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, spsc_fd(ring), 0);
    CHECK(control != MAP_FAILED);
    tail = (uint64_t *)((char *)control + 256);
    *tail = 1;
    producer_gets(ring, 1, 0, SPSC_ERR_CORRUPT);
    consumer_gets(ring, 1, 0, SPSC_ERR_CORRUPT);
    *tail = 0;
    send_bytes(ring, 1);
    receive_bytes(ring, 1);
    munmap(control, 4096);
    spsc_close(ring);
}

int main(void)
{
    more_than_the_capacity_is_refused_at_once();
    publishing_what_is_not_claimed_changes_nothing();
    releasing_what_is_not_peeked_changes_nothing();
    a_wait_lasts_as_long_as_its_timeout();
    a_role_has_one_holder_at_a_time();
    closing_the_producer_ends_the_stream_after_its_last_byte();
    closing_the_consumer_lets_the_producer_fill_the_ring();
    a_dead_producer_is_reported_after_its_last_byte();
    a_dead_consumer_is_reported_when_the_ring_is_full();
    a_forked_child_has_none_of_its_parents_roles();
    counters_that_contradict_each_other_are_refused();
    return 0;
}
