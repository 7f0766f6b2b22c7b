/* The ring is a stream of bytes: how it is cut up on one side means nothing on the other. */
#include "check.h"
#include "payload.h"

static spsc_ring *ring;
static size_t capacity;
static void *to;
static const void *from;
static size_t len;

static void open_ring(size_t min_capacity)
{
    OK(spsc_create_anonymous(min_capacity, &ring));
    capacity = (size_t)spsc_capacity(ring);
}

/* Puts both positions `n` bytes further, without a byte left in the ring. */
static void move_on(size_t n)
{
    send_bytes(ring, n);
    receive_bytes(ring, n);
}

static void write_text(const char *text)
{
    OK(spsc_claim(ring, strlen(text), 0, &to));
    memcpy(to, text, strlen(text));
    OK(spsc_publish(ring, strlen(text)));
}

static void read_text(const char *text)
{
    OK(spsc_peek(ring, strlen(text), 0, &from));
    CHECK(memcmp(from, text, strlen(text)) == 0);
    OK(spsc_release(ring, strlen(text)));
}

static void sizes_need_not_match(void)
{
    open_ring(1);
    write_text("ab");
    write_text("cdefgh");
    read_text("abcdefgh");
    write_text("abcdefgh");
    read_text("ab");
    read_text("cdefgh");
    CHECK(spsc_available(ring) == 0);

    /* 4 and 100 as 104, and the reverse. */
    uint64_t writer = 1;
    unsigned char bytes[104];
    payload_fill(&writer, bytes, sizeof bytes);
    const size_t cuts[][2] = {{4, 100}, {104, 0}};
    for (int way = 0; way < 2; way++) {
        size_t done = 0;
        for (int i = 0; i < 2; i++) {
            OK(spsc_claim(ring, cuts[way][i], 0, &to));
            memcpy(to, bytes + done, cuts[way][i]);
            OK(spsc_publish(ring, cuts[way][i]));
            done += cuts[way][i];
        }
        done = 0;
        for (int i = 0; i < 2; i++) {
            OK(spsc_peek(ring, cuts[1 - way][i], 0, &from));
            CHECK(memcmp(from, bytes + done, cuts[1 - way][i]) == 0);
            OK(spsc_release(ring, cuts[1 - way][i]));
            done += cuts[1 - way][i];
        }
    }
    spsc_close(ring);
}

/* Random cuts on both sides, for many times the capacity. */
static void any_cut_gives_the_same_bytes(void)
{
    uint64_t writer = 10, reader = 10, sizes = 11;
    open_ring(1);
    for (int i = 0; i < 20000; i++) {
        /* In words of 8 bytes, which is what the payload is made of. */
        const size_t free_words = (capacity - (size_t)spsc_available(ring)) / 8;
        const size_t put = (size_t)(payload_next(&sizes) % (free_words + 1)) * 8;
        OK(spsc_claim(ring, put, 0, &to));
        payload_fill(&writer, to, put);
        OK(spsc_publish(ring, put));
        const size_t there = (size_t)spsc_available(ring);
        const size_t take = (size_t)(payload_next(&sizes) % (there / 8 + 1)) * 8;
        OK(spsc_peek(ring, take, 0, &from));
        CHECK(payload_matches(&reader, from, take));
        OK(spsc_release(ring, take));
    }
    spsc_close(ring);
}

static void part_of_a_claim_may_be_published(void)
{
    open_ring(1);
    OK(spsc_claim(ring, 10, 0, &to));
    memcpy(to, "abcdefghij", 10);
    OK(spsc_publish(ring, 3));
    CHECK(spsc_available(ring) == 3);
    CHECK_STATUS(spsc_peek(ring, 4, 0, &from), SPSC_TIMEOUT);
    read_text("abc");
    /* The rest is still claimed, */
    OK(spsc_publish(ring, 0));
    OK(spsc_publish(ring, 2));
    OK(spsc_publish(ring, 4));
    CHECK_STATUS(spsc_publish(ring, 2), SPSC_ERR_MISUSE);
    OK(spsc_publish(ring, 1));
    CHECK_STATUS(spsc_publish(ring, 1), SPSC_ERR_MISUSE);
    read_text("defghij");

    /* until a new claim replaces it, from where the stream stands. */
    OK(spsc_claim(ring, 10, 0, &to));
    memcpy(to, "never seen", 10);
    OK(spsc_publish(ring, 1));
    OK(spsc_claim(ring, 2, 0, &to));
    memcpy(to, "ew", 2);
    CHECK_STATUS(spsc_publish(ring, 3), SPSC_ERR_MISUSE);
    OK(spsc_publish(ring, 2));
    read_text("new");

    /* A claim of nothing replaces it as well. */
    OK(spsc_claim(ring, 10, 0, &to));
    OK(spsc_claim(ring, 0, 0, &to));
    CHECK_STATUS(spsc_publish(ring, 1), SPSC_ERR_MISUSE);
    spsc_close(ring);
}

static void part_of_a_peek_may_be_released(void)
{
    open_ring(1);
    write_text("abcdefghij");
    OK(spsc_peek(ring, 6, 0, &from));
    OK(spsc_release(ring, 2));
    OK(spsc_release(ring, 0));
    OK(spsc_release(ring, 3));
    CHECK_STATUS(spsc_release(ring, 2), SPSC_ERR_MISUSE);
    OK(spsc_release(ring, 1));
    CHECK(spsc_available(ring) == 4);
    /* Without a release, the same bytes are peeked again. */
    OK(spsc_peek(ring, 4, 0, &from));
    CHECK(memcmp(from, "ghij", 4) == 0);
    OK(spsc_peek(ring, 1, 0, &from));
    CHECK(memcmp(from, "g", 1) == 0);
    CHECK_STATUS(spsc_release(ring, 2), SPSC_ERR_MISUSE);
    OK(spsc_release(ring, 1));
    read_text("hij");
    spsc_close(ring);
}

static void nothing_can_be_asked_for_at_any_time(void)
{
    open_ring(1);
    for (int full = 0; full < 2; full++) {
        to = NULL, from = NULL;
        OK(spsc_claim(ring, 0, SPSC_WAIT_FOREVER, &to));
        OK(spsc_peek(ring, 0, SPSC_WAIT_FOREVER, &from));
        CHECK(to != NULL && from != NULL);
        OK(spsc_publish(ring, 0));
        OK(spsc_release(ring, 0));
        OK(spsc_wait_for_space(ring, 0, SPSC_WAIT_FOREVER));
        OK(spsc_wait_for_data(ring, 0, SPSC_WAIT_FOREVER));
        if (!full)
            send_bytes(ring, capacity);
    }
    spsc_close(ring);
}

static void claim_some_gives_all_that_is_free(void)
{
    open_ring(1);
    OK(spsc_claim_some(ring, 1, 0, &to, &len));
    CHECK(len == capacity);
    memcpy(to, "hello", 5);
    OK(spsc_publish(ring, 5));
    OK(spsc_claim_some(ring, capacity - 5, 0, &to, &len));
    CHECK(len == capacity - 5);
    CHECK_STATUS(spsc_claim_some(ring, capacity - 4, 0, &to, &len), SPSC_TIMEOUT);
    /* All of it is claimed. */
    memset(to, 'z', len);
    CHECK_STATUS(spsc_publish(ring, len + 1), SPSC_ERR_MISUSE);
    OK(spsc_publish(ring, len));
    to = NULL;
    OK(spsc_claim_some(ring, 0, SPSC_WAIT_FOREVER, &to, &len));
    CHECK(len == 0 && to != NULL);
    read_text("hello");
    /* It looks for what was freed since. */
    OK(spsc_claim_some(ring, 0, 0, &to, &len));
    CHECK(len == 5);
    spsc_close(ring);
}

static void peek_some_gives_all_that_is_there(void)
{
    open_ring(1);
    from = NULL;
    OK(spsc_peek_some(ring, 0, SPSC_WAIT_FOREVER, &from, &len));
    CHECK(len == 0 && from != NULL);
    CHECK_STATUS(spsc_peek_some(ring, 1, 0, &from, &len), SPSC_TIMEOUT);
    write_text("hel");
    write_text("lo");
    OK(spsc_peek_some(ring, 1, 0, &from, &len));
    CHECK(len == 5 && memcmp(from, "hello", 5) == 0);
    write_text(" you");
    OK(spsc_peek_some(ring, 1, 0, &from, &len));
    CHECK(len == 9 && memcmp(from, "hello you", 9) == 0);
    CHECK_STATUS(spsc_peek_some(ring, 10, 0, &from, &len), SPSC_TIMEOUT);
    CHECK_STATUS(spsc_release(ring, 10), SPSC_ERR_MISUSE);
    OK(spsc_release(ring, 9));
    spsc_close(ring);
}

/* Fills the ring from where it stands, and reads it: in one piece, and in two. */
static void whole_ring_from_here(uint64_t seed)
{
    uint64_t writer = seed, reader = seed;
    OK(spsc_claim(ring, capacity, 0, &to));
    payload_fill(&writer, to, capacity);
    OK(spsc_publish(ring, capacity));
    OK(spsc_peek(ring, capacity, 0, &from));
    CHECK(payload_matches(&reader, from, capacity));
    reader = seed;
    const size_t half = capacity / 2;
    OK(spsc_peek(ring, half, 0, &from));
    CHECK(payload_matches(&reader, from, half));
    OK(spsc_release(ring, half));
    /* Across the end, or behind it: the same bytes through another address. */
    OK(spsc_peek(ring, half, 0, &from));
    CHECK(payload_matches(&reader, from, half));
    OK(spsc_release(ring, half));
}

static void the_whole_capacity_is_contiguous_from_every_offset(void)
{
    open_ring(1);
    for (size_t offset = 0; offset < capacity; offset++) {
        whole_ring_from_here(offset);
        move_on(1);
    }
    whole_ring_from_here(capacity);
    spsc_close(ring);

    open_ring(1 << 20);
    const size_t offsets[] = {1, 7, 8, 63, 64, 4095, 4096, 4097, capacity / 2 - 1, capacity / 2,
        capacity / 2 + 1, capacity - 4096, capacity - 64, capacity - 8, capacity - 1};
    size_t here = 0;
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        move_on(offsets[i] - here);
        here = offsets[i];
        whole_ring_from_here(i);
    }
    spsc_close(ring);
}

static void two_rings_do_not_mix(void)
{
    spsc_ring *other = NULL;
    open_ring(1);
    OK(spsc_create_anonymous(1, &other));
    write_text("here");
    CHECK(spsc_available(other) == 0);
    send_bytes(other, 9);
    read_text("here");
    CHECK(spsc_available(other) == 9);
    spsc_close(other);
    spsc_close(ring);
}

int main(void)
{
    sizes_need_not_match();
    any_cut_gives_the_same_bytes();
    part_of_a_claim_may_be_published();
    part_of_a_peek_may_be_released();
    nothing_can_be_asked_for_at_any_time();
    claim_some_gives_all_that_is_free();
    peek_some_gives_all_that_is_there();
    the_whole_capacity_is_contiguous_from_every_offset();
    two_rings_do_not_mix();
    return 0;
}
