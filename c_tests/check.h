/*
 * All that the test programs share. Include it first: it asks the C library for its GNU interfaces.
 *
 * Every program compiles as C11 and as C++17, exits 0, or names the line that failed and exits 1.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "spsc_shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)
#define CHECK_STATUS(call, expected) \
    check_status((int32_t)(call), (int32_t)(expected), __FILE__, __LINE__, #call)
/* The call fails as expected, and leaves the variable `out` as it was. */
#define CHECK_FAILS(out, call, expected)                          \
    do {                                                          \
        memset(&(out), 0x5a, sizeof(out));                        \
        CHECK_STATUS(call, expected);                             \
        check_untouched(&(out), sizeof(out), __FILE__, __LINE__); \
    } while (0)

/* "It worked", for calls that are not what a test is about. */
#define OK(call) CHECK_STATUS(call, SPSC_OK)

static const uint64_t MILLISECOND = 1000000;

static inline void check_that(int holds, const char *file, int line, const char *condition)
{
    if (!holds) {
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, condition);
        exit(1);
    }
}

static inline void check_status(
    int32_t status, int32_t expected, const char *file, int line, const char *call)
{
    if (status != expected) {
        fprintf(stderr, "%s:%d: %s\n    gave %d (%s; errno %d), not %d (%s)\n", file, line, call,
            status, spsc_status_string(status), errno, expected, spsc_status_string(expected));
        exit(1);
    }
}

static inline void check_untouched(const void *out, size_t size, const char *file, int line)
{
    for (size_t i = 0; i < size; i++)
        check_that(((const unsigned char *)out)[i] == 0x5a, file, line, "the output is untouched");
}

static char check_names[64][64];
static int check_name_count;
static pid_t check_owner;

static inline void check_unlink_names(void)
{
    if (getpid() != check_owner)
        return; /* a forked child that exits */
    for (int i = 0; i < check_name_count; i++)
        spsc_unlink(check_names[i]);
}

/* A name that nobody else has, unlinked at exit. */
static inline const char *new_name(void)
{
    if (check_name_count == 0) {
        check_owner = getpid();
        atexit(check_unlink_names);
    }
    CHECK(check_name_count < 64);
    char *name = check_names[check_name_count];
    snprintf(name, sizeof check_names[0], "spsc-ctest-%ld-%d", (long)check_owner, check_name_count);
    check_name_count++;
    return name;
}

/* A new named ring. */
static inline spsc_ring *new_ring(const char *name, size_t min_capacity)
{
    spsc_ring *ring = NULL;
    OK(spsc_create(name, min_capacity, &ring));
    CHECK(ring != NULL);
    return ring;
}

/* Another handle on a ring. */
static inline spsc_ring *connected(const char *name)
{
    spsc_ring *ring = NULL;
    OK(spsc_connect(name, &ring));
    CHECK(ring != NULL);
    return ring;
}

/* Sends a few bytes of which the test wants no more than that they are there. */
static inline void send_bytes(spsc_ring *ring, size_t n)
{
    void *data = NULL;
    OK(spsc_claim(ring, n, SPSC_WAIT_FOREVER, &data));
    memset(data, 'x', n);
    OK(spsc_publish(ring, n));
}

static inline void receive_bytes(spsc_ring *ring, size_t n)
{
    const void *data = NULL;
    OK(spsc_peek(ring, n, SPSC_WAIT_FOREVER, &data));
    OK(spsc_release(ring, n));
}

/* Waits for a forked child, which must end well. */
static inline void join_child(pid_t child)
{
    int status = 0;
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline uint64_t now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 * MILLISECOND + (uint64_t)now.tv_nsec;
}

#endif
