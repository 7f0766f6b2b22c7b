#include "stream.h"

#include <signal.h>

int main(int argc, char **argv) {
    stream s = stream_open(argc, argv);
    static unsigned char payload[LONGEST];

    for (uint64_t i = 0; i < s.count; i++) {
        uint32_t tag;
        size_t length = next_payload(&s, &tag, payload);
        must(spsc_send(s.ring, tag, payload, length, SPSC_WAIT_FOREVER), "send");
    }
    if (s.killed) raise(SIGKILL);
    spsc_close(s.ring);
    return 0;
}
