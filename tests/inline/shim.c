/* The functions of spsc_shm_inline.h as plain functions, for tests in Rust: each with the arguments
 * of the library's function of that name, so that one can stand for the other. */
#include "spsc_shm_inline.h"

spsc_status inline_claim(spsc_ring *ring, size_t want, uint64_t timeout_ns, void **out_data);
spsc_status inline_publish(spsc_ring *ring, size_t n);
spsc_status inline_peek(spsc_ring *ring, size_t want, uint64_t timeout_ns, const void **out_data);
spsc_status inline_release(spsc_ring *ring, size_t n);

spsc_status inline_claim(spsc_ring *ring, size_t want, uint64_t timeout_ns, void **out_data)
{
    return spsc_inline_claim(ring, spsc_cursor_of(ring, SPSC_PRODUCER), want, timeout_ns, out_data);
}

spsc_status inline_publish(spsc_ring *ring, size_t n)
{
    return spsc_inline_publish(ring, spsc_cursor_of(ring, SPSC_PRODUCER), n);
}

spsc_status inline_peek(spsc_ring *ring, size_t want, uint64_t timeout_ns, const void **out_data)
{
    return spsc_inline_peek(ring, spsc_cursor_of(ring, SPSC_CONSUMER), want, timeout_ns, out_data);
}

spsc_status inline_release(spsc_ring *ring, size_t n)
{
    return spsc_inline_release(ring, spsc_cursor_of(ring, SPSC_CONSUMER), n);
}
