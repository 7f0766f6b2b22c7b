/* Making, opening and removing rings: every status that these calls can give. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* "spscring", as the number it is in the control block. */
static const uint64_t MAGIC = UINT64_C(0x676e697263737073);
static const uint32_t VERSION = 1u << 16;

static uint64_t page;
static spsc_ring *ring;

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    return path;
}

/* What a creator writes before anybody sees the ring, or a liar. */
static void write_header(
    int fd, uint64_t magic, uint32_t version, uint32_t data_offset, uint64_t capacity)
{
    unsigned char header[32] = {0};
    memcpy(header, &magic, 8);
    memcpy(header + 8, &version, 4);
    memcpy(header + 12, &data_offset, 4);
    memcpy(header + 16, &capacity, 8);
    CHECK(pwrite(fd, header, sizeof header, 0) == (ssize_t)sizeof header);
}

static int new_object(const char *name)
{
    int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    return fd;
}

/* What connect says to an object with this header and size. */
static spsc_status connect_to_forged(
    uint64_t magic, uint32_t version, uint32_t data_offset, uint64_t capacity, uint64_t size)
{
    static const char *name;
    if (name == NULL)
        name = new_name();
    int fd = new_object(name);
    write_header(fd, magic, version, data_offset, capacity);
    CHECK(ftruncate(fd, (off_t)size) == 0);
    memset(&ring, 0x5a, sizeof ring);
    spsc_status status = spsc_connect(name, &ring);
    if (status == SPSC_OK)
        spsc_close(ring);
    else
        check_untouched(&ring, sizeof ring, __FILE__, __LINE__);
    CHECK(unlink(path_of(name)) == 0);
    close(fd);
    return status;
}

static void bad_names_are_refused_by_every_function(void)
{
    char long_name[258];
    memset(long_name, 'n', sizeof long_name);
    long_name[256] = 0;
    char long_name_with_slash[258];
    memcpy(long_name_with_slash + 1, long_name, 257);
    long_name_with_slash[0] = '/';
    const char *names[] = {"", "/", "//", "a/b", "/a/b", "a/", "//a", ".", "..", "/.", "/..",
        "../a", long_name, long_name_with_slash};
    spsc_options options;
    OK(spsc_options_init(&options, sizeof options));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = names[i];
        CHECK_FAILS(ring, spsc_create(name, 1, &ring), SPSC_ERR_INVALID_NAME);
        CHECK_FAILS(ring, spsc_create_with(name, 1, &options, &ring), SPSC_ERR_INVALID_NAME);
        CHECK_FAILS(ring, spsc_connect(name, &ring), SPSC_ERR_INVALID_NAME);
        CHECK_FAILS(ring, spsc_connect_timeout(name, SPSC_WAIT_FOREVER, &ring),
            SPSC_ERR_INVALID_NAME);
        CHECK_STATUS(spsc_unlink(name), SPSC_ERR_INVALID_NAME);
    }
}

static void odd_names_are_accepted(void)
{
    char longest[257];
    memset(longest, 'n', sizeof longest);
    longest[0] = '/';
    snprintf(longest + 1, 32, "spsc-ctest-%ld-", (long)getpid());
    longest[strlen(longest)] = '-';
    longest[256] = 0;
    CHECK(strlen(longest) == 256);
    const char *names[] = {longest, longest + 1};
    for (int i = 0; i < 2; i++) {
        OK(spsc_create(names[i], 1, &ring));
        spsc_close(ring);
        /* With the slash and without it, it is the same ring. */
        OK(spsc_connect(names[1 - i], &ring));
        spsc_close(ring);
        OK(spsc_unlink(names[1 - i]));
    }
}

static void a_capacity_is_a_power_of_two_of_at_least_a_page(void)
{
    const uint64_t asked[] = {0, 1, page - 1, page, page + 1, 3 * page, 100000};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        OK(spsc_create_anonymous((size_t)asked[i], &ring));
        uint64_t capacity = spsc_capacity(ring);
        CHECK(capacity >= page && capacity >= asked[i] && (capacity & (capacity - 1)) == 0);
        CHECK(capacity == page || capacity / 2 < asked[i]);
        spsc_close(ring);
    }
    const char *name = new_name();
    CHECK_FAILS(ring, spsc_create(name, SIZE_MAX, &ring), SPSC_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(ring, spsc_create_anonymous(SIZE_MAX, &ring), SPSC_ERR_INVALID_ARGUMENT);
}

static void a_ring_that_does_not_fit_is_refused(void)
{
    const char *name = new_name();
    const size_t huge = (size_t)1 << 46;
    errno = 0;
    CHECK_FAILS(ring, spsc_create(name, huge, &ring), SPSC_ERR_NO_SPACE);
    CHECK(errno == ENOSPC);
    CHECK_FAILS(ring, spsc_create_anonymous(huge, &ring), SPSC_ERR_NO_MEMORY);
    /* Nothing is left behind. */
    CHECK_FAILS(ring, spsc_connect(name, &ring), SPSC_ERR_NOT_FOUND);
}

static void a_taken_name_is_refused(void)
{
    const char *name = new_name();
    spsc_ring *first = new_ring(name, 1);
    CHECK_FAILS(ring, spsc_create(name, 1, &ring), SPSC_ERR_ALREADY_EXISTS);
    spsc_close(first);
    CHECK_FAILS(ring, spsc_create(name, 1, &ring), SPSC_ERR_ALREADY_EXISTS);
    OK(spsc_unlink(name));
    spsc_close(new_ring(name, 1));
}

static void options_are_checked_and_used(void)
{
    const char *name = new_name();
    spsc_options options;
    memset(&options, 0xff, sizeof options);
    OK(spsc_options_init(&options, sizeof options));
    CHECK(options.struct_size == sizeof options);
    CHECK(options.mode == 0600 && options.flags == 0 && options.spin_ns == SPSC_SPIN_ADAPTIVE);

    spsc_options bad = options;
    bad.struct_size = 0;
    CHECK_FAILS(ring, spsc_create_with(name, 1, &bad, &ring), SPSC_ERR_INVALID_ARGUMENT);
    bad.struct_size = sizeof options - 1;
    CHECK_FAILS(ring, spsc_create_with(name, 1, &bad, &ring), SPSC_ERR_INVALID_ARGUMENT);
    bad.struct_size = SIZE_MAX;
    CHECK_FAILS(ring, spsc_create_with(name, 1, &bad, &ring), SPSC_ERR_INVALID_ARGUMENT);
    bad = options;
    bad.flags = 1u << 31;
    CHECK_FAILS(ring, spsc_create_with(name, 1, &bad, &ring), SPSC_ERR_INVALID_ARGUMENT);
    bad = options;
    bad.mode = 01000;
    CHECK_FAILS(ring, spsc_create_with(name, 1, &bad, &ring), SPSC_ERR_INVALID_ARGUMENT);
    bad.mode = 0644; /* who may read but not write could hold a lock for ever */
    CHECK_FAILS(ring, spsc_create_with(name, 1, &bad, &ring), SPSC_ERR_INVALID_ARGUMENT);

    /* The struct of a later version: fields that we do not know must be zero. */
    struct {
        spsc_options known;
        uint64_t later;
    } longer = {options, 0};
    longer.known.struct_size = sizeof longer;
    longer.later = 1;
    CHECK_FAILS(ring, spsc_create_with(name, 1, &longer.known, &ring), SPSC_ERR_INVALID_ARGUMENT);
    longer.later = 0;
    longer.known.mode = 0660;
    longer.known.flags = SPSC_PREFAULT;
    longer.known.spin_ns = 0;
    umask(0);
    OK(spsc_create_with(name, 1, &longer.known, &ring));
    struct stat seen;
    CHECK(fstat(spsc_fd(ring), &seen) == 0);
    CHECK((seen.st_mode & 07777) == 0660);
    spsc_close(ring);

    ring = new_ring(new_name(), 1);
    CHECK(fstat(spsc_fd(ring), &seen) == 0);
    CHECK((seen.st_mode & 07777) == 0600);
    spsc_close(ring);
}

static void a_stale_ring_is_replaced_if_asked(void)
{
    const char *name = new_name();
    spsc_options options;
    OK(spsc_options_init(&options, sizeof options));
    options.flags = SPSC_REPLACE_STALE;

    spsc_ring *old = new_ring(name, 1);
    CHECK_FAILS(ring, spsc_create_with(name, 1, &options, &ring), SPSC_ERR_ALREADY_EXISTS);
    spsc_ring *idle = connected(name);
    spsc_close(old);
    OK(spsc_create_with(name, 1, &options, &ring));
    spsc_close(ring);

    /* Whoever is connected to the old one, without a role, learns of it. */
    void *data = NULL;
    const void *read_only = NULL;
    CHECK_FAILS(data, spsc_claim(idle, 1, 0, &data), SPSC_ERR_NOT_READY);
    CHECK_FAILS(read_only, spsc_peek(idle, 1, 0, &read_only), SPSC_ERR_NOT_READY);
    spsc_close(idle);

    const char *other = new_name();
    int fd = new_object(other);
    CHECK(ftruncate(fd, (off_t)(2 * page)) == 0);
    CHECK_FAILS(ring, spsc_create_with(other, 1, &options, &ring), SPSC_ERR_ALREADY_EXISTS);
    close(fd);
}

static void what_is_not_there_is_not_found(void)
{
    const char *name = new_name();
    errno = 0;
    CHECK_FAILS(ring, spsc_connect(name, &ring), SPSC_ERR_NOT_FOUND);
    CHECK(errno == ENOENT);
    CHECK_FAILS(ring, spsc_connect_timeout(name, 0, &ring), SPSC_ERR_NOT_FOUND);
    errno = 0;
    CHECK_STATUS(spsc_unlink(name), SPSC_ERR_NOT_FOUND);
    CHECK(errno == ENOENT);

    ring = new_ring(name, 1);
    OK(spsc_unlink(name));
    CHECK_STATUS(spsc_unlink(name), SPSC_ERR_NOT_FOUND);
    /* Whoever has it open keeps it. */
    send_bytes(ring, 5);
    receive_bytes(ring, 5);
    spsc_close(ring);
}

static void what_is_not_finished_is_not_ready(void)
{
    const char *name = new_name();
    int fd = new_object(name);
    CHECK_FAILS(ring, spsc_connect(name, &ring), SPSC_ERR_NOT_READY);
    CHECK_FAILS(ring, spsc_connect_timeout(name, 0, &ring), SPSC_ERR_NOT_READY);
    CHECK_FAILS(ring, spsc_connect_timeout(name, MILLISECOND, &ring), SPSC_TIMEOUT);
    close(fd);
    CHECK_STATUS(
        connect_to_forged(0, VERSION, (uint32_t)page, page, 2 * page), SPSC_ERR_NOT_READY);
}

static void what_lies_about_itself_is_not_a_ring(void)
{
    const uint32_t offset = (uint32_t)page;
    /* The truth, so that the rest is known to be refused for its lie alone. */
    OK(connect_to_forged(MAGIC, VERSION, offset, page, 2 * page));
    OK(connect_to_forged(MAGIC, VERSION, offset, 4 * page, 5 * page));
    /* Another minor version is compatible. */
    OK(connect_to_forged(MAGIC, VERSION + 7, offset, page, 2 * page));

    const uint32_t versions[] = {0, 1, 2u << 16, UINT32_MAX};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        CHECK_STATUS(
            connect_to_forged(MAGIC, versions[i], offset, page, 2 * page), SPSC_ERR_VERSION);

    const uint64_t magics[] = {1, MAGIC + 1, MAGIC ^ (UINT64_C(1) << 63), UINT64_MAX};
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
        CHECK_STATUS(
            connect_to_forged(magics[i], VERSION, offset, page, 2 * page), SPSC_ERR_NOT_A_RING);

    const uint64_t capacities[] = {0, 1, page / 2, page + 1, 2 * page, 3 * page, UINT64_C(1) << 46,
        UINT64_C(1) << 47, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - page + 1};
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++)
        CHECK_STATUS(connect_to_forged(MAGIC, VERSION, offset, capacities[i], 2 * page),
            SPSC_ERR_NOT_A_RING);

    const uint32_t offsets[] = {0, 8, offset - 1, offset + 1, 2 * offset, UINT32_MAX};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
        CHECK_STATUS(
            connect_to_forged(MAGIC, VERSION, offsets[i], page, 2 * page), SPSC_ERR_NOT_A_RING);

    const uint64_t sizes[] = {1, 7, 8, 11, 12, 16, 20, 24, 31, 32, page, 2 * page - 1, 2 * page + 1,
        3 * page};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        CHECK_STATUS(
            connect_to_forged(MAGIC, VERSION, offset, page, sizes[i]), SPSC_ERR_NOT_A_RING);
}

static void what_is_no_plain_file_is_not_a_ring(void)
{
    const char *names[] = {new_name(), new_name(), new_name()};
    CHECK(mkdir(path_of(names[0]), 0700) == 0);
    CHECK(mkfifo(path_of(names[1]), 0600) == 0);
    CHECK(symlink("/dev/null", path_of(names[2])) == 0);
    for (int i = 0; i < 3; i++)
        CHECK_FAILS(ring, spsc_connect_timeout(names[i], SPSC_WAIT_FOREVER, &ring),
            SPSC_ERR_NOT_A_RING);
    CHECK_STATUS(spsc_unlink(names[0]), SPSC_ERR_NOT_A_RING);
    CHECK(rmdir(path_of(names[0])) == 0);
}

static void *make_ring(void *name)
{
    /* No more than a chance for the other thread to look in vain first: either way is right. */
    for (int i = 0; i < 1000; i++)
        sched_yield();
    return new_ring((const char *)name, 1);
}

static void connecting_waits_for_the_name(void)
{
    const char *missing = new_name();
    const uint64_t start = now_ns();
    CHECK_FAILS(ring, spsc_connect_timeout(missing, 20 * MILLISECOND, &ring), SPSC_TIMEOUT);
    CHECK(now_ns() - start >= 20 * MILLISECOND);

    char *name = (char *)new_name();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, make_ring, name) == 0);
    OK(spsc_connect_timeout(name, SPSC_WAIT_FOREVER, &ring));
    void *made = NULL;
    CHECK(pthread_join(thread, &made) == 0);
    send_bytes((spsc_ring *)made, 3);
    receive_bytes(ring, 3);
    spsc_close(ring);
    spsc_close((spsc_ring *)made);
}

static int new_memfd(void)
{
    int fd = memfd_create("spsc-ctest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(fd >= 0);
    return fd;
}

static void seal(int fd)
{
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
}

static void only_a_sealed_ring_is_taken_from_a_descriptor(void)
{
    CHECK_FAILS(ring, spsc_connect_fd(-1, &ring), SPSC_ERR_INVALID_ARGUMENT);
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    CHECK_FAILS(ring, spsc_connect_fd(pipes[0], &ring), SPSC_ERR_NOT_A_RING);
    CHECK_FAILS(ring, spsc_connect_fd(pipes[1], &ring), SPSC_ERR_NOT_A_RING);
    close(pipes[0]);
    close(pipes[1]);
    errno = 0;
    CHECK_FAILS(ring, spsc_connect_fd(pipes[1], &ring), SPSC_ERR_INVALID_ARGUMENT);
    CHECK(errno == EBADF);

    spsc_ring *named = new_ring(new_name(), 1);
    CHECK_FAILS(ring, spsc_connect_fd(spsc_fd(named), &ring), SPSC_ERR_NOT_A_RING);
    spsc_close(named);

    int fd = new_memfd();
    write_header(fd, MAGIC, VERSION, (uint32_t)page, page);
    CHECK(ftruncate(fd, (off_t)(2 * page)) == 0);
    CHECK_FAILS(ring, spsc_connect_fd(fd, &ring), SPSC_ERR_NOT_A_RING);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    CHECK_FAILS(ring, spsc_connect_fd(fd, &ring), SPSC_ERR_NOT_A_RING);
    seal(fd);
    OK(spsc_connect_fd(fd, &ring));
    spsc_close(ring);
    write_header(fd, MAGIC, VERSION, (uint32_t)page, 2 * page);
    CHECK_FAILS(ring, spsc_connect_fd(fd, &ring), SPSC_ERR_NOT_A_RING);
    write_header(fd, MAGIC, 2 * VERSION, (uint32_t)page, page);
    CHECK_FAILS(ring, spsc_connect_fd(fd, &ring), SPSC_ERR_VERSION);
    write_header(fd, 0, VERSION, (uint32_t)page, page);
    CHECK_FAILS(ring, spsc_connect_fd(fd, &ring), SPSC_ERR_NOT_READY);
    close(fd);

    fd = new_memfd();
    seal(fd);
    CHECK_FAILS(ring, spsc_connect_fd(fd, &ring), SPSC_ERR_NOT_READY);
    close(fd);
}

static void a_descriptor_leads_to_the_same_ring(void)
{
    OK(spsc_create_anonymous(1, &ring));
    const int fd = spsc_fd(ring);
    CHECK(fd >= 0);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    int own = dup(fd);
    spsc_ring *other = NULL;
    OK(spsc_connect_fd(own, &other));
    /* The caller keeps its own. */
    CHECK(fcntl(own, F_GETFD) != -1);
    CHECK(close(own) == 0);
    CHECK(spsc_fd(other) != own);
    send_bytes(ring, 7);
    receive_bytes(other, 7);
    CHECK(ftruncate(fd, 0) == -1 && errno == EPERM);
    spsc_close(other);
    spsc_close(ring);
}

static void what_the_system_forbids_is_a_matter_of_permission(void)
{
    const char *name = new_name();
    ring = new_ring(name, 1);
    CHECK(fchmod(spsc_fd(ring), 0) == 0);
    spsc_close(ring);
    pid_t child = fork();
    if (child == 0) {
        /* Root may open anything. */
        CHECK(geteuid() != 0 || setuid(65534) == 0);
        errno = 0;
        CHECK_FAILS(ring, spsc_connect(name, &ring), SPSC_ERR_PERMISSION);
        CHECK(errno == EACCES);
        exit(0);
    }
    join_child(child);
}

static void a_process_out_of_descriptors_is_told(void)
{
    const char *taken = new_name(), *name = new_name();
    spsc_close(new_ring(taken, 1));
    pid_t child = fork();
    if (child == 0) {
        /* The standard ones are open, and others have higher numbers: there is none to be had. */
        const struct rlimit none_left = {3, 3};
        CHECK(setrlimit(RLIMIT_NOFILE, &none_left) == 0);
        errno = 0;
        CHECK_FAILS(ring, spsc_connect(taken, &ring), SPSC_ERR_NO_MEMORY);
        CHECK(errno == EMFILE);
        errno = 0;
        CHECK_FAILS(ring, spsc_create(name, 1, &ring), SPSC_ERR_NO_MEMORY);
        CHECK(errno == EMFILE);
        CHECK_FAILS(ring, spsc_create_anonymous(1, &ring), SPSC_ERR_NO_MEMORY);
        exit(0);
    }
    join_child(child);
    CHECK_FAILS(ring, spsc_connect(name, &ring), SPSC_ERR_NOT_FOUND);
}

int main(void)
{
    page = (uint64_t)sysconf(_SC_PAGESIZE);
    bad_names_are_refused_by_every_function();
    odd_names_are_accepted();
    a_capacity_is_a_power_of_two_of_at_least_a_page();
    a_ring_that_does_not_fit_is_refused();
    a_taken_name_is_refused();
    options_are_checked_and_used();
    a_stale_ring_is_replaced_if_asked();
    what_is_not_there_is_not_found();
    what_is_not_finished_is_not_ready();
    what_lies_about_itself_is_not_a_ring();
    what_is_no_plain_file_is_not_a_ring();
    connecting_waits_for_the_name();
    only_a_sealed_ring_is_taken_from_a_descriptor();
    a_descriptor_leads_to_the_same_ring();
    what_the_system_forbids_is_a_matter_of_permission();
    a_process_out_of_descriptors_is_told();
    spsc_close(NULL);
    return 0;
}
