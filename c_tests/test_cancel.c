/* A thread that is cancelled in a call finishes the call, and ends at its own next chance. */
#include "check.h"

#include <pthread.h>

static const char *name;
static int returned;

static void *connect_and_be_cancelled(void *nothing)
{
    spsc_ring *ring = NULL;
    CHECK_STATUS(spsc_connect_timeout(name, 100 * MILLISECOND, &ring), SPSC_TIMEOUT);
    returned++;
    pthread_testcancel();
    return nothing;
}

/* Waits for the thread to be in its sleep, more or less: cancelled before, it must do the same. */
static void cancelled_in_a_connect_it_returns(void)
{
    name = new_name();
    for (int wait_ms = 0; wait_ms <= 20; wait_ms += 10) {
        pthread_t thread;
        void *result = NULL;
        const struct timespec wait = {0, wait_ms * (long)MILLISECOND};
        returned = 0;
        CHECK(pthread_create(&thread, NULL, connect_and_be_cancelled, NULL) == 0);
        nanosleep(&wait, NULL);
        CHECK(pthread_cancel(thread) == 0);
        CHECK(pthread_join(thread, &result) == 0);
        CHECK(returned == 1);
        CHECK(result == PTHREAD_CANCELED);
    }
}

static void *do_all_with_a_cancellation_pending(void *nothing)
{
    spsc_ring *ring = NULL, *other = NULL;
    const void *data = NULL;
    CHECK(pthread_cancel(pthread_self()) == 0);
    OK(spsc_create_anonymous(1, &ring));
    OK(spsc_connect_fd(spsc_fd(ring), &other));
    send_bytes(ring, 3);
    receive_bytes(other, 3);
    CHECK_STATUS(spsc_peek(other, 1, MILLISECOND, &data), SPSC_TIMEOUT);
    spsc_close(ring);
    CHECK_STATUS(spsc_peek(other, 1, SPSC_WAIT_FOREVER, &data), SPSC_CLOSED);
    spsc_close(other);
    ring = new_ring(name, 1);
    other = connected(name);
    OK(spsc_unlink(name));
    spsc_close(other);
    spsc_close(ring);
    returned++;
    pthread_testcancel();
    return nothing;
}

static void a_pending_cancellation_disturbs_no_call(void)
{
    pthread_t thread;
    void *result = NULL;
    name = new_name();
    returned = 0;
    CHECK(pthread_create(&thread, NULL, do_all_with_a_cancellation_pending, NULL) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(returned == 1);
    CHECK(result == PTHREAD_CANCELED);
}

int main(void)
{
    cancelled_in_a_connect_it_returns();
    a_pending_cancellation_disturbs_no_call();
    return 0;
}
