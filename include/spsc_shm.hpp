#ifndef SPSC_SHM_HPP
#define SPSC_SHM_HPP

/// The library in C++17, header only, over spsc_shm.h.
///
/// A Ring is an open ring. It turns into its ends: a Producer, which claims room and publishes what
/// was written there, and a Consumer, which peeks at bytes and releases them. All three are
/// move-only. The ring is closed with the last of them.
///
///     using namespace std::chrono_literals;
///
///     // In one process:
///     auto producer = spsc::Ring::create("numbers", 64 * 1024).value().into_producer();
///     auto claim = producer.claim(sizeof number, 1s).value();
///     std::memcpy(claim.data(), &number, sizeof number);
///     claim.publish();
///
///     // In the other:
///     auto consumer = spsc::Ring::connect("numbers", 10s).value().into_consumer();
///     auto claim = consumer.peek(sizeof number).value();
///     std::memcpy(&number, claim.data(), sizeof number);
///     claim.release();
///
/// Every call that can fail returns a Result. Result::value() throws an Error where there is no
/// value; nothing else throws. Without exceptions the header lacks value() and Error, and is
/// otherwise the same.
///
/// claim, peek, publish and release are inlined (spsc_shm_inline.h): they call the library only to
/// wait, to wake, and for errors. With SPSC_SHM_NO_INLINE defined they call it every time, with the
/// same results. The classes are the same either way, so that both may be linked together.
///
/// spsc_shm.h says what each call means, waits for and guarantees. This header says what C++ adds.

#include "spsc_shm_inline.h"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#if __cplusplus >= 202002L
#include <span>
#endif
#if defined(__cpp_exceptions)
#include <new>
#include <stdexcept>
#include <system_error>
#endif

namespace spsc {

/// How a call ended: SPSC_OK, an outcome of a wait (positive), or an error (negative).
using Status = ::spsc_status;

/// A limit on the time of a whole call: any std::chrono duration, no_wait or forever.
/// A negative duration does not wait. One of 292 years or more has no limit.
class Timeout {
  public:
    template <class Rep, class Period>
    constexpr Timeout(std::chrono::duration<Rep, Period> limit) noexcept
        : ns_(saturate(limit))
    {}

    /// As a timeout_ns of the C interface.
    [[nodiscard]] constexpr std::uint64_t ns() const noexcept { return ns_; }

  private:
    template <class Rep, class Period>
    static constexpr std::uint64_t saturate(std::chrono::duration<Rep, Period> limit) noexcept
    {
        using std::chrono::nanoseconds;
        // Written so that a NaN does not wait.
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
inline constexpr Timeout no_wait = std::chrono::nanoseconds::zero();
/// Wait without limit.
inline constexpr Timeout forever = std::chrono::nanoseconds::max();

/// Why a call did not do what was asked.
struct Failure {
    Status status;
    /// The operating system's error number, if the error came from there; else 0.
    int error_number = 0;
    /// The C function that failed. Static text.
    const char* call = "spsc";

    /// The status in a few English words. Static text.
    [[nodiscard]] const char* message() const noexcept { return ::spsc_status_string(status); }

    /// Whether something is wrong. False for the four outcomes of a wait: SPSC_TIMEOUT,
    /// SPSC_INTERRUPTED, SPSC_CLOSED, SPSC_PEER_DEAD.
    [[nodiscard]] bool is_error() const noexcept { return status < 0; }
};

#if defined(__cpp_exceptions)

/// What Result::value() throws.
class Error : public std::runtime_error {
  public:
    explicit Error(Failure failure)
        : Error(failure.call, failure)
    {}

    /// context: what() begins with it. The reason follows.
    Error(const std::string& context, Failure failure)
        : std::runtime_error(describe(context, failure))
        , failure_(failure)
    {}

    [[nodiscard]] Failure failure() const noexcept { return failure_; }
    [[nodiscard]] Status status() const noexcept { return failure_.status; }

    /// The operating system's error number, if the error came from there; else 0.
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

/// A value, or why there is none: a small std::expected<T, Failure>.
template <class T> class [[nodiscard]] Result {
  public:
    Result(T value) noexcept
        : value_(std::move(value))
    {}
    Result(Failure failure) noexcept
        : failure_(failure)
    {}

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value. There must be one.
    T& operator*() & noexcept { return *value_; }
    const T& operator*() const& noexcept { return *value_; }
    T&& operator*() && noexcept { return *std::move(value_); }
    T* operator->() noexcept { return &*value_; }
    const T* operator->() const noexcept { return &*value_; }

    /// Why there is no value.
    [[nodiscard]] Failure error() const noexcept { return failure_; }

    /// SPSC_OK if there is a value.
    [[nodiscard]] Status status() const noexcept { return failure_.status; }

#if defined(__cpp_exceptions)
    /// The value. Throws an Error if there is none.
    T& value() &
    {
        if (!has_value()) {
            throw Error(failure_);
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
    /// Throws an Error if the call failed.
    void value() const
    {
        if (!has_value()) {
            throw Error(failure_);
        }
    }
#endif

  private:
    Failure failure_{ SPSC_OK };
};

namespace detail {

/// The failure that a C call has just reported, with the number that it left in errno.
inline Failure failure(const char* call, Status status) noexcept
{
    return { status, errno, call };
}

inline Result<void> result(const char* call, Status status) noexcept
{
    return status == SPSC_OK ? Result<void>() : Result<void>(failure(call, status));
}

/// One side of a handle, for that side's calls.
struct Access {
    spsc_ring* ring;
    spsc_cursor* cursor;
};

#if !defined(SPSC_SHM_NO_INLINE)

/// What a call without a handle returns. Once this is ruled out, the compiler checks no more.
inline Status refuse_none() noexcept
{
    errno = 0;
    return SPSC_ERR_INVALID_ARGUMENT;
}
inline Status claim(Access on, std::size_t want, std::uint64_t timeout_ns, void** data) noexcept
{
    return on.cursor == nullptr
               ? refuse_none()
               : ::spsc_inline_claim(on.ring, on.cursor, want, timeout_ns, data);
}
inline Status publish(Access on, std::size_t n) noexcept
{
    return ::spsc_inline_publish(on.ring, on.cursor, n);
}
inline Status peek(Access on, std::size_t want, std::uint64_t timeout_ns, const void** data) noexcept
{
    return on.cursor == nullptr
               ? refuse_none()
               : ::spsc_inline_peek(on.ring, on.cursor, want, timeout_ns, data);
}
inline Status release(Access on, std::size_t n) noexcept
{
    return ::spsc_inline_release(on.ring, on.cursor, n);
}
/// Whether the bytes are known to be there. If not, a wait has to tell.
inline bool has(Access on, std::size_t need, bool consumes) noexcept
{
    return on.cursor != nullptr && ::spsc_inline_has(on.cursor, need, consumes) != 0;
}
/// The bytes, claimed or peeked, if they are known to be there; or nullptr.
inline void* reserve(Access on, std::size_t want, bool consumes) noexcept
{
    std::uint8_t* data = nullptr;
    return on.cursor != nullptr && ::spsc_inline_reserve(on.cursor, want, consumes, &data) != 0
               ? data
               : nullptr;
}

#else

inline Status claim(Access on, std::size_t want, std::uint64_t timeout_ns, void** data) noexcept
{
    return ::spsc_claim(on.ring, want, timeout_ns, data);
}
inline Status publish(Access on, std::size_t n) noexcept
{
    return ::spsc_publish(on.ring, n);
}
inline Status peek(Access on, std::size_t want, std::uint64_t timeout_ns, const void** data) noexcept
{
    return ::spsc_peek(on.ring, want, timeout_ns, data);
}
inline Status release(Access on, std::size_t n) noexcept
{
    return ::spsc_release(on.ring, n);
}
inline bool has(Access, std::size_t, bool) noexcept
{
    return false;
}
inline void* reserve(Access, std::size_t, bool) noexcept
{
    return nullptr;
}

#endif

/// Bytes of the ring's memory that one end holds.
template <class Byte> class Claim {
  public:
    Claim(Access on, Byte* data, std::size_t size) noexcept
        : on_(on)
        , data_(data)
        , size_(size)
    {}
    Claim(Claim&& other) noexcept
        : on_(other.on_)
        , data_(other.data_)
        , size_(std::exchange(other.size_, 0))
    {}
    Claim& operator=(Claim&& other) noexcept
    {
        on_ = other.on_;
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

    /// Hands the first n bytes to the other side, by the function that does so.
    template <class Advance>
    Result<void> advance(const char* call, Advance function, std::size_t n) noexcept
    {
        if (n > size_) {
            return Failure{ SPSC_ERR_MISUSE, 0, call };
        }
        if (n == 0) {
            return {};
        }
        const Status status = function(on_, n);
        if (status == SPSC_OK) {
            data_ += n;
            size_ -= n;
        }
        return result(call, status);
    }

  private:
    Access on_;
    Byte* data_;
    std::size_t size_;
};

} // namespace detail

/// Contiguous bytes to write. Bytes that are not published when the claim goes out of scope are
/// given up.
///
/// Valid until the producer's next claim, and no longer than the producer. Thread: producer.
class WriteClaim : public detail::Claim<std::byte> {
  public:
    using Claim::Claim;

    /// Makes the first n bytes visible to the consumer. The rest stays claimed.
    ///
    /// Fails with SPSC_ERR_MISUSE if n is more than size(). Nothing is published then.
    Result<void> publish(std::size_t n) noexcept
    {
        return advance("spsc_publish", detail::publish, n);
    }

    /// Publishes all bytes that are left.
    Result<void> publish() noexcept { return publish(size()); }
};

/// Contiguous bytes to read. Bytes that are not released when the claim goes out of scope stay in
/// the ring: the next peek returns them again.
///
/// The other process can change the bytes at any time, if it breaks the rules. Copy before you
/// validate. Valid until the consumer's next peek, and no longer than the consumer.
/// Thread: consumer.
class ReadClaim : public detail::Claim<const std::byte> {
  public:
    using Claim::Claim;

    /// Consumes the first n bytes. The rest stays in the claim.
    ///
    /// Fails with SPSC_ERR_MISUSE if n is more than size(). Nothing is released then.
    Result<void> release(std::size_t n) noexcept
    {
        return advance("spsc_release", detail::release, n);
    }

    /// Releases all bytes that are left.
    Result<void> release() noexcept { return release(size()); }
};

/// A message to be written in place: contiguous memory of the ring, aligned to 8 bytes. It is given up
/// when it goes out of scope without publish.
///
/// Valid until the producer's next claim or send, and no longer than the producer. Thread: producer.
class MessageClaim {
  public:
    MessageClaim(spsc_ring* ring, void* data, std::size_t size) noexcept
        : ring_(ring)
        , data_(static_cast<std::byte*>(data))
        , size_(size)
    {}
    MessageClaim(MessageClaim&& other) noexcept
        : ring_(std::exchange(other.ring_, nullptr))
        , data_(other.data_)
        , size_(std::exchange(other.size_, 0))
    {}
    MessageClaim& operator=(MessageClaim&& other) noexcept
    {
        ring_ = std::exchange(other.ring_, nullptr);
        data_ = other.data_;
        size_ = std::exchange(other.size_, 0);
        return *this;
    }

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::byte* begin() const noexcept { return data_; }
    [[nodiscard]] std::byte* end() const noexcept { return data_ + size_; }
#if __cplusplus >= 202002L
    [[nodiscard]] std::span<std::byte> span() const noexcept { return { data_, size_ }; }
#endif

    /// Sends the first n bytes as one message. The claim is used up.
    ///
    /// Fails with SPSC_ERR_MISUSE if n is more than size(). Nothing is sent then, and the claim
    /// stands.
    Result<void> publish(std::uint32_t tag, std::size_t n) noexcept
    {
        const Status status = ::spsc_message_publish(ring_, tag, n);
        if (status == SPSC_OK) {
            ring_ = nullptr;
            size_ = 0;
        }
        return detail::result("spsc_message_publish", status);
    }

    /// Sends all bytes as one message.
    Result<void> publish(std::uint32_t tag) noexcept { return publish(tag, size_); }

  private:
    /// NULL once it is used up.
    spsc_ring* ring_;
    std::byte* data_;
    std::size_t size_;
};

/// A message that was received. If it is not released, the next receive gives it again.
///
/// The other process can change the bytes at any time, if it breaks the rules. Copy before you
/// validate. Valid until it is released, and no longer than the consumer. Thread: consumer.
class Message {
  public:
    Message(spsc_ring* ring, const spsc_message& message) noexcept
        : ring_(ring)
        , data_(static_cast<const std::byte*>(message.data))
        , size_(message.len)
        , tag_(message.tag)
    {}
    Message(Message&& other) noexcept
        : ring_(std::exchange(other.ring_, nullptr))
        , data_(other.data_)
        , size_(std::exchange(other.size_, 0))
        , tag_(other.tag_)
    {}
    Message& operator=(Message&& other) noexcept
    {
        ring_ = std::exchange(other.ring_, nullptr);
        data_ = other.data_;
        size_ = std::exchange(other.size_, 0);
        tag_ = other.tag_;
        return *this;
    }

    /// The sender's, to tell kinds of messages apart.
    [[nodiscard]] std::uint32_t tag() const noexcept { return tag_; }
    /// Aligned to 8 bytes.
    [[nodiscard]] const std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const std::byte* begin() const noexcept { return data_; }
    [[nodiscard]] const std::byte* end() const noexcept { return data_ + size_; }
#if __cplusplus >= 202002L
    [[nodiscard]] std::span<const std::byte> span() const noexcept { return { data_, size_ }; }
#endif

    /// Consumes the message: the producer may write over it.
    ///
    /// Fails with SPSC_ERR_INVALID_ARGUMENT if it is released already.
    Result<void> release() noexcept
    {
        const Status status = ::spsc_receive_done(ring_);
        if (status == SPSC_OK) {
            ring_ = nullptr;
            size_ = 0;
        }
        return detail::result("spsc_receive_done", status);
    }

  private:
    /// NULL once it is released.
    spsc_ring* ring_;
    const std::byte* data_;
    std::size_t size_;
    std::uint32_t tag_;
};

namespace detail {

/// What a ring and each of its ends can do. Thread: any.
class Part {
  public:
    /// Bytes published and not yet released.
    [[nodiscard]] std::uint64_t available() const noexcept { return ::spsc_available(get()); }

    /// Bytes that the ring holds at most.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return ::spsc_capacity(get()); }

    /// The descriptor of the ring's memory, for Ring::connect_fd in another process. It stays the
    /// ring's own, and is closed on exec.
    [[nodiscard]] int fd() const noexcept { return ::spsc_fd(get()); }

    /// The ring's state at this moment.
    Result<spsc_stats_t> stats() const noexcept
    {
        spsc_stats_t stats;
        const Status status = ::spsc_stats(get(), &stats, sizeof stats);
        if (status != SPSC_OK) {
            return failure("spsc_stats", status);
        }
        return stats;
    }

    /// Writes the ring's state to the standard error stream, in one line that begins with prefix.
    void debug_dump(const char* prefix) const noexcept { ::spsc_debug_dump(get(), prefix); }

    /// Interrupts the current wait of both sides, in every process. A side that is not waiting is
    /// interrupted in its next wait.
    Result<void> wakeup_all() const noexcept
    {
        return result("spsc_wakeup_all", ::spsc_wakeup_all(get()));
    }

    /// The handle, for the C interface. NULL after a move.
    [[nodiscard]] spsc_ring* get() const noexcept { return handle_.get(); }

  protected:
    explicit Part(std::shared_ptr<spsc_ring> handle) noexcept
        : handle_(std::move(handle))
    {}
    Part(Part&&) noexcept = default;
    Part& operator=(Part&&) noexcept = default;
    ~Part() = default;

    std::shared_ptr<spsc_ring> handle_;
};

/// What the two ends have in common.
template <std::uint32_t side> class End : public Part {
  public:
    /// Ends this end's current wait, or its next one, with SPSC_INTERRUPTED: once. Nobody else
    /// notices.
    ///
    /// Thread: any. Blocks: no. Async-signal-safe.
    Result<void> interrupt() const noexcept
    {
        return result("spsc_interrupt", ::spsc_interrupt(get(), side));
    }

    /// Takes back an interrupt that no wait has answered.
    ///
    /// Thread: any. Blocks: no.
    Result<void> clear_interrupt() const noexcept
    {
        return result("spsc_clear_interrupt", ::spsc_clear_interrupt(get(), side));
    }

  protected:
    explicit End(std::shared_ptr<spsc_ring> handle) noexcept
        : Part(std::move(handle))
        , cursor_(::spsc_cursor_of(get(), side))
    {}
    End(End&& other) noexcept
        : Part(std::move(other))
        , cursor_(std::exchange(other.cursor_, nullptr))
    {}
    End& operator=(End&& other) noexcept
    {
        if (this != &other) {
            leave();
            handle_ = std::move(other.handle_);
            cursor_ = std::exchange(other.cursor_, nullptr);
        }
        return *this;
    }
    ~End() { leave(); }

    [[nodiscard]] Access access() const noexcept { return { get(), cursor_ }; }

    Result<void> wait(std::size_t need, Timeout timeout, std::uint32_t flags) noexcept
    {
        return result("spsc_wait", ::spsc_wait(get(), side, need, timeout.ns(), flags));
    }

  private:
    /// Gives up the role, if this handle has it.
    void leave() noexcept { (void)::spsc_leave(get(), side); }

    /// NULL after a move.
    spsc_cursor* cursor_;
};

} // namespace detail

/// The end that writes. It becomes the ring's producer with its first claim, or wait for space, and
/// is it until it goes out of scope. Then the consumer reads what was published and gets
/// SPSC_CLOSED. A producer that may have nothing to send says so with wait_for_space(1, no_wait):
/// without a role it ends nobody's stream.
///
/// Calls that wait have the outcomes and errors of spsc_claim. After a move they fail with
/// SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: one at a time. Any thread may interrupt it and look at its state.
class Producer : public detail::End<SPSC_PRODUCER> {
  public:
    /// The producer of an open handle of the C interface, which must have only one. The handle is
    /// closed as the pointer says.
    explicit Producer(std::shared_ptr<spsc_ring> handle) noexcept
        : End(std::move(handle))
    {}

    /// Waits until `want` bytes are free, and claims them: contiguous, wherever they lie. A new
    /// claim replaces the old one.
    ///
    /// Blocks: up to timeout.
    Result<WriteClaim> claim(std::size_t want, Timeout timeout = forever) noexcept
    {
        const detail::Access on = access();
        void* data = nullptr;
        const Status status = detail::claim(on, want, timeout.ns(), &data);
        if (status != SPSC_OK) {
            return detail::failure("spsc_claim", status);
        }
        return WriteClaim(on, static_cast<std::byte*>(data), want);
    }

    /// Waits until `min` bytes are free, and claims all that are free: one call for many messages.
    /// With min = 0 it never waits, and may claim 0 bytes.
    ///
    /// Blocks: up to timeout.
    Result<WriteClaim> claim_some(std::size_t min = 1, Timeout timeout = forever) noexcept
    {
        void* data = nullptr;
        std::size_t size = 0;
        const Status status = ::spsc_claim_some(get(), min, timeout.ns(), &data, &size);
        if (status != SPSC_OK) {
            return detail::failure("spsc_claim_some", status);
        }
        return WriteClaim(access(), static_cast<std::byte*>(data), size);
    }

    /// Waits until `need` bytes are free. Claims nothing.
    ///
    /// flags: SPSC_WAIT_NEXT_PEER and SPSC_WAIT_FRESH, or'ed: see spsc_wait.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<void> wait_for_space(
        std::size_t need, Timeout timeout = forever, std::uint32_t flags = 0) noexcept
    {
        return wait(need, timeout, flags);
    }

    /// Sends a copy of the bytes as one message, of any size, as spsc_send. A ring carries either
    /// bytes or messages.
    ///
    /// tag: the caller's, to tell kinds of messages apart.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<void> send(
        std::uint32_t tag, const void* data, std::size_t size, Timeout timeout = forever) noexcept
    {
        return detail::result("spsc_send", ::spsc_send(get(), tag, data, size, timeout.ns()));
    }

#if __cplusplus >= 202002L
    [[nodiscard]] Result<void> send(
        std::uint32_t tag, std::span<const std::byte> bytes, Timeout timeout = forever) noexcept
    {
        return send(tag, bytes.data(), bytes.size(), timeout);
    }
#endif

    /// Waits until there is room for the first of several messages, and sends all that fit, at once.
    /// Gives how many.
    ///
    /// Blocks: up to timeout.
    Result<std::size_t> send_some(
        const spsc_message* messages, std::size_t count, Timeout timeout = forever) noexcept
    {
        std::size_t sent = 0;
        const Status status = ::spsc_send_some(get(), messages, count, timeout.ns(), &sent);
        if (status != SPSC_OK) {
            return detail::failure("spsc_send_some", status);
        }
        return sent;
    }

    /// Waits until there is room for a message of max_size bytes, and claims it, to write in place.
    /// More than half the capacity fails with SPSC_ERR_TOO_LARGE. A new claim replaces the old one.
    ///
    /// Blocks: up to timeout.
    Result<MessageClaim> claim_message(std::size_t max_size, Timeout timeout = forever) noexcept
    {
        void* data = nullptr;
        const Status status = ::spsc_message_claim(get(), max_size, timeout.ns(), &data);
        if (status != SPSC_OK) {
            return detail::failure("spsc_message_claim", status);
        }
        return MessageClaim(get(), data, max_size);
    }
};

/// The end that reads. It becomes the ring's consumer with its first peek, or wait for data, and is
/// it until it goes out of scope. What was not released stays for the next consumer.
///
/// Calls that wait have the outcomes and errors of spsc_peek. After a move they fail with
/// SPSC_ERR_INVALID_ARGUMENT.
///
/// Thread: one at a time. Any thread may interrupt it and look at its state.
class Consumer : public detail::End<SPSC_CONSUMER> {
  public:
    /// The consumer of an open handle of the C interface, which must have only one. The handle is
    /// closed as the pointer says.
    explicit Consumer(std::shared_ptr<spsc_ring> handle) noexcept
        : End(std::move(handle))
    {}

    /// Waits until `want` bytes are there, and returns them: contiguous, wherever they lie, and in
    /// however many pieces they were published.
    ///
    /// Blocks: up to timeout.
    Result<ReadClaim> peek(std::size_t want, Timeout timeout = forever) noexcept
    {
        const detail::Access on = access();
        const void* data = nullptr;
        const Status status = detail::peek(on, want, timeout.ns(), &data);
        if (status != SPSC_OK) {
            return detail::failure("spsc_peek", status);
        }
        return ReadClaim(on, static_cast<const std::byte*>(data), want);
    }

    /// Waits until `min` bytes are there, and returns all that are there: one call for many
    /// messages. With min = 0 it never waits, and may return 0 bytes.
    ///
    /// Blocks: up to timeout.
    Result<ReadClaim> peek_some(std::size_t min = 1, Timeout timeout = forever) noexcept
    {
        const void* data = nullptr;
        std::size_t size = 0;
        const Status status = ::spsc_peek_some(get(), min, timeout.ns(), &data, &size);
        if (status != SPSC_OK) {
            return detail::failure("spsc_peek_some", status);
        }
        return ReadClaim(access(), static_cast<const std::byte*>(data), size);
    }

    /// Waits until `need` bytes are there. Peeks nothing.
    ///
    /// flags: SPSC_WAIT_NEXT_PEER and SPSC_WAIT_FRESH, or'ed: see spsc_wait.
    ///
    /// Blocks: up to timeout.
    [[nodiscard]] Result<void> wait_for_data(
        std::size_t need, Timeout timeout = forever, std::uint32_t flags = 0) noexcept
    {
        return wait(need, timeout, flags);
    }

    /// Waits for the next message, as spsc_receive. If it was not released, gives the last one again.
    ///
    /// Blocks: up to timeout.
    Result<Message> receive(Timeout timeout = forever) noexcept
    {
        spsc_message message = {};
        const Status status = ::spsc_receive(get(), timeout.ns(), &message);
        if (status != SPSC_OK) {
            return detail::failure("spsc_receive", status);
        }
        return Message(get(), message);
    }

    /// Waits for the next message, and gives all that are there, up to max. Gives how many.
    /// receive_done() consumes them.
    ///
    /// Blocks: up to timeout.
    Result<std::size_t> receive_some(
        spsc_message* messages, std::size_t max, Timeout timeout = forever) noexcept
    {
        std::size_t count = 0;
        const Status status = ::spsc_receive_some(get(), timeout.ns(), messages, max, &count);
        if (status != SPSC_OK) {
            return detail::failure("spsc_receive_some", status);
        }
        return count;
    }

    /// Consumes what the last receive or receive_some gave. After SPSC_ERR_TOO_LARGE and
    /// SPSC_ERR_NO_MEMORY, skips that message.
    Result<void> receive_done() noexcept
    {
        return detail::result("spsc_receive_done", ::spsc_receive_done(get()));
    }

    /// The most bytes of a message in fragments that this end assembles: 64 MiB by default.
    Result<void> set_max_message(std::size_t bytes) noexcept
    {
        return detail::result("spsc_set_max_message", ::spsc_set_max_message(get(), bytes));
    }
};

/// An end to wait for together with others: until `need` bytes are free, or there.
///
/// flags: SPSC_ITEM_NEXT_PEER and SPSC_ITEM_FRESH, or'ed. To be used while the end, or what it was
/// moved to, is there.
[[nodiscard]] inline spsc_wait_item wait_item(
    const Producer& producer, std::size_t need = 1, std::uint32_t flags = 0) noexcept
{
    return { producer.get(), SPSC_PRODUCER | flags, SPSC_TIMEOUT, need };
}

/// The same for an end that reads.
[[nodiscard]] inline spsc_wait_item wait_item(
    const Consumer& consumer, std::size_t need = 1, std::uint32_t flags = 0) noexcept
{
    return { consumer.get(), SPSC_CONSUMER | flags, SPSC_TIMEOUT, need };
}

/// Waits until at least one item is decided, as spsc_wait_any. Gives how many are, and says of each
/// in its `status` how it stands.
///
/// items: a vector, an array or a span of them, at most SPSC_WAIT_ANY_MAX.
///
/// Thread: that of every item's side. Blocks: up to timeout.
template <class Items> Result<std::size_t> wait_any(Items& items, Timeout timeout = forever) noexcept
{
    std::size_t decided = 0;
    const Status status =
        ::spsc_wait_any(std::data(items), std::size(items), timeout.ns(), &decided);
    if (status != SPSC_OK) {
        return detail::failure("spsc_wait_any", status);
    }
    return decided;
}

/// What can be chosen when a ring is made.
struct Options {
    /// Permission bits of a named ring, less the process's umask. See spsc_options for what is
    /// allowed.
    std::uint32_t mode = 0600;
    /// Replace a ring of the same name that nobody uses.
    bool replace_stale = false;
    /// Enter all pages into the page tables at once, so that the first lap takes no page faults.
    bool prefault = false;
    /// The longest spin before a wait sleeps, on both sides: zero for none. Without a value it is
    /// adaptive: as long as recent waits suggest.
    std::optional<std::chrono::nanoseconds> spin = std::nullopt;
};

namespace detail {

/// As a spin_ns of the C interface.
inline std::uint64_t spin_ns(std::chrono::nanoseconds spin) noexcept
{
    return spin.count() > 0 ? static_cast<std::uint64_t>(spin.count()) : 0;
}

/// A name or a path with a NUL inside would be another, shorter one in C.
inline bool is_c_string(const std::string& name) noexcept
{
    return name.find('\0') == std::string::npos;
}

inline Status refuse_name() noexcept
{
    errno = 0;
    return SPSC_ERR_INVALID_NAME;
}

/// What a C function opens, as a T, which is made of a shared pointer to it.
template <class T, class Call, class Handle>
Result<T> open(const char* name, Call call, void (*close)(Handle*)) noexcept
{
    Handle* handle = nullptr;
    const Status status = call(&handle);
    if (status != SPSC_OK) {
        return failure(name, status);
    }
#if defined(__cpp_exceptions)
    try {
        return T(std::shared_ptr<Handle>(handle, close));
    } catch (const std::bad_alloc&) {
        // The pointer has closed the handle.
        return Failure{ SPSC_ERR_NO_MEMORY, ENOMEM, name };
    }
#else
    return T(std::shared_ptr<Handle>(handle, close));
#endif
}

} // namespace detail

/// An open ring that nobody has used yet: split it, or turn it into the one end that this process
/// uses. Any thread may look at it.
class Ring : public detail::Part {
  public:
    /// Makes a ring under a name. min_capacity is rounded up to a power of two that is at least a
    /// page.
    ///
    /// Errors: as spsc_create_with. Blocks: no.
    static Result<Ring> create(
        const std::string& name, std::size_t min_capacity, const Options& options = {}) noexcept
    {
        const spsc_options chosen = translate(options);
        return open("spsc_create_with", [&](spsc_ring** ring) {
            return detail::is_c_string(name)
                       ? ::spsc_create_with(name.c_str(), min_capacity, &chosen, ring)
                       : detail::refuse_name();
        });
    }

    /// Makes a ring without a name. No other process can cut its memory short. Hand fd() over for
    /// connect_fd.
    ///
    /// Errors: as spsc_create_anonymous_with. Blocks: no.
    static Result<Ring> anonymous(std::size_t min_capacity, const Options& options = {}) noexcept
    {
        const spsc_options chosen = translate(options);
        return open("spsc_create_anonymous_with", [&](spsc_ring** ring) {
            return ::spsc_create_anonymous_with(min_capacity, &chosen, ring);
        });
    }

    /// Opens the ring of this name. Waits up to timeout for it to appear and be ready.
    ///
    /// Errors: as spsc_connect_timeout. Blocks: up to timeout.
    static Result<Ring> connect(const std::string& name, Timeout timeout = no_wait) noexcept
    {
        return open("spsc_connect_timeout", [&](spsc_ring** ring) {
            return detail::is_c_string(name)
                       ? ::spsc_connect_timeout(name.c_str(), timeout.ns(), ring)
                       : detail::refuse_name();
        });
    }

    /// Opens the anonymous ring behind a descriptor, which stays the caller's.
    ///
    /// Errors: as spsc_connect_fd. Blocks: no.
    static Result<Ring> connect_fd(int fd) noexcept
    {
        return open("spsc_connect_fd",
                    [&](spsc_ring** ring) { return ::spsc_connect_fd(fd, ring); });
    }

    /// Removes a name. Whoever has the ring open keeps it.
    ///
    /// Errors: as spsc_unlink. Blocks: no.
    static Result<void> unlink(const std::string& name) noexcept
    {
        return detail::result("spsc_unlink",
                              detail::is_c_string(name) ? ::spsc_unlink(name.c_str())
                                                        : detail::refuse_name());
    }

    /// A ring of an open handle of the C interface. The handle is closed as the pointer says:
    ///
    ///     spsc::Ring ring(std::shared_ptr<spsc_ring>(handle, spsc_close));
    explicit Ring(std::shared_ptr<spsc_ring> handle) noexcept
        : Part(std::move(handle))
    {}

    /// The two ends, for one thread each. They share the handle, which is closed when both are
    /// gone.
    [[nodiscard]] std::pair<Producer, Consumer> split() && noexcept
    {
        Producer producer(handle_);
        return { std::move(producer), Consumer(std::move(handle_)) };
    }

    /// The writing end, for a process that does not read.
    [[nodiscard]] Producer into_producer() && noexcept { return Producer(std::move(handle_)); }

    /// The reading end, for a process that does not write.
    [[nodiscard]] Consumer into_consumer() && noexcept { return Consumer(std::move(handle_)); }

  private:
    static spsc_options translate(const Options& options) noexcept
    {
        spsc_options chosen = SPSC_OPTIONS_INIT;
        chosen.mode = options.mode;
        chosen.flags = (options.replace_stale ? SPSC_REPLACE_STALE : 0U) |
                       (options.prefault ? SPSC_PREFAULT : 0U);
        if (options.spin) {
            chosen.spin_ns = detail::spin_ns(*options.spin);
        }
        return chosen;
    }

    template <class Call> static Result<Ring> open(const char* name, Call call) noexcept
    {
        return detail::open<Ring>(name, call, ::spsc_close);
    }
};

} // namespace spsc

#endif /* SPSC_SHM_HPP */
