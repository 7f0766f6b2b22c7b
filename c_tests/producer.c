/* Sends random messages. Usage: producer NAME MIN_CAPACITY SEED COUNT MAX_SIZE */
#include "peer.h"

int main(int argc, char **argv)
{
    struct messages messages = peer_arguments(argc, argv);
    spsc_ring *ring = peer_open(&messages);
    uint64_t state = messages.seed;
    for (uint64_t i = 0; i < messages.count; i++) {
        const size_t size = payload_size(&state, messages.max_size);
        void *data = NULL;
        OK(spsc_claim(ring, size, SPSC_WAIT_FOREVER, &data));
        payload_fill(&state, data, size);
        OK(spsc_publish(ring, size));
    }
    spsc_close(ring);
    return 0;
}
