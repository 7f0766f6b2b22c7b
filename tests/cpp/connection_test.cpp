// spsc_shm_connection.hpp: listeners, connections, their descriptor.

#include "spsc_shm_connection.hpp"
#include "support.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <type_traits>

namespace {

using namespace std::chrono_literals;
using spsc::Connection;
using spsc::Listener;
using spsc::no_wait;

template <class T>
constexpr bool is_move_only =
    std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
    !std::is_default_constructible_v<T>;

static_assert(is_move_only<Listener>);
static_assert(is_move_only<Connection>);

// A path that nobody else has.
class Path {
  public:
    Path()
    {
        std::string directory = "/tmp/spsc-cpp-XXXXXX";
        if (::mkdtemp(directory.data()) == nullptr) {
            std::abort();
        }
        directory_ = directory;
        path_ = directory + "/socket";
    }
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;
    // Fails, and is seen, if anything was left there.
    ~Path() { EXPECT_EQ(::rmdir(directory_.c_str()), 0) << directory_; }

    operator const std::string&() const { return path_; }

  private:
    std::string directory_;
    std::string path_;
};

struct Pair {
    Connection server;
    Connection client;
};

Pair pair()
{
    int sockets[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        std::abort();
    }
    std::optional<Connection> client;
    std::thread dialling([&] { client = Connection::adopt_as_client(sockets[1]).value(); });
    Connection server = Connection::adopt_as_server(sockets[0]).value();
    dialling.join();
    return { std::move(server), *std::move(client) };
}

void write(spsc::Producer& producer, std::string_view bytes)
{
    auto claim = producer.claim(bytes.size()).value();
    std::memcpy(claim.data(), bytes.data(), bytes.size());
    claim.publish().value();
}

std::string read(spsc::Consumer& consumer, std::size_t n)
{
    auto claim = consumer.peek(n).value();
    std::string bytes(reinterpret_cast<const char*>(claim.data()), n);
    claim.release().value();
    return bytes;
}

// Waits for the descriptor, and says whether it has hung up.
bool hangs_up(int fd)
{
    pollfd poll = { fd, POLLIN, 0 };
    EXPECT_EQ(::poll(&poll, 1, -1), 1);
    return (poll.revents & POLLHUP) != 0;
}

TEST(Connection, carries_bytes_and_messages_both_ways)
{
    const Path path;
    auto listener = Listener::bind(path).value();
    std::thread dialling([&path] {
        auto client = Connection::dial(path).value();
        write(client.sender(), "question");
        auto message = client.receiver().receive().value();
        EXPECT_EQ(message.tag(), 7u);
        EXPECT_EQ(std::string(reinterpret_cast<const char*>(message.data()), message.size()), "answer");
    });
    auto server = listener.accept().value();
    EXPECT_EQ(read(server.receiver(), 8), "question");
    server.sender().send(7, "answer", 6).value();
    EXPECT_EQ(server.peer().value().pid, ::getpid());
    dialling.join();
    EXPECT_EQ(server.receiver().peek(1).status(), SPSC_CLOSED);
}

TEST(Connection, is_armed_rung_and_hung_up)
{
    auto [server, client] = pair();
    EXPECT_FALSE(server.arm(1).value());
    write(client.sender(), "x");
    EXPECT_FALSE(hangs_up(server.fd()));
    const auto ready = server.arm(1, 1).value();
    EXPECT_TRUE(ready.readable && ready.writable);
    EXPECT_EQ(read(server.receiver(), 1), "x");
    EXPECT_EQ(server.arm(SIZE_MAX).status(), SPSC_ERR_TOO_LARGE);

    EXPECT_FALSE(server.arm(1).value());
    {
        const auto gone = std::move(client);
    }
    EXPECT_TRUE(hangs_up(server.fd()));
    EXPECT_TRUE(server.arm(1).value().readable);
    EXPECT_EQ(server.receiver().peek(1).status(), SPSC_CLOSED);
}

TEST(Connection, ends_with_the_last_of_its_ends)
{
    auto [server, client] = pair();
    auto ends = std::move(client).into_split();
    {
        const auto gone = std::move(ends.first);
    }
    EXPECT_EQ(server.receiver().peek(1).status(), SPSC_CLOSED);
    write(server.sender(), "still here");
    EXPECT_EQ(read(ends.second, 10), "still here");
    {
        const auto gone = std::move(ends.second);
    }
    EXPECT_TRUE(hangs_up(server.fd()));
}

TEST(Connection, that_was_moved_from_fails_and_one_that_is_replaced_ends)
{
    auto [first, first_peer] = pair();
    auto [second, second_peer] = pair();
    first = std::move(second);
    EXPECT_TRUE(hangs_up(first_peer.fd()));
    write(second_peer.sender(), "x");
    EXPECT_EQ(read(first.receiver(), 1), "x");
    // NOLINTBEGIN(bugprone-use-after-move)
    EXPECT_EQ(second.get(), nullptr);
    EXPECT_EQ(second.fd(), -1);
    EXPECT_EQ(second.arm(1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(second.sender().claim(1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(second.peer().status(), SPSC_ERR_INVALID_ARGUMENT);
    // NOLINTEND(bugprone-use-after-move)
}

TEST(Connection, waits_beside_others_in_wait_any)
{
    auto [one, one_peer] = pair();
    auto [other, other_peer] = pair();
    write(other_peer.sender(), "x");
    spsc_wait_item items[] = { spsc::wait_item(one.receiver()), spsc::wait_item(other.receiver()) };
    EXPECT_EQ(spsc::wait_any(items).value(), 1u);
    EXPECT_EQ(items[0].status, SPSC_TIMEOUT);
    EXPECT_EQ(items[1].status, SPSC_OK);
}

TEST(Listener, has_options_a_descriptor_and_an_interrupt)
{
    const Path path;
    spsc::ConnOptions options;
    options.mode = 0640;
    options.to_client = 5000;
    options.spin = 0ns;
    auto listener = Listener::bind(path, options).value();
    struct stat file;
    ASSERT_EQ(::stat(static_cast<const std::string&>(path).c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777u, 0640u);
    EXPECT_EQ(Listener::bind(path).status(), SPSC_ERR_ALREADY_EXISTS);

    EXPECT_EQ(listener.accept(no_wait).status(), SPSC_TIMEOUT);
    listener.interrupt().value();
    EXPECT_EQ(listener.accept().status(), SPSC_INTERRUPTED);

    std::thread dialling([&path] {
        auto client = Connection::dial(path, 1min, { 8192 }).value();
        EXPECT_EQ(client.sender().capacity(), 8192u);
        EXPECT_EQ(client.receiver().capacity(), 8192u);
    });
    auto server = listener.accept(no_wait);
    while (!server) {
        EXPECT_FALSE(hangs_up(listener.fd()));
        server = listener.accept(no_wait);
    }
    dialling.join();

    auto moved = std::move(listener);
    EXPECT_EQ(listener.accept().status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(Listener, is_reported_missing)
{
    EXPECT_EQ(Connection::dial("/nobody/listens/here").status(), SPSC_ERR_NOT_FOUND);
    EXPECT_EQ(Connection::dial(std::string("/a\0b", 4)).status(), SPSC_ERR_INVALID_NAME);
    EXPECT_EQ(Listener::bind(std::string("/a\0b", 4)).status(), SPSC_ERR_INVALID_NAME);
    EXPECT_EQ(Connection::adopt_as_client(-1).status(), SPSC_ERR_INVALID_ARGUMENT);
}

} // namespace
