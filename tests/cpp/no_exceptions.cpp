// Built with -fno-exceptions -fno-rtti: a program needs no more than what the headers have then.

#include "spsc_shm_connection.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

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
    constexpr char text[] = "no exceptions";

    auto made = spsc::Ring::anonymous(4096);
    require(made.has_value(), "a ring is made");
    auto opened = spsc::Ring::connect_fd(made->fd());
    require(opened.has_value(), "the ring is opened a second time");
    auto consumer = std::move(*opened).into_consumer();
    {
        auto producer = std::move(*made).into_producer();
        auto claim = producer.claim(sizeof text);
        require(claim.has_value(), "room is claimed");
        std::memcpy(claim->data(), text, sizeof text);
        require(claim->publish().has_value(), "the text is published");
    }
    auto claim = consumer.peek(sizeof text);
    require(claim.has_value(), "the text is there");
    require(std::memcmp(claim->data(), text, sizeof text) == 0, "it is what was published");
    require(claim->release().has_value(), "the text is released");
    require(consumer.peek(1).status() == SPSC_CLOSED, "the stream ends");

    const auto missing = spsc::Ring::connect("spsc-cpp-nobody-made-me");
    require(missing.status() == SPSC_ERR_NOT_FOUND, "a name that is not there is not found");
    require(missing.error().is_error(), "that is an error");
    const auto nobody = spsc::Connection::dial("/nobody/listens/here");
    require(nobody.status() == SPSC_ERR_NOT_FOUND, "a path where nobody listens is not found");
    return 0;
}
