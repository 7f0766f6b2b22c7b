// An echo server and its client over two rings, pipelined by three threads: one sends, one echoes,
// one receives. Messages carry their length before them, are of random sizes up to half of 2 KiB,
// and every byte that comes back is checked. All waits are without limit and none is repeated. The
// library itself looks up from its sleep now and then, to see whether its peer is alive, and would
// find what a lost wake-up did not tell it: `syscall` below takes the time limit off its sleeps. So
// a lost wake-up stops the test for good, which the watchdog makes a failure.
//
// SPSC_ECHO_MESSAGES in the environment: how many messages, 500,000 by default.

#include "spsc_shm_barretenberg.hpp"
#include "support.hpp"

#include <array>
#include <chrono>
#include <cstdarg>
#include <cstring>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <thread>

namespace {

std::atomic<std::uint64_t> endless_sleeps{ 0 };

using Syscall = long (*)(long, ...);

// Whether the library's barrier is to be had. Where it is not, short sleeps are all that there is
// between it and a lost wake-up, and they are left alone.
bool sleeps_may_be_endless(Syscall real)
{
    const long commands = real(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0;
}

} // namespace

// In place of the C library's, for the library that is tested.
extern "C" long syscall(long number, ...) noexcept
{
    static const auto real = reinterpret_cast<Syscall>(::dlsym(RTLD_NEXT, "syscall"));
    static const bool endless = sleeps_may_be_endless(real);
    long arguments[6];
    std::va_list list;
    va_start(list, number);
    for (long& argument : arguments) {
        argument = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_futex && arguments[1] == FUTEX_WAIT_BITSET && endless) {
        arguments[3] = 0;
        endless_sleeps.fetch_add(1, std::memory_order_relaxed);
    }
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}

namespace {

using spsc::SpscShm;
using support::UniqueName;
using support::Watchdog;

constexpr std::size_t min_capacity = 2048;
constexpr std::size_t prefix_size = sizeof(std::uint32_t);
constexpr std::size_t max_message = min_capacity / 2 - prefix_size;

std::uint64_t message_count()
{
    const char* text = std::getenv("SPSC_ECHO_MESSAGES");
    return text == nullptr ? 500'000 : std::strtoull(text, nullptr, 10);
}

// Ends the process: the other threads would wait for ever.
void require(bool truth, const char* what, std::uint64_t message)
{
    if (!truth) {
        std::fprintf(stderr, "message %llu: %s\n", static_cast<unsigned long long>(message), what);
        std::abort();
    }
}

// The size and the bytes of message number `n`, the same wherever they are asked for.
class Message {
  public:
    explicit Message(std::uint64_t n)
        : state_(n * 0x9e3779b97f4a7c15)
        , size_(static_cast<std::size_t>(next() % (max_message + 1)))
    {
        for (std::size_t at = 0; at < size_; at += sizeof(std::uint64_t)) {
            const std::uint64_t word = next();
            std::memcpy(bytes_.data() + at, &word, sizeof word);
        }
    }

    const char* data() const { return bytes_.data(); }
    std::size_t size() const { return size_; }

    bool operator==(std::string_view other) const
    {
        return other == std::string_view(bytes_.data(), size_);
    }

  private:
    // SplitMix64.
    std::uint64_t next()
    {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    std::uint64_t state_;
    std::size_t size_;
    std::array<char, max_message + sizeof(std::uint64_t)> bytes_;
};

// Runs the three parts, each given its own number of messages and a counter to say how far it is.
template <class Send, class Echo, class Receive>
void run(const std::string& there, const std::string& back, Send send, Echo echo, Receive receive)
{
    const std::uint64_t count = message_count();
    std::atomic<std::uint64_t> received{ 0 };
    const SpscShm requests = SpscShm::connect(there);
    const SpscShm responses = SpscShm::connect(back);
    const Watchdog watchdog([&] { return received.load(); },
                            [&] {
                                requests.debug_dump("requests");
                                responses.debug_dump("responses");
                            });

    const auto start = std::chrono::steady_clock::now();
    std::thread sender([&] { send(count); });
    std::thread server(echo);
    receive(count, received);
    sender.join();
    server.join();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;

    EXPECT_EQ(received.load(), count);
    EXPECT_EQ(requests.available(), 0U);
    EXPECT_EQ(responses.available(), 0U);
    std::printf("%llu messages there and back in %.2f s: %.0f a second, %llu endless sleeps\n",
                static_cast<unsigned long long>(count),
                taken.count(),
                static_cast<double>(count) / taken.count(),
                static_cast<unsigned long long>(endless_sleeps.exchange(0)));
}

// With SpscShm, as code that was written for Barretenberg's class uses it.

void put(SpscShm& ring, std::uint64_t n)
{
    const Message message(n);
    const auto length = static_cast<std::uint32_t>(message.size());
    // Every other message is claimed and published in two pieces.
    const std::size_t first = n % 2 == 0 ? prefix_size + message.size() : prefix_size;
    void* data = ring.claim(first, SPSC_WAIT_FOREVER);
    require(data != nullptr, "a claim came back empty", n);
    std::memcpy(data, &length, prefix_size);
    char* body = static_cast<char*>(data) + prefix_size;
    if (first == prefix_size) {
        ring.publish(prefix_size);
        body = static_cast<char*>(ring.claim(message.size(), SPSC_WAIT_FOREVER));
        require(body != nullptr, "a claim came back empty", n);
        std::memcpy(body, message.data(), message.size());
        ring.publish(message.size());
    } else {
        std::memcpy(body, message.data(), message.size());
        ring.publish(first);
    }
}

// The next message in the ring, with its length before it.
std::string_view get(SpscShm& ring, std::uint64_t n)
{
    const void* prefix = ring.peek(prefix_size, SPSC_WAIT_FOREVER);
    require(prefix != nullptr, "a peek came back empty", n);
    std::uint32_t length = 0;
    std::memcpy(&length, prefix, prefix_size);
    require(length <= max_message, "the length is not one that is sent", n);
    const void* data = ring.peek(prefix_size + length, SPSC_WAIT_FOREVER);
    require(data != nullptr, "a peek came back empty", n);
    return { static_cast<const char*>(data), prefix_size + length };
}

// The server.
void echo(const std::string& there, const std::string& back)
{
    SpscShm requests = SpscShm::connect(there);
    SpscShm responses = SpscShm::connect(back);
    for (std::uint64_t n = 0; n < message_count(); ++n) {
        const std::string_view frame = get(requests, n);
        void* space = responses.claim(frame.size(), SPSC_WAIT_FOREVER);
        require(space != nullptr, "a claim came back empty", n);
        std::memcpy(space, frame.data(), frame.size());
        responses.publish(frame.size());
        requests.release(frame.size());
    }
}

TEST(Echo, with_barretenbergs_class)
{
    const UniqueName there;
    const UniqueName back;
    SpscShm made_requests = SpscShm::create(there, min_capacity);
    SpscShm made_responses = SpscShm::create(back, min_capacity);

    run(
        there,
        back,
        [&](std::uint64_t count) {
            SpscShm requests = std::move(made_requests);
            for (std::uint64_t n = 0; n < count; ++n) {
                put(requests, n);
            }
        },
        [&] { echo(there, back); },
        [&](std::uint64_t count, std::atomic<std::uint64_t>& received) {
            SpscShm responses = std::move(made_responses);
            for (std::uint64_t n = 0; n < count; ++n) {
                const std::string_view frame = get(responses, n);
                require(Message(n) == frame.substr(prefix_size), "other bytes came back", n);
                responses.release(frame.size());
                received.fetch_add(1, std::memory_order_relaxed);
            }
        });
}

// One message at a time: a wake-up that is lost here is not made good by the next message's.
TEST(Echo, in_lock_step)
{
    const UniqueName there;
    const UniqueName back;
    SpscShm made_requests = SpscShm::create(there, min_capacity);
    SpscShm responses = SpscShm::create(back, min_capacity);

    run(
        there,
        back,
        [](std::uint64_t) {},
        [&] { echo(there, back); },
        [&](std::uint64_t count, std::atomic<std::uint64_t>& received) {
            SpscShm requests = std::move(made_requests);
            for (std::uint64_t n = 0; n < count; ++n) {
                put(requests, n);
                const std::string_view frame = get(responses, n);
                require(Message(n) == frame.substr(prefix_size), "other bytes came back", n);
                responses.release(frame.size());
                received.store(n + 1, std::memory_order_relaxed);
            }
        });
}

// With the ends of a ring. The stream ends when its producer goes out of scope.

// The next message, with its length before it: true until the end of the stream.
spsc::Result<spsc::ReadClaim> get(spsc::Consumer& consumer, std::uint64_t n)
{
    const auto prefix = consumer.peek(prefix_size);
    if (!prefix) {
        require(prefix.status() == SPSC_CLOSED, "the stream did not end by close", n);
        return prefix.error();
    }
    std::uint32_t length = 0;
    std::memcpy(&length, prefix->data(), prefix_size);
    require(length <= max_message, "the length is not one that is sent", n);
    return consumer.peek(prefix_size + length);
}

TEST(Echo, with_the_ends_of_a_ring)
{
    using spsc::Ring;
    const UniqueName there;
    const UniqueName back;
    auto made_requests = Ring::create(there, min_capacity).value();
    auto made_responses = Ring::create(back, min_capacity).value();

    run(
        there,
        back,
        [&](std::uint64_t count) {
            auto requests = std::move(made_requests).into_producer();
            for (std::uint64_t n = 0; n < count; ++n) {
                const Message message(n);
                const auto length = static_cast<std::uint32_t>(message.size());
                auto claim = requests.claim(prefix_size + message.size());
                require(claim.has_value(), "a claim failed", n);
                std::memcpy(claim->data(), &length, prefix_size);
                std::memcpy(claim->data() + prefix_size, message.data(), message.size());
                require(claim->publish().has_value(), "a publish failed", n);
            }
        },
        [&] {
            auto requests = Ring::connect(there).value().into_consumer();
            auto responses = Ring::connect(back).value().into_producer();
            std::uint64_t n = 0;
            while (auto frame = get(requests, n)) {
                auto space = responses.claim(frame->size());
                require(space.has_value(), "a claim failed", n);
                std::memcpy(space->data(), frame->data(), frame->size());
                require(space->publish().has_value(), "a publish failed", n);
                require(frame->release().has_value(), "a release failed", n);
                ++n;
            }
        },
        [&](std::uint64_t count, std::atomic<std::uint64_t>& received) {
            auto responses = std::move(made_responses).into_consumer();
            std::uint64_t n = 0;
            while (auto frame = get(responses, n)) {
                require(n < count, "more came back than was sent", n);
                const auto* body = reinterpret_cast<const char*>(frame->data()) + prefix_size;
                require(Message(n) == std::string_view(body, frame->size() - prefix_size),
                        "other bytes came back",
                        n);
                require(frame->release().has_value(), "a release failed", n);
                received.store(++n, std::memory_order_relaxed);
            }
        });
}

} // namespace
