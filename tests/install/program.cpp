// A user of the installed library: one message through a ring of its own, and one over a connection.
#include <spsc_shm_connection.hpp>
#include <spsc_shm_inline.h>

#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <unistd.h>

int main() {
    if (spsc_version() != SPSC_VERSION_NUMBER) {
        std::cerr << "header and library differ\n";
        return 1;
    }
    auto [producer, consumer] = spsc::Ring::anonymous(1).value().split();
    auto space = producer.claim(6).value();
    std::memcpy(space.data(), "hello", 6);
    space.publish().value();
    auto message = consumer.peek(6).value();
    if (std::memcmp(message.data(), "hello", 6) != 0) {
        std::cerr << "another message\n";
        return 1;
    }
    message.release().value();

    // The functions of the C header that this one is built on.
    spsc_ring* ring = producer.get();
    void* inside = nullptr;
    if (spsc_inline_claim(ring, spsc_cursor_of(ring, SPSC_PRODUCER), 6, 0, &inside) != SPSC_OK ||
        spsc_inline_publish(ring, spsc_cursor_of(ring, SPSC_PRODUCER), 6) != SPSC_OK ||
        consumer.available() != 6) {
        std::cerr << "the inline header fails\n";
        return 1;
    }

    const std::string path = "/tmp/spsc-install-" + std::to_string(getpid());
    auto listener = spsc::Listener::bind(path).value();
    std::thread client([&path] {
        spsc::Connection::dial(path).value().sender().send(7, "hello", 6).value();
    });
    auto connection = listener.accept().value();
    auto greeting = connection.receiver().receive();
    client.join();
    if (!greeting || greeting->tag() != 7 || greeting->size() != 6) {
        std::cerr << "no greeting\n";
        return 1;
    }
    std::cout << "ok\n";
}
