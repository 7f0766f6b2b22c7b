/* A program with a copy of the library, and a plug-in with another: each closes what the other made,
 * and a process that is forked afterwards, or meanwhile, is sound. */
#include "check.h"

#include <dlfcn.h>

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

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    CHECK(plugin != NULL);
    make_ring *make = NULL;
    close_ring *close_it = NULL;
    *(void **)&make = symbol(plugin, "plugin_make");
    *(void **)&close_it = symbol(plugin, "plugin_close");
    made_here_and_closed_there(make, spsc_close);
    made_here_and_closed_there(program_make, close_it);
    return 0;
}
