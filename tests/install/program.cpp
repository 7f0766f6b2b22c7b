// A user of the installed library: one message through a ring of its own.
#include <spsc_shm.h>

#include <cstring>
#include <iostream>
#include <stdexcept>

static void must(int32_t status) {
    if (status != SPSC_OK) throw std::runtime_error(spsc_status_string(status));
}

int main() {
    if (spsc_version() != SPSC_VERSION_NUMBER) throw std::runtime_error("header and library differ");
    spsc_ring *ring;
    void *space;
    const void *data;
    must(spsc_create_anonymous(1, &ring));
    must(spsc_claim(ring, 6, 0, &space));
    std::memcpy(space, "hello", 6);
    must(spsc_publish(ring, 6));
    must(spsc_peek(ring, 6, SPSC_WAIT_FOREVER, &data));
    if (std::strcmp(static_cast<const char *>(data), "hello") != 0) throw std::runtime_error("other data");
    must(spsc_release(ring, 6));
    spsc_close(ring);
    std::cout << "ok\n";
}
