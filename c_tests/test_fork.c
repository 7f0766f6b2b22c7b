/* Forks in unusual places, and threads whose descriptors are not those of the process. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

/* A ring with both roles taken, by a handle each, and ten bytes in it. */
struct pair {
    const char *name;
    spsc_ring *producer;
    spsc_ring *consumer;
};

static struct pair new_pair(const char *name)
{
    struct pair pair;
    pair.name = name;
    pair.producer = new_ring(pair.name, 1);
    pair.consumer = connected(pair.name);
    send_bytes(pair.producer, 11);
    receive_bytes(pair.consumer, 1);
    return pair;
}

static int32_t producer_state(const spsc_ring *ring)
{
    spsc_stats_t stats;
    OK(spsc_stats(ring, &stats, sizeof stats));
    return stats.producer.state;
}

/* Both roles are this process's own still, and nobody else's. */
static void check_kept(struct pair *pair)
{
    CHECK(producer_state(pair->consumer) == SPSC_ROLE_ATTACHED);
    spsc_ring *third = connected(pair->name);
    void *data = NULL;
    const void *bytes = NULL;
    CHECK_STATUS(spsc_claim(third, 1, 0, &data), SPSC_ERR_ROLE_TAKEN);
    CHECK_STATUS(spsc_peek(third, 1, 0, &bytes), SPSC_ERR_ROLE_TAKEN);
    spsc_close(third);
    send_bytes(pair->producer, 5);
    receive_bytes(pair->consumer, 15);
    CHECK(spsc_available(pair->producer) == 0);
    spsc_close(pair->producer);
    CHECK(producer_state(pair->consumer) == SPSC_ROLE_CLOSED);
    spsc_close(pair->consumer);
}

/* In a child: what its parent holds is not its own, whatever it asks for that must be waited for. */
static void check_not_held(struct pair *pair)
{
    void *data = NULL;
    const void *bytes = NULL;
    const size_t all = (size_t)spsc_capacity(pair->producer);
    CHECK(spsc_available(pair->producer) == 10);
    CHECK_STATUS(spsc_claim(pair->producer, all, 0, &data), SPSC_ERR_ROLE_TAKEN);
    CHECK_STATUS(spsc_peek(pair->consumer, all, 0, &bytes), SPSC_ERR_ROLE_TAKEN);
    CHECK(producer_state(pair->producer) == SPSC_ROLE_ATTACHED);
}

/* Fork handlers of the program's own, registered before the first ring is made. */
static spsc_ring *closed_before_fork, *closed_in_child;

static void before_fork(void)
{
    spsc_close(closed_before_fork);
    closed_before_fork = NULL;
}

static void in_child(void)
{
    spsc_close(closed_in_child);
    closed_in_child = NULL;
}

static void a_fork_handler_that_closes_in_the_child_leaves_the_parent_its_roles(void)
{
    struct pair pair = new_pair(new_name());
    closed_in_child = pair.producer;
    pid_t child = fork();
    if (child == 0)
        _exit(closed_in_child != NULL);
    closed_in_child = NULL;
    join_child(child);
    check_kept(&pair);
}

static void a_fork_handler_that_closes_before_the_fork_closes(void)
{
    struct pair pair = new_pair(new_name());
    closed_before_fork = pair.producer;
    pid_t child = fork();
    if (child == 0)
        _exit(closed_before_fork != NULL);
    join_child(child);
    CHECK(producer_state(pair.consumer) == SPSC_ROLE_CLOSED);
    spsc_close(pair.consumer);
}

/* Forks by the system call alone: no fork handler runs. */
static pid_t bare_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void a_child_forked_without_handlers_holds_no_role(void)
{
    struct pair pair = new_pair(new_name());
    pid_t child = bare_fork();
    if (child == 0) {
        check_not_held(&pair);
        spsc_close(pair.producer);
        spsc_close(pair.consumer);
        _exit(0);
    }
    join_child(child);
    check_kept(&pair);
}

static void a_child_forked_without_handlers_may_just_close(void)
{
    struct pair pair = new_pair(new_name());
    pid_t child = bare_fork();
    if (child == 0) {
        spsc_close(pair.producer);
        spsc_close(pair.consumer);
        _exit(0);
    }
    join_child(child);
    check_kept(&pair);
}

static void a_child_forked_without_handlers_takes_a_role_of_its_own(void)
{
    const char *name = new_name();
    spsc_ring *producer = new_ring(name, 1), *consumer = connected(name);
    const void *bytes = NULL;
    pid_t child = bare_fork();
    if (child == 0) {
        send_bytes(producer, 3);
        _exit(0);
    }
    receive_bytes(consumer, 3);
    join_child(child);
    CHECK_STATUS(spsc_peek(consumer, 1, SPSC_WAIT_FOREVER, &bytes), SPSC_PEER_DEAD);
    send_bytes(producer, 2);
    receive_bytes(consumer, 2);
    spsc_close(producer);
    spsc_close(consumer);
}

/* Forks where thread-local storage is gone: in an exit handler, and in a thread's last destructor. */
static struct pair last;

static void fork_at_the_end(void)
{
    pid_t child = fork();
    if (child == 0) {
        check_not_held(&last);
        spsc_close(last.producer);
        spsc_close(last.consumer);
        _exit(0);
    }
    join_child(child);
    check_kept(&last);
}

static void a_fork_in_an_exit_handler_leaves_the_child_no_role(void)
{
    const char *name = new_name();
    pid_t child = fork();
    if (child == 0) {
        last = new_pair(name);
        atexit(fork_at_the_end);
        exit(0);
    }
    join_child(child);
}

static pthread_key_t key;
static int destructions;

static void destroy(void *value)
{
    /* As late as can be. */
    if (++destructions < 4)
        CHECK(pthread_setspecific(key, value) == 0);
    else
        fork_at_the_end();
}

static void *use_and_end(void *nothing)
{
    last = new_pair(new_name());
    CHECK(pthread_setspecific(key, &last) == 0);
    return nothing;
}

static void a_fork_in_a_threads_last_destructor_leaves_the_child_no_role(void)
{
    pthread_t thread;
    CHECK(pthread_key_create(&key, destroy) == 0);
    CHECK(pthread_create(&thread, NULL, use_and_end, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(destructions == 4);
}

/* The threads below take turns. */
static pthread_barrier_t barrier;

static void *create_with_descriptors_of_its_own(void *name)
{
    CHECK(unshare(CLONE_FILES) == 0);
    pthread_barrier_wait(&barrier);
    /* The main thread opens its files. */
    pthread_barrier_wait(&barrier);
    spsc_ring *ring = new_ring((const char *)name, 1);
    send_bytes(ring, 3);
    pthread_barrier_wait(&barrier);
    spsc_close(ring);
    return NULL;
}

static void a_thread_with_descriptors_of_its_own_makes_a_ring(void)
{
    enum { FILES = 8 };
    int files[FILES];
    char *name = (char *)new_name();
    pthread_t thread;
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, create_with_descriptors_of_its_own, name) == 0);
    pthread_barrier_wait(&barrier);
    /* The numbers that the other thread's descriptors will have. */
    for (int i = 0; i < FILES; i++)
        CHECK((files[i] = open("/dev/shm", O_TMPFILE | O_RDWR, 0600)) >= 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    spsc_ring *ring = connected(name);
    receive_bytes(ring, 3);
    spsc_close(ring);
    for (int i = 0; i < FILES; i++)
        close(files[i]);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void *create_without_a_main_thread(void *name)
{
    char state = 'R', path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", (long)getpid());
    while (state != 'Z') {
        FILE *stat = fopen(path, "r");
        CHECK(stat != NULL && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1);
        fclose(stat);
        sched_yield();
    }
    spsc_close(new_ring((const char *)name, 1));
    exit(0);
}

static void a_process_whose_main_thread_has_ended_makes_a_ring(void)
{
    char *name = (char *)new_name();
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, create_without_a_main_thread, name) == 0);
        /* Of the thread alone. */
        syscall(SYS_exit, 0);
    }
    join_child(child);
    spsc_close(connected(name));
}

int main(void)
{
    CHECK(pthread_atfork(before_fork, NULL, in_child) == 0);
    a_fork_handler_that_closes_in_the_child_leaves_the_parent_its_roles();
    a_fork_handler_that_closes_before_the_fork_closes();
    a_child_forked_without_handlers_holds_no_role();
    a_child_forked_without_handlers_may_just_close();
    a_child_forked_without_handlers_takes_a_role_of_its_own();
    a_fork_in_an_exit_handler_leaves_the_child_no_role();
    a_fork_in_a_threads_last_destructor_leaves_the_child_no_role();
    a_thread_with_descriptors_of_its_own_makes_a_ring();
    a_process_whose_main_thread_has_ended_makes_a_ring();
    return 0;
}
