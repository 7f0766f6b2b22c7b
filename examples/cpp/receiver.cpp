/*
 * Prints the messages that another process sends, each with its tag.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o receiver examples/cpp/receiver.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./receiver my-ring
 *
 * In another terminal, before or after, start a sender in any language: ./sender my-ring < FILE
 */
#include <exception>
#include <iostream>
#include <stdexcept>

#include "spsc_shm.hpp"

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
        for (;;) {
            auto message = consumer.receive();
            if (message.status() == SPSC_CLOSED)
                break; // All has been received, and the sender has closed the ring.
            if (message.status() == SPSC_INTERRUPTED)
                continue; // Somebody called wakeup_all. It means nothing here.
            if (message.status() == SPSC_ERR_TOO_LARGE) {
                std::cerr << "receiver: skipped a message of more than 64 MiB\n";
                consumer.receive_done().value();
                continue;
            }
            // If the sender has died, value() throws. What it had sent whole is printed by then.
            const auto *text = reinterpret_cast<const char *>(message.value().data());
            std::cout << message->tag() << ": ";
            std::cout.write(text, static_cast<std::streamsize>(message->size())) << '\n';
            message->release().value();
        }
        if (!std::cout.flush())
            throw std::runtime_error("cannot write to the standard output");
    } catch (const std::exception &error) {
        std::cerr << "receiver: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
