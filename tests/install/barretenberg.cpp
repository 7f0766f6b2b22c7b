// A user of the installed library, written for Barretenberg's class: one message through a ring.
#include <spsc_shm_barretenberg.hpp>

#include <cstring>
#include <iostream>
#include <string>
#include <unistd.h>

int main() {
    const std::string name = "spsc-install-" + std::to_string(getpid());
    auto producer = spsc::SpscShm::create(name, 4096);
    auto consumer = spsc::SpscShm::connect(name);
    spsc::SpscShm::unlink(name);
    std::memcpy(producer.claim(6, 0), "hello", 6);
    producer.publish(6);
    const void* message = consumer.peek(6, 1'000'000'000);
    if (message == nullptr || std::memcmp(message, "hello", 6) != 0) {
        std::cerr << "another message\n";
        return 1;
    }
    consumer.release(6);
    std::cout << "ok\n";
}
