// The face without exceptions: rings, views, claims, messages, timeouts.

#include "spsc_shm.hpp"
#include "support.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <sys/stat.h>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spsc::forever;
using spsc::no_wait;
using spsc::Ring;
using spsc::Timeout;
using support::UniqueName;

static_assert(std::is_nothrow_move_constructible_v<Ring> && !std::is_copy_constructible_v<Ring>);
static_assert(!std::is_copy_constructible_v<spsc::WriteClaim>);
static_assert(!std::is_copy_constructible_v<spsc::ReadClaim>);
static_assert(!std::is_copy_constructible_v<spsc::Message>);
static_assert(std::is_trivially_copyable_v<spsc::Producer>);
static_assert(std::is_trivially_copyable_v<spsc::Consumer>);

static_assert(Timeout(7).ns() == 7);
static_assert(Timeout(3ms).ns() == 3'000'000);
static_assert(Timeout(1.5s).ns() == 1'500'000'000);
static_assert(Timeout(-1s).ns() == 0);
static_assert(Timeout(std::chrono::hours::max()).ns() == SPSC_WAIT_FOREVER);
static_assert(Timeout(std::chrono::nanoseconds::max()).ns() == SPSC_WAIT_FOREVER);
static_assert(Timeout(std::chrono::hours(24 * 365)).ns() == 31'536'000'000'000'000);
static_assert(no_wait.ns() == 0 && forever.ns() == SPSC_WAIT_FOREVER);

Ring anonymous()
{
    return Ring::anonymous(1).value();
}

std::size_t most(const Ring& ring)
{
    return static_cast<std::size_t>(ring.capacity());
}

// Publishes bytes as they are, unframed.
void write(Ring& ring, std::string_view bytes)
{
    auto claim = ring.producer().claim(bytes.size()).value();
    std::memcpy(claim.data(), bytes.data(), bytes.size());
    EXPECT_TRUE(claim.publish());
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
    write(*made, "hi");
    EXPECT_EQ(opened->available(), 2U);
    EXPECT_EQ(opened->consumer().peek(2).value().view(), "hi");
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
    Ring ring = anonymous();
    Ring other = Ring::connect_fd(ring.fd()).value();
    write(ring, "by hand");
    EXPECT_EQ(other.consumer().peek(7).value().view(), "by hand");
    EXPECT_EQ(Ring::connect_fd(-1).status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(Ring, takes_options)
{
    const UniqueName name;
    spsc::Options options;
    options.mode = 0640;
    options.prefault = true;
    options.spin_ns = 0;
    const mode_t mask = ::umask(0);
    EXPECT_TRUE(Ring::create(name, 1, options));
    ::umask(mask);
    struct stat file = {};
    ASSERT_EQ(::stat(("/dev/shm/" + name.get()).c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0640U);

    EXPECT_EQ(Ring::create(name, 1).status(), SPSC_ERR_ALREADY_EXISTS);
    options.replace_stale = true;
    EXPECT_TRUE(Ring::create(name, 1, options));

    options.mode = 01000;
    EXPECT_EQ(Ring::create(name, 1, options).status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(Ring, shows_its_stats)
{
    Ring ring = anonymous();
    write(ring, "12345");
    const auto stats = ring.stats().value();
    EXPECT_EQ(stats.capacity, ring.capacity());
    EXPECT_EQ(stats.published, 5U);
    EXPECT_EQ(stats.released, 0U);
    EXPECT_EQ(stats.available, 5U);
    EXPECT_EQ(stats.producer.state, SPSC_ROLE_ATTACHED);
    EXPECT_EQ(stats.producer.pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(stats.consumer.state, SPSC_ROLE_NEVER);
}

TEST(Ring, that_was_moved_away_fails_every_call)
{
    Ring ring = anonymous();
    const Ring moved = std::move(ring);
    EXPECT_EQ(ring.get(), nullptr);
    EXPECT_EQ(ring.fd(), -1);
    EXPECT_EQ(ring.stats().status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(ring.wakeup_all().status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(ring.producer().claim(1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(ring.consumer().receive().status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(Result, without_a_value_says_why_and_throws_if_asked_for_it)
{
    auto missing = Ring::connect("spsc-cpp-nobody-made-me");
    EXPECT_FALSE(missing);
    EXPECT_EQ(missing.error().status, SPSC_ERR_NOT_FOUND);
    EXPECT_EQ(missing.error().error_number, ENOENT);
    EXPECT_TRUE(missing.error().is_error());
    EXPECT_STREQ(missing.error().message(), spsc_status_string(SPSC_ERR_NOT_FOUND));
    EXPECT_THROW((void)missing.value(), spsc::Error);
    EXPECT_THROW(Ring::unlink("spsc-cpp-nobody-made-me").value(), spsc::Error);

    Ring ring = anonymous();
    const auto late = ring.consumer().peek(1, no_wait);
    EXPECT_EQ(late.status(), SPSC_TIMEOUT);
    EXPECT_FALSE(late.error().is_error());
}

TEST(Claim, is_published_in_pieces_and_the_rest_given_up)
{
    Ring ring = anonymous();
    {
        auto claim = ring.producer().claim(10).value();
        std::memcpy(claim.data(), "abcdefghij", 10);
        EXPECT_TRUE(claim.publish(2));
        EXPECT_EQ(claim.size(), 8U);
        EXPECT_TRUE(claim.publish(1));
        EXPECT_EQ(claim.publish(8).status(), SPSC_ERR_MISUSE);
        EXPECT_EQ(ring.available(), 3U);
    }
    write(ring, "XY");
    EXPECT_EQ(ring.consumer().peek(5).value().view(), "abcXY");
}

TEST(Claim, to_read_is_released_in_pieces_and_the_rest_kept)
{
    Ring ring = anonymous();
    write(ring, "abcdef");
    {
        auto claim = ring.consumer().peek(6).value();
        EXPECT_TRUE(claim.release(2));
        EXPECT_EQ(claim.view(), "cdef");
        EXPECT_EQ(claim.release(5).status(), SPSC_ERR_MISUSE);
    }
    EXPECT_EQ(ring.available(), 4U);
    auto again = ring.consumer().peek(4).value();
    EXPECT_EQ(again.view(), "cdef");
    EXPECT_TRUE(again.release());
    EXPECT_EQ(ring.available(), 0U);
}

TEST(Claim, that_was_moved_away_is_empty)
{
    Ring ring = anonymous();
    auto claim = ring.producer().claim(4).value();
    auto moved = std::move(claim);
    EXPECT_EQ(claim.size(), 0U);
    EXPECT_EQ(claim.publish(1).status(), SPSC_ERR_MISUSE);
    EXPECT_TRUE(claim.publish());
    EXPECT_EQ(ring.available(), 0U);
    EXPECT_TRUE(moved.publish());
    EXPECT_EQ(ring.available(), 4U);
}

TEST(Claim, of_some_is_all_that_there_is)
{
    Ring ring = anonymous();
    auto space = ring.producer().claim_some().value();
    EXPECT_EQ(space.size(), most(ring));
    std::memset(space.data(), 'z', 100);
    EXPECT_TRUE(space.publish(100));
    auto data = ring.consumer().peek_some().value();
    EXPECT_EQ(data.size(), 100U);
    EXPECT_EQ(data.end() - data.begin(), 100);
    EXPECT_TRUE(data.release());
    EXPECT_EQ(ring.consumer().peek_some(0).value().size(), 0U);
    EXPECT_EQ(ring.consumer().peek_some(1, no_wait).status(), SPSC_TIMEOUT);
}

TEST(Views, wait_without_claiming)
{
    Ring ring = anonymous();
    EXPECT_TRUE(ring.producer().wait_for_space(most(ring)));
    EXPECT_EQ(ring.consumer().wait_for_data(1, 1ms).status(), SPSC_TIMEOUT);
    write(ring, "x");
    EXPECT_TRUE(ring.consumer().wait_for_data(1));
    EXPECT_EQ(ring.producer().wait_for_space(most(ring), 1ms).status(), SPSC_TIMEOUT);
    EXPECT_EQ(ring.producer().wait_for_space(most(ring) + 1).status(), SPSC_ERR_TOO_LARGE);
}

TEST(Views, are_interrupted_by_wakeup_all)
{
    Ring ring = anonymous();
    EXPECT_EQ(ring.consumer().receive(no_wait).status(), SPSC_TIMEOUT);
    EXPECT_TRUE(ring.wakeup_all());
    EXPECT_EQ(ring.consumer().receive().status(), SPSC_INTERRUPTED);
    EXPECT_TRUE(ring.wakeup_all());
    EXPECT_EQ(ring.consumer().receive(1h).status(), SPSC_INTERRUPTED);
}

TEST(Views, can_be_had_of_a_throwing_ring)
{
    const UniqueName name;
    spsc::SpscShm ring = spsc::SpscShm::create(name, 1);
    EXPECT_TRUE(spsc::Producer(ring).send("old and new"));
    EXPECT_EQ(spsc::Consumer(ring).receive().value().view(), "old and new");
}

TEST(Messages, lie_in_the_ring_after_their_length)
{
    Ring ring = anonymous();
    ASSERT_TRUE(ring.producer().send(std::string(258, 'm')));
    auto bytes = ring.consumer().peek_some().value();
    ASSERT_EQ(bytes.size(), 262U);
    EXPECT_EQ(bytes.view().substr(0, 5), std::string_view("\x02\x01\0\0m", 5));
}

TEST(Messages, arrive_whole_and_in_order)
{
    Ring ring = anonymous();
    auto producer = ring.producer();
    EXPECT_TRUE(producer.send("one"));
    EXPECT_TRUE(producer.send(""));
    EXPECT_TRUE(producer.send_bytes("three", 5, no_wait));
    std::vector<std::string> got;
    auto messages = ring.consumer().messages(no_wait);
    for (auto message : messages) {
        got.emplace_back(message.view());
        EXPECT_EQ(static_cast<std::size_t>(message.end() - message.begin()), message.size());
    }
    EXPECT_EQ(got, (std::vector<std::string>{ "one", "", "three" }));
    EXPECT_EQ(messages.status(), SPSC_TIMEOUT);
    EXPECT_EQ(ring.available(), 0U);
}

TEST(Messages, of_every_size_cross_the_end_of_the_buffer)
{
    Ring ring = anonymous();
    for (std::size_t size = 0; size <= most(ring) - 4; ++size) {
        const std::string text(size, static_cast<char>('a' + size % 26));
        ASSERT_TRUE(ring.producer().send(text, no_wait));
        ASSERT_EQ(ring.consumer().receive(no_wait).value().view(), text);
    }
    EXPECT_EQ(ring.producer().send(std::string(most(ring) - 3, 'x')).status(), SPSC_ERR_TOO_LARGE);
}

TEST(Messages, end_when_the_producer_closes)
{
    Ring consumer = anonymous();
    {
        Ring producer = Ring::connect_fd(consumer.fd()).value();
        EXPECT_TRUE(producer.producer().send("the last"));
    }
    int count = 0;
    auto messages = consumer.consumer().messages();
    for (const auto& message : messages) {
        EXPECT_EQ(message.view(), "the last");
        ++count;
    }
    EXPECT_EQ(count, 1);
    EXPECT_EQ(messages.status(), SPSC_CLOSED);
}

TEST(Messages, are_consumed_however_the_body_of_the_loop_ends)
{
    Ring ring = anonymous();
    for (const char* text : { "break", "throw", "left" }) {
        EXPECT_TRUE(ring.producer().send(text));
    }
    for (auto message : ring.consumer().messages()) {
        EXPECT_EQ(message.view(), "break");
        break;
    }
    try {
        for (auto message : ring.consumer().messages()) {
            EXPECT_EQ(message.view(), "throw");
            throw 1;
        }
    } catch (int) {
    }
    EXPECT_EQ(ring.available(), 8U);
    EXPECT_EQ(ring.consumer().receive(no_wait).value().view(), "left");
}

TEST(Messages, that_nobody_looks_at_are_consumed_too)
{
    Ring ring = anonymous();
    EXPECT_TRUE(ring.producer().send("1"));
    EXPECT_TRUE(ring.producer().send("2"));
    auto messages = ring.consumer().messages(no_wait);
    int count = 0;
    for (auto it = messages.begin(); it != messages.end(); ++it) {
        ++count;
    }
    EXPECT_EQ(count, 2);
    EXPECT_EQ(ring.available(), 0U);
}

TEST(Messages, can_be_kept_or_released_early)
{
    Ring ring = anonymous();
    EXPECT_TRUE(ring.producer().send("twice"));
    ring.consumer().receive().value().keep();
    auto message = ring.consumer().receive(no_wait).value();
    EXPECT_EQ(message.view(), "twice");
    message.release();
    EXPECT_EQ(message.size(), 0U);
    EXPECT_EQ(ring.available(), 0U);
    EXPECT_TRUE(ring.producer().send("next"));
    message = ring.consumer().receive(no_wait).value();
    EXPECT_EQ(message.view(), "next");
    auto moved = std::move(message);
    EXPECT_EQ(moved.view(), "next");
    EXPECT_EQ(message.size(), 0U);
}

TEST(Messages, that_are_unfinished_are_waited_for)
{
    Ring ring = anonymous();
    write(ring, std::string_view("\x05\0\0\0he", 6));
    EXPECT_EQ(ring.consumer().receive(no_wait).status(), SPSC_TIMEOUT);
    EXPECT_EQ(ring.consumer().receive(5ms).status(), SPSC_TIMEOUT);
    std::thread rest([&] { write(ring, "llo"); });
    EXPECT_EQ(ring.consumer().receive(1h).value().view(), "hello");
    rest.join();
}

TEST(Messages, that_their_producer_left_unfinished_are_not_returned)
{
    Ring consumer = anonymous();
    {
        Ring producer = Ring::connect_fd(consumer.fd()).value();
        write(producer, std::string_view("\x05\0\0\0he", 6));
    }
    EXPECT_EQ(consumer.consumer().receive().status(), SPSC_CLOSED);
    EXPECT_EQ(consumer.available(), 6U);
}

TEST(Messages, longer_than_the_ring_are_an_error)
{
    Ring ring = anonymous();
    write(ring, std::string_view("\xff\xff\xff\xff", 4));
    EXPECT_EQ(ring.consumer().receive().status(), SPSC_ERR_TOO_LARGE);
}

#if __cplusplus >= 202002L

TEST(Spans, are_given_and_taken)
{
    Ring ring = anonymous();
    const std::vector<std::byte> bytes{ std::byte{ 1 }, std::byte{ 2 } };
    EXPECT_TRUE(ring.producer().send(bytes));
    const auto message = ring.consumer().receive().value();
    EXPECT_EQ(message.span()[1], std::byte{ 2 });
    const std::span<std::byte> space = ring.producer().claim(3).value().span();
    EXPECT_EQ(space.size(), 3U);
    const std::span<const std::byte> data = ring.consumer().peek(6).value().span();
    EXPECT_EQ(data[0], std::byte{ 2 });
}

#endif

} // namespace
