#ifndef SPSC_SHM_CONNECTION_HPP
#define SPSC_SHM_CONNECTION_HPP

/// Connections in C++17: two processes that share nothing but a path get a ring for each direction.
///
///     // The server:
///     auto listener = spsc::Listener::bind("/run/answers").value();
///     auto connection = listener.accept().value();
///     auto question = connection.receiver().receive().value();
///
///     // The client:
///     auto connection = spsc::Connection::dial("/run/answers").value();
///     connection.sender().send(0, "why?", 4).value();
///
/// The ends of a connection are a Producer and a Consumer as any other: spsc_shm.hpp. spsc_shm.h
/// says what each call means, waits for and guarantees.

#include "spsc_shm.hpp"

namespace spsc {

/// What can be chosen for a listener or a connection.
struct ConnOptions {
    /// Bytes of the ring from the client to the server, at least. The server's choice counts. Where
    /// it makes none (0), a client gets what it asks for, up to 1 MiB, and else 64 KiB.
    std::size_t to_server = 0;
    /// Bytes of the ring from the server to the client, by the same rules.
    std::size_t to_client = 0;
    /// Permission bits of a listener's path, whatever the umask. Whoever may write the socket may
    /// connect.
    std::uint32_t mode = 0600;
    /// How many clients of a listener may be on their way in, 1 to 4096.
    std::uint32_t backlog = 128;
    /// Whether the server enters all pages into its page tables at once.
    bool prefault = false;
    /// The longest spin before a wait sleeps, at both ends, as the server says: zero for none.
    /// Without a value it is adaptive.
    std::optional<std::chrono::nanoseconds> spin = std::nullopt;
};

/// What can be done on a connection at once. What can't come any more counts as done: the next call
/// on that end says why.
struct Readiness {
    bool readable = false;
    bool writable = false;

    /// Whether anything can be done. If not, the descriptor tells when.
    explicit operator bool() const noexcept { return readable || writable; }
};

namespace detail {

inline spsc_conn_options translate(const ConnOptions& options) noexcept
{
    spsc_conn_options chosen = SPSC_CONN_OPTIONS_INIT;
    chosen.to_server = options.to_server;
    chosen.to_client = options.to_client;
    chosen.mode = options.mode;
    chosen.backlog = options.backlog;
    chosen.flags = options.prefault ? static_cast<std::uint32_t>(SPSC_PREFAULT) : 0U;
    if (options.spin) {
        chosen.spin_ns = spin_ns(*options.spin);
    }
    return chosen;
}

} // namespace detail

/// A connection: an end that writes to the peer, an end that reads from it, and a descriptor that
/// tells of both. It is closed when it, or the last end that was taken out of it, goes out of scope.
///
/// Thread: one at a time; or one for each end, after into_split.
class Connection {
  public:
    /// Connects to the listener at a path, and waits until it accepts.
    ///
    /// Outcomes and errors: as spsc_dial. Blocks: up to timeout.
    static Result<Connection> dial(
        const std::string& path, Timeout timeout = forever, const ConnOptions& options = {}) noexcept
    {
        const spsc_conn_options chosen = detail::translate(options);
        return open("spsc_dial", [&](spsc_conn** conn) {
            return detail::is_c_string(path)
                       ? ::spsc_dial(path.c_str(), &chosen, timeout.ns(), conn)
                       : detail::refuse_name();
        });
    }

    /// Makes the server's end of a connection of a connected Unix socket, such as one of a
    /// socketpair, while another process makes the client's end of the other. The socket then
    /// belongs to the connection; after a failure it is still the caller's.
    ///
    /// Outcomes and errors: as spsc_conn_adopt. Blocks: up to timeout.
    static Result<Connection> adopt_as_server(
        int socket, Timeout timeout = forever, const ConnOptions& options = {}) noexcept
    {
        return adopt(socket, true, timeout, options);
    }

    /// Makes the client's end.
    static Result<Connection> adopt_as_client(
        int socket, Timeout timeout = forever, const ConnOptions& options = {}) noexcept
    {
        return adopt(socket, false, timeout, options);
    }

    /// A connection of a handle of the C interface, whose ends nobody else uses. It is closed as the
    /// pointer says.
    explicit Connection(std::shared_ptr<spsc_conn> handle) noexcept
        : handle_(std::move(handle))
        , sender_(std::shared_ptr<spsc_ring>(handle_, ::spsc_conn_sender(handle_.get())))
        , receiver_(std::shared_ptr<spsc_ring>(handle_, ::spsc_conn_receiver(handle_.get())))
    {}

    /// The end that writes to the peer. To end this direction alone, take it with into_split.
    [[nodiscard]] Producer& sender() noexcept { return sender_; }

    /// The end that reads from the peer.
    [[nodiscard]] Consumer& receiver() noexcept { return receiver_; }

    /// Both ends, for a thread each. Each direction ends with its writing end, and the connection
    /// with the last of the two.
    [[nodiscard]] std::pair<Producer, Consumer> into_split() && noexcept
    {
        handle_.reset();
        return { std::move(sender_), std::move(receiver_) };
    }

    /// Asks for the descriptor to become readable, once, as soon as need_data bytes can be peeked at
    /// or need_space bytes claimed; 0 does not ask. Only if nothing can be done at once is the
    /// connection armed. An event loop does what it can, arms, and waits for the descriptor if there
    /// was nothing to do.
    ///
    /// Errors: as spsc_conn_arm. Blocks: no.
    [[nodiscard]] Result<Readiness> arm(std::size_t need_data, std::size_t need_space = 0) noexcept
    {
        std::uint32_t ready = 0;
        const Status status = ::spsc_conn_arm(get(), need_data, need_space, &ready);
        if (status != SPSC_OK) {
            return detail::failure("spsc_conn_arm", status);
        }
        return Readiness{ (ready & SPSC_READABLE) != 0, (ready & SPSC_WRITABLE) != 0 };
    }

    /// For poll, epoll and whatever is built on them. It stays the connection's own: do not close
    /// it, read from it or write to it.
    [[nodiscard]] int fd() const noexcept { return ::spsc_conn_fd(get()); }

    /// Who is on the other end, by what the kernel says.
    [[nodiscard]] Result<spsc_peer> peer() const noexcept
    {
        spsc_peer peer = {};
        const Status status = ::spsc_conn_peer(get(), &peer, sizeof peer);
        if (status != SPSC_OK) {
            return detail::failure("spsc_conn_peer", status);
        }
        return peer;
    }

    /// The handle, for the C interface. NULL after a move.
    [[nodiscard]] spsc_conn* get() const noexcept { return handle_.get(); }

  private:
    friend class Listener;

    static Result<Connection> adopt(
        int socket, bool is_server, Timeout timeout, const ConnOptions& options) noexcept
    {
        const spsc_conn_options chosen = detail::translate(options);
        return open("spsc_conn_adopt", [&](spsc_conn** conn) {
            return ::spsc_conn_adopt(socket, is_server ? 1 : 0, &chosen, timeout.ns(), conn);
        });
    }

    template <class Call> static Result<Connection> open(const char* name, Call call) noexcept
    {
        return detail::open<Connection>(name, call, ::spsc_conn_close);
    }

    // First, so that it goes last: an end gives its role up before the connection is closed.
    std::shared_ptr<spsc_conn> handle_;
    Producer sender_;
    Consumer receiver_;
};

/// Waits for clients at a path. The path is removed when it goes out of scope.
///
/// Thread: any, several at once.
class Listener {
  public:
    /// Listens at a path. One whose listener is gone is taken over.
    ///
    /// Errors: as spsc_listen. Blocks: no.
    static Result<Listener> bind(const std::string& path, const ConnOptions& options = {}) noexcept
    {
        const spsc_conn_options chosen = detail::translate(options);
        spsc_listener* handle = nullptr;
        const Status status = detail::is_c_string(path)
                                  ? ::spsc_listen(path.c_str(), &chosen, &handle)
                                  : detail::refuse_name();
        if (status != SPSC_OK) {
            return detail::failure("spsc_listen", status);
        }
        return Listener(handle);
    }

    /// The next client's connection. No client keeps another waiting.
    ///
    /// Outcomes and errors: as spsc_accept. Blocks: up to timeout.
    Result<Connection> accept(Timeout timeout = forever) noexcept
    {
        return Connection::open("spsc_accept", [&](spsc_conn** conn) {
            return ::spsc_accept(get(), timeout.ns(), conn);
        });
    }

    /// Readable whenever accept has something to do, which may be only to read what a client says on
    /// its way in: so accept with no_wait. It stays the listener's own.
    [[nodiscard]] int fd() const noexcept { return ::spsc_listener_fd(get()); }

    /// Ends the current wait in accept, or the next one, once, with SPSC_INTERRUPTED.
    ///
    /// Thread: any. Blocks: no. Async-signal-safe.
    Result<void> interrupt() const noexcept
    {
        return detail::result("spsc_listener_interrupt", ::spsc_listener_interrupt(get()));
    }

    /// The handle, for the C interface. NULL after a move.
    [[nodiscard]] spsc_listener* get() const noexcept { return handle_.get(); }

  private:
    struct Close {
        void operator()(spsc_listener* listener) const noexcept { ::spsc_listener_close(listener); }
    };

    explicit Listener(spsc_listener* handle) noexcept
        : handle_(handle)
    {}

    std::unique_ptr<spsc_listener, Close> handle_;
};

} // namespace spsc

#endif /* SPSC_SHM_CONNECTION_HPP */
