/*
 * A program of version 0.2: compiled with the headers of that version, kept in 0.2/, and run with
 * today's library. It shall work for as long as the major version is the same.
 *
 * What the library has got since does not belong here.
 */
#include <spsc_shm.h>
#include <spsc_shm_inline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                         \
    do {                                                                         \
        if (!(condition)) {                                                      \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                             \
        }                                                                        \
    } while (0)

/* What a struct of this version is in a program whose own version has more members at the end. */
struct larger_options {
    spsc_options known;
    uint64_t later[4];
};
struct larger_stats {
    spsc_stats_t known;
    uint64_t later[4];
};
/* A struct of this version, and what must not be touched. */
struct guarded_options {
    spsc_options known;
    unsigned char guard[64];
};
struct guarded_stats {
    spsc_stats_t known;
    unsigned char guard[64];
};

static void check_filled(const void *bytes, size_t size, unsigned char with)
{
    for (size_t i = 0; i < size; i++)
        CHECK(((const unsigned char *)bytes)[i] == with);
}

static void options_are_read_and_written_to_their_size(const char *name)
{
    spsc_ring *ring = NULL;
    struct guarded_options options;
    memset(&options, 0x5a, sizeof options);
    CHECK(spsc_options_init(&options.known, sizeof options.known) == SPSC_OK);
    check_filled(options.guard, sizeof options.guard, 0x5a);
    const spsc_options defaults = SPSC_OPTIONS_INIT;
    CHECK(memcmp(&options.known, &defaults, sizeof defaults) == 0);
    CHECK(spsc_create_with(name, 4096, &options.known, &ring) == SPSC_OK);
    check_filled(options.guard, sizeof options.guard, 0x5a);
    spsc_close(ring);

    /* A larger one: the library that does not know its tail takes zeros for "as before". */
    struct larger_options larger;
    memset(&larger, 0x5a, sizeof larger);
    CHECK(spsc_options_init(&larger.known, sizeof larger) == SPSC_OK);
    CHECK(larger.known.struct_size == sizeof larger);
    larger.known.flags = SPSC_REPLACE_STALE;
    memset(larger.later, 0, sizeof larger.later);
    CHECK(spsc_create_with(name, 4096, &larger.known, &ring) == SPSC_OK);
    spsc_close(ring);
    /* The last member is beyond what any library knows. */
    larger.later[3] = 1;
    CHECK(spsc_create_with(name, 4096, &larger.known, &ring) == SPSC_ERR_INVALID_ARGUMENT);
    larger.later[3] = 0;

    larger.known.struct_size = sizeof(spsc_options) - 1;
    CHECK(spsc_create_with(name, 4096, &larger.known, &ring) == SPSC_ERR_INVALID_ARGUMENT);
    CHECK(spsc_unlink(name) == SPSC_OK);
}

static void stats_are_written_to_their_size(spsc_ring *ring)
{
    struct guarded_stats stats;
    memset(&stats, 0x5a, sizeof stats);
    CHECK(spsc_stats(ring, &stats.known, sizeof stats.known) == SPSC_OK);
    check_filled(stats.guard, sizeof stats.guard, 0x5a);
    CHECK(stats.known.capacity == spsc_capacity(ring));
    CHECK(stats.known.producer.state == SPSC_ROLE_ATTACHED);

    struct larger_stats larger;
    memset(&larger, 0x5a, sizeof larger);
    CHECK(spsc_stats(ring, &larger.known, sizeof larger) == SPSC_OK);
    CHECK(memcmp(&larger.known.capacity, &stats.known.capacity, sizeof(uint64_t)) == 0);
    /* The last member is beyond what any library knows. */
    CHECK(larger.later[3] == 0);
    CHECK(spsc_stats(ring, &stats.known, sizeof stats.known - 1) == SPSC_ERR_INVALID_ARGUMENT);
}

/* Bytes through the functions, and through the code that was compiled into this program. */
static void bytes_flow(spsc_ring *producer, spsc_ring *consumer)
{
    for (uint64_t i = 0; i < 100000; i++) {
        void *to = NULL;
        const void *from = NULL;
        CHECK(spsc_claim(producer, sizeof i, SPSC_WAIT_FOREVER, &to) == SPSC_OK);
        memcpy(to, &i, sizeof i);
        CHECK(spsc_publish(producer, sizeof i) == SPSC_OK);
        CHECK(spsc_peek(consumer, sizeof i, SPSC_WAIT_FOREVER, &from) == SPSC_OK);
        CHECK(memcmp(from, &i, sizeof i) == 0);
        CHECK(spsc_release(consumer, sizeof i) == SPSC_OK);
    }
}

static void bytes_flow_inline(spsc_ring *producer, spsc_ring *consumer)
{
    spsc_cursor *to_ring = spsc_cursor_of(producer, SPSC_PRODUCER);
    spsc_cursor *from_ring = spsc_cursor_of(consumer, SPSC_CONSUMER);
    CHECK(to_ring != NULL && from_ring != NULL);
    for (uint64_t i = 0; i < 100000; i++) {
        void *to = NULL;
        const void *from = NULL;
        CHECK(spsc_inline_claim(producer, to_ring, sizeof i, SPSC_WAIT_FOREVER, &to) == SPSC_OK);
        memcpy(to, &i, sizeof i);
        CHECK(spsc_inline_publish(producer, to_ring, sizeof i) == SPSC_OK);
        CHECK(spsc_inline_peek(consumer, from_ring, sizeof i, SPSC_WAIT_FOREVER, &from) == SPSC_OK);
        CHECK(memcmp(from, &i, sizeof i) == 0);
        CHECK(spsc_inline_release(consumer, from_ring, sizeof i) == SPSC_OK);
    }
}

/* The other structs, whose size is fixed. */
static void messages_flow(spsc_ring *producer, spsc_ring *consumer)
{
    spsc_message message;
    CHECK(spsc_send(producer, 7, "message", 7, SPSC_WAIT_FOREVER) == SPSC_OK);
    spsc_wait_item items[2] = {
        {producer, SPSC_PRODUCER, SPSC_OK, 1},
        {consumer, SPSC_CONSUMER, SPSC_OK, 1},
    };
    size_t ready = 0;
    CHECK(spsc_wait_any(items, 2, SPSC_WAIT_FOREVER, &ready) == SPSC_OK);
    CHECK(items[0].status == SPSC_OK && items[1].status == SPSC_OK);
    CHECK(spsc_receive(consumer, SPSC_WAIT_FOREVER, &message) == SPSC_OK);
    CHECK(message.tag == 7 && message.len == 7 && memcmp(message.data, "message", 7) == 0);
    CHECK(spsc_receive_done(consumer) == SPSC_OK);
}

static void statuses_have_their_numbers(spsc_ring *producer, spsc_ring *consumer, const char *name)
{
    const void *from = NULL;
    spsc_ring *other = NULL;
    CHECK(spsc_peek(consumer, 1, 0, &from) == SPSC_TIMEOUT);
    CHECK(spsc_publish(producer, 1) == SPSC_ERR_MISUSE);
    CHECK(spsc_create(name, 1, &other) == SPSC_ERR_ALREADY_EXISTS);
    CHECK(spsc_connect(name, &other) == SPSC_OK);
    CHECK(spsc_peek(other, 1, 0, &from) == SPSC_ERR_ROLE_TAKEN);
    spsc_close(other);
    CHECK(spsc_interrupt(consumer, SPSC_CONSUMER) == SPSC_OK);
    CHECK(spsc_peek(consumer, 1, SPSC_WAIT_FOREVER, &from) == SPSC_INTERRUPTED);
    CHECK(spsc_clear_interrupt(consumer, SPSC_CONSUMER) == SPSC_OK);
    spsc_close(producer);
    CHECK(spsc_peek(consumer, 1, SPSC_WAIT_FOREVER, &from) == SPSC_CLOSED);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    const char *name = argv[1];
    options_are_read_and_written_to_their_size(name);
    spsc_ring *producer = NULL, *consumer = NULL;
    CHECK(spsc_create(name, 4096, &producer) == SPSC_OK);
    CHECK(spsc_connect(name, &consumer) == SPSC_OK);
    bytes_flow(producer, consumer);
    bytes_flow_inline(producer, consumer);
    messages_flow(producer, consumer);
    stats_are_written_to_their_size(producer);
    statuses_have_their_numbers(producer, consumer, name);
    spsc_close(consumer);
    CHECK(spsc_unlink(name) == SPSC_OK);
    return 0;
}
