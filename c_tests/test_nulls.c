/* Every pointer of every function may be NULL: that is a status, and nothing else happens. */
#include "check.h"

static const spsc_status INVALID = SPSC_ERR_INVALID_ARGUMENT;

int main(void)
{
    const char *name = new_name();
    spsc_options options;
    spsc_ring *out = NULL;
    void *data = NULL;
    const void *bytes = NULL;
    size_t len = 0;
    spsc_stats_t stats;

    CHECK_STATUS(spsc_options_init(NULL, sizeof options), INVALID);
    OK(spsc_options_init(&options, sizeof options));

    CHECK_FAILS(out, spsc_create(NULL, 1, &out), INVALID);
    CHECK_STATUS(spsc_create(name, 1, NULL), INVALID);
    CHECK_FAILS(out, spsc_create_with(NULL, 1, &options, &out), INVALID);
    CHECK_FAILS(out, spsc_create_with(name, 1, NULL, &out), INVALID);
    CHECK_STATUS(spsc_create_with(name, 1, &options, NULL), INVALID);
    CHECK_STATUS(spsc_create_anonymous(1, NULL), INVALID);
    /* None of them has made anything. */
    CHECK_FAILS(out, spsc_connect(name, &out), SPSC_ERR_NOT_FOUND);

    spsc_ring *ring = new_ring(name, 1);
    CHECK_FAILS(out, spsc_connect(NULL, &out), INVALID);
    CHECK_STATUS(spsc_connect(name, NULL), INVALID);
    CHECK_FAILS(out, spsc_connect_timeout(NULL, SPSC_WAIT_FOREVER, &out), INVALID);
    CHECK_STATUS(spsc_connect_timeout(name, SPSC_WAIT_FOREVER, NULL), INVALID);
    CHECK_STATUS(spsc_connect_fd(spsc_fd(ring), NULL), INVALID);
    CHECK(spsc_fd(NULL) == -1);
    CHECK_STATUS(spsc_unlink(NULL), INVALID);
    spsc_close(NULL);

    CHECK_FAILS(data, spsc_claim(NULL, 1, SPSC_WAIT_FOREVER, &data), INVALID);
    CHECK_STATUS(spsc_claim(ring, 1, SPSC_WAIT_FOREVER, NULL), INVALID);
    CHECK_FAILS(data, spsc_claim_some(NULL, 1, SPSC_WAIT_FOREVER, &data, &len), INVALID);
    CHECK_FAILS(len, spsc_claim_some(NULL, 1, SPSC_WAIT_FOREVER, &data, &len), INVALID);
    CHECK_FAILS(len, spsc_claim_some(ring, 1, SPSC_WAIT_FOREVER, NULL, &len), INVALID);
    CHECK_FAILS(data, spsc_claim_some(ring, 1, SPSC_WAIT_FOREVER, &data, NULL), INVALID);
    CHECK_STATUS(spsc_publish(NULL, 0), INVALID);
    CHECK_STATUS(spsc_publish(NULL, 1), INVALID);
    CHECK_STATUS(spsc_wait_for_space(NULL, 0, SPSC_WAIT_FOREVER), INVALID);

    CHECK_FAILS(bytes, spsc_peek(NULL, 1, SPSC_WAIT_FOREVER, &bytes), INVALID);
    CHECK_STATUS(spsc_peek(ring, 1, SPSC_WAIT_FOREVER, NULL), INVALID);
    CHECK_FAILS(bytes, spsc_peek_some(NULL, 1, SPSC_WAIT_FOREVER, &bytes, &len), INVALID);
    CHECK_FAILS(len, spsc_peek_some(NULL, 1, SPSC_WAIT_FOREVER, &bytes, &len), INVALID);
    CHECK_FAILS(len, spsc_peek_some(ring, 1, SPSC_WAIT_FOREVER, NULL, &len), INVALID);
    CHECK_FAILS(bytes, spsc_peek_some(ring, 1, SPSC_WAIT_FOREVER, &bytes, NULL), INVALID);
    CHECK_STATUS(spsc_release(NULL, 0), INVALID);
    CHECK_STATUS(spsc_release(NULL, 1), INVALID);
    CHECK_STATUS(spsc_wait_for_data(NULL, 0, SPSC_WAIT_FOREVER), INVALID);

    CHECK_STATUS(spsc_wakeup_all(NULL), INVALID);
    CHECK(spsc_available(NULL) == 0);
    CHECK(spsc_capacity(NULL) == 0);
    CHECK_FAILS(stats, spsc_stats(NULL, &stats, sizeof stats), INVALID);
    CHECK_STATUS(spsc_stats(ring, NULL, sizeof stats), INVALID);
    CHECK_STATUS(spsc_debug_dump(NULL, "prefix"), INVALID);
    CHECK_STATUS(spsc_debug_dump(ring, NULL), INVALID);

    /* A call that was refused claims nothing and peeks nothing, takes no role, and leaves an
     * earlier claim or peek as it was. */
    OK(spsc_stats(ring, &stats, sizeof stats));
    CHECK(stats.producer.state == SPSC_ROLE_NEVER && stats.consumer.state == SPSC_ROLE_NEVER);
    CHECK_STATUS(spsc_publish(ring, 1), SPSC_ERR_MISUSE);
    OK(spsc_claim(ring, 3, 0, &data));
    CHECK_STATUS(spsc_claim(ring, 2, 0, NULL), INVALID);
    OK(spsc_publish(ring, 3));
    OK(spsc_peek(ring, 3, 0, &bytes));
    CHECK_STATUS(spsc_peek(ring, 2, 0, NULL), INVALID);
    OK(spsc_release(ring, 3));
    spsc_close(ring);
    return 0;
}
