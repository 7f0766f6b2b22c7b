#include "stream.hpp"

#include <csignal>

int main(int argc, char **argv) {
    return run([&] {
        Stream stream(argc, argv);
        auto producer = stream.connect().into_producer();
        for (std::uint64_t i = 0; i < stream.count; ++i) {
            const auto &message = stream.next_message();
            auto claim = producer.claim(message.size()).value();
            std::memcpy(claim.data(), message.data(), message.size());
            claim.publish().value();
        }
        if (stream.killed) std::raise(SIGKILL);
    });
}
