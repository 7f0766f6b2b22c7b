#include "stream.hpp"

int main(int argc, char **argv) {
    return run([&] {
        Stream stream(argc, argv);
        auto consumer = stream.connect().into_consumer();
        for (std::uint64_t i = 0; i < stream.count; ++i) {
            const auto &message = stream.next_message();
            // Peeks at the header first, as a reader does that does not know what comes.
            const auto header = consumer.peek(header_size).value();
            if (std::memcmp(header.data(), message.data(), header_size) != 0)
                throw std::runtime_error("another header");
            auto whole = consumer.peek(message.size()).value();
            if (std::memcmp(whole.data(), message.data(), message.size()) != 0)
                throw std::runtime_error("another payload");
            whole.release().value();
        }
        const spsc::Status end = consumer.peek(1).status();
        if (end != (stream.killed ? SPSC_PEER_DEAD : SPSC_CLOSED))
            throw std::runtime_error(std::string("the stream's end: ") + spsc_status_string(end));
        std::cout << "ok " << stream.count << '\n';
    });
}
