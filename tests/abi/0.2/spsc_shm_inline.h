/*
 * Claim, publish, peek and release without a call, for C11 and C++17.
 *
 * The functions of the library do the same moves on the same cursor, so that both may be mixed
 * freely. These are inlined into the caller, and call the library only to wait, to wake, and for
 * errors. Their results are those of the functions of the same name without "inline".
 *
 *     spsc_cursor *cursor = spsc_cursor_of(ring, SPSC_PRODUCER);
 *     void *data;
 *     if (spsc_inline_claim(ring, cursor, 64, SPSC_WAIT_FOREVER, &data) == SPSC_OK) {
 *       memcpy(data, message, 64);
 *       spsc_inline_publish(ring, cursor, 64);
 *     }
 *
 * ring and cursor must belong together, and the cursor must be that of the right side: a producer
 * claims and publishes, a consumer peeks and releases. With a NULL for the cursor, each is the call
 * alone. As with the functions, one thread at a time uses a side of a handle.
 */
#ifndef SPSC_SHM_INLINE_H
#define SPSC_SHM_INLINE_H

#include "spsc_shm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the next want bytes are there. Looks at the other side only if it must. `consumes` is a
 * constant: a consumer's lead is 0, and it mostly has to look. */
static inline int spsc_inline_has(spsc_cursor *cursor, uint64_t want, int consumes)
{
    const uint64_t position = cursor->position;
    if (__builtin_expect(want > cursor->limit - position, consumes)) {
        /* Pairs with the release store in the other side's publish or release. */
        const uint64_t counter = __atomic_load_n(cursor->other_counter, __ATOMIC_ACQUIRE);
        const uint64_t limit = consumes ? counter : counter + cursor->lead;
        const uint64_t room = limit - position;
        /* If still short or implausible, the function decides. */
        if (want > room || room > cursor->window)
            return 0;
        cursor->limit = limit;
    }
    return 1;
}

/* As spsc_inline_has, and if so they are granted from now on. */
static inline int spsc_inline_reserve(
    spsc_cursor *cursor, uint64_t want, int consumes, uint8_t **out_data)
{
    if (!spsc_inline_has(cursor, want, consumes))
        return 0;
    cursor->granted = want;
    *out_data = cursor->data + (cursor->position & cursor->mask);
    return 1;
}

/* Hands the first n granted bytes to the other side. 0 and nothing has changed if n is 0 or more
 * than was granted. */
static inline int spsc_inline_advance(spsc_cursor *cursor, uint64_t n)
{
    /* One comparison for both: 0 wraps to the largest number there is. */
    if (n - 1 >= cursor->granted)
        return 0;
    cursor->granted -= n;
    cursor->position += n;
    /* Pairs with the acquire load in the other side's claim or peek. */
    __atomic_store_n(cursor->own_counter, cursor->position, __ATOMIC_RELEASE);
    return 1;
}

/* Whether the other side may sleep, after an advance. */
static inline int spsc_inline_needs_wakeup(const spsc_cursor *cursor)
{
    /* Keeps the compiler from moving the load before the store. The processor's half is the
     * membarrier that the sleeper issues: docs/PROTOCOL.md. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return (__atomic_load_n(cursor->other_parked, __ATOMIC_RELAXED) | cursor->fenced) != 0;
}

/* As spsc_claim. */
SPSC_MUST_USE static inline spsc_status spsc_inline_claim(
    spsc_ring *ring, spsc_cursor *cursor, size_t want, uint64_t timeout_ns, void **out_data)
{
    uint8_t *here;
    if (out_data == NULL)
        return spsc_claim(ring, want, timeout_ns, NULL);
    if (cursor == NULL || !spsc_inline_reserve(cursor, want, 0, &here)) {
        /* Through a variable of its own, so that the caller's can stay in a register. */
        void *data;
        const spsc_status status = spsc_claim(ring, want, timeout_ns, &data);
        if (status != SPSC_OK)
            return status;
        /* So it is already: the compiler learns that a publish of as much needs no check. */
        if (cursor != NULL)
            cursor->granted = want;
        here = (uint8_t *)data;
    }
    *out_data = here;
    return SPSC_OK;
}

/* As spsc_publish. */
static inline spsc_status spsc_inline_publish(spsc_ring *ring, spsc_cursor *cursor, size_t n)
{
    if (cursor == NULL || !spsc_inline_advance(cursor, n))
        return spsc_publish(ring, n);
    return spsc_inline_needs_wakeup(cursor) ? spsc_wake(ring, SPSC_PRODUCER) : SPSC_OK;
}

/* As spsc_peek. */
SPSC_MUST_USE static inline spsc_status spsc_inline_peek(
    spsc_ring *ring, spsc_cursor *cursor, size_t want, uint64_t timeout_ns, const void **out_data)
{
    uint8_t *here;
    if (out_data == NULL)
        return spsc_peek(ring, want, timeout_ns, NULL);
    if (cursor == NULL || !spsc_inline_reserve(cursor, want, 1, &here)) {
        /* Through a variable of its own, so that the caller's can stay in a register. */
        const void *data;
        const spsc_status status = spsc_peek(ring, want, timeout_ns, &data);
        if (status != SPSC_OK)
            return status;
        /* So it is already: the compiler learns that a release of as much needs no check. */
        if (cursor != NULL)
            cursor->granted = want;
        here = (uint8_t *)data;
    }
    *out_data = here;
    return SPSC_OK;
}

/* As spsc_release. */
static inline spsc_status spsc_inline_release(spsc_ring *ring, spsc_cursor *cursor, size_t n)
{
    if (cursor == NULL || !spsc_inline_advance(cursor, n))
        return spsc_release(ring, n);
    return spsc_inline_needs_wakeup(cursor) ? spsc_wake(ring, SPSC_CONSUMER) : SPSC_OK;
}

#ifdef __cplusplus
}
#endif

#endif
