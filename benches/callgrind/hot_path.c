/* claim, publish, peek, release of 64 bytes, ROUNDS times in one thread: for callgrind to count.
 *
 *     hot_path ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>

#include "spsc_shm.h"

enum { MESSAGE = 64 };

static void check(spsc_status status) {
    if (status != SPSC_OK) {
        fprintf(stderr, "hot_path: %s\n", spsc_status_string(status));
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv) {
    long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    spsc_ring *ring;
    check(spsc_create_anonymous(4096, &ring));
    for (long i = 0; i < rounds; i++) {
        void *in;
        const void *out;
        check(spsc_claim(ring, MESSAGE, 0, &in));
        check(spsc_publish(ring, MESSAGE));
        check(spsc_peek(ring, MESSAGE, 0, &out));
        check(spsc_release(ring, MESSAGE));
    }
    spsc_close(ring);
    return 0;
}
