/*
 * Sends each line of its standard input to another process as a message, with its number as the tag.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o sender examples/cpp/sender.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./sender my-ring < FILE
 *
 * In another terminal, before or after, start a receiver in any language: ./receiver my-ring
 */
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>

#include "spsc_shm.hpp"

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " RING-NAME < FILE\n";
        return 2;
    }
    try {
        auto producer = spsc::Ring::create(argv[1], 64 * 1024).value().into_producer();
        // Be the producer before there is anything to send: an empty file has an end, too.
        producer.wait_for_space(1).value();
        std::string line;
        for (std::uint32_t number = 1; std::getline(std::cin, line); ++number) {
            // A line may be longer than the ring: it goes in fragments then, while the other side
            // receives them.
            auto sent = producer.send(number, line.data(), line.size());
            while (sent.status() == SPSC_INTERRUPTED) // Somebody called wakeup_all.
                sent = producer.send(number, line.data(), line.size());
            // If the receiver has closed the ring or died, value() throws.
            sent.value();
        }
        // The ring closes here. The receiver gets what is left in it, and then SPSC_CLOSED.
    } catch (const std::exception &error) {
        std::cerr << "sender: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
