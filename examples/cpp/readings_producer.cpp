/*
 * Sends small records to another process as fast as it can. claim and publish are inlined, and call
 * the library only to wait and to wake.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o readings_producer examples/cpp/readings_producer.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./readings_producer my-ring 10000000
 *
 * In another terminal, before or after, start the consumer, in C or C++: ./readings_consumer my-ring
 */
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>

#include "spsc_shm.hpp"

struct Reading {
    std::uint64_t number;
    double value;
};

int main(int argc, char **argv)
{
    const std::uint64_t count = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
    if (count == 0) {
        std::cerr << "usage: " << argv[0] << " RING-NAME COUNT\n";
        return 2;
    }
    try {
        auto producer = spsc::Ring::create(argv[1], 64 * 1024).value().into_producer();
        for (std::uint64_t i = 0; i < count;) {
            auto room = producer.claim(sizeof(Reading));
            if (room.status() == SPSC_INTERRUPTED)
                continue; // Somebody called wakeup_all. It means nothing here.
            const Reading reading{i, static_cast<double>(i % 1000)};
            // If the consumer has closed the ring or died, value() throws.
            std::memcpy(room.value().data(), &reading, sizeof reading);
            room->publish().value();
            ++i;
        }
        // The ring closes here. The consumer reads what is left in it, and then gets SPSC_CLOSED.
    } catch (const std::exception &error) {
        std::cerr << "producer: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
