#include "stream.hpp"

#include <csignal>

int main(int argc, char **argv) {
    return run([&] {
        Stream stream(argc, argv);
        const Handle ring = stream.open();
        for (std::uint64_t i = 0; i < stream.count; ++i) {
            const Payload payload = stream.next_payload();
            must(spsc_send(ring.get(), payload.tag, payload.bytes.data(), payload.bytes.size(),
                SPSC_WAIT_FOREVER));
        }
        if (stream.killed) std::raise(SIGKILL);
    });
}
