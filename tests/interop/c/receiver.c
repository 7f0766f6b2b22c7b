#include "stream.h"

#include <inttypes.h>

int main(int argc, char **argv) {
    stream s = stream_open(argc, argv);
    static unsigned char payload[LONGEST];
    spsc_message message;

    for (uint64_t i = 0; i < s.count; i++) {
        uint32_t tag;
        size_t length = next_payload(&s, &tag, payload);
        must(spsc_receive(s.ring, SPSC_WAIT_FOREVER, &message), "receive");
        if (message.tag != tag || message.len != length) fail("another tag or length");
        if (memcmp(message.data, payload, length) != 0) fail("another payload");
        must(spsc_receive_done(s.ring), "done");
    }
    spsc_status end = spsc_receive(s.ring, SPSC_WAIT_FOREVER, &message);
    if (end != (s.killed ? SPSC_PEER_DEAD : SPSC_CLOSED)) {
        fprintf(stderr, "the stream's end: %s\n", spsc_status_string(end));
        return 1;
    }
    spsc_close(s.ring);
    printf("ok %" PRIu64 "\n", s.count);
    return 0;
}
