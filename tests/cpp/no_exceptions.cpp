// Built with -fno-exceptions -fno-rtti: what is left of the header there is all that a program
// needs.

#include "spsc_shm.hpp"

#include <cstdio>
#include <cstdlib>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this program is to be built without exceptions and without run-time type information"
#endif

namespace {

void require(bool truth, const char* what)
{
    if (!truth) {
        std::fprintf(stderr, "not so: %s\n", what);
        std::exit(1);
    }
}

} // namespace

int main()
{
    auto made = spsc::Ring::anonymous(4096);
    require(made.has_value(), "a ring is made");
    spsc::Ring ring = *std::move(made);
    require(ring.producer().send("no exceptions").has_value(), "a message is sent");

    auto other = spsc::Ring::connect_fd(ring.fd());
    require(other.has_value(), "the ring is opened a second time");
    auto messages = other->consumer().messages(spsc::no_wait);
    int count = 0;
    for (auto message : messages) {
        require(message.view() == "no exceptions", "the message is what was sent");
        ++count;
    }
    require(count == 1, "one message comes");
    require(messages.status() == SPSC_TIMEOUT, "no other comes");

    auto missing = spsc::Ring::connect("spsc-cpp-nobody-made-me");
    require(missing.status() == SPSC_ERR_NOT_FOUND, "a name that is not there is not found");
    return 0;
}
