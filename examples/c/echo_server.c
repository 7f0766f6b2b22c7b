/*
 * Sends back what each of its clients sends: one thread, any number of clients, one epoll.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   cc -std=c11 -O2 -Iinclude -o echo_server examples/c/echo_server.c target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./echo_server /tmp/echo
 *
 * Clients are whoever dials: the example "client" in C++ or Rust, for one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "spsc_shm.h"

static int fail(const char *what, spsc_status status)
{
    fprintf(stderr, "echo_server: %s: %s\n", what, spsc_status_string(status));
    return 1;
}

/* Sends back what is there. SPSC_TIMEOUT: for more, wait for the descriptor. Otherwise it is over. */
static spsc_status echo(spsc_conn *conn)
{
    spsc_ring *in = spsc_conn_receiver(conn), *out = spsc_conn_sender(conn);
    for (;;) {
        size_t need_data = 0, need_space = 0, size = 0, room = 0;
        const void *data = NULL;
        void *copy = NULL;
        uint32_t ready = 0;
        spsc_status status = spsc_peek_some(in, 1, 0, &data, &size);
        if (status == SPSC_TIMEOUT)
            need_data = 1;
        else if (status == SPSC_OK) {
            status = spsc_claim_some(out, 1, 0, &copy, &room);
            if (status == SPSC_TIMEOUT)
                need_space = 1;
        }
        if (status == SPSC_OK) {
            if (size > room)
                size = room;
            memcpy(copy, data, size);
            if ((status = spsc_publish(out, size)) == SPSC_OK)
                status = spsc_release(in, size);
        } else if (status == SPSC_TIMEOUT) {
            /* While there is something to do, this makes no system call, and neither does the client. */
            const spsc_status armed = spsc_conn_arm(conn, need_data, need_space, &ready);
            if (armed != SPSC_OK || ready == 0)
                return armed != SPSC_OK ? armed : SPSC_TIMEOUT;
            status = SPSC_OK;
        }
        if (status != SPSC_OK)
            return status;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH\n", argv[0]);
        return 2;
    }
    spsc_listener *listener = NULL;
    spsc_status status = spsc_listen(argv[1], NULL, &listener);
    if (status != SPSC_OK)
        return fail(argv[1], status);
    const int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}; /* NULL: the listener */
    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, spsc_listener_fd(listener), &event) != 0) {
        perror("epoll");
        return 1;
    }
    for (;;) {
        if (epoll_wait(loop, &event, 1, -1) != 1)
            continue;
        spsc_conn *conn = event.data.ptr;
        if (conn == NULL) {
            status = spsc_accept(listener, 0, &conn);
            if (status == SPSC_TIMEOUT)
                continue; /* Somebody is on the way in, and not yet here. */
            if (status != SPSC_OK)
                return fail("accept", status);
            event = (struct epoll_event){.events = EPOLLIN, .data.ptr = conn};
            if (epoll_ctl(loop, EPOLL_CTL_ADD, spsc_conn_fd(conn), &event) != 0) {
                spsc_conn_close(conn);
                continue;
            }
        }
        status = echo(conn);
        if (status != SPSC_TIMEOUT)
            spsc_conn_close(conn); /* The client is gone, or has no more to say. epoll forgets it. */
        if (status < 0)
            fail("a client", status);
    }
}
