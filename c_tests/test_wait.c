/* spsc_wait: a wait that outlives its peer, and one that forgets old interrupts. */
#include "check.h"

#include <pthread.h>
#include <sched.h>

static spsc_ring *ring, *first, *second;

/* A consumer whose producer has come and gone. */
static void open_and_close_the_producer(void)
{
    OK(spsc_create_anonymous(1, &ring));
    OK(spsc_connect_fd(spsc_fd(ring), &first));
    OK(spsc_wait_for_space(first, 1, 0));
    spsc_close(first);
}

static void *next_producer(void *unused)
{
    spsc_stats_t stats;
    do {
        sched_yield();
        OK(spsc_stats(ring, &stats, sizeof stats));
    } while (stats.consumer.parked == 0);
    OK(spsc_connect_fd(spsc_fd(ring), &second));
    send_bytes(second, 10);
    return unused;
}

static void a_wait_for_the_next_peer_ends_with_its_data(void)
{
    pthread_t thread;
    open_and_close_the_producer();
    CHECK_STATUS(spsc_wait(ring, SPSC_CONSUMER, 10, SPSC_WAIT_FOREVER, 0), SPSC_CLOSED);
    CHECK(pthread_create(&thread, NULL, next_producer, NULL) == 0);
    OK(spsc_wait(ring, SPSC_CONSUMER, 10, SPSC_WAIT_FOREVER, SPSC_WAIT_NEXT_PEER));
    CHECK(pthread_join(thread, NULL) == 0);
    spsc_close(second);
    spsc_close(ring);
}

static void without_a_next_peer_the_time_runs_out(void)
{
    spsc_stats_t stats;
    open_and_close_the_producer();
    /* If this thread does not run for so long, its time is over before it could sleep. */
    do {
        CHECK_STATUS(
            spsc_wait(ring, SPSC_CONSUMER, 1, 3 * MILLISECOND, SPSC_WAIT_NEXT_PEER), SPSC_CLOSED);
        OK(spsc_stats(ring, &stats, sizeof stats));
    } while (stats.consumer.parks == 0);
    CHECK_STATUS(spsc_wait(ring, SPSC_CONSUMER, 1, 0, SPSC_WAIT_NEXT_PEER), SPSC_CLOSED);
    spsc_close(ring);
}

static void an_interrupt_ends_a_wait_for_the_next_peer(void)
{
    open_and_close_the_producer();
    OK(spsc_interrupt(ring, SPSC_CONSUMER));
    CHECK_STATUS(spsc_wait(ring, SPSC_CONSUMER, 1, SPSC_WAIT_FOREVER, SPSC_WAIT_NEXT_PEER),
        SPSC_INTERRUPTED);
    spsc_close(ring);
}

static void a_fresh_wait_forgets_old_interrupts(void)
{
    OK(spsc_create_anonymous(1, &ring));
    OK(spsc_wakeup_all(ring));
    OK(spsc_interrupt(ring, SPSC_CONSUMER | SPSC_PRODUCER));
    CHECK_STATUS(spsc_wait(ring, SPSC_CONSUMER, 1, MILLISECOND, SPSC_WAIT_FRESH), SPSC_TIMEOUT);
    CHECK_STATUS(spsc_wait_for_data(ring, 1, MILLISECOND), SPSC_TIMEOUT);
    /* The other side still has its own. */
    send_bytes(ring, (size_t)spsc_capacity(ring));
    CHECK_STATUS(spsc_wait(ring, SPSC_PRODUCER, 1, SPSC_WAIT_FOREVER, 0), SPSC_INTERRUPTED);
    spsc_close(ring);
}

static void a_side_that_leaves_ends_its_stream_while_its_handle_lives(void)
{
    const void *from;
    OK(spsc_create_anonymous(1, &ring));
    OK(spsc_leave(ring, SPSC_PRODUCER | SPSC_CONSUMER)); /* of no role */
    send_bytes(ring, 10);
    OK(spsc_peek(ring, 4, 0, &from));
    OK(spsc_leave(ring, SPSC_PRODUCER));
    CHECK_STATUS(spsc_publish(ring, 1), SPSC_ERR_MISUSE);
    OK(spsc_release(ring, 4));
    OK(spsc_peek(ring, 6, SPSC_WAIT_FOREVER, &from));
    OK(spsc_release(ring, 6));
    CHECK_STATUS(spsc_peek(ring, 1, SPSC_WAIT_FOREVER, &from), SPSC_CLOSED);
    /* Another may take the role, and this handle again after it. */
    OK(spsc_connect_fd(spsc_fd(ring), &first));
    send_bytes(first, 1);
    void *to;
    CHECK_STATUS(spsc_claim(ring, 1, 0, &to), SPSC_ERR_ROLE_TAKEN);
    OK(spsc_leave(first, SPSC_PRODUCER));
    send_bytes(ring, 1);
    OK(spsc_peek(ring, 2, SPSC_WAIT_FOREVER, &from));
    CHECK_STATUS(spsc_leave(ring, 0), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_leave(ring, 4), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_leave(NULL, SPSC_PRODUCER), SPSC_ERR_INVALID_ARGUMENT);
    spsc_close(first);
    spsc_close(ring);
}

static void bad_arguments_are_refused(void)
{
    OK(spsc_create_anonymous(1, &ring));
    CHECK_STATUS(spsc_wait(NULL, SPSC_CONSUMER, 1, 0, 0), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_wait(ring, 0, 1, 0, 0), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_wait(ring, SPSC_PRODUCER | SPSC_CONSUMER, 1, 0, 0), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_wait(ring, SPSC_CONSUMER, 1, 0, 4), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(spsc_wait(ring, SPSC_CONSUMER, (size_t)spsc_capacity(ring) + 1, 0, 0),
        SPSC_ERR_TOO_LARGE);
    spsc_close(ring);
}

int main(void)
{
    a_wait_for_the_next_peer_ends_with_its_data();
    without_a_next_peer_the_time_runs_out();
    an_interrupt_ends_a_wait_for_the_next_peer();
    a_fresh_wait_forgets_old_interrupts();
    a_side_that_leaves_ends_its_stream_while_its_handle_lives();
    bad_arguments_are_refused();
    return 0;
}
