#include "stream.hpp"

int main(int argc, char **argv) {
    return run([&] {
        Stream stream(argc, argv);
        auto consumer = stream.connect().into_consumer();
        spsc_message some[16];
        std::uint64_t i = 0;
        while (i < stream.count) {
            // Many at once, where they are there.
            const std::size_t got = consumer.receive_some(some, 16).value();
            for (std::size_t j = 0; j < got; ++j, ++i) {
                const Payload payload = stream.next_payload();
                if (some[j].tag != payload.tag || some[j].len != payload.bytes.size())
                    throw std::runtime_error("another tag or length");
                if (std::memcmp(some[j].data, payload.bytes.data(), some[j].len) != 0)
                    throw std::runtime_error("another payload");
            }
            consumer.receive_done().value();
        }
        const spsc::Status end = consumer.receive().status();
        if (end != (stream.killed ? SPSC_PEER_DEAD : SPSC_CLOSED))
            throw std::runtime_error(std::string("the stream's end: ") + spsc_status_string(end));
        std::cout << "ok " << stream.count << '\n';
    });
}
