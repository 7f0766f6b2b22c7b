/* The messages that both sides expect: see ../README.md. */
#ifndef STREAM_H
#define STREAM_H

#include <spsc_shm.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 8
#define LENGTHS 1500
#define LONGEST 16384
#define CONNECT_NS (10 * UINT64_C(1000000000))

typedef struct {
    spsc_ring *ring;
    uint64_t count;
    uint64_t state; /* of the generator */
    int killed;     /* else closed */
} stream;

static inline void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static inline void must(spsc_status status, const char *what) {
    if (status == SPSC_OK) return;
    fprintf(stderr, "%s: %s\n", what, spsc_status_string(status));
    exit(1);
}

static inline uint64_t number(const char *text) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0') fail("not a number");
    return value;
}

static inline stream stream_open(int argc, char **argv) {
    stream s;
    if (argc != 5) fail("usage: NAME COUNT SEED close|kill");
    s.count = number(argv[2]);
    s.state = number(argv[3]) * 2 + 1;
    s.killed = strcmp(argv[4], "kill") == 0;
    if (!s.killed && strcmp(argv[4], "close") != 0) fail("END is close or kill");
    must(spsc_connect_timeout(argv[1], CONNECT_NS, &s.ring), "connect");
    return s;
}

static inline uint64_t next(stream *s) {
    s->state ^= s->state >> 12;
    s->state ^= s->state << 25;
    s->state ^= s->state >> 27;
    return s->state * UINT64_C(0x2545F4914F6CDD1D);
}

static inline void put_u32(unsigned char *to, uint32_t value) {
    for (int i = 0; i < 4; i++) to[i] = (unsigned char)(value >> (8 * i));
}

/* Makes the next message, and returns its size with the header. */
static inline size_t next_message(stream *s, unsigned char message[HEADER_SIZE + LENGTHS]) {
    uint32_t length = (uint32_t)(next(s) % LENGTHS);
    uint64_t base = next(s);
    uint32_t checksum = 0x811C9DC5;
    for (uint32_t j = 0; j < length; j++) {
        unsigned char byte = (unsigned char)((base >> (8 * (j % 8))) ^ (j / 8));
        message[HEADER_SIZE + j] = byte;
        checksum = (checksum ^ byte) * 0x01000193;
    }
    put_u32(message, length);
    put_u32(message + 4, checksum);
    return HEADER_SIZE + length;
}

/* Makes the payload of the next message that the library frames, and returns its length. */
static inline size_t next_payload(stream *s, uint32_t *tag, unsigned char payload[LONGEST]) {
    uint64_t kind = next(s) % 4;
    size_t length = (size_t)(next(s) % (kind == 0 ? LONGEST + 1 : 300));
    *tag = (uint32_t)next(s);
    uint64_t base = next(s);
    for (size_t j = 0; j < length; j++)
        payload[j] = (unsigned char)((base >> (8 * (j % 8))) ^ (j / 8));
    return length;
}

#endif
