#include "stream.h"

#include <signal.h>

int main(int argc, char **argv) {
    stream s = stream_open(argc, argv);
    unsigned char message[HEADER_SIZE + LENGTHS];

    for (uint64_t i = 0; i < s.count; i++) {
        size_t size = next_message(&s, message);
        void *space;
        must(spsc_claim(s.ring, size, SPSC_WAIT_FOREVER, &space), "claim");
        memcpy(space, message, size);
        must(spsc_publish(s.ring, size), "publish");
    }
    if (s.killed) raise(SIGKILL);
    spsc_close(s.ring);
    return 0;
}
