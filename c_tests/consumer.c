/* Checks every byte of the producer's messages, and removes the ring's name when they have come.
 * Usage: consumer NAME MIN_CAPACITY SEED COUNT MAX_SIZE */
#include "peer.h"

int main(int argc, char **argv)
{
    struct messages messages = peer_arguments(argc, argv);
    spsc_ring *ring = peer_open(&messages);
    uint64_t state = messages.seed;
    const void *data = NULL;
    for (uint64_t i = 0; i < messages.count; i++) {
        const size_t size = payload_size(&state, messages.max_size);
        OK(spsc_peek(ring, size, SPSC_WAIT_FOREVER, &data));
        if (!payload_matches(&state, data, size)) {
            fprintf(stderr, "message %" PRIu64 " of %zu bytes is not what was sent\n", i, size);
            return 1;
        }
        OK(spsc_release(ring, size));
    }
    CHECK_STATUS(spsc_peek(ring, 1, SPSC_WAIT_FOREVER, &data), SPSC_CLOSED);
    spsc_close(ring);
    OK(spsc_unlink(messages.name));
    return 0;
}
