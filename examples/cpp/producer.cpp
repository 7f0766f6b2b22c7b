/*
 * Sends its standard input to another process, through a ring in shared memory.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o producer examples/cpp/producer.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./producer my-ring < FILE
 *
 * and in another terminal, before or after, a consumer in C or C++: ./consumer my-ring > COPY
 */
#include <cerrno>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>

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

Ring create(const char *name, std::size_t min_capacity)
{
    spsc_ring *ring = nullptr;
    check(spsc_create(name, min_capacity, &ring), name);
    return Ring(ring);
}

/* Reads some of the input right into the ring. False at the end of the input. */
bool send_some(spsc_ring *ring)
{
    void *room = nullptr;
    std::size_t size = 0;
    const spsc_status status = spsc_claim_some(ring, 1, SPSC_WAIT_FOREVER, &room, &size);
    if (status == SPSC_INTERRUPTED)
        return true; // Somebody called spsc_wakeup_all; nothing has changed for us.
    // SPSC_CLOSED and SPSC_PEER_DEAD end the program, though another consumer could go on.
    check(status, "cannot send");
    const ssize_t got = read(STDIN_FILENO, room, size);
    if (got < 0 && errno != EINTR)
        throw std::system_error(errno, std::generic_category(), "standard input");
    if (got > 0)
        check(spsc_publish(ring, static_cast<std::size_t>(got)), "cannot publish");
    return got != 0;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " RING-NAME < FILE\n";
        return 2;
    }
    try {
        const Ring ring = create(argv[1], 64 * 1024);
        while (send_some(ring.get())) {
        }
        // The ring closes here. The consumer gets what is left in it, and then SPSC_CLOSED.
    } catch (const std::exception &error) {
        std::cerr << "producer: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
