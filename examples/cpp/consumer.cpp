/*
 * Writes to its standard output what a producer sends through a ring in shared memory.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o consumer examples/cpp/consumer.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./consumer my-ring > COPY
 *
 * and in another terminal, before or after, a producer in C or C++: ./producer my-ring < FILE
 */
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "spsc_shm.h"

namespace {

/* A handle that closes itself. */
struct Close {
    void operator()(spsc_ring *ring) const noexcept { spsc_close(ring); }
};
using Ring = std::unique_ptr<spsc_ring, Close>;

void check(spsc_status status, const std::string &what)
{
    if (status != SPSC_OK)
        throw std::runtime_error(what + ": " + spsc_status_string(status));
}

/* Whichever program starts first waits for the other. */
Ring connect(const char *name)
{
    spsc_ring *ring = nullptr;
    check(spsc_connect_timeout(name, SPSC_WAIT_FOREVER, &ring), name);
    return Ring(ring);
}

/* All that is there, once there is anything; nothing at the end of the stream. */
std::string_view receive(spsc_ring *ring)
{
    for (;;) {
        const void *data = nullptr;
        std::size_t size = 0;
        const spsc_status status = spsc_peek_some(ring, 1, SPSC_WAIT_FOREVER, &data, &size);
        if (status == SPSC_CLOSED)
            return {}; // All has been read, and the producer has closed its handle.
        if (status == SPSC_INTERRUPTED)
            continue; // Somebody called spsc_wakeup_all; nothing has changed for us.
        // SPSC_PEER_DEAD ends the program: what was published is written, the rest never comes.
        check(status, "cannot receive");
        return {static_cast<const char *>(data), size};
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " RING-NAME > FILE\n";
        return 2;
    }
    try {
        const Ring ring = connect(argv[1]);
        // Both have the ring open now, and need its name no more.
        check(spsc_unlink(argv[1]), "cannot remove the name");
        std::string_view bytes;
        while (!(bytes = receive(ring.get())).empty()) {
            if (!(std::cout << bytes << std::flush))
                throw std::runtime_error("cannot write to the standard output");
            check(spsc_release(ring.get(), bytes.size()), "cannot release");
        }
    } catch (const std::exception &error) {
        std::cerr << "consumer: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
