#include "stream.h"

#include <inttypes.h>

int main(int argc, char **argv) {
    stream s = stream_open(argc, argv);
    unsigned char message[HEADER_SIZE + LENGTHS];
    const void *data;

    for (uint64_t i = 0; i < s.count; i++) {
        size_t size = next_message(&s, message);
        /* The header first, as a reader must who does not know what comes. */
        must(spsc_peek(s.ring, HEADER_SIZE, SPSC_WAIT_FOREVER, &data), "peek of a header");
        if (memcmp(data, message, HEADER_SIZE) != 0) fail("another header");
        must(spsc_peek(s.ring, size, SPSC_WAIT_FOREVER, &data), "peek of a message");
        if (memcmp(data, message, size) != 0) fail("another payload");
        must(spsc_release(s.ring, size), "release");
    }
    spsc_status end = spsc_peek(s.ring, 1, SPSC_WAIT_FOREVER, &data);
    if (end != (s.killed ? SPSC_PEER_DEAD : SPSC_CLOSED)) {
        fprintf(stderr, "the stream's end: %s\n", spsc_status_string(end));
        return 1;
    }
    spsc_close(s.ring);
    printf("ok %" PRIu64 "\n", s.count);
    return 0;
}
