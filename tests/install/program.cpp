// A user of the installed library: one message through a ring of its own.
#include <spsc_shm.hpp>

#include <iostream>

int main() {
    if (spsc_version() != SPSC_VERSION_NUMBER) {
        std::cerr << "header and library differ\n";
        return 1;
    }
    spsc::Ring ring = spsc::Ring::anonymous(1).value();
    ring.producer().send("hello").value();
    const spsc::Message message = ring.consumer().receive().value();
    if (message.view() != "hello") {
        std::cerr << "another message\n";
        return 1;
    }
    std::cout << "ok\n";
}
