#ifndef SPSC_SHM_HPP
#define SPSC_SHM_HPP

/// C++17 over spsc_shm.h, header only. Two faces of the same ring:
///
/// - spsc::SpscShm throws. It has the members of the class of that name in Barretenberg, for code
///   that was written for that one.
/// - spsc::Ring with its views spsc::Producer and spsc::Consumer returns spsc::Result and never
///   throws. It is all there is where exceptions are switched off.
///
/// What the calls mean, wait for and guarantee is said in spsc_shm.h; here only what C++ adds.

#include "spsc_shm.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#if __cplusplus >= 202002L
#include <span>
#endif
#if defined(__cpp_exceptions)
#include <stdexcept>
#include <system_error>
#endif

namespace spsc {

/// How a call ended: SPSC_OK, an outcome of a wait (positive), or an error (negative).
using Status = ::spsc_status;

/// A limit on the time of a whole call: nanoseconds as a plain number, or any std::chrono duration.
/// A negative duration does not wait, one of more than 292 years has no limit.
class Timeout {
  public:
    constexpr Timeout(std::uint64_t ns) noexcept
        : ns_(ns)
    {}

    template <class Rep, class Period>
    constexpr Timeout(std::chrono::duration<Rep, Period> limit) noexcept
        : ns_(saturate(limit))
    {}

    /// Nanoseconds; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
    [[nodiscard]] constexpr std::uint64_t ns() const noexcept { return ns_; }

  private:
    template <class Rep, class Period>
    static constexpr std::uint64_t saturate(std::chrono::duration<Rep, Period> limit) noexcept
    {
        using std::chrono::nanoseconds;
        // So written that a NaN does not wait.
        if (!(limit > limit.zero())) {
            return 0;
        }
        using seconds = std::chrono::duration<double>;
        if (seconds(limit) >= seconds(nanoseconds::max())) {
            return SPSC_WAIT_FOREVER;
        }
        return static_cast<std::uint64_t>(std::chrono::duration_cast<nanoseconds>(limit).count());
    }

    std::uint64_t ns_;
};

/// Do not wait.
inline constexpr Timeout no_wait{ std::uint64_t{ 0 } };
/// No limit.
inline constexpr Timeout forever{ SPSC_WAIT_FOREVER };

/// Why a call did not do what was asked.
struct Failure {
    Status status;
    /// The operating system's error number, where the error came from there; else 0.
    int error_number = 0;

    /// The status in a few English words. Static text.
    [[nodiscard]] const char* message() const noexcept { return ::spsc_status_string(status); }

    /// Whether something is wrong; false for the four outcomes of a wait.
    [[nodiscard]] bool is_error() const noexcept { return status < 0; }
};

namespace detail {

/// The failure that a C call has just reported, with the number that it left in errno.
inline Failure failure(Status status) noexcept
{
    return { status, errno };
}

} // namespace detail

#if defined(__cpp_exceptions)

/// What the throwing face throws. Absent without exceptions.
class Error : public std::runtime_error {
  public:
    /// context: what stands before the reason in what(): the call and the ring.
    Error(const std::string& context, Failure failure)
        : std::runtime_error(describe(context, failure))
        , failure_(failure)
    {}

    [[nodiscard]] Status status() const noexcept { return failure_.status; }

    /// The operating system's error number, where the error came from there; else 0.
    [[nodiscard]] int error_number() const noexcept { return failure_.error_number; }

  private:
    static std::string describe(const std::string& context, Failure failure)
    {
        std::string text = context + ": " + failure.message();
        if (failure.error_number != 0) {
            text += " (" + std::generic_category().message(failure.error_number) + ")";
        }
        return text;
    }

    Failure failure_;
};

#endif

/// A value, or why there is none: std::expected<T, Failure> in little.
template <class T> class Result {
  public:
    Result(T value) noexcept
        : value_(std::move(value))
    {}
    Result(Failure failure) noexcept
        : failure_(failure)
    {}

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value. Only where there is one.
    T& operator*() & noexcept { return *value_; }
    const T& operator*() const& noexcept { return *value_; }
    T&& operator*() && noexcept { return *std::move(value_); }
    T* operator->() noexcept { return &*value_; }
    const T* operator->() const noexcept { return &*value_; }

    /// Why there is no value. Only where there is none.
    [[nodiscard]] Failure error() const noexcept { return failure_; }

    /// SPSC_OK where there is a value.
    [[nodiscard]] Status status() const noexcept { return failure_.status; }

#if defined(__cpp_exceptions)
    /// The value; throws Error where there is none. Absent without exceptions.
    T& value() &
    {
        if (!has_value()) {
            throw Error("spsc", failure_);
        }
        return *value_;
    }
    T&& value() && { return std::move(value()); }
#endif

  private:
    std::optional<T> value_;
    Failure failure_{ SPSC_OK };
};

/// Success, or why not.
template <> class Result<void> {
  public:
    Result() noexcept = default;
    Result(Failure failure) noexcept
        : failure_(failure)
    {}

    [[nodiscard]] bool has_value() const noexcept { return failure_.status == SPSC_OK; }
    explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] Failure error() const noexcept { return failure_; }
    [[nodiscard]] Status status() const noexcept { return failure_.status; }

#if defined(__cpp_exceptions)
    /// Throws Error if it did not succeed. Absent without exceptions.
    void value() const
    {
        if (!has_value()) {
            throw Error("spsc", failure_);
        }
    }
#endif

  private:
    Failure failure_{ SPSC_OK };
};

namespace detail {

inline Result<void> result(Status status) noexcept
{
    return status == SPSC_OK ? Result<void>() : Result<void>(failure(status));
}

/// A run of bytes of the ring's memory that one side holds, and the call that hands its front on.
template <class Byte, Status (*advance)(spsc_ring*, std::size_t)> class Claim {
  public:
    Claim(spsc_ring* ring, Byte* data, std::size_t size) noexcept
        : ring_(ring)
        , data_(data)
        , size_(size)
    {}
    Claim(Claim&& other) noexcept
        : ring_(other.ring_)
        , data_(other.data_)
        , size_(std::exchange(other.size_, 0))
    {}
    Claim& operator=(Claim&& other) noexcept
    {
        ring_ = other.ring_;
        data_ = other.data_;
        size_ = std::exchange(other.size_, 0);
        return *this;
    }

    [[nodiscard]] Byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Byte* begin() const noexcept { return data_; }
    [[nodiscard]] Byte* end() const noexcept { return data_ + size_; }
#if __cplusplus >= 202002L
    [[nodiscard]] std::span<Byte> span() const noexcept { return { data_, size_ }; }
#endif

  protected:
    ~Claim() = default;

    Result<void> hand_on(std::size_t n) noexcept
    {
        if (n > size_) {
            return Failure{ SPSC_ERR_MISUSE };
        }
        if (n == 0) {
            return {};
        }
        const Status status = advance(ring_, n);
        if (status == SPSC_OK) {
            data_ += n;
            size_ -= n;
        }
        return result(status);
    }

  private:
    spsc_ring* ring_;
    Byte* data_;
    std::size_t size_;
};

/// Messages are framed by their length, 32 bits with the least significant byte first.
inline constexpr std::size_t prefix_size = 4;

inline void store_prefix(std::byte* to, std::uint32_t length) noexcept
{
    for (std::size_t i = 0; i < prefix_size; ++i) {
        to[i] = static_cast<std::byte>(length >> (8 * i));
    }
}

inline std::uint32_t load_prefix(const void* from) noexcept
{
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < prefix_size; ++i) {
        length |= std::to_integer<std::uint32_t>(static_cast<const std::byte*>(from)[i]) << (8 * i);
    }
    return length;
}

} // namespace detail

/// Contiguous bytes to write. What is not published when the claim goes out of scope is given up.
///
/// Valid until the producer's next claim or send, and while the ring is open.
///
/// Thread: producer.
class WriteClaim : public detail::Claim<std::byte, &::spsc_publish> {
  public:
    using Claim::Claim;

    /// Makes the first n bytes visible to the consumer; the claim is then the rest.
    ///
    /// Errors: SPSC_ERR_MISUSE if n is more than size(); nothing is published then. Blocks: no.
    Result<void> publish(std::size_t n) noexcept { return hand_on(n); }

    /// Publishes all that is left of the claim.
    Result<void> publish() noexcept { return hand_on(size()); }
};

/// Contiguous bytes to read. What is not released when the claim goes out of scope stays in the
/// ring, and is the first to be peeked again.
///
/// The other process can change the bytes at any time, should it break the rules: copy before you
/// validate. Valid until the consumer's next peek or receive, and while the ring is open.
///
/// Thread: consumer.
class ReadClaim : public detail::Claim<const std::byte, &::spsc_release> {
  public:
    using Claim::Claim;

    /// Consumes the first n bytes; the claim is then the rest.
    ///
    /// Errors: SPSC_ERR_MISUSE if n is more than size(); nothing is released then. Blocks: no.
    Result<void> release(std::size_t n) noexcept { return hand_on(n); }

    /// Releases all that is left of the claim.
    Result<void> release() noexcept { return hand_on(size()); }

    /// The bytes as characters.
    [[nodiscard]] std::string_view view() const noexcept
    {
        return { reinterpret_cast<const char*>(data()), size() };
    }
};

/// One whole message, where it lies in the ring. It is consumed when it goes out of scope, however
/// that comes about, unless keep() was called.
///
/// The other process can change the bytes at any time, should it break the rules: copy before you
/// validate. One at a time: let go of it before the next receive.
///
/// Thread: consumer.
class Message {
  public:
    /// frame: the message with its prefix.
    explicit Message(ReadClaim frame) noexcept
        : frame_(std::move(frame))
    {}
    Message(Message&&) noexcept = default;
    Message& operator=(Message&& other) noexcept
    {
        if (this != &other) {
            release();
            frame_ = std::move(other.frame_);
        }
        return *this;
    }
    ~Message() { release(); }

    [[nodiscard]] const std::byte* data() const noexcept
    {
        return frame_.data() + detail::prefix_size;
    }
    [[nodiscard]] std::size_t size() const noexcept
    {
        return frame_.size() == 0 ? 0 : frame_.size() - detail::prefix_size;
    }
    [[nodiscard]] const std::byte* begin() const noexcept { return data(); }
    [[nodiscard]] const std::byte* end() const noexcept { return data() + size(); }

    /// The bytes as characters.
    [[nodiscard]] std::string_view view() const noexcept
    {
        return { reinterpret_cast<const char*>(data()), size() };
    }
#if __cplusplus >= 202002L
    [[nodiscard]] std::span<const std::byte> span() const noexcept { return { data(), size() }; }
#endif

    /// Consumes the message now. It is empty then.
    void release() noexcept { (void)frame_.release(); }

    /// Leaves the message in the ring: it is the next to be received. It is empty here then.
    void keep() noexcept { [[maybe_unused]] const ReadClaim forgotten = std::move(frame_); }

  private:
    ReadClaim frame_;
};

class Ring;
class SpscShm;

/// The writing side of an open ring: a view, as cheap to copy as a pointer. The first claim makes
/// the handle the ring's producer, until it is closed.
///
/// Outcomes and errors of all that wait are those of spsc_claim.
///
/// Thread: producer. Lifetime: that of the ring it was made from.
class Producer {
  public:
    /// ring: an open handle of the C interface, which stays the caller's to close.
    explicit Producer(spsc_ring* ring) noexcept
        : ring_(ring)
    {}
#if defined(__cpp_exceptions)
    explicit Producer(SpscShm& ring) noexcept;
#endif

    /// Waits until `want` bytes are free, and claims them: contiguous, wherever they lie. A new
    /// claim replaces the old one.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<WriteClaim> claim(
        std::size_t want, Timeout timeout = forever) const noexcept
    {
        void* data = nullptr;
        const Status status = ::spsc_claim(ring_, want, timeout.ns(), &data);
        if (status != SPSC_OK) {
            return detail::failure(status);
        }
        return WriteClaim(ring_, static_cast<std::byte*>(data), want);
    }

    /// Waits until `min` bytes are free, and claims all that are: the way to amortise a call over
    /// many messages. 0 takes what there is, be it nothing.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<WriteClaim> claim_some(
        std::size_t min = 1, Timeout timeout = forever) const noexcept
    {
        void* data = nullptr;
        std::size_t size = 0;
        const Status status = ::spsc_claim_some(ring_, min, timeout.ns(), &data, &size);
        if (status != SPSC_OK) {
            return detail::failure(status);
        }
        return WriteClaim(ring_, static_cast<std::byte*>(data), size);
    }

    /// Waits until `need` bytes are free. Claims nothing.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<void> wait_for_space(
        std::size_t need, Timeout timeout = forever) const noexcept
    {
        return detail::result(::spsc_wait_for_space(ring_, need, timeout.ns()));
    }

    /// Copies a whole message into the ring, after its length: 32 bits, least significant byte
    /// first. It appears at once and whole, or not at all. It takes up 4 bytes more than its size.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<void> send(
        std::string_view message, Timeout timeout = forever) const noexcept
    {
        return send_bytes(message.data(), message.size(), timeout);
    }
#if __cplusplus >= 202002L
    [[nodiscard]] Result<void> send(
        std::span<const std::byte> message, Timeout timeout = forever) const noexcept
    {
        return send_bytes(message.data(), message.size(), timeout);
    }
#endif

    /// As send. Under a name of its own, so that no timeout is ever read as a size.
    [[nodiscard]] Result<void> send_bytes(
        const void* data, std::size_t size, Timeout timeout = forever) const noexcept
    {
        if (size > UINT32_MAX - detail::prefix_size) {
            return Failure{ SPSC_ERR_TOO_LARGE };
        }
        Result<WriteClaim> frame = claim(detail::prefix_size + size, timeout);
        if (!frame) {
            return frame.error();
        }
        detail::store_prefix(frame->data(), static_cast<std::uint32_t>(size));
        if (size != 0) {
            std::memcpy(frame->data() + detail::prefix_size, data, size);
        }
        return frame->publish();
    }

  private:
    spsc_ring* ring_;
};

class Messages;

/// The reading side of an open ring: a view, as cheap to copy as a pointer. The first peek makes
/// the handle the ring's consumer, until it is closed.
///
/// Outcomes and errors of all that wait are those of spsc_peek.
///
/// Thread: consumer. Lifetime: that of the ring it was made from.
class Consumer {
  public:
    /// ring: an open handle of the C interface, which stays the caller's to close.
    explicit Consumer(spsc_ring* ring) noexcept
        : ring_(ring)
    {}
#if defined(__cpp_exceptions)
    explicit Consumer(SpscShm& ring) noexcept;
#endif

    /// Waits until `want` bytes are there, and returns them: contiguous, wherever they lie, and in
    /// however many pieces they were published.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<ReadClaim> peek(
        std::size_t want, Timeout timeout = forever) const noexcept
    {
        const void* data = nullptr;
        const Status status = ::spsc_peek(ring_, want, timeout.ns(), &data);
        if (status != SPSC_OK) {
            return detail::failure(status);
        }
        return ReadClaim(ring_, static_cast<const std::byte*>(data), want);
    }

    /// Waits until `min` bytes are there, and returns all that are: the way to amortise a call over
    /// many messages. 0 takes what there is, be it nothing.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<ReadClaim> peek_some(
        std::size_t min = 1, Timeout timeout = forever) const noexcept
    {
        const void* data = nullptr;
        std::size_t size = 0;
        const Status status = ::spsc_peek_some(ring_, min, timeout.ns(), &data, &size);
        if (status != SPSC_OK) {
            return detail::failure(status);
        }
        return ReadClaim(ring_, static_cast<const std::byte*>(data), size);
    }

    /// Waits until `need` bytes are there. Peeks nothing.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<void> wait_for_data(
        std::size_t need, Timeout timeout = forever) const noexcept
    {
        return detail::result(::spsc_wait_for_data(ring_, need, timeout.ns()));
    }

    /// Waits for one whole message, as Producer::send writes them, and returns it uncopied. A
    /// message that its producer left unfinished is never returned: its bytes stay in the ring.
    ///
    /// Errors: SPSC_ERR_TOO_LARGE also if a length is read that the ring can't hold, which no
    /// sender of messages writes.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<Message> receive(Timeout timeout = forever) const noexcept
    {
        if (timeout.ns() == forever.ns()) {
            return receive_while([] { return forever; });
        }
        // Without a look at the clock, if the message is there already.
        Result<Message> message = receive_while([] { return no_wait; });
        if (message.status() != SPSC_TIMEOUT || timeout.ns() == 0) {
            return message;
        }
        const auto start = std::chrono::steady_clock::now();
        return receive_while([=]() -> Timeout {
            const std::uint64_t spent = Timeout(std::chrono::steady_clock::now() - start).ns();
            return timeout.ns() - (spent < timeout.ns() ? spent : timeout.ns());
        });
    }

    /// All messages to come, each waited for up to timeout:
    /// `for (auto message : consumer.messages())`.
    [[nodiscard]] Messages messages(Timeout timeout = forever) const noexcept;

  private:
    /// limit: says how long the next wait may last.
    template <class Limit> Result<Message> receive_while(Limit limit) const noexcept
    {
        const Result<ReadClaim> prefix = peek(detail::prefix_size, limit());
        if (!prefix) {
            return prefix.error();
        }
        const std::uint32_t size = detail::load_prefix(prefix->data());
        const std::size_t framed = detail::prefix_size + size;
        if (framed < size) {
            return Failure{ SPSC_ERR_TOO_LARGE };
        }
        Result<ReadClaim> frame = peek(framed, limit());
        if (!frame) {
            return frame.error();
        }
        return Message(*std::move(frame));
    }

    spsc_ring* ring_;
};

/// What Consumer::messages returns: a range to go through once. Each message is consumed when the
/// loop's body is done with it, also by break, return or an exception. The loop ends where receive
/// would return no message; status() says why.
///
/// Thread: consumer. Blocks: at the start and at each step, up to the timeout.
class Messages {
  public:
    struct Sentinel {};

    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Message;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = Message;

        /// The message, once: a second call returns an empty one.
        Message operator*() const noexcept { return *std::move(messages_->next_); }

        Iterator& operator++() noexcept
        {
            messages_->fetch();
            return *this;
        }
        void operator++(int) noexcept { messages_->fetch(); }

        friend bool operator==(Iterator it, Sentinel) noexcept { return it.at_end(); }
        friend bool operator!=(Iterator it, Sentinel) noexcept { return !it.at_end(); }

      private:
        friend class Messages;
        explicit Iterator(Messages* messages) noexcept
            : messages_(messages)
        {}

        [[nodiscard]] bool at_end() const noexcept { return !messages_->next_; }

        Messages* messages_;
    };

    Messages(const Messages&) = delete;
    Messages& operator=(const Messages&) = delete;

    [[nodiscard]] Iterator begin() noexcept
    {
        fetch();
        return Iterator(this);
    }
    [[nodiscard]] Sentinel end() const noexcept { return {}; }

    /// Why the loop ended: SPSC_CLOSED at the end of the stream. SPSC_OK while it goes on.
    [[nodiscard]] Status status() const noexcept { return next_.status(); }

  private:
    friend class Consumer;
    Messages(Consumer consumer, Timeout timeout) noexcept
        : consumer_(consumer)
        , timeout_(timeout)
    {}

    void fetch() noexcept
    {
        // One that nobody took out is consumed too, and before the next is looked for.
        if (next_) {
            next_->release();
        }
        next_ = consumer_.receive(timeout_);
    }

    Consumer consumer_;
    Timeout timeout_;
    Result<Message> next_{ Failure{ SPSC_OK } };
};

inline Messages Consumer::messages(Timeout timeout) const noexcept
{
    return { *this, timeout };
}

/// What can be chosen when a ring is made.
struct Options {
    /// Permission bits, less the process's umask.
    std::uint32_t mode = 0600;
    /// Replace a ring of the same name that nobody uses.
    bool replace_stale = false;
    /// Enter all pages into the page tables at once, so that the first lap takes no page faults.
    bool prefault = false;
    /// The longest spin before a wait sleeps, in nanoseconds, on both sides.
    std::uint64_t spin_ns = SPSC_SPIN_ADAPTIVE;
};

/// An open ring, closed when it goes out of scope. Move-only; one that was moved from fails every
/// call with SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: one may use producer() and another consumer() at the same time; all else any.
/// Lifetime: views, claims and messages are valid no longer than the ring; a move leaves them so.
class Ring {
  public:
    /// Makes a ring under a name, of min_capacity bytes rounded up to a power of two that is at
    /// least a page. Errors: as spsc_create_with. Blocks: no.
    [[nodiscard]] static Result<Ring> create(
        const std::string& name, std::size_t min_capacity, const Options& options = {}) noexcept
    {
        spsc_options chosen;
        ::spsc_options_init(&chosen, sizeof chosen);
        chosen.mode = options.mode;
        chosen.flags = (options.replace_stale ? SPSC_REPLACE_STALE : 0U) |
                       (options.prefault ? SPSC_PREFAULT : 0U);
        chosen.spin_ns = options.spin_ns;
        return open([&](spsc_ring** ring) {
            return is_c_string(name) ? ::spsc_create_with(name.c_str(), min_capacity, &chosen, ring)
                                     : SPSC_ERR_INVALID_NAME;
        });
    }

    /// Opens the ring of this name; waits up to timeout for it to appear and be ready.
    /// Errors: as spsc_connect_timeout. Blocks: up to timeout.
    [[nodiscard]] static Result<Ring> connect(
        const std::string& name, Timeout timeout = no_wait) noexcept
    {
        return open([&](spsc_ring** ring) {
            return is_c_string(name) ? ::spsc_connect_timeout(name.c_str(), timeout.ns(), ring)
                                     : SPSC_ERR_INVALID_NAME;
        });
    }

    /// Makes a ring without a name, whose memory no other process can cut short: hand fd() over.
    /// Errors: as spsc_create_anonymous. Blocks: no.
    [[nodiscard]] static Result<Ring> anonymous(std::size_t min_capacity) noexcept
    {
        return open([&](spsc_ring** ring) { return ::spsc_create_anonymous(min_capacity, ring); });
    }

    /// Opens the anonymous ring behind a descriptor, which stays the caller's.
    /// Errors: as spsc_connect_fd. Blocks: no.
    [[nodiscard]] static Result<Ring> connect_fd(int fd) noexcept
    {
        return open([&](spsc_ring** ring) { return ::spsc_connect_fd(fd, ring); });
    }

    /// Removes a name. Whoever has the ring open keeps it. Errors: as spsc_unlink. Blocks: no.
    static Result<void> unlink(const std::string& name) noexcept
    {
        errno = 0;
        return detail::result(is_c_string(name) ? ::spsc_unlink(name.c_str())
                                                : SPSC_ERR_INVALID_NAME);
    }

    /// Takes over a handle of the C interface, to close it.
    explicit Ring(spsc_ring* handle) noexcept
        : handle_(handle)
    {}

    [[nodiscard]] Producer producer() noexcept { return Producer(get()); }
    [[nodiscard]] Consumer consumer() noexcept { return Consumer(get()); }

    /// Bytes published and not yet released.
    [[nodiscard]] std::uint64_t available() const noexcept { return ::spsc_available(get()); }

    /// Bytes that the ring holds at most.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return ::spsc_capacity(get()); }

    /// The descriptor of the ring's memory, for connect_fd in another process. It stays the ring's
    /// own, and is closed on exec.
    [[nodiscard]] int fd() const noexcept { return ::spsc_fd(get()); }

    /// What can be seen of the ring from outside.
    [[nodiscard]] Result<spsc_stats_t> stats() const noexcept
    {
        spsc_stats_t stats;
        const Status status = ::spsc_stats(get(), &stats, sizeof stats);
        if (status != SPSC_OK) {
            return detail::failure(status);
        }
        return stats;
    }

    /// Interrupts the current wait of both sides, in every process, or else their next one.
    Result<void> wakeup_all() noexcept { return detail::result(::spsc_wakeup_all(get())); }

    /// Writes what stats() says to the standard error stream, in one line that begins with prefix.
    void debug_dump(const char* prefix) const noexcept { ::spsc_debug_dump(get(), prefix); }

    /// The handle, for the C interface. It stays the ring's to close. NULL after a move.
    [[nodiscard]] spsc_ring* get() const noexcept { return handle_.get(); }

  private:
    struct Close {
        void operator()(spsc_ring* handle) const noexcept { ::spsc_close(handle); }
    };

    template <class Call> static Result<Ring> open(Call call) noexcept
    {
        spsc_ring* handle = nullptr;
        errno = 0;
        const Status status = call(&handle);
        if (status != SPSC_OK) {
            return detail::failure(status);
        }
        return Ring(handle);
    }

    /// A name with a NUL inside would silently be another, shorter name in C.
    static bool is_c_string(const std::string& name) noexcept
    {
        return name.find('\0') == std::string::npos;
    }

    std::unique_ptr<spsc_ring, Close> handle_;
};

#if defined(__cpp_exceptions)

/// A side of a ring.
enum class Side { producer, consumer };

/// An open ring, with the members of Barretenberg's class of this name. Absent without exceptions.
///
/// claim, peek and the waits answer nullptr or false when the time runs out (SPSC_TIMEOUT), when
/// wakeup_all was called (SPSC_INTERRUPTED), when the other side closed (SPSC_CLOSED) and when its
/// process died (SPSC_PEER_DEAD): last_status() tells which. All else that goes wrong throws Error,
/// whose what() names the call, the ring and the reason.
///
/// Timeouts are nanoseconds for the whole call: 0 does not wait, SPSC_WAIT_FOREVER has no limit.
///
/// Thread: at most one producer and one consumer at a time; they may share the object. Lifetime:
/// closed when it goes out of scope; pointers from claim and peek are invalid from there on.
class SpscShm {
  public:
    /// Makes a ring under a name, of min_capacity bytes rounded up to a power of two that is at
    /// least a page. Throws Error. Blocks: no.
    static SpscShm create(const std::string& name, std::size_t min_capacity)
    {
        return SpscShm("create", name, Ring::create(name, min_capacity));
    }

    /// Opens the ring of this name. Throws Error. Blocks: no.
    static SpscShm connect(const std::string& name)
    {
        return SpscShm("connect", name, Ring::connect(name));
    }

    /// Removes a name. Whoever has the ring open keeps it. False if there is none, or it can't be
    /// removed. Blocks: no.
    static bool unlink(const std::string& name) { return Ring::unlink(name).has_value(); }

    SpscShm(SpscShm&& other) noexcept
        : ring_(std::move(other.ring_))
        , name_(std::move(other.name_))
    {
        take_statuses(other);
    }
    SpscShm& operator=(SpscShm&& other) noexcept
    {
        ring_ = std::move(other.ring_);
        name_ = std::move(other.name_);
        take_statuses(other);
        return *this;
    }
    SpscShm(const SpscShm&) = delete;
    SpscShm& operator=(const SpscShm&) = delete;
    ~SpscShm() = default;

    /// Bytes published and not yet released. Thread: any.
    std::uint64_t available() const { return ring_.available(); }

    /// Bytes that the ring holds at most. Thread: any.
    std::uint64_t capacity() const { return ring_.capacity(); }

    /// Waits until `want` bytes are free and returns them, contiguous, to be written until they are
    /// published; or nullptr. A new claim replaces the old one.
    ///
    /// Throws Error, with SPSC_ERR_TOO_LARGE if want is more than the capacity,
    /// SPSC_ERR_ROLE_TAKEN if another handle is the producer, SPSC_ERR_CORRUPT.
    ///
    /// Thread: producer. Blocks: up to timeout_ns.
    void* claim(std::size_t want, std::uint64_t timeout_ns)
    {
        void* data = nullptr;
        const Status status = ::spsc_claim(ring_.get(), want, timeout_ns, &data);
        return granted(Side::producer, "claim", status) ? data : nullptr;
    }

    /// Makes the first n claimed bytes visible to the consumer; the rest stays claimed.
    ///
    /// Throws Error, with SPSC_ERR_MISUSE if n is more than is claimed; nothing is published then.
    ///
    /// Thread: producer. Blocks: no.
    void publish(std::size_t n) { check("publish", ::spsc_publish(ring_.get(), n)); }

    /// Waits until `want` bytes are there and returns them, contiguous, to be read until they are
    /// released; or nullptr. Read only: the bytes are the producer's to write.
    ///
    /// Throws Error, with SPSC_ERR_TOO_LARGE if want is more than the capacity,
    /// SPSC_ERR_ROLE_TAKEN if another handle is the consumer, SPSC_ERR_CORRUPT.
    ///
    /// Thread: consumer. Blocks: up to timeout_ns.
    void* peek(std::size_t want, std::uint64_t timeout_ns)
    {
        const void* data = nullptr;
        const Status status = ::spsc_peek(ring_.get(), want, timeout_ns, &data);
        return granted(Side::consumer, "peek", status) ? const_cast<void*>(data) : nullptr;
    }

    /// Consumes the first n peeked bytes; the rest stays peeked.
    ///
    /// Throws Error, with SPSC_ERR_MISUSE if n is more than is peeked; nothing is released then.
    ///
    /// Thread: consumer. Blocks: no.
    void release(std::size_t n) { check("release", ::spsc_release(ring_.get(), n)); }

    /// Interrupts the current wait of both sides, in every process, or where a side is not waiting
    /// its next one. Thread: any. Blocks: no.
    void wakeup_all() { (void)ring_.wakeup_all(); }

    /// Waits until `need` bytes are there. Throws as peek.
    ///
    /// Thread: consumer. Blocks: up to timeout_ns.
    bool wait_for_data(std::size_t need, std::uint64_t timeout_ns)
    {
        const Status status = ::spsc_wait_for_data(ring_.get(), need, timeout_ns);
        return granted(Side::consumer, "wait_for_data", status);
    }

    /// Waits until `need` bytes are free. Throws as claim.
    ///
    /// Thread: producer. Blocks: up to timeout_ns.
    bool wait_for_space(std::size_t need, std::uint64_t timeout_ns)
    {
        const Status status = ::spsc_wait_for_space(ring_.get(), need, timeout_ns);
        return granted(Side::producer, "wait_for_space", status);
    }

    /// Writes one line about the ring to the standard error stream, after the prefix in brackets.
    /// Thread: any.
    void debug_dump(const char* prefix) const
    {
        std::string start = "[";
        start += prefix == nullptr ? "" : prefix;
        start += "] ";
        ring_.debug_dump(start.c_str());
    }

    /// How this object's last claim, peek or wait of that side ended: SPSC_OK after one that
    /// succeeded. Thread: any, but of use to that side's only.
    Status last_status(Side side) const noexcept
    {
        return last(side).load(std::memory_order_relaxed);
    }

    /// The same of the side that was last refused something: after a nullptr or a false, why.
    /// Where two threads share the object, name the side.
    Status last_status() const noexcept
    {
        return last_status(last_refused_.load(std::memory_order_relaxed));
    }

  private:
    friend class Producer;
    friend class Consumer;

    SpscShm(const char* call, const std::string& name, Result<Ring> ring)
        : ring_(nullptr)
        , name_(name)
    {
        if (!ring) {
            raise(call, ring.error());
        }
        ring_ = *std::move(ring);
    }

    /// Notes how a wait ended. Success is written down only where it is news, so that two threads
    /// that share the object leave its cache line in peace.
    bool granted(Side side, const char* call, Status status)
    {
        if (status != SPSC_OK) {
            refuse(side, call, status);
            return false;
        }
        if (last(side).load(std::memory_order_relaxed) != SPSC_OK) {
            last(side).store(SPSC_OK, std::memory_order_relaxed);
        }
        return true;
    }

    [[gnu::cold, gnu::noinline]] void refuse(Side side, const char* call, Status status)
    {
        last(side).store(status, std::memory_order_relaxed);
        last_refused_.store(side, std::memory_order_relaxed);
        if (status < 0) {
            raise(call, detail::failure(status));
        }
    }

    void check(const char* call, Status status) const
    {
        if (status != SPSC_OK) {
            raise(call, detail::failure(status));
        }
    }

    [[noreturn, gnu::cold, gnu::noinline]] void raise(const char* call, Failure failure) const
    {
        throw Error(std::string("SpscShm::") + call + " of ring \"" + name_ + "\"", failure);
    }

    std::atomic<Status>& last(Side side) noexcept
    {
        return side == Side::producer ? last_producer_ : last_consumer_;
    }
    const std::atomic<Status>& last(Side side) const noexcept
    {
        return side == Side::producer ? last_producer_ : last_consumer_;
    }

    void take_statuses(const SpscShm& other) noexcept
    {
        constexpr auto relaxed = std::memory_order_relaxed;
        last_producer_.store(other.last_producer_.load(relaxed), relaxed);
        last_consumer_.store(other.last_consumer_.load(relaxed), relaxed);
        last_refused_.store(other.last_refused_.load(relaxed), relaxed);
    }

    Ring ring_;
    std::string name_;
    std::atomic<Status> last_producer_{ SPSC_OK };
    std::atomic<Status> last_consumer_{ SPSC_OK };
    std::atomic<Side> last_refused_{ Side::consumer };
};

inline Producer::Producer(SpscShm& ring) noexcept
    : ring_(ring.ring_.get())
{}

inline Consumer::Consumer(SpscShm& ring) noexcept
    : ring_(ring.ring_.get())
{}

#endif

} // namespace spsc

#endif /* SPSC_SHM_HPP */
