#include "stream.hpp"

#include <csignal>

int main(int argc, char **argv) {
    return run([&] {
        Stream stream(argc, argv);
        auto producer = stream.connect().into_producer();
        for (std::uint64_t i = 0; i < stream.count; ++i) {
            const Payload payload = stream.next_payload();
            producer.send(payload.tag, payload.bytes.data(), payload.bytes.size()).value();
        }
        if (stream.killed) std::raise(SIGKILL);
    });
}
