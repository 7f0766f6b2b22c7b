/*
 * Random numbers that both sides of a ring can make for themselves (SplitMix64), so that every
 * byte that arrives can be checked. tests/support/src/random.rs has the same in Rust.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t payload_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A message's size: 1 to max bytes. */
static inline size_t payload_size(uint64_t *state, size_t max)
{
    return 1 + (size_t)(payload_next(state) % max);
}

static inline void payload_fill(uint64_t *state, void *data, size_t size)
{
    unsigned char *to = (unsigned char *)data;
    while (size > 0) {
        const uint64_t word = payload_next(state);
        const size_t n = size < 8 ? size : 8;
        memcpy(to, &word, n);
        to += n;
        size -= n;
    }
}

/* Whether these are the bytes that payload_fill makes. */
static inline int payload_matches(uint64_t *state, const void *data, size_t size)
{
    const unsigned char *from = (const unsigned char *)data;
    while (size > 0) {
        const uint64_t word = payload_next(state);
        const size_t n = size < 8 ? size : 8;
        if (memcmp(from, &word, n) != 0)
            return 0;
        from += n;
        size -= n;
    }
    return 1;
}

#endif
