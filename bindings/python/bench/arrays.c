/* What bench/arrays.py is measured beside: blocks of 1 MiB, copied in and out.
 *
 *     cc -O2 -I../../include -o arrays bench/arrays.c ../../target/release/libspsc_shm.a -lpthread -ldl -lm
 */
#define _GNU_SOURCE
#include <sched.h>
#include <spsc_shm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 1 << 20, ROUNDS = 20000 };

static void check(int status) {
    if (status != SPSC_OK) {
        fprintf(stderr, "status %d\n", status);
        _exit(1);
    }
}

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

int main(void) {
    struct spsc_ring *ring;
    check(spsc_create_anonymous(4 << 20, &ring));
    char *array = malloc(SIZE);
    memset(array, 1, SIZE);
    if (fork() == 0) {
        struct spsc_ring *own;
        check(spsc_connect_fd(spsc_fd(ring), &own));
        pin(1);
        for (int i = 0; i < ROUNDS; i++) {
            const void *data;
            check(spsc_peek(own, SIZE, UINT64_MAX, &data));
            memcpy(array, data, SIZE);
            check(spsc_release(own, SIZE));
        }
        _exit(0);
    }
    pin(0);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < ROUNDS; i++) {
        void *data;
        check(spsc_claim(ring, SIZE, UINT64_MAX, &data));
        memcpy(data, array, SIZE);
        check(spsc_publish(ring, SIZE));
    }
    wait(NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double ns = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);
    printf("C: %.1f us for each MiB\n", ns / ROUNDS / 1e3);
    return 0;
}
