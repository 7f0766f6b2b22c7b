/* Messages: what is sent whole is received whole, with its tag. Every status that the calls give. */
#include "check.h"
#include "payload.h"

#include <pthread.h>

static spsc_ring *ring;
static size_t capacity;
static spsc_message message;
static size_t count;

static void open_ring(size_t min_capacity)
{
    OK(spsc_create_anonymous(min_capacity, &ring));
    capacity = (size_t)spsc_capacity(ring);
}

static void expect(uint32_t tag, const void *bytes, size_t len)
{
    OK(spsc_receive(ring, 0, &message));
    CHECK(message.tag == tag && message.len == len && message.reserved == 0);
    CHECK(memcmp(message.data, bytes, len) == 0);
    OK(spsc_receive_done(ring));
}

static void messages_of_one_frame_lie_in_the_ring(void)
{
    static unsigned char bytes[1 << 16];
    uint64_t state = 1;
    payload_fill(&state, bytes, sizeof bytes);
    open_ring(1);
    const size_t sizes[] = {0, 1, 7, 8, 9, 64, 1000, capacity / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        OK(spsc_send(ring, (uint32_t)i, bytes, sizes[i], 0));
        CHECK(spsc_available(ring) == 8 + (sizes[i] + 7) / 8 * 8);
        /* Given again until it is done. */
        OK(spsc_receive(ring, 0, &message));
        CHECK((uintptr_t)message.data % 8 == 0);
        expect((uint32_t)i, bytes, sizes[i]);
        CHECK(spsc_available(ring) == 0);
    }
    CHECK_FAILS(message, spsc_receive(ring, 0, &message), SPSC_TIMEOUT);
    CHECK_STATUS(spsc_receive_done(ring), SPSC_ERR_MISUSE);
    OK(spsc_send(ring, UINT32_MAX, NULL, 0, 0));
    expect(UINT32_MAX, "", 0);
    spsc_close(ring);
}

static void a_message_is_written_in_place(void)
{
    void *data;
    open_ring(1);
    CHECK_FAILS(data, spsc_message_claim(ring, capacity / 2 + 1, 0, &data), SPSC_ERR_TOO_LARGE);
    CHECK_STATUS(spsc_message_publish(ring, 1, 0), SPSC_ERR_MISUSE);
    OK(spsc_message_claim(ring, 13, 0, &data));
    CHECK((uintptr_t)data % 8 == 0);
    memcpy(data, "hello, world!", 13);
    CHECK_STATUS(spsc_message_publish(ring, 1, 14), SPSC_ERR_MISUSE);
    OK(spsc_message_publish(ring, 1, 5));
    /* The claim is used up. */
    CHECK_STATUS(spsc_message_publish(ring, 1, 0), SPSC_ERR_MISUSE);
    expect(1, "hello", 5);

    OK(spsc_message_claim(ring, capacity / 2, 0, &data));
    OK(spsc_message_publish(ring, 2, 0));
    expect(2, "", 0);

    /* A claim that fails leaves the one before; sending replaces it. */
    OK(spsc_message_claim(ring, 8, 0, &data));
    void *more;
    OK(spsc_message_claim(ring, capacity / 2, 0, &data));
    OK(spsc_message_publish(ring, 3, capacity / 2));
    OK(spsc_message_claim(ring, 8, 0, &data));
    CHECK_FAILS(more, spsc_message_claim(ring, capacity / 2, 0, &more), SPSC_TIMEOUT);
    memcpy(data, "12345678", 8);
    OK(spsc_message_publish(ring, 4, 8));
    OK(spsc_message_claim(ring, 8, 0, &data));
    OK(spsc_send(ring, 5, "x", 1, 0));
    CHECK_STATUS(spsc_message_publish(ring, 6, 0), SPSC_ERR_MISUSE);
    OK(spsc_receive(ring, 0, &message));
    OK(spsc_receive_done(ring));
    expect(4, "12345678", 8);
    expect(5, "x", 1);
    spsc_close(ring);
}

static void many_go_in_one_call(void)
{
    open_ring(1);
    static spsc_message some[8000], got[30];
    for (uint32_t i = 0; i < 8000; i++) {
        some[i].data = "0123456789";
        some[i].len = i % 11;
        some[i].tag = i;
        some[i].reserved = 77;
    }
    count = 99;
    OK(spsc_send_some(ring, NULL, 0, 0, &count));
    CHECK(count == 0);
    OK(spsc_send_some(ring, some, 8000, 0, &count));
    CHECK(count >= capacity / 24 && count < 8000); /* all that the ring holds */
    const size_t sent = count;
    CHECK_FAILS(count, spsc_send_some(ring, some + 10, 1, 0, &count), SPSC_TIMEOUT);

    OK(spsc_receive_some(ring, 0, NULL, 0, &count));
    CHECK(count == 0);
    CHECK_STATUS(spsc_receive_done(ring), SPSC_ERR_MISUSE);
    size_t done = 0;
    while (done < sent) {
        OK(spsc_receive_some(ring, 0, got, 30, &count));
        CHECK(count == (sent - done < 30 ? sent - done : 30));
        for (size_t i = 0; i < count; i++) {
            CHECK(got[i].tag == done + i && got[i].len == got[i].tag % 11 && got[i].reserved == 0);
            CHECK(memcmp(got[i].data, "0123456789", got[i].len) == 0);
        }
        OK(spsc_receive_done(ring));
        done += count;
    }
    CHECK_FAILS(count, spsc_receive_some(ring, 0, got, 30, &count), SPSC_TIMEOUT);

    /* One that can't be sent is refused, with all before it. */
    some[3].data = NULL;
    CHECK_FAILS(count, spsc_send_some(ring, some, 10, 0, &count), SPSC_ERR_INVALID_ARGUMENT);
    CHECK(spsc_available(ring) == 0);
    spsc_close(ring);
}

enum { LARGE = 300000 };
static unsigned char large[LARGE];

static void *send_large(void *unused)
{
    (void)unused;
    for (uint32_t tag = 0; tag < 4; tag++)
        OK(spsc_send(ring, tag, large, LARGE - tag, SPSC_WAIT_FOREVER));
    return NULL;
}

static void large_ones_are_assembled(void)
{
    uint64_t state = 2;
    payload_fill(&state, large, sizeof large);
    open_ring(1);
    /* Of the four, the first two are too large, of which the second is skipped half-way. */
    OK(spsc_set_max_message(ring, LARGE - 2));
    pthread_t sender;
    CHECK(pthread_create(&sender, NULL, send_large, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        for (int again = 0; again < 2; again++)
            CHECK_FAILS(message, spsc_receive(ring, SPSC_WAIT_FOREVER, &message),
                SPSC_ERR_TOO_LARGE);
        OK(spsc_receive_done(ring));
        CHECK_STATUS(spsc_receive_done(ring), SPSC_ERR_MISUSE);
    }
    for (uint32_t tag = 2; tag < 4; tag++) {
        if (tag == 2) {
            OK(spsc_receive(ring, SPSC_WAIT_FOREVER, &message));
        } else {
            spsc_message some[2];
            OK(spsc_receive_some(ring, SPSC_WAIT_FOREVER, some, 2, &count));
            CHECK(count == 1);
            message = some[0];
        }
        CHECK(message.tag == tag && message.len == LARGE - tag);
        CHECK(memcmp(message.data, large, message.len) == 0);
        OK(spsc_receive_done(ring));
    }
    CHECK(pthread_join(sender, NULL) == 0);
    spsc_close(ring);
}

static void half_a_message_is_lost_and_no_other(void)
{
    const char *name = new_name();
    ring = new_ring(name, 1);
    capacity = (size_t)spsc_capacity(ring);
    spsc_ring *sender = connected(name);
    /* Without a wait: all or nothing. */
    CHECK_STATUS(spsc_send(sender, 1, large, 4 * capacity, 0), SPSC_TIMEOUT);
    CHECK(spsc_available(ring) == 0);
    CHECK_STATUS(spsc_send(sender, 1, large, 4 * capacity, MILLISECOND), SPSC_TIMEOUT);
    CHECK(spsc_available(ring) == capacity);
    CHECK_STATUS(spsc_receive(ring, 0, &message), SPSC_TIMEOUT);
    OK(spsc_send(sender, 2, "next", 4, 0));
    expect(2, "next", 4);
    CHECK_STATUS(spsc_send(sender, 3, large, 4 * capacity, MILLISECOND), SPSC_TIMEOUT);
    spsc_close(sender);
    CHECK_FAILS(message, spsc_receive(ring, SPSC_WAIT_FOREVER, &message), SPSC_CLOSED);
    CHECK(spsc_available(ring) == 0);
    spsc_close(ring);
}

static void waits_end_as_all_do(void)
{
    const char *name = new_name();
    ring = new_ring(name, 1);
    capacity = (size_t)spsc_capacity(ring);
    OK(spsc_interrupt(ring, SPSC_CONSUMER | SPSC_PRODUCER));
    CHECK_FAILS(message, spsc_receive(ring, SPSC_WAIT_FOREVER, &message), SPSC_INTERRUPTED);
    OK(spsc_send(ring, 0, large, capacity / 2, 0));
    CHECK_STATUS(spsc_send(ring, 0, large, capacity / 2, SPSC_WAIT_FOREVER), SPSC_INTERRUPTED);
    spsc_ring *other = connected(name);
    CHECK_STATUS(spsc_send(other, 0, NULL, 0, 0), SPSC_ERR_ROLE_TAKEN);
    CHECK_FAILS(message, spsc_receive(other, 0, &message), SPSC_ERR_ROLE_TAKEN);
    spsc_close(other);

    /* A process that dies half-way through a message. */
    OK(spsc_leave(ring, SPSC_PRODUCER));
    pid_t child = fork();
    if (child == 0) {
        spsc_ring *mine = connected(name);
        (void)!spsc_send(mine, 1, large, 4 * capacity, MILLISECOND);
        _exit(0);
    }
    join_child(child);
    OK(spsc_receive(ring, SPSC_WAIT_FOREVER, &message));
    CHECK(message.tag == 0);
    OK(spsc_receive_done(ring));
    CHECK_FAILS(message, spsc_receive(ring, SPSC_WAIT_FOREVER, &message), SPSC_PEER_DEAD);
    OK(spsc_send(ring, 2, "alive", 5, 0));
    expect(2, "alive", 5);
    spsc_close(ring);
}

static void what_no_sender_writes_is_corrupt(void)
{
    open_ring(1);
    send_bytes(ring, 16); /* a length of "xxxx" */
    CHECK_FAILS(message, spsc_receive(ring, SPSC_WAIT_FOREVER, &message), SPSC_ERR_CORRUPT);
    spsc_message some[1];
    CHECK_FAILS(count, spsc_receive_some(ring, 0, some, 1, &count), SPSC_ERR_CORRUPT);
    CHECK_STATUS(spsc_receive_done(ring), SPSC_ERR_MISUSE);
    CHECK(spsc_available(ring) == 16);
    send_bytes(ring, 3);
    void *data;
    CHECK_STATUS(spsc_send(ring, 0, "x", 1, 0), SPSC_ERR_CORRUPT);
    CHECK_FAILS(data, spsc_message_claim(ring, 1, 0, &data), SPSC_ERR_CORRUPT);
    const spsc_message one = {"x", 1, 0, 0};
    CHECK_FAILS(count, spsc_send_some(ring, &one, 1, 0, &count), SPSC_ERR_CORRUPT);
    /* Empty messages, but for the place where they lie. */
    receive_bytes(ring, 19);
    OK(spsc_claim(ring, 16, 0, &data));
    memset(data, 0, 16);
    OK(spsc_publish(ring, 16));
    CHECK_FAILS(message, spsc_receive(ring, 0, &message), SPSC_ERR_CORRUPT);
    CHECK_FAILS(count, spsc_receive_some(ring, 0, some, 1, &count), SPSC_ERR_CORRUPT);
    CHECK_STATUS(spsc_receive_done(ring), SPSC_ERR_MISUSE);
    spsc_close(ring);
}

static void nulls_are_refused(void)
{
    const spsc_status INVALID = SPSC_ERR_INVALID_ARGUMENT;
    const spsc_message one = {NULL, 0, 0, 0};
    void *data;
    open_ring(1);
    CHECK_STATUS(spsc_send(NULL, 0, "x", 1, 0), INVALID);
    CHECK_STATUS(spsc_send(ring, 0, NULL, 1, 0), INVALID);
    CHECK_STATUS(spsc_send(ring, 0, "x", SIZE_MAX, 0), INVALID);
    CHECK_FAILS(count, spsc_send_some(NULL, &one, 1, 0, &count), INVALID);
    CHECK_FAILS(count, spsc_send_some(ring, NULL, 1, 0, &count), INVALID);
    CHECK_STATUS(spsc_send_some(ring, &one, 1, 0, NULL), INVALID);
    CHECK_FAILS(data, spsc_message_claim(NULL, 1, 0, &data), INVALID);
    CHECK_STATUS(spsc_message_claim(ring, 1, 0, NULL), INVALID);
    CHECK_STATUS(spsc_message_publish(NULL, 0, 0), INVALID);
    CHECK_FAILS(message, spsc_receive(NULL, 0, &message), INVALID);
    CHECK_STATUS(spsc_receive(ring, 0, NULL), INVALID);
    CHECK_FAILS(count, spsc_receive_some(NULL, 0, &message, 1, &count), INVALID);
    CHECK_FAILS(count, spsc_receive_some(ring, 0, NULL, 1, &count), INVALID);
    CHECK_STATUS(spsc_receive_some(ring, 0, &message, 1, NULL), INVALID);
    CHECK_STATUS(spsc_receive_done(NULL), INVALID);
    CHECK_STATUS(spsc_set_max_message(NULL, 1), INVALID);
    CHECK(spsc_available(ring) == 0);
    spsc_close(ring);
}

int main(void)
{
    messages_of_one_frame_lie_in_the_ring();
    a_message_is_written_in_place();
    many_go_in_one_call();
    large_ones_are_assembled();
    half_a_message_is_lost_and_no_other();
    waits_end_as_all_do();
    what_no_sender_writes_is_corrupt();
    nulls_are_refused();
    return 0;
}
