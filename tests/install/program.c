/* A user of the installed library: a message by calls and one inline, through a ring of its own. */
#include <spsc_shm.h>
#include <spsc_shm_inline.h>

#include <stdio.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

int main(void) {
    spsc_ring *ring;
    void *space;
    const void *data;

    CHECK(spsc_version() == SPSC_VERSION_NUMBER);
    CHECK(spsc_create_anonymous(1, &ring) == SPSC_OK);
    CHECK(spsc_claim(ring, 6, 0, &space) == SPSC_OK);
    memcpy(space, "hello", 6);
    CHECK(spsc_publish(ring, 6) == SPSC_OK);
    CHECK(spsc_peek(ring, 6, SPSC_WAIT_FOREVER, &data) == SPSC_OK);
    CHECK(strcmp(data, "hello") == 0);
    CHECK(spsc_release(ring, 6) == SPSC_OK);

    /* The same without a call. */
    spsc_cursor *producer = spsc_cursor_of(ring, SPSC_PRODUCER);
    spsc_cursor *consumer = spsc_cursor_of(ring, SPSC_CONSUMER);
    CHECK(spsc_inline_claim(ring, producer, 6, 0, &space) == SPSC_OK);
    memcpy(space, "again", 6);
    CHECK(spsc_inline_publish(ring, producer, 6) == SPSC_OK);
    CHECK(spsc_inline_peek(ring, consumer, 6, SPSC_WAIT_FOREVER, &data) == SPSC_OK);
    CHECK(strcmp(data, "again") == 0);
    CHECK(spsc_inline_release(ring, consumer, 6) == SPSC_OK);
    spsc_close(ring);
    puts("ok");
    return 0;
}
