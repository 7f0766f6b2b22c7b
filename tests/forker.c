/* To be preloaded into a test program. At every moment some child has a copy of each descriptor, as one has
 * between its fork and its exec where another thread starts a process. What waits for a last close fails
 * then, instead of once in a thousand runs. docs/TESTING.md, "Children that have copies". */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3 };

static void nap_us(unsigned us)
{
    const struct timespec time = {0, (long)us * 1000};
    syscall(SYS_nanosleep, &time, NULL);
}

static void *fork_for_ever(void *number)
{
    unsigned seed = (unsigned)getpid() * THREADS + (unsigned)(size_t)number;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;) {
        /* As posix_spawn does: no handler runs. Without a signal at its end, so that the program does not
         * meet it where it waits for its own children. */
        if (syscall(SYS_clone, 0, NULL, NULL, NULL, NULL) == 0) {
            nap_us(1000 * (1 + seed % 40));
            syscall(SYS_exit_group, 0);
        }
        while (waitpid(-1, NULL, __WCLONE | WNOHANG) > 0)
            ;
        nap_us(10 * ((unsigned)rand_r(&seed) % 40));
    }
    return NULL;
}

__attribute__((constructor)) static void begin(void)
{
    char program[4096];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0)
        return;
    program[length] = '\0';
    /* Cargo itself, and what it starts, is let through to the test program. */
    if (strstr(program, "/deps/") == NULL)
        return;
    /* A process that a test kills is to be dead at once. */
    unsetenv("LD_PRELOAD");
    for (size_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, fork_for_ever, (void *)i) == 0)
            pthread_detach(thread);
    }
}
