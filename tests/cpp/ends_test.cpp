// spsc_shm.hpp: rings, ends, claims, results, timeouts.

#include "spsc_shm.hpp"
#include "support.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <string_view>
#include <sys/stat.h>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spsc::Consumer;
using spsc::forever;
using spsc::no_wait;
using spsc::Producer;
using spsc::Ring;
using spsc::Timeout;
using support::UniqueName;

// All that stands for a piece of a ring is move-only, and moves without failing.
template <class T>
constexpr bool is_move_only =
    std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
    !std::is_default_constructible_v<T>;

static_assert(is_move_only<Ring>);
static_assert(is_move_only<Producer>);
static_assert(is_move_only<Consumer>);
static_assert(is_move_only<spsc::WriteClaim>);
static_assert(is_move_only<spsc::ReadClaim>);

// No number is silently nanoseconds.
static_assert(!std::is_constructible_v<Timeout, int>);
static_assert(!std::is_constructible_v<Timeout, std::uint64_t>);
static_assert(!std::is_constructible_v<Timeout, double>);
static_assert(!std::is_assignable_v<decltype(spsc::Options::spin)&, int>);

static_assert(Timeout(3ms).ns() == 3'000'000);
static_assert(Timeout(1.5s).ns() == 1'500'000'000);
static_assert(Timeout(-1s).ns() == 0);
static_assert(Timeout(std::chrono::hours::max()).ns() == SPSC_WAIT_FOREVER);
static_assert(Timeout(std::chrono::hours(24 * 365)).ns() == 31'536'000'000'000'000);
static_assert(no_wait.ns() == 0 && forever.ns() == SPSC_WAIT_FOREVER);

// Both ends of a new ring.
struct Ends {
    Producer producer;
    Consumer consumer;
};

Ends anonymous()
{
    auto [producer, consumer] = Ring::anonymous(1).value().split();
    return { std::move(producer), std::move(consumer) };
}

// A ring of that handle, which counts how often it is closed.
Ring counted(spsc_ring* handle, int& closed)
{
    return Ring(std::shared_ptr<spsc_ring>(handle, [&closed](spsc_ring* last) {
        spsc_close(last);
        ++closed;
    }));
}

template <class Part> std::size_t most(const Part& part)
{
    return static_cast<std::size_t>(part.capacity());
}

void write(Producer& producer, std::string_view bytes)
{
    auto claim = producer.claim(bytes.size()).value();
    std::memcpy(claim.data(), bytes.data(), bytes.size());
    EXPECT_TRUE(claim.publish());
}

// What another process would do that sends something and ends.
void write_and_close(const std::string& name, std::string_view bytes)
{
    auto producer = Ring::connect(name).value().into_producer();
    write(producer, bytes);
}

std::string_view text(const spsc::ReadClaim& claim)
{
    return { reinterpret_cast<const char*>(claim.data()), claim.size() };
}

TEST(Timeout, of_no_number_does_not_wait)
{
    const std::chrono::duration<double> odd(std::numeric_limits<double>::quiet_NaN());
    EXPECT_EQ(Timeout(odd).ns(), 0U);
}

TEST(Ring, opens_by_name)
{
    const UniqueName name;
    auto made = Ring::create(name, 5000);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->capacity(), 8192U);
    auto opened = Ring::connect(name);
    ASSERT_TRUE(opened);
    auto producer = std::move(*made).into_producer();
    write(producer, "hi");
    EXPECT_EQ(opened->available(), 2U);
    auto consumer = std::move(*opened).into_consumer();
    EXPECT_EQ(text(consumer.peek(2).value()), "hi");
    EXPECT_TRUE(Ring::unlink(name));
    EXPECT_EQ(Ring::unlink(name).status(), SPSC_ERR_NOT_FOUND);
}

TEST(Ring, connect_waits_for_a_name_to_appear)
{
    const UniqueName name;
    EXPECT_EQ(Ring::connect(name).status(), SPSC_ERR_NOT_FOUND);
    EXPECT_EQ(Ring::connect(name, 5ms).status(), SPSC_TIMEOUT);
    std::thread late([&] { EXPECT_TRUE(Ring::connect(name, forever)); });
    const auto ring = Ring::create(name, 1);
    late.join();
    EXPECT_TRUE(ring);
}

TEST(Ring, opens_by_descriptor)
{
    auto [producer, consumer] = anonymous();
    auto other = Ring::connect_fd(producer.fd()).value();
    write(producer, "by hand");
    EXPECT_EQ(other.available(), 7U);
    EXPECT_EQ(Ring::connect_fd(-1).status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(Ring, takes_over_a_handle_of_the_c_interface)
{
    int closed = 0;
    spsc_ring* handle = nullptr;
    ASSERT_EQ(spsc_create_anonymous(1, &handle), SPSC_OK);
    {
        Ring ring = counted(handle, closed);
        EXPECT_EQ(ring.get(), handle);
        const auto producer = std::move(ring).into_producer();
        EXPECT_EQ(producer.get(), handle);
        EXPECT_EQ(closed, 0);
    }
    EXPECT_EQ(closed, 1);
}

TEST(Ring, takes_options)
{
    const UniqueName name;
    spsc::Options options;
    options.mode = 0660;
    options.prefault = true;
    options.spin = 0ns;
    const mode_t mask = ::umask(0);
    EXPECT_TRUE(Ring::create(name, 1, options));
    ::umask(mask);
    struct stat file = {};
    ASSERT_EQ(::stat(("/dev/shm/" + name.get()).c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0660U);

    EXPECT_EQ(Ring::create(name, 1).status(), SPSC_ERR_ALREADY_EXISTS);
    options.replace_stale = true;
    EXPECT_TRUE(Ring::create(name, 1, options));

    options.mode = 01000;
    EXPECT_EQ(Ring::create(name, 1, options).status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(Ring, takes_options_without_a_name)
{
    spsc::Options options;
    options.spin = 20us;
    EXPECT_TRUE(Ring::anonymous(1, options));
    options.mode = 0660;
    EXPECT_EQ(Ring::anonymous(1, options).status(), SPSC_ERR_INVALID_ARGUMENT);
}

// The longest spin of a ring, where docs/PROTOCOL.md says that it lies.
std::uint64_t spin_of(const Ring& ring)
{
    std::uint64_t spin = 0;
    constexpr off_t spin_ns = 24;
    EXPECT_EQ(::pread(ring.fd(), &spin, sizeof spin, spin_ns), static_cast<ssize_t>(sizeof spin));
    return spin;
}

TEST(Ring, is_told_how_long_to_spin)
{
    spsc::Options options;
    EXPECT_EQ(spin_of(Ring::anonymous(1, options).value()), SPSC_SPIN_ADAPTIVE);
    options.spin = 20us;
    EXPECT_EQ(spin_of(Ring::anonymous(1, options).value()), 20'000U);
    options.spin = -1ns;
    EXPECT_EQ(spin_of(Ring::anonymous(1, options).value()), 0U);
}

TEST(Ring, and_its_ends_show_its_state)
{
    auto [producer, consumer] = anonymous();
    write(producer, "12345");
    const auto stats = consumer.stats().value();
    EXPECT_EQ(stats.capacity, producer.capacity());
    EXPECT_EQ(stats.published, 5U);
    EXPECT_EQ(stats.released, 0U);
    EXPECT_EQ(stats.available, 5U);
    EXPECT_EQ(stats.producer.state, SPSC_ROLE_ATTACHED);
    EXPECT_EQ(stats.producer.pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(stats.consumer.state, SPSC_ROLE_NEVER);
    EXPECT_EQ(producer.fd(), consumer.fd());
    ::testing::internal::CaptureStderr();
    producer.debug_dump("here ");
    EXPECT_EQ(::testing::internal::GetCapturedStderr().rfind("here capacity=", 0), 0U);
}

TEST(Ring, that_was_moved_away_fails_every_call)
{
    Ring ring = Ring::anonymous(1).value();
    const Ring moved = std::move(ring);
    EXPECT_EQ(ring.get(), nullptr);
    EXPECT_EQ(ring.fd(), -1);
    EXPECT_EQ(ring.stats().status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(ring.wakeup_all().status(), SPSC_ERR_INVALID_ARGUMENT);
    auto [producer, consumer] = std::move(ring).split();
    EXPECT_EQ(producer.claim(1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(producer.interrupt().status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(consumer.peek(1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(consumer.clear_interrupt().status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(Ring, refuses_names_that_c_would_cut_short)
{
    const std::string with_nul("spsc-cpp\0hidden", 15);
    EXPECT_EQ(Ring::create(with_nul, 1).status(), SPSC_ERR_INVALID_NAME);
    EXPECT_EQ(Ring::connect(with_nul).status(), SPSC_ERR_INVALID_NAME);
    errno = EIO;
    const auto refused = Ring::unlink(with_nul);
    EXPECT_EQ(refused.status(), SPSC_ERR_INVALID_NAME);
    EXPECT_EQ(refused.error().error_number, 0);
}

TEST(Result, without_a_value_says_why_and_throws_if_asked_for_it)
{
    auto missing = Ring::connect("spsc-cpp-nobody-made-me");
    EXPECT_FALSE(missing);
    EXPECT_EQ(missing.error().status, SPSC_ERR_NOT_FOUND);
    EXPECT_EQ(missing.error().error_number, ENOENT);
    EXPECT_TRUE(missing.error().is_error());
    EXPECT_STREQ(missing.error().message(), spsc_status_string(SPSC_ERR_NOT_FOUND));
    EXPECT_THROW(Ring::unlink("spsc-cpp-nobody-made-me").value(), spsc::Error);
    try {
        (void)missing.value();
        ADD_FAILURE() << "nothing was thrown";
    } catch (const spsc::Error& error) {
        EXPECT_EQ(error.status(), SPSC_ERR_NOT_FOUND);
        EXPECT_EQ(error.error_number(), ENOENT);
        EXPECT_EQ(std::string(error.what()).rfind("spsc_connect_timeout: ", 0), 0U) << error.what();
    }

    auto [producer, consumer] = anonymous();
    const auto late = consumer.peek(1, no_wait);
    EXPECT_EQ(late.status(), SPSC_TIMEOUT);
    EXPECT_FALSE(late.error().is_error());
}

TEST(Claim, is_published_in_pieces_and_the_rest_given_up)
{
    auto [producer, consumer] = anonymous();
    {
        auto claim = producer.claim(10).value();
        std::memcpy(claim.data(), "abcdefghij", 10);
        EXPECT_TRUE(claim.publish(2));
        EXPECT_EQ(claim.size(), 8U);
        EXPECT_TRUE(claim.publish(1));
        EXPECT_EQ(claim.publish(8).status(), SPSC_ERR_MISUSE);
        EXPECT_EQ(consumer.available(), 3U);
    }
    write(producer, "XY");
    EXPECT_EQ(text(consumer.peek(5).value()), "abcXY");
}

TEST(Claim, to_read_is_released_in_pieces_and_the_rest_kept)
{
    auto [producer, consumer] = anonymous();
    write(producer, "abcdef");
    {
        auto claim = consumer.peek(6).value();
        EXPECT_TRUE(claim.release(2));
        EXPECT_EQ(text(claim), "cdef");
        EXPECT_EQ(claim.release(5).status(), SPSC_ERR_MISUSE);
    }
    EXPECT_EQ(consumer.available(), 4U);
    auto again = consumer.peek(4).value();
    EXPECT_EQ(text(again), "cdef");
    EXPECT_TRUE(again.release());
    EXPECT_EQ(consumer.available(), 0U);
}

TEST(Claim, that_was_moved_away_is_empty)
{
    auto [producer, consumer] = anonymous();
    auto claim = producer.claim(4).value();
    auto moved = std::move(claim);
    EXPECT_EQ(claim.size(), 0U);
    EXPECT_EQ(claim.publish(1).status(), SPSC_ERR_MISUSE);
    EXPECT_TRUE(claim.publish());
    EXPECT_EQ(consumer.available(), 0U);
    EXPECT_TRUE(moved.publish());
    EXPECT_EQ(consumer.available(), 4U);
}

TEST(Claim, outlives_a_move_of_its_end)
{
    auto [producer, consumer] = anonymous();
    auto claim = producer.claim(1).value();
    const Producer moved = std::move(producer);
    std::memcpy(claim.data(), "x", 1);
    EXPECT_TRUE(claim.publish());
    EXPECT_EQ(text(consumer.peek(1).value()), "x");
}

TEST(Claim, of_some_is_all_that_there_is)
{
    auto [producer, consumer] = anonymous();
    auto space = producer.claim_some().value();
    EXPECT_EQ(space.size(), most(producer));
    std::memset(space.data(), 'z', 100);
    EXPECT_TRUE(space.publish(100));
    auto data = consumer.peek_some().value();
    EXPECT_EQ(data.size(), 100U);
    EXPECT_EQ(data.end() - data.begin(), 100);
    EXPECT_TRUE(data.release());
    EXPECT_EQ(consumer.peek_some(0).value().size(), 0U);
    EXPECT_EQ(consumer.peek_some(1, no_wait).status(), SPSC_TIMEOUT);
}

TEST(Claim, of_every_size_is_contiguous_across_the_end_of_the_buffer)
{
    auto [producer, consumer] = anonymous();
    for (std::size_t size = 1; size <= most(producer); ++size) {
        const std::string bytes(size, static_cast<char>('a' + size % 26));
        write(producer, bytes);
        auto claim = consumer.peek(size, no_wait).value();
        ASSERT_EQ(text(claim), bytes);
        EXPECT_TRUE(claim.release());
    }
    EXPECT_EQ(producer.claim(most(producer) + 1).status(), SPSC_ERR_TOO_LARGE);
}

TEST(Ends, wait_without_claiming)
{
    auto [producer, consumer] = anonymous();
    EXPECT_TRUE(producer.wait_for_space(most(producer)));
    EXPECT_EQ(consumer.wait_for_data(1, 1ms).status(), SPSC_TIMEOUT);
    write(producer, "x");
    EXPECT_TRUE(consumer.wait_for_data(1));
    EXPECT_EQ(producer.wait_for_space(most(producer), 1ms).status(), SPSC_TIMEOUT);
    EXPECT_EQ(producer.wait_for_space(most(producer) + 1).status(), SPSC_ERR_TOO_LARGE);
}

TEST(Ends, are_interrupted_by_wakeup_all)
{
    auto [producer, consumer] = anonymous();
    write(producer, "x");
    EXPECT_TRUE(consumer.wakeup_all());
    EXPECT_EQ(consumer.peek(2).status(), SPSC_INTERRUPTED);
    EXPECT_EQ(producer.claim(most(producer), 1h).status(), SPSC_INTERRUPTED);
    EXPECT_EQ(consumer.peek(2, 1ms).status(), SPSC_TIMEOUT);
}

TEST(Ends, are_interrupted_one_by_one)
{
    auto [producer, consumer] = anonymous();
    write(producer, "x");
    EXPECT_TRUE(consumer.interrupt());
    EXPECT_EQ(producer.claim(most(producer), 1ms).status(), SPSC_TIMEOUT);
    EXPECT_EQ(consumer.peek(2).status(), SPSC_INTERRUPTED);
    EXPECT_EQ(consumer.peek(2, 1ms).status(), SPSC_TIMEOUT);
    EXPECT_TRUE(producer.interrupt());
    EXPECT_EQ(consumer.peek(2, 1ms).status(), SPSC_TIMEOUT);
    EXPECT_EQ(producer.claim(most(producer)).status(), SPSC_INTERRUPTED);
}

TEST(Ends, forget_an_interrupt_that_is_taken_back)
{
    auto [producer, consumer] = anonymous();
    write(producer, "x");
    EXPECT_TRUE(consumer.interrupt());
    EXPECT_TRUE(producer.interrupt());
    EXPECT_TRUE(consumer.clear_interrupt());
    EXPECT_EQ(consumer.peek(2, 1ms).status(), SPSC_TIMEOUT);
    EXPECT_EQ(producer.claim(most(producer)).status(), SPSC_INTERRUPTED);
    EXPECT_TRUE(producer.interrupt());
    EXPECT_TRUE(producer.clear_interrupt());
    EXPECT_EQ(producer.claim(most(producer), 1ms).status(), SPSC_TIMEOUT);
}

TEST(Ends, are_interrupted_by_another_thread_while_they_sleep)
{
    auto [producer, consumer] = anonymous();
    const support::Watchdog watchdog([] { return 0U; });
    std::thread thread([&end = consumer] {
        support::await_sleep(end.get(), &spsc_stats_t::consumer);
        EXPECT_TRUE(end.interrupt());
    });
    EXPECT_EQ(consumer.peek(1).status(), SPSC_INTERRUPTED);
    thread.join();
}

TEST(Ends, share_a_ring_in_two_threads)
{
    auto [producer, consumer] = anonymous();
    const support::Watchdog watchdog([] { return 0U; });
    constexpr std::uint64_t count = 100'000;
    std::thread thread([&end = consumer] {
        for (std::uint64_t i = 0; i < count; ++i) {
            auto claim = end.peek(sizeof i).value();
            ASSERT_EQ(std::memcmp(claim.data(), &i, sizeof i), 0);
            claim.release().value();
        }
    });
    for (std::uint64_t i = 0; i < count; ++i) {
        auto claim = producer.claim(sizeof i).value();
        std::memcpy(claim.data(), &i, sizeof i);
        claim.publish().value();
    }
    thread.join();
}

TEST(Ends, give_up_their_role_when_they_go)
{
    auto [producer, consumer] = anonymous();
    const std::string all(most(producer), 'x');
    write(producer, "bye");
    {
        const Producer last = std::move(producer);
    }
    EXPECT_EQ(text(consumer.peek(3).value()), "bye");
    EXPECT_EQ(consumer.peek(4).status(), SPSC_CLOSED);

    auto other = Ring::connect_fd(consumer.fd()).value().into_producer();
    write(other, std::string_view(all).substr(3));
    {
        const Consumer last = std::move(consumer);
    }
    EXPECT_EQ(other.claim(1).status(), SPSC_CLOSED);
}

TEST(Ends, give_up_their_role_when_another_is_assigned_to_them)
{
    auto [producer, consumer] = anonymous();
    write(producer, "bye");
    producer = Ring::anonymous(1).value().into_producer();
    EXPECT_EQ(text(consumer.peek(3).value()), "bye");
    EXPECT_EQ(consumer.peek(4).status(), SPSC_CLOSED);
    write(producer, "x");
    Producer& same = producer;
    producer = std::move(same);
    EXPECT_EQ(producer.available(), 1U);
}

TEST(Ends, that_were_never_used_end_no_stream)
{
    auto [producer, consumer] = anonymous();
    {
        const Producer last = std::move(producer);
    }
    EXPECT_EQ(consumer.peek(1, 1ms).status(), SPSC_TIMEOUT);
    {
        auto last = Ring::connect_fd(consumer.fd()).value().into_producer();
        EXPECT_TRUE(last.wait_for_space(1, no_wait));
    }
    EXPECT_EQ(consumer.peek(1).status(), SPSC_CLOSED);
}

TEST(Ends, close_the_ring_with_the_last_of_them)
{
    int closed = 0;
    spsc_ring* handle = nullptr;
    ASSERT_EQ(spsc_create_anonymous(1, &handle), SPSC_OK);
    {
        auto [producer, consumer] = counted(handle, closed).split();
        write(producer, "x");
        {
            const Producer last = std::move(producer);
        }
        EXPECT_EQ(closed, 0);
        EXPECT_EQ(text(consumer.peek(1).value()), "x");
    }
    EXPECT_EQ(closed, 1);
}

TEST(Ends, wait_for_the_next_peer_if_told_to)
{
    const UniqueName name;
    auto consumer = Ring::create(name, 1).value().into_consumer();
    write_and_close(name, "first");
    consumer.peek(5).value().release().value();
    EXPECT_EQ(consumer.wait_for_data(1).status(), SPSC_CLOSED);
    EXPECT_EQ(consumer.wait_for_data(1, 1ms, SPSC_WAIT_NEXT_PEER).status(), SPSC_CLOSED);
    const support::Watchdog watchdog([] { return 0U; });
    std::thread next([&] {
        support::await_sleep(consumer.get(), &spsc_stats_t::consumer);
        write_and_close(name, "next");
    });
    EXPECT_TRUE(consumer.wait_for_data(4, forever, SPSC_WAIT_NEXT_PEER));
    next.join();
    EXPECT_EQ(text(consumer.peek(4).value()), "next");
}

TEST(Ends, forget_old_interrupts_if_told_to)
{
    auto [producer, consumer] = anonymous();
    EXPECT_EQ(consumer.peek(1, no_wait).status(), SPSC_TIMEOUT);
    EXPECT_TRUE(consumer.interrupt());
    EXPECT_TRUE(consumer.wakeup_all());
    EXPECT_EQ(consumer.wait_for_data(1, 1ms, SPSC_WAIT_FRESH).status(), SPSC_TIMEOUT);
    EXPECT_EQ(producer.wait_for_space(most(producer), 1ms, SPSC_WAIT_FRESH).status(), SPSC_OK);
    EXPECT_EQ(consumer.wait_for_data(1, 1ms, 1U << 31).status(), SPSC_ERR_INVALID_ARGUMENT);
}
#if __cplusplus >= 202002L

TEST(Spans, are_given)
{
    auto [producer, consumer] = anonymous();
    auto claim = producer.claim(3).value();
    const std::span<std::byte> space = claim.span();
    EXPECT_EQ(space.size(), 3U);
    space[1] = std::byte{ 2 };
    EXPECT_TRUE(claim.publish());
    const auto peeked = consumer.peek(3).value();
    const std::span<const std::byte> data = peeked.span();
    EXPECT_EQ(data[1], std::byte{ 2 });
}

#endif

} // namespace
