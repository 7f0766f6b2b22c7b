/* Connections from C: both ways in, both ways out, the descriptor, the structs, and what is refused. */
#include "check.h"

#include <poll.h>
#include <sys/socket.h>

static const spsc_status INVALID = SPSC_ERR_INVALID_ARGUMENT;
static const uint64_t FOREVER = SPSC_WAIT_FOREVER;

static char directory[] = "/tmp/spsc-ctest-XXXXXX";
static char path[64];

static void send_text(spsc_conn *conn, const char *text)
{
    OK(spsc_send(spsc_conn_sender(conn), 1, text, strlen(text), FOREVER));
}

static void receive_text(spsc_conn *conn, const char *text)
{
    spsc_message message;
    OK(spsc_receive(spsc_conn_receiver(conn), FOREVER, &message));
    CHECK(message.tag == 1 && message.len == strlen(text));
    CHECK(memcmp(message.data, text, message.len) == 0);
    OK(spsc_receive_done(spsc_conn_receiver(conn)));
}

/* A connection to a listener that serves. It drops a client that takes a second to say what it has to: one
 * that did not run for so long dials again. */
static spsc_conn *dial(void)
{
    spsc_conn *conn = NULL;
    spsc_status status = SPSC_CLOSED;
    while (status == SPSC_CLOSED)
        status = spsc_dial(path, NULL, FOREVER, &conn);
    OK(status);
    return conn;
}

/* Waits for the descriptor, and says what poll said. */
static int events(int fd, int timeout_ms)
{
    struct pollfd poll_fd;
    poll_fd.fd = fd;
    poll_fd.events = POLLIN;
    poll_fd.revents = 0;
    CHECK(poll(&poll_fd, 1, timeout_ms) >= 0);
    return poll_fd.revents;
}

static void a_question_and_an_answer(void)
{
    spsc_listener *listener = NULL;
    OK(spsc_listen(path, NULL, &listener));
    const pid_t child = fork();
    if (child == 0) {
        spsc_listener_close(listener); /* leaves the parent's path alone */
        spsc_conn *client = dial();
        send_text(client, "question");
        receive_text(client, "answer");
        spsc_conn_close(client);
        _exit(0);
    }
    spsc_conn *server = NULL;
    OK(spsc_accept(listener, FOREVER, &server));
    spsc_peer peer;
    OK(spsc_conn_peer(server, &peer, sizeof peer));
    CHECK(peer.pid == child && peer.uid == getuid() && peer.gid == getgid());
    receive_text(server, "question");
    send_text(server, "answer");
    spsc_message message;
    CHECK_FAILS(message, spsc_receive(spsc_conn_receiver(server), FOREVER, &message), SPSC_CLOSED);
    /* A doorbell may be there before the socket closes. */
    while ((events(spsc_conn_fd(server), -1) & POLLHUP) == 0)
        ;
    join_child(child);
    spsc_conn_close(server);
    spsc_listener_close(listener);
    CHECK(access(path, F_OK) != 0 && errno == ENOENT);
}

static void a_listener_in_a_loop(void)
{
    spsc_listener *listener = NULL;
    spsc_conn *conn = NULL;
    OK(spsc_listen(path, NULL, &listener));
    CHECK(events(spsc_listener_fd(listener), 0) == 0);
    CHECK_FAILS(conn, spsc_accept(listener, 0, &conn), SPSC_TIMEOUT);
    CHECK_FAILS(conn, spsc_accept(listener, MILLISECOND, &conn), SPSC_TIMEOUT);
    OK(spsc_listener_interrupt(listener));
    CHECK_FAILS(conn, spsc_accept(listener, FOREVER, &conn), SPSC_INTERRUPTED);

    spsc_listener *second = NULL;
    CHECK_FAILS(second, spsc_listen(path, NULL, &second), SPSC_ERR_ALREADY_EXISTS);
    CHECK_FAILS(conn, spsc_dial(path, NULL, MILLISECOND, &conn), SPSC_TIMEOUT);

    const pid_t child = fork();
    if (child == 0) {
        conn = dial();
        _exit(0); /* without a close */
    }
    spsc_status status = SPSC_TIMEOUT;
    while (status == SPSC_TIMEOUT) {
        CHECK(events(spsc_listener_fd(listener), -1) == POLLIN);
        status = spsc_accept(listener, 0, &conn);
    }
    OK(status);
    join_child(child);
    const void *data = NULL;
    CHECK_FAILS(data, spsc_peek(spsc_conn_receiver(conn), 1, FOREVER, &data), SPSC_PEER_DEAD);
    spsc_conn_close(conn);
    spsc_listener_close(listener);
    CHECK_FAILS(conn, spsc_dial(path, NULL, FOREVER, &conn), SPSC_ERR_NOT_FOUND);
}

static void a_pair_of_sockets(void)
{
    int sockets[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    spsc_conn *conn = NULL;
    CHECK_FAILS(conn, spsc_conn_adopt(sockets[0], 1, NULL, 0, &conn), SPSC_TIMEOUT);
    close(sockets[0]);
    close(sockets[1]);

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(sockets[0]);
        OK(spsc_conn_adopt(sockets[1], 0, NULL, FOREVER, &conn));
        receive_text(conn, "to the child");
        send_text(conn, "from the child");
        /* Until the parent is done. */
        spsc_message message;
        CHECK_FAILS(
            message, spsc_receive(spsc_conn_receiver(conn), FOREVER, &message), SPSC_CLOSED);
        spsc_conn_close(conn);
        CHECK(fcntl(sockets[1], F_GETFD) == -1); /* It was the connection's. */
        _exit(0);
    }
    close(sockets[1]);
    spsc_conn_options options = SPSC_CONN_OPTIONS_INIT;
    options.to_server = 5000;
    options.to_client = 1;
    OK(spsc_conn_adopt(sockets[0], 1, &options, FOREVER, &conn));
    CHECK(spsc_conn_fd(conn) == sockets[0]);
    CHECK(spsc_capacity(spsc_conn_receiver(conn)) == 8192);
    CHECK(spsc_capacity(spsc_conn_sender(conn)) == 4096);

    uint32_t ready = 0;
    OK(spsc_conn_arm(conn, 1, 4096, &ready));
    CHECK(ready == SPSC_WRITABLE);
    OK(spsc_conn_arm(conn, 1, 0, &ready));
    CHECK(ready == 0);
    send_text(conn, "to the child");
    CHECK(events(sockets[0], -1) == POLLIN);
    OK(spsc_conn_arm(conn, 1, 1, &ready));
    CHECK(ready == (SPSC_READABLE | SPSC_WRITABLE));
    receive_text(conn, "from the child");
    OK(spsc_conn_arm(conn, 1, 0, &ready));
    CHECK(ready == 0);
    CHECK_FAILS(ready, spsc_conn_arm(conn, 8193, 0, &ready), SPSC_ERR_TOO_LARGE);
    CHECK_FAILS(ready, spsc_conn_arm(conn, 0, 4097, &ready), SPSC_ERR_TOO_LARGE);
    CHECK(events(sockets[0], 0) == 0);
    spsc_conn_close(conn);
    join_child(child);
}

static void structs_that_grow(void)
{
    spsc_conn_options options = SPSC_CONN_OPTIONS_INIT;
    spsc_conn_options filled;
    OK(spsc_conn_options_init(&filled, sizeof filled));
    CHECK(memcmp(&options, &filled, sizeof options) == 0);
    CHECK_STATUS(spsc_conn_options_init(NULL, sizeof filled), INVALID);
    CHECK_STATUS(spsc_conn_options_init(&filled, 8), INVALID);

    /* A caller that knows more than the library. What it knows more is 0, and so is what it gets. */
    struct {
        spsc_conn_options known;
        uint64_t more;
    } larger;
    spsc_listener *listener = NULL;
    OK(spsc_conn_options_init(&larger.known, sizeof larger));
    CHECK(larger.more == 0 && larger.known.struct_size == sizeof larger);
    OK(spsc_listen(path, &larger.known, &listener));
    spsc_listener_close(listener);
    larger.more = 1;
    CHECK_FAILS(listener, spsc_listen(path, &larger.known, &listener), INVALID);

    const struct {
        size_t offset;
        uint32_t value;
    } wrong[] = {
        {offsetof(spsc_conn_options, mode), 010000},
        {offsetof(spsc_conn_options, flags), SPSC_REPLACE_STALE},
        {offsetof(spsc_conn_options, backlog), 0},
        {offsetof(spsc_conn_options, backlog), 4097},
        {offsetof(spsc_conn_options, reserved), 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options = filled;
        memcpy((char *)&options + wrong[i].offset, &wrong[i].value, sizeof wrong[i].value);
        CHECK_FAILS(listener, spsc_listen(path, &options, &listener), INVALID);
    }
    options = filled;
    options.struct_size = 8;
    CHECK_FAILS(listener, spsc_listen(path, &options, &listener), INVALID);
}

static void nulls(void)
{
    spsc_listener *listener = NULL;
    spsc_conn *conn = NULL;
    spsc_peer peer;
    uint32_t ready = 0;
    CHECK_FAILS(listener, spsc_listen(NULL, NULL, &listener), INVALID);
    CHECK_STATUS(spsc_listen(path, NULL, NULL), INVALID);
    CHECK(access(path, F_OK) != 0);
    CHECK_FAILS(conn, spsc_accept(NULL, FOREVER, &conn), INVALID);
    CHECK(spsc_listener_fd(NULL) == -1);
    CHECK_STATUS(spsc_listener_interrupt(NULL), INVALID);
    spsc_listener_close(NULL);
    CHECK_FAILS(conn, spsc_dial(NULL, NULL, FOREVER, &conn), INVALID);
    CHECK_STATUS(spsc_dial(path, NULL, FOREVER, NULL), INVALID);
    CHECK_FAILS(conn, spsc_conn_adopt(-1, 0, NULL, FOREVER, &conn), INVALID);
    CHECK_FAILS(conn, spsc_conn_adopt(STDERR_FILENO, 0, NULL, FOREVER, &conn), INVALID);
    CHECK(spsc_conn_sender(NULL) == NULL && spsc_conn_receiver(NULL) == NULL);
    CHECK_FAILS(peer, spsc_conn_peer(NULL, &peer, sizeof peer), INVALID);
    CHECK(spsc_conn_fd(NULL) == -1);
    CHECK_FAILS(ready, spsc_conn_arm(NULL, 1, 1, &ready), INVALID);
    spsc_conn_close(NULL);

    OK(spsc_listen(path, NULL, &listener));
    CHECK_STATUS(spsc_accept(listener, FOREVER, NULL), INVALID);
    spsc_listener_close(listener);
    CHECK_FAILS(listener, spsc_listen("", NULL, &listener), SPSC_ERR_INVALID_NAME);
    CHECK_FAILS(listener, spsc_listen("/nobody/made/this", NULL, &listener), SPSC_ERR_NOT_FOUND);
    char long_path[200];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    CHECK_FAILS(listener, spsc_listen(long_path, NULL, &listener), SPSC_ERR_INVALID_NAME);
    CHECK_FAILS(conn, spsc_dial(long_path, NULL, FOREVER, &conn), SPSC_ERR_INVALID_NAME);
}

int main(void)
{
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/socket", directory);
    a_question_and_an_answer();
    a_listener_in_a_loop();
    a_pair_of_sockets();
    structs_that_grow();
    nulls();
    CHECK(rmdir(directory) == 0); /* Nothing is left in it. */
    return 0;
}
