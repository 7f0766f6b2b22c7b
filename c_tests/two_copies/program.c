/* A program with a copy of the library, and a plug-in with another: each closes what the other made,
 * and a process that is forked afterwards, or meanwhile, is sound. */
#include "check.h"

#include <dlfcn.h>
#include <pthread.h>

typedef spsc_ring *make_ring(void);
typedef void close_ring(spsc_ring *ring);

/* A function of the plug-in. */
static void *symbol(void *plugin, const char *name)
{
    void *found = dlsym(plugin, name);
    CHECK(found != NULL);
    return found;
}

static spsc_ring *program_make(void)
{
    spsc_ring *ring = NULL;
    OK(spsc_create_anonymous(1, &ring));
    send_bytes(ring, 3);
    return ring;
}

static void made_here_and_closed_there(make_ring *make, close_ring *close_it)
{
    enum { RINGS = 3 };
    spsc_ring *rings[RINGS];
    for (int i = 0; i < RINGS; i++)
        rings[i] = make();
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < RINGS; i++)
            close_it(rings[i]);
        child = fork();
        if (child == 0)
            _exit(0);
        join_child(child);
        _exit(0);
    }
    join_child(child);
    for (int i = 0; i < RINGS; i++) {
        send_bytes(rings[i], 1);
        receive_bytes(rings[i], 4);
        close_it(rings[i]);
        child = fork();
        if (child == 0)
            _exit(0);
        join_child(child);
    }
}

/* Handlers registered before the plug-in is loaded: they run inside of those of its copy. */
static spsc_ring *closed_before_fork, *closed_in_child, *closed_in_parent;
static close_ring *close_there;

static void close_now(spsc_ring **ring)
{
    if (*ring != NULL)
        close_there(*ring);
    *ring = NULL;
}

static void before_fork(void)
{
    close_now(&closed_before_fork);
}

static void in_parent(void)
{
    close_now(&closed_in_parent);
}

static void in_child(void)
{
    close_now(&closed_in_child);
}

static int32_t producer_state(const spsc_ring *ring)
{
    spsc_stats_t stats;
    OK(spsc_stats(ring, &stats, sizeof stats));
    return stats.producer.state;
}

static void closed_in_handlers(make_ring *make)
{
    spsc_ring *seen[3] = {NULL, NULL, NULL};
    closed_before_fork = make();
    closed_in_parent = make();
    spsc_ring *kept = closed_in_child = make();
    OK(spsc_connect_fd(spsc_fd(closed_before_fork), &seen[0]));
    OK(spsc_connect_fd(spsc_fd(closed_in_parent), &seen[1]));
    OK(spsc_connect_fd(spsc_fd(kept), &seen[2]));
    pid_t child = fork();
    if (child == 0)
        _exit(closed_in_child != NULL);
    closed_in_child = NULL;
    join_child(child);
    CHECK(producer_state(seen[0]) == SPSC_ROLE_CLOSED);
    CHECK(producer_state(seen[1]) == SPSC_ROLE_CLOSED);
    CHECK(producer_state(seen[2]) == SPSC_ROLE_ATTACHED);
    send_bytes(kept, 1);
    receive_bytes(seen[2], 4);
    close_there(kept);
    for (int i = 0; i < 3; i++)
        spsc_close(seen[i]);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    CHECK(pthread_atfork(before_fork, in_parent, in_child) == 0);
    void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    CHECK(plugin != NULL);
    make_ring *make = NULL;
    close_ring *close_it = NULL;
    *(void **)&make = symbol(plugin, "plugin_make");
    *(void **)&close_it = symbol(plugin, "plugin_close");
    made_here_and_closed_there(make, spsc_close);
    made_here_and_closed_there(program_make, close_it);
    close_there = close_it;
    closed_in_handlers(make);
    return 0;
}
