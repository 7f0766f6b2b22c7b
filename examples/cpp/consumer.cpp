/*
 * Writes to its standard output what a producer sends through a ring in shared memory.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o consumer examples/cpp/consumer.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./consumer my-ring > COPY
 *
 * In another terminal, before or after, start a producer in any language: ./producer my-ring < FILE
 */
#include <exception>
#include <iostream>
#include <stdexcept>

#include "spsc_shm.hpp"

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " RING-NAME > FILE\n";
        return 2;
    }
    try {
        // Either program may start first.
        auto consumer = spsc::Ring::connect(argv[1], spsc::forever).value().into_consumer();
        // Both have the ring open now and no longer need its name.
        spsc::Ring::unlink(argv[1]).value();
        for (;;) {
            // Peeks at all the bytes that are there, once there are any. They are written right out
            // of the ring.
            auto bytes = consumer.peek_some();
            if (bytes.status() == SPSC_CLOSED)
                break; // All has been read, and the producer has closed the ring.
            if (bytes.status() == SPSC_INTERRUPTED)
                continue; // Somebody called wakeup_all. It means nothing here.
            // If the producer has died, value() throws. What it had published is written by then.
            const auto *data = reinterpret_cast<const char *>(bytes.value().data());
            if (!std::cout.write(data, static_cast<std::streamsize>(bytes->size())).flush())
                throw std::runtime_error("cannot write to the standard output");
            bytes->release().value();
        }
    } catch (const std::exception &error) {
        std::cerr << "consumer: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
