/*
 * Sends its standard input to another process, through a ring in shared memory.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o producer examples/cpp/producer.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./producer my-ring < FILE
 *
 * In another terminal, before or after, start a consumer in any language: ./consumer my-ring > COPY
 */
#include <cerrno>
#include <exception>
#include <iostream>
#include <system_error>
#include <unistd.h>

#include "spsc_shm.hpp"

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " RING-NAME < FILE\n";
        return 2;
    }
    try {
        auto producer = spsc::Ring::create(argv[1], 64 * 1024).value().into_producer();
        for (;;) {
            // Claims all the room that is free, once there is any. The input is read right into it.
            auto room = producer.claim_some();
            if (room.status() == SPSC_INTERRUPTED)
                continue; // Somebody called wakeup_all. It means nothing here.
            // If the consumer has closed the ring or died, value() throws.
            const ssize_t got = read(STDIN_FILENO, room.value().data(), room->size());
            if (got == 0)
                break;
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                throw std::system_error(errno, std::generic_category(), "standard input");
            room->publish(static_cast<std::size_t>(got)).value();
        }
        // The ring closes here. The consumer reads what is left in it, and then gets SPSC_CLOSED.
    } catch (const std::exception &error) {
        std::cerr << "producer: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
