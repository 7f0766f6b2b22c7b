/* What the two message programs, producer.c and consumer.c, have in common. */
#ifndef PEER_H
#define PEER_H

#include "check.h"
#include "payload.h"

#include <inttypes.h>

/* The command line, the same for both: they make the same random messages of it. */
struct messages {
    const char *name;
    size_t min_capacity;
    uint64_t seed;
    uint64_t count;
    size_t max_size; /* 0: the whole capacity */
};

static inline uint64_t peer_number(const char *text)
{
    char *end = NULL;
    errno = 0;
    const uint64_t number = strtoumax(text, &end, 10);
    CHECK(errno == 0 && end != text && *end == 0);
    return number;
}

static inline struct messages peer_arguments(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: %s NAME MIN_CAPACITY SEED COUNT MAX_SIZE\n", argv[0]);
        exit(2);
    }
    struct messages messages;
    messages.name = argv[1];
    messages.min_capacity = (size_t)peer_number(argv[2]);
    messages.seed = peer_number(argv[3]);
    messages.count = peer_number(argv[4]);
    messages.max_size = (size_t)peer_number(argv[5]);
    return messages;
}

/* Makes the ring, or connects to it where the other side, or whoever started both, was first. */
static inline spsc_ring *peer_open(struct messages *messages)
{
    spsc_ring *ring = NULL;
    spsc_status status = spsc_create(messages->name, messages->min_capacity, &ring);
    if (status == SPSC_ERR_ALREADY_EXISTS)
        status = spsc_connect(messages->name, &ring);
    OK(status);
    if (messages->max_size == 0)
        messages->max_size = (size_t)spsc_capacity(ring);
    return ring;
}

#endif
