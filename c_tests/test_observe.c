/* What can be learned of a ring and of the library: statistics, the dump, texts, the version. */
#include "check.h"

static spsc_stats_t stats_of(const spsc_ring *ring)
{
    spsc_stats_t stats;
    memset(&stats, 0x5a, sizeof stats);
    OK(spsc_stats(ring, &stats, sizeof stats));
    return stats;
}

static void statistics_follow_the_stream(void)
{
    const char *name = new_name();
    spsc_ring *producer = new_ring(name, 1), *consumer = connected(name);
    spsc_stats_t stats = stats_of(producer);
    CHECK(stats.capacity == spsc_capacity(producer));
    CHECK(stats.published == 0 && stats.released == 0 && stats.available == 0);
    CHECK(stats.producer.state == SPSC_ROLE_NEVER && stats.consumer.state == SPSC_ROLE_NEVER);
    CHECK(stats.producer.generation == 0 && stats.producer.pid == 0);
    CHECK(stats.producer.parked == 0 && stats.producer.parks == 0);
    CHECK(stats.producer.wakes == 0 && stats.producer.interruptions == 0);

    send_bytes(producer, 100);
    receive_bytes(consumer, 30);
    stats = stats_of(consumer);
    CHECK(stats.published == 100 && stats.released == 30 && stats.available == 70);
    CHECK(spsc_available(producer) == 70 && spsc_available(consumer) == 70);
    CHECK(stats.producer.state == SPSC_ROLE_ATTACHED && stats.producer.generation == 1);
    CHECK(stats.consumer.state == SPSC_ROLE_ATTACHED && stats.consumer.generation == 1);
    CHECK(stats.producer.pid == (uint32_t)getpid() && stats.consumer.pid == (uint32_t)getpid());

    const void *bytes = NULL;
    /* If this thread does not run for so long, its time is over before it could sleep. */
    do
        CHECK_STATUS(spsc_peek(consumer, 71, 20 * MILLISECOND, &bytes), SPSC_TIMEOUT);
    while (stats_of(consumer).consumer.parks == 0);
    OK(spsc_wakeup_all(producer));
    CHECK_STATUS(spsc_peek(consumer, 71, SPSC_WAIT_FOREVER, &bytes), SPSC_INTERRUPTED);
    CHECK(stats_of(consumer).consumer.interruptions == 1);
    /* What a handle has been through is its own. */
    CHECK(stats_of(producer).consumer.parks == 0);

    spsc_close(producer);
    CHECK(stats_of(consumer).producer.state == SPSC_ROLE_CLOSED);
    pid_t child = fork();
    if (child == 0) {
        send_bytes(consumer, 1);
        _exit(0);
    }
    join_child(child);
    stats = stats_of(consumer);
    CHECK(stats.producer.state == SPSC_ROLE_DEAD && stats.producer.generation == 2);
    CHECK(stats.producer.pid == (uint32_t)child);
    CHECK(stats.published == 101);
    spsc_close(consumer);
}

/* What the dump writes to the standard error stream. */
static const char *dump_of(const spsc_ring *ring, const char *prefix)
{
    static char text[4096];
    int ends[2];
    CHECK(pipe(ends) == 0);
    const int saved = dup(STDERR_FILENO);
    CHECK(dup2(ends[1], STDERR_FILENO) >= 0);
    const spsc_status status = spsc_debug_dump(ring, prefix);
    CHECK(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    OK(status);
    size_t size = 0;
    ssize_t got;
    while ((got = read(ends[0], text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)got;
    close(ends[0]);
    text[size] = 0;
    return text;
}

static void the_dump_is_one_line_that_begins_with_the_prefix(void)
{
    spsc_ring *ring = NULL;
    OK(spsc_create_anonymous(1, &ring));
    send_bytes(ring, 77);
    receive_bytes(ring, 7);
    char expected[128];
    snprintf(expected, sizeof expected, "here: capacity=%llu published=77 released=7 available=70 ",
        (unsigned long long)spsc_capacity(ring));
    const char *line = dump_of(ring, "here: ");
    CHECK(strncmp(line, expected, strlen(expected)) == 0);
    CHECK(strchr(line, '\n') == line + strlen(line) - 1);
    CHECK(strstr(line, "producer=") != NULL && strstr(line, "consumer=") != NULL);

    CHECK(strncmp(dump_of(ring, ""), "capacity=", 9) == 0);
    /* A prefix may be of any length, and is no format. */
    char prefix[3000];
    memset(prefix, '%', sizeof prefix);
    memcpy(prefix, "%s%n", 4);
    prefix[sizeof prefix - 1] = 0;
    line = dump_of(ring, prefix);
    CHECK(strncmp(line, prefix, 100) == 0);
    CHECK(strchr(line, '\n') == line + strlen(line) - 1);
    CHECK(strstr(line, "available=70") != NULL);

    /* A stream that is closed is no fault of the ring's. */
    const int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    const spsc_status status = spsc_debug_dump(ring, "nobody reads this");
    CHECK(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    OK(status);
    spsc_close(ring);
}

static void every_status_has_a_text_of_its_own(void)
{
    const char *texts[21];
    for (int32_t status = -16; status <= 4; status++) {
        const char *text = spsc_status_string(status);
        CHECK(text != NULL && text[0] != 0);
        CHECK(text == spsc_status_string(status));
        texts[status + 16] = text;
        for (int32_t other = -16; other < status; other++)
            CHECK(strcmp(text, texts[other + 16]) != 0);
    }
    const int32_t unknown[] = {5, -17, 1000, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        CHECK(spsc_status_string(unknown[i]) != NULL);
        CHECK(strcmp(spsc_status_string(unknown[i]), spsc_status_string(5)) == 0);
    }
}

static void the_numbers_of_the_statuses_are_fixed(void)
{
    CHECK(SPSC_OK == 0 && SPSC_TIMEOUT == 1 && SPSC_INTERRUPTED == 2);
    CHECK(SPSC_CLOSED == 3 && SPSC_PEER_DEAD == 4);
    CHECK(SPSC_ERR_INVALID_ARGUMENT == -1 && SPSC_ERR_INVALID_NAME == -2);
    CHECK(SPSC_ERR_ALREADY_EXISTS == -3 && SPSC_ERR_NOT_FOUND == -4);
    CHECK(SPSC_ERR_PERMISSION == -5 && SPSC_ERR_NO_SPACE == -6 && SPSC_ERR_NO_MEMORY == -7);
    CHECK(SPSC_ERR_NOT_READY == -8 && SPSC_ERR_NOT_A_RING == -9 && SPSC_ERR_VERSION == -10);
    CHECK(SPSC_ERR_ROLE_TAKEN == -11 && SPSC_ERR_TOO_LARGE == -12 && SPSC_ERR_MISUSE == -13);
    CHECK(SPSC_ERR_CORRUPT == -14 && SPSC_ERR_SYSTEM == -15 && SPSC_ERR_PANIC == -16);
    CHECK(sizeof(spsc_status) == 4);
}

static void the_library_belongs_to_the_header(void)
{
    CHECK(spsc_version() == SPSC_VERSION_NUMBER);
    CHECK(spsc_version() >> 16 == SPSC_VERSION_MAJOR);
    CHECK((spsc_version() >> 8 & 0xff) == SPSC_VERSION_MINOR);
    CHECK((spsc_version() & 0xff) == SPSC_VERSION_PATCH);
}

int main(void)
{
    statistics_follow_the_stream();
    the_dump_is_one_line_that_begins_with_the_prefix();
    every_status_has_a_text_of_its_own();
    the_numbers_of_the_statuses_are_fixed();
    the_library_belongs_to_the_header();
    return 0;
}
