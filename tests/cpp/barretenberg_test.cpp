// spsc_shm_barretenberg.hpp: every member of SpscShm, and every way it can end.

#include "spsc_shm_barretenberg.hpp"
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <optional>
#include <sys/mman.h>
#include <thread>
#include <type_traits>

namespace {

using spsc::Error;
using spsc::Side;
using spsc::SpscShm;
using spsc::Status;
using support::Child;
using support::UniqueName;
using support::Watchdog;

constexpr std::uint64_t ms = 1'000'000;

static_assert(std::is_nothrow_move_constructible_v<SpscShm>);
static_assert(std::is_nothrow_move_assignable_v<SpscShm>);
static_assert(!std::is_copy_constructible_v<SpscShm>);
static_assert(!std::is_copy_assignable_v<SpscShm>);
static_assert(!std::is_default_constructible_v<SpscShm>);
static_assert(std::is_base_of_v<std::runtime_error, Error>);

void write(SpscShm& ring, const std::string& text)
{
    void* data = ring.claim(text.size(), SPSC_WAIT_FOREVER);
    ASSERT_NE(data, nullptr);
    std::memcpy(data, text.data(), text.size());
    ring.publish(text.size());
}

std::string read(SpscShm& ring, std::size_t size)
{
    const void* data = ring.peek(size, SPSC_WAIT_FOREVER);
    if (data == nullptr) {
        return "(nothing)";
    }
    std::string text(static_cast<const char*>(data), size);
    ring.release(size);
    return text;
}

// Looks at a ring from outside.
class Observer {
  public:
    explicit Observer(const std::string& name)
        : ring_(spsc::Ring::connect(name).value())
    {}

    void await_sleep(spsc_role_stats spsc_stats_t::*side) const
    {
        support::await_sleep(ring_.get(), side);
    }

  private:
    spsc::Ring ring_;
};

// The Error that `call` throws.
template <class Call> Error error_of(Call call)
{
    try {
        call();
    } catch (const Error& error) {
        return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return { "nothing", spsc::Failure{ SPSC_OK } };
}

TEST(SpscShm, what_is_published_is_peeked)
{
    const UniqueName name;
    SpscShm producer = SpscShm::create(name, 1000);
    SpscShm consumer = SpscShm::connect(name);
    EXPECT_GE(producer.capacity(), 1000U);
    EXPECT_EQ(consumer.capacity(), producer.capacity());

    write(producer, "hello");
    EXPECT_EQ(producer.available(), 5U);
    EXPECT_EQ(consumer.available(), 5U);
    EXPECT_EQ(read(consumer, 5), "hello");
    EXPECT_EQ(consumer.available(), 0U);
}

TEST(SpscShm, sizes_of_the_two_sides_need_not_match)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    write(ring, "ab");
    write(ring, "cdef");
    EXPECT_EQ(read(ring, 5), "abcde");
    EXPECT_EQ(read(ring, 1), "f");
}

TEST(SpscShm, a_region_across_the_end_of_the_buffer_is_contiguous)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const auto most = static_cast<std::size_t>(ring.capacity());
    write(ring, std::string(most - 3, '-'));
    read(ring, most - 3);
    const std::string whole(most, 'x');
    write(ring, whole);
    EXPECT_EQ(read(ring, most), whole);
}

TEST(SpscShm, timeouts_of_32_bits_are_accepted)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const std::uint32_t limit = 1'000'000;
    EXPECT_EQ(ring.peek(1, limit), nullptr);
    EXPECT_EQ(ring.last_status(), SPSC_TIMEOUT);
    EXPECT_FALSE(ring.wait_for_data(1, 1000));
    EXPECT_TRUE(ring.wait_for_space(1, UINT32_MAX));
    EXPECT_NE(ring.claim(1, limit), nullptr);
}

TEST(SpscShm, a_time_out_is_a_nullptr_and_says_so)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    for (const std::uint64_t limit : { std::uint64_t{ 0 }, 2 * ms }) {
        EXPECT_EQ(ring.peek(1, limit), nullptr);
        EXPECT_EQ(ring.last_status(Side::consumer), SPSC_TIMEOUT);
        EXPECT_FALSE(ring.wait_for_data(1, limit));
        EXPECT_EQ(ring.last_status(), SPSC_TIMEOUT);
    }
    write(ring, std::string(static_cast<std::size_t>(ring.capacity()), 'x'));
    for (const std::uint64_t limit : { std::uint64_t{ 0 }, 2 * ms }) {
        EXPECT_EQ(ring.claim(1, limit), nullptr);
        EXPECT_EQ(ring.last_status(Side::producer), SPSC_TIMEOUT);
        EXPECT_FALSE(ring.wait_for_space(1, limit));
        EXPECT_EQ(ring.last_status(), SPSC_TIMEOUT);
    }
}

TEST(SpscShm, a_success_is_noted_for_its_own_side_only)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    EXPECT_EQ(ring.last_status(), SPSC_OK);
    EXPECT_EQ(ring.peek(1, 0), nullptr);
    EXPECT_NE(ring.claim(1, 0), nullptr);
    EXPECT_EQ(ring.last_status(Side::producer), SPSC_OK);
    EXPECT_EQ(ring.last_status(Side::consumer), SPSC_TIMEOUT);
    ring.publish(1);
    EXPECT_NE(ring.peek(1, 0), nullptr);
    EXPECT_EQ(ring.last_status(Side::consumer), SPSC_OK);
    EXPECT_EQ(ring.last_status(), SPSC_OK);
}

TEST(SpscShm, wakeup_all_ends_the_waits_that_are_under_way)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const auto most = static_cast<std::size_t>(ring.capacity());
    const Observer observer(name);
    const Watchdog watchdog([] { return 0U; });
    write(ring, "full of data but not of enough");

    std::thread producer([&] {
        EXPECT_EQ(ring.claim(most, SPSC_WAIT_FOREVER), nullptr);
        EXPECT_EQ(ring.last_status(Side::producer), SPSC_INTERRUPTED);
    });
    std::thread consumer([&] {
        EXPECT_EQ(ring.peek(most, SPSC_WAIT_FOREVER), nullptr);
        EXPECT_EQ(ring.last_status(Side::consumer), SPSC_INTERRUPTED);
    });
    observer.await_sleep(&spsc_stats_t::producer);
    observer.await_sleep(&spsc_stats_t::consumer);
    SpscShm::connect(name).wakeup_all();
    producer.join();
    consumer.join();
}

TEST(SpscShm, wakeup_all_ends_no_later_wait)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const auto most = static_cast<std::size_t>(ring.capacity());
    write(ring, "x");
    EXPECT_EQ(ring.peek(2, 0), nullptr); // Both sides have been used before.
    ring.wakeup_all();
    EXPECT_FALSE(ring.wait_for_data(2, 2 * ms));
    EXPECT_EQ(ring.last_status(), SPSC_TIMEOUT);
    EXPECT_FALSE(ring.wait_for_space(most, 2 * ms));
    EXPECT_EQ(ring.last_status(), SPSC_TIMEOUT);
    ring.wakeup_all();
    EXPECT_EQ(ring.peek(2, 2 * ms), nullptr);
    EXPECT_EQ(ring.last_status(), SPSC_TIMEOUT);
    EXPECT_EQ(ring.claim(most, 2 * ms), nullptr);
    EXPECT_EQ(ring.last_status(), SPSC_TIMEOUT);
}

TEST(SpscShm, the_end_of_the_stream_comes_after_all_that_was_published)
{
    const UniqueName name;
    SpscShm consumer = SpscShm::create(name, 1);
    {
        SpscShm producer = SpscShm::connect(name);
        write(producer, "last words");
    }
    EXPECT_EQ(read(consumer, 10), "last words");
    for (const std::uint64_t limit : { std::uint64_t{ 0 }, 2 * ms }) {
        EXPECT_EQ(consumer.peek(1, limit), nullptr);
        EXPECT_EQ(consumer.last_status(), SPSC_CLOSED);
        EXPECT_FALSE(consumer.wait_for_data(1, limit));
        EXPECT_EQ(consumer.last_status(), SPSC_CLOSED);
    }
}

TEST(SpscShm, a_full_ring_whose_consumer_closed_says_so)
{
    const UniqueName name;
    SpscShm producer = SpscShm::create(name, 1);
    {
        SpscShm consumer = SpscShm::connect(name);
        EXPECT_EQ(consumer.peek(1, 0), nullptr);
    }
    write(producer, std::string(static_cast<std::size_t>(producer.capacity()), 'x'));
    EXPECT_EQ(producer.claim(1, 2 * ms), nullptr);
    EXPECT_EQ(producer.last_status(), SPSC_CLOSED);
}

// Runs `body` with a ring of its own in a process that is killed then.
template <class Body> void run_and_kill(const std::string& name, Body body)
{
    Child child([&] {
        SpscShm ring = SpscShm::connect(name);
        body(ring);
        ::raise(SIGKILL);
    });
    EXPECT_TRUE(WIFSIGNALED(child.wait()));
}

void take_the_producers_role(const std::string& name)
{
    run_and_kill(name, [](SpscShm& producer) { (void)producer.wait_for_space(1, 0); });
}

void take_the_consumers_role(const std::string& name)
{
    run_and_kill(name, [](SpscShm& consumer) { (void)consumer.wait_for_data(1, 0); });
}

// Calls `wait`, which returns false, until the library has noticed that the peer has died.
template <class Wait> void until_dead(const SpscShm& ring, Wait wait)
{
    do {
        EXPECT_FALSE(wait());
    } while (ring.last_status() == SPSC_TIMEOUT);
    EXPECT_EQ(ring.last_status(), SPSC_PEER_DEAD);
}

TEST(SpscShm, a_peer_that_was_killed_is_told_from_one_that_closed)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    run_and_kill(name, [](SpscShm& producer) { write(producer, "alive"); });
    EXPECT_EQ(read(ring, 5), "alive");
    until_dead(ring, [&] { return ring.wait_for_data(1, 20 * ms); });
}

TEST(SpscShm, a_full_ring_whose_consumer_was_killed_says_so)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    take_the_consumers_role(name);
    write(ring, "x");
    const auto most = static_cast<std::size_t>(ring.capacity());
    until_dead(ring, [&] { return ring.wait_for_space(most, 20 * ms); });
}

// A server's or a client's loop, for a second after its peer has gone: every call waits out its
// timeout, and the processor is left to others.
template <class Wait> void expect_sleep(const SpscShm& ring, Status reason, Wait wait)
{
    using std::chrono::steady_clock;
    const auto cpu_before = support::cpu_time(RUSAGE_THREAD);
    const auto begin = steady_clock::now();
    auto now = begin;
    while (now - begin < std::chrono::seconds(1)) {
        const auto start = now;
        EXPECT_FALSE(wait());
        EXPECT_EQ(ring.last_status(), reason);
        now = steady_clock::now();
        EXPECT_GE(now - start, std::chrono::milliseconds(100));
    }
    EXPECT_LT(support::cpu_time(RUSAGE_THREAD) - cpu_before, std::chrono::milliseconds(200));
}

TEST(SpscShm, a_loop_for_data_sleeps_after_its_producer_closed)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    {
        SpscShm producer = SpscShm::connect(name);
        write(producer, "bye");
    }
    EXPECT_EQ(read(ring, 3), "bye");
    expect_sleep(ring, SPSC_CLOSED, [&] { return ring.wait_for_data(1, 100 * ms); });
}

TEST(SpscShm, a_loop_for_space_sleeps_after_its_consumer_closed)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    {
        SpscShm consumer = SpscShm::connect(name);
        EXPECT_EQ(consumer.peek(1, 0), nullptr);
    }
    write(ring, "x");
    const auto most = static_cast<std::size_t>(ring.capacity());
    expect_sleep(ring, SPSC_CLOSED, [&] { return ring.claim(most, 100 * ms) != nullptr; });
}

TEST(SpscShm, a_loop_for_data_sleeps_after_its_producer_died)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    take_the_producers_role(name);
    until_dead(ring, [&] { return ring.wait_for_data(1, 20 * ms); });
    expect_sleep(ring, SPSC_PEER_DEAD, [&] { return ring.peek(1, 100 * ms) != nullptr; });
}

TEST(SpscShm, a_loop_for_space_sleeps_after_its_consumer_died)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    take_the_consumers_role(name);
    write(ring, "x");
    const auto most = static_cast<std::size_t>(ring.capacity());
    until_dead(ring, [&] { return ring.wait_for_space(most, 20 * ms); });
    expect_sleep(ring, SPSC_PEER_DEAD, [&] { return ring.wait_for_space(most, 100 * ms); });
}

// How a peer goes.
enum class End { closes, dies };

class Gone : public testing::TestWithParam<End> {
  protected:
    // Leaves a ring whose producer is gone, and nothing in it.
    Gone()
    {
        if (GetParam() == End::closes) {
            SpscShm producer = SpscShm::connect(name);
            EXPECT_TRUE(producer.wait_for_space(1, 0));
        } else {
            take_the_producers_role(name);
        }
        watchdog.emplace([] { return 0U; });
    }

    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const Observer observer{ name };
    std::optional<Watchdog> watchdog;
};

TEST_P(Gone, is_a_peer_and_the_wait_goes_on_for_the_next_ones_data)
{
    std::thread next([&] {
        observer.await_sleep(&spsc_stats_t::consumer);
        SpscShm producer = SpscShm::connect(name);
        write(producer, "next");
    });
    EXPECT_EQ(read(ring, 4), "next");
    EXPECT_EQ(ring.last_status(), SPSC_OK);
    next.join();
}

TEST_P(Gone, is_a_peer_and_wakeup_all_ends_the_wait)
{
    std::thread waker([&] {
        observer.await_sleep(&spsc_stats_t::consumer);
        SpscShm::connect(name).wakeup_all();
    });
    EXPECT_EQ(ring.peek(1, SPSC_WAIT_FOREVER), nullptr);
    EXPECT_EQ(ring.last_status(), SPSC_INTERRUPTED);
    waker.join();
}

INSTANTIATE_TEST_SUITE_P(SpscShm, Gone, testing::Values(End::closes, End::dies));

TEST(SpscShm, a_wait_for_space_goes_on_for_the_next_consumer)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const auto most = static_cast<std::size_t>(ring.capacity());
    const Observer observer(name);
    const Watchdog watchdog([] { return 0U; });
    write(ring, std::string(most, 'x'));
    {
        SpscShm consumer = SpscShm::connect(name);
        EXPECT_NE(consumer.peek(1, 0), nullptr);
    }
    std::thread next([&] {
        observer.await_sleep(&spsc_stats_t::producer);
        SpscShm consumer = SpscShm::connect(name);
        EXPECT_EQ(read(consumer, most), std::string(most, 'x'));
    });
    EXPECT_NE(ring.claim(most, SPSC_WAIT_FOREVER), nullptr);
    next.join();
}

TEST(SpscShm, an_error_of_create_names_the_call_the_ring_and_the_reason)
{
    const UniqueName name;
    const SpscShm ring = SpscShm::create(name, 1);
    const Error error = error_of([&] { (void)SpscShm::create(name, 1); });
    EXPECT_EQ(error.status(), SPSC_ERR_ALREADY_EXISTS);
    const std::string text = error.what();
    EXPECT_NE(text.find("create"), std::string::npos) << text;
    EXPECT_NE(text.find(name.get()), std::string::npos) << text;
    EXPECT_NE(text.find(spsc_status_string(SPSC_ERR_ALREADY_EXISTS)), std::string::npos) << text;
}

TEST(SpscShm, an_error_of_connect_names_the_call_the_ring_and_the_reason)
{
    const Error error = error_of([&] { (void)SpscShm::connect("spsc-cpp-nobody-made-me"); });
    EXPECT_EQ(error.status(), SPSC_ERR_NOT_FOUND);
    EXPECT_EQ(error.error_number(), ENOENT);
    const std::string text = error.what();
    EXPECT_NE(text.find("connect"), std::string::npos) << text;
    EXPECT_NE(text.find("spsc-cpp-nobody-made-me"), std::string::npos) << text;
    EXPECT_NE(text.find(spsc_status_string(SPSC_ERR_NOT_FOUND)), std::string::npos) << text;
    EXPECT_NE(text.find(std::strerror(ENOENT)), std::string::npos) << text;
}

TEST(SpscShm, errors_are_caught_as_runtime_error)
{
    EXPECT_THROW((void)SpscShm::connect(""), std::runtime_error);
}

TEST(SpscShm, bad_names_are_refused)
{
    const std::string with_nul("spsc-cpp\0hidden", 15);
    for (const auto& name : std::array<std::string, 4>{ "", ".", "a/b", with_nul }) {
        const auto create = error_of([&] { (void)SpscShm::create(name, 1); });
        EXPECT_EQ(create.status(), SPSC_ERR_INVALID_NAME);
        const auto connect = error_of([&] { (void)SpscShm::connect(name); });
        EXPECT_EQ(connect.status(), SPSC_ERR_INVALID_NAME);
        EXPECT_FALSE(SpscShm::unlink(name));
    }
}

TEST(SpscShm, a_capacity_that_can_not_be_is_refused)
{
    const UniqueName name;
    const Error unthinkable = error_of([&] { (void)SpscShm::create(name, SIZE_MAX); });
    EXPECT_EQ(unthinkable.status(), SPSC_ERR_INVALID_ARGUMENT);
    const Error too_much = error_of([&] { (void)SpscShm::create(name, std::size_t{ 1 } << 45); });
    EXPECT_TRUE(too_much.status() == SPSC_ERR_NO_SPACE || too_much.status() == SPSC_ERR_NO_MEMORY)
        << too_much.what();
    EXPECT_NE(too_much.error_number(), 0) << too_much.what();
}

TEST(SpscShm, an_object_that_is_no_ring_is_refused)
{
    const UniqueName name;
    const int fd = ::shm_open(("/" + name.get()).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::ftruncate(fd, 65536), 0);
    ASSERT_EQ(::pwrite(fd, "no ring", 7, 0), 7);
    ::close(fd);
    const Error error = error_of([&] { (void)SpscShm::connect(name); });
    EXPECT_EQ(error.status(), SPSC_ERR_NOT_A_RING) << error.what();
    EXPECT_EQ(error.error_number(), 0) << error.what();
}

TEST(SpscShm, unlink_says_whether_there_was_something)
{
    const UniqueName name;
    const SpscShm ring = SpscShm::create(name, 1);
    EXPECT_TRUE(SpscShm::unlink(name));
    EXPECT_FALSE(SpscShm::unlink(name));
    EXPECT_EQ(error_of([&] { (void)SpscShm::connect(name); }).status(), SPSC_ERR_NOT_FOUND);
    EXPECT_GT(ring.capacity(), 0U);
}

TEST(SpscShm, more_than_the_capacity_throws_instead_of_waiting)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const auto over = static_cast<std::size_t>(ring.capacity()) + 1;
    const Error claim = error_of([&] { (void)ring.claim(over, SPSC_WAIT_FOREVER); });
    EXPECT_EQ(claim.status(), SPSC_ERR_TOO_LARGE);
    EXPECT_EQ(ring.last_status(Side::producer), SPSC_ERR_TOO_LARGE);
    EXPECT_NE(std::string(claim.what()).find("claim"), std::string::npos) << claim.what();
    EXPECT_NE(std::string(claim.what()).find(name.get()), std::string::npos) << claim.what();
    const auto thrown_by = [](auto call) { return error_of(call).status(); };
    EXPECT_EQ(thrown_by([&] { (void)ring.peek(over, 0); }), SPSC_ERR_TOO_LARGE);
    EXPECT_EQ(thrown_by([&] { (void)ring.wait_for_data(over, 0); }), SPSC_ERR_TOO_LARGE);
    EXPECT_EQ(thrown_by([&] { (void)ring.wait_for_space(over, 0); }), SPSC_ERR_TOO_LARGE);
}

TEST(SpscShm, handing_on_more_than_one_holds_throws_and_changes_nothing)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    EXPECT_EQ(error_of([&] { ring.publish(1); }).status(), SPSC_ERR_MISUSE);
    ASSERT_NE(ring.claim(2, 0), nullptr);
    EXPECT_EQ(error_of([&] { ring.publish(3); }).status(), SPSC_ERR_MISUSE);
    EXPECT_EQ(ring.available(), 0U);
    ring.publish(2);
    EXPECT_EQ(error_of([&] { ring.release(1); }).status(), SPSC_ERR_MISUSE);
    ASSERT_NE(ring.peek(1, 0), nullptr);
    EXPECT_EQ(error_of([&] { ring.release(2); }).status(), SPSC_ERR_MISUSE);
    EXPECT_EQ(ring.available(), 2U);
}

TEST(SpscShm, nothing_can_be_asked_for_and_handed_on)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    EXPECT_NE(ring.claim(0, 0), nullptr);
    EXPECT_NE(ring.peek(0, 0), nullptr);
    EXPECT_TRUE(ring.wait_for_data(0, 0));
    EXPECT_TRUE(ring.wait_for_space(0, 0));
    EXPECT_NO_THROW(ring.publish(0));
    EXPECT_NO_THROW(ring.release(0));
}

TEST(SpscShm, a_role_that_another_handle_has_is_refused)
{
    const UniqueName name;
    SpscShm first = SpscShm::create(name, 1);
    SpscShm second = SpscShm::connect(name);
    ASSERT_NE(first.claim(1, 0), nullptr);
    EXPECT_EQ(first.peek(1, 0), nullptr);
    EXPECT_EQ(error_of([&] { (void)second.claim(1, 0); }).status(), SPSC_ERR_ROLE_TAKEN);
    EXPECT_EQ(error_of([&] { (void)second.peek(1, 0); }).status(), SPSC_ERR_ROLE_TAKEN);
}

TEST(SpscShm, counters_that_contradict_each_other_throw)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    EXPECT_EQ(ring.peek(1, 0), nullptr);
    const int fd = ::shm_open(("/" + name.get()).c_str(), O_RDWR, 0);
    ASSERT_GE(fd, 0);
    const std::uint64_t absurd = UINT64_MAX / 2;
    constexpr off_t head = 128;
    ASSERT_EQ(::pwrite(fd, &absurd, sizeof absurd, head), static_cast<ssize_t>(sizeof absurd));
    ::close(fd);
    EXPECT_EQ(error_of([&] { (void)ring.peek(1, 0); }).status(), SPSC_ERR_CORRUPT);
}

TEST(SpscShm, a_move_takes_the_ring_its_claims_and_its_last_status_along)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    EXPECT_EQ(ring.peek(1, 0), nullptr);
    void* data = ring.claim(5, 0);
    ASSERT_NE(data, nullptr);

    SpscShm moved(std::move(ring));
    EXPECT_EQ(moved.last_status(), SPSC_TIMEOUT);
    std::memcpy(data, "moved", 5);
    moved.publish(5);

    const UniqueName other_name;
    SpscShm assigned = SpscShm::create(other_name, 1);
    assigned = std::move(moved);
    EXPECT_EQ(read(assigned, 5), "moved");
}

TEST(SpscShm, a_ring_that_was_moved_away_can_still_be_asked)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const SpscShm moved(std::move(ring));
    EXPECT_EQ(ring.available(), 0U);
    EXPECT_EQ(ring.capacity(), 0U);
    EXPECT_NO_THROW(ring.wakeup_all());
    EXPECT_NO_THROW(ring.debug_dump("moved"));
    EXPECT_EQ(error_of([&] { (void)ring.claim(1, 0); }).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(error_of([&] { ring.publish(1); }).status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(SpscShm, assignment_closes_the_ring_that_was_there)
{
    const UniqueName name;
    const UniqueName other;
    SpscShm consumer = SpscShm::create(name, 1);
    SpscShm producer = SpscShm::connect(name);
    write(producer, "x");
    producer = SpscShm::create(other, 1);
    EXPECT_EQ(read(consumer, 1), "x");
    EXPECT_EQ(consumer.peek(1, ms), nullptr);
    EXPECT_EQ(consumer.last_status(), SPSC_CLOSED);
}

TEST(SpscShm, debug_dump_writes_one_line_after_its_prefix)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    write(ring, "seven b");
    ::testing::internal::CaptureStderr();
    ring.debug_dump("here");
    ring.debug_dump(nullptr);
    const std::string text = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(text.rfind("[here] ", 0), 0U) << text;
    EXPECT_NE(text.find("available=7"), std::string::npos) << text;
    EXPECT_NE(text.find("\n[] "), std::string::npos) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

TEST(SpscShm, two_threads_that_share_an_object_each_have_their_own_last_status)
{
    const UniqueName name;
    SpscShm ring = SpscShm::create(name, 1);
    const auto most = static_cast<std::size_t>(ring.capacity());
    write(ring, "x");
    constexpr int rounds = 2000;
    std::thread producer([&] {
        for (int i = 0; i < rounds; ++i) {
            EXPECT_THROW((void)ring.claim(most + 1, 0), Error);
            EXPECT_EQ(ring.last_status(Side::producer), SPSC_ERR_TOO_LARGE);
        }
    });
    for (int i = 0; i < rounds; ++i) {
        EXPECT_EQ(ring.peek(2, 0), nullptr);
        EXPECT_EQ(ring.last_status(Side::consumer), SPSC_TIMEOUT);
    }
    producer.join();
}

} // namespace
