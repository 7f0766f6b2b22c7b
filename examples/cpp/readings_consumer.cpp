/*
 * Reads small records from another process as fast as it can. peek and release are inlined, and call
 * the library only to wait and to wake.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o readings_consumer examples/cpp/readings_consumer.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./readings_consumer my-ring
 *
 * In another terminal, before or after, start the producer, in C or C++:
 * ./readings_producer my-ring 10000000
 */
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <stdexcept>

#include "spsc_shm.hpp"

struct Reading {
    std::uint64_t number;
    double value;
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " RING-NAME\n";
        return 2;
    }
    try {
        // Either program may start first.
        auto consumer = spsc::Ring::connect(argv[1], spsc::forever).value().into_consumer();
        // Both have the ring open now and no longer need its name.
        spsc::Ring::unlink(argv[1]).value();
        unsigned long long count = 0;
        double sum = 0;
        for (;;) {
            auto bytes = consumer.peek(sizeof(Reading));
            if (bytes.status() == SPSC_CLOSED)
                break; // All has been read, and the producer has closed the ring.
            if (bytes.status() == SPSC_INTERRUPTED)
                continue; // Somebody called wakeup_all. It means nothing here.
            Reading reading;
            // If the producer has died, value() throws.
            std::memcpy(&reading, bytes.value().data(), sizeof reading);
            bytes->release().value();
            if (reading.number != count)
                throw std::runtime_error("a reading is missing");
            ++count;
            sum += reading.value;
        }
        std::printf("%llu readings, sum %.0f\n", count, sum);
    } catch (const std::exception &error) {
        std::cerr << "consumer: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
