// spsc_shm_barretenberg.hpp: MpscConsumer and MpscProducer, and every way their calls can end.

#include "spsc_shm_barretenberg.hpp"
#include "support.hpp"

#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using spsc::Error;
using spsc::MpscConsumer;
using spsc::MpscProducer;
using spsc::Ring;
using spsc::Status;
using support::Child;
using support::Watchdog;

constexpr std::uint64_t ms = 1'000'000;

template <class T>
constexpr bool is_move_only =
    std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
    !std::is_default_constructible_v<T>;

static_assert(is_move_only<MpscConsumer>);
static_assert(is_move_only<MpscProducer>);

// A base name for so many rings, which are unlinked at the end of the scope.
class Names {
  public:
    explicit Names(std::size_t count)
        : base_("spsc-cpp-mpsc-" + std::to_string(::getpid()))
        , count_(count)
        , owner_(::getpid())
    {}
    Names(const Names&) = delete;
    Names& operator=(const Names&) = delete;
    ~Names()
    {
        if (::getpid() == owner_) {
            (void)MpscConsumer::unlink(base_, count_);
        }
    }

    operator const std::string&() const { return base_; }
    std::string ring(std::size_t i) const { return base_ + "_ring_" + std::to_string(i); }

  private:
    std::string base_;
    std::size_t count_;
    pid_t owner_;
};

void write(MpscProducer& producer, const std::string& text)
{
    void* data = producer.claim(text.size(), SPSC_WAIT_FOREVER);
    ASSERT_NE(data, nullptr);
    std::memcpy(data, text.data(), text.size());
    producer.publish(text.size());
}

std::string read(MpscConsumer& consumer, std::size_t ring, std::size_t size)
{
    const void* data = consumer.peek(ring, size, SPSC_WAIT_FOREVER);
    if (data == nullptr) {
        return "(nothing)";
    }
    std::string text(static_cast<const char*>(data), size);
    consumer.release(ring, size);
    return text;
}

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

// Waits until the consumer of that ring sleeps.
void await_sleep(const std::string& ring)
{
    support::await_sleep(Ring::connect(ring).value().get(), &spsc_stats_t::consumer);
}

TEST(Mpsc, what_any_producer_publishes_is_peeked_in_its_ring)
{
    const Names names(3);
    MpscConsumer consumer = MpscConsumer::create(names, 3, 4096);
    MpscProducer first = MpscProducer::connect(names, 0);
    MpscProducer last = MpscProducer::connect(names, 2);
    write(last, "from two");
    ASSERT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), 2);
    EXPECT_EQ(read(consumer, 2, 8), "from two");
    write(first, "from zero");
    ASSERT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), 0);
    EXPECT_EQ(read(consumer, 0, 9), "from zero");
    EXPECT_EQ(consumer.wait_for_data(0), -1);
}

TEST(Mpsc, rings_are_served_in_turn)
{
    const Names names(3);
    MpscConsumer consumer = MpscConsumer::create(names, 3, 4096);
    std::vector<MpscProducer> producers;
    for (std::size_t i = 0; i < 3; ++i) {
        producers.push_back(MpscProducer::connect(names, i));
        write(producers[i], "xxxxxxxxxx");
    }
    // The first turn begins with ring 0. A ring that has more to give waits for the others.
    for (int turn = 0; turn < 2; ++turn) {
        for (int ring = 0; ring < 3; ++ring) {
            ASSERT_EQ(consumer.wait_for_data(ms), ring);
            (void)read(consumer, static_cast<std::size_t>(ring), 1);
        }
    }
    (void)read(consumer, 1, 8);
    EXPECT_EQ(consumer.wait_for_data(ms), 0);
    EXPECT_EQ(consumer.wait_for_data(ms), 2);
    (void)read(consumer, 0, 8);
    // Without a release it is the only one, again and again.
    EXPECT_EQ(consumer.wait_for_data(ms), 2);
    EXPECT_EQ(consumer.wait_for_data(ms), 2);
}

TEST(Mpsc, timeouts_are_of_32_or_64_bits)
{
    const Names names(2);
    MpscConsumer consumer = MpscConsumer::create(names, 2, 4096);
    MpscProducer producer = MpscProducer::connect(names, 0);
    const std::uint32_t limit = 2'000'000;
    for (int times = 0; times < 2; ++times) {
        const auto start = std::chrono::steady_clock::now();
        EXPECT_EQ(consumer.wait_for_data(limit), -1);
        EXPECT_EQ(consumer.wait_for_data(std::uint64_t{ limit }), -1);
        EXPECT_EQ(consumer.peek(0, 1, limit), nullptr);
        EXPECT_EQ(consumer.peek(1, 1, std::uint64_t{ limit }), nullptr);
        EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(8));
        EXPECT_EQ(consumer.wait_for_data(0), -1);
    }
    EXPECT_NE(producer.claim(4096, limit), nullptr);
    producer.publish(4096);
    EXPECT_EQ(producer.claim(1, limit), nullptr);
    EXPECT_EQ(producer.claim(1, std::uint64_t{ limit }), nullptr);
}

TEST(Mpsc, numbers_of_producers_that_can_not_be_are_refused)
{
    const Names names(SPSC_WAIT_ANY_MAX);
    const auto status_of = [&](std::size_t count) {
        return error_of([&] { (void)MpscConsumer::create(names, count, 1); }).status();
    };
    EXPECT_EQ(status_of(0), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(status_of(SPSC_WAIT_ANY_MAX + 1), SPSC_ERR_TOO_LARGE);
    MpscConsumer consumer = MpscConsumer::create(names, SPSC_WAIT_ANY_MAX, 1);
    MpscProducer producer = MpscProducer::connect(names, SPSC_WAIT_ANY_MAX - 1);
    write(producer, "x");
    EXPECT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), static_cast<int>(SPSC_WAIT_ANY_MAX) - 1);
}

TEST(Mpsc, of_rings_that_can_not_all_be_made_none_is_left)
{
    const Names names(3);
    const auto taken = Ring::create(names.ring(2), 1).value();
    const Error error = error_of([&] { (void)MpscConsumer::create(names, 3, 1); });
    EXPECT_EQ(error.status(), SPSC_ERR_ALREADY_EXISTS);
    EXPECT_NE(std::string(error.what()).find(names.ring(2)), std::string::npos) << error.what();
    EXPECT_EQ(Ring::connect(names.ring(0)).status(), SPSC_ERR_NOT_FOUND);
    EXPECT_EQ(Ring::connect(names.ring(1)).status(), SPSC_ERR_NOT_FOUND);
    EXPECT_TRUE(Ring::connect(names.ring(2)));
    EXPECT_THROW((void)MpscConsumer::create("", 0, 1), std::runtime_error);
}

TEST(Mpsc, unlink_leaves_no_name)
{
    const Names names(2);
    const MpscConsumer consumer = MpscConsumer::create(names, 2, 1);
    EXPECT_TRUE(MpscConsumer::unlink(names, 2));
    const auto connect = [&] { (void)MpscProducer::connect(names, 0); };
    EXPECT_EQ(error_of(connect).status(), SPSC_ERR_NOT_FOUND);
    // Code calls it before create, too.
    EXPECT_TRUE(MpscConsumer::unlink(names, 2));
    EXPECT_FALSE(MpscConsumer::unlink("no/name", 1));
}

TEST(Mpsc, a_ring_that_is_not_there_has_nothing)
{
    const Names names(1);
    MpscConsumer consumer = MpscConsumer::create(names, 1, 1);
    EXPECT_EQ(consumer.peek(1, 1, SPSC_WAIT_FOREVER), nullptr);
    EXPECT_EQ(consumer.peek(static_cast<std::size_t>(-1), 1, SPSC_WAIT_FOREVER), nullptr);
    EXPECT_NO_THROW(consumer.release(1, 1));
    EXPECT_THROW((void)MpscProducer::connect(names, 1), std::runtime_error);
}

TEST(Mpsc, misuse_throws)
{
    const Names names(1);
    MpscConsumer consumer = MpscConsumer::create(names, 1, 4096);
    MpscProducer producer = MpscProducer::connect(names, 0);
    EXPECT_EQ(error_of([&] { producer.publish(1); }).status(), SPSC_ERR_MISUSE);
    EXPECT_EQ(error_of([&] { consumer.release(0, 1); }).status(), SPSC_ERR_MISUSE);
    EXPECT_EQ(error_of([&] { (void)producer.claim(5000, 0); }).status(), SPSC_ERR_TOO_LARGE);
    EXPECT_EQ(error_of([&] { (void)consumer.peek(0, 5000, 0); }).status(), SPSC_ERR_TOO_LARGE);
    EXPECT_NE(producer.claim(1, 0), nullptr);
    MpscProducer second = MpscProducer::connect(names, 0);
    EXPECT_EQ(error_of([&] { (void)second.claim(1, 0); }).status(), SPSC_ERR_ROLE_TAKEN);
}

TEST(Mpsc, a_publish_on_any_ring_ends_the_sleep)
{
    const Names names(8);
    MpscConsumer consumer = MpscConsumer::create(names, 8, 1);
    const Watchdog watchdog([] { return 0U; });
    for (const std::size_t which : { 0U, 3U, 7U }) {
        std::thread thread([&] {
            MpscProducer producer = MpscProducer::connect(names, which);
            await_sleep(names.ring(which));
            write(producer, "x");
        });
        EXPECT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), static_cast<int>(which));
        thread.join();
        EXPECT_EQ(read(consumer, which, 1), "x");
    }
}

TEST(Mpsc, wakeup_all_ends_the_waits_that_are_under_way)
{
    const Names names(2);
    MpscConsumer consumer = MpscConsumer::create(names, 2, 1);
    const Watchdog watchdog([] { return 0U; });
    std::thread blocked([&] {
        MpscProducer producer = MpscProducer::connect(names, 1);
        EXPECT_NE(producer.claim(4096, SPSC_WAIT_FOREVER), nullptr);
        producer.publish(4096);
        EXPECT_EQ(producer.claim(1, SPSC_WAIT_FOREVER), nullptr);
    });
    ASSERT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), 1);
    support::await_sleep(Ring::connect(names.ring(1)).value().get(), &spsc_stats_t::producer);
    consumer.wakeup_all();
    blocked.join();
    EXPECT_EQ(read(consumer, 1, 4096).size(), 4096U);
    // The producer has gone by now, which ends no wait.
    std::thread other([&] {
        await_sleep(names.ring(0));
        consumer.wakeup_all();
    });
    EXPECT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), -1);
    other.join();
    // And no later wait.
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(consumer.wait_for_data(5 * ms), -1);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(5));
}

// A server's loop for a second: every call waits out its timeout, and the processor is left to
// others.
void expect_sleep(MpscConsumer& consumer)
{
    using std::chrono::steady_clock;
    const auto cpu_before = support::cpu_time(RUSAGE_THREAD);
    const auto begin = steady_clock::now();
    for (auto now = begin; now - begin < std::chrono::seconds(1);) {
        const auto start = now;
        EXPECT_EQ(consumer.wait_for_data(100 * ms), -1);
        now = steady_clock::now();
        EXPECT_GE(now - start, std::chrono::milliseconds(100));
    }
    EXPECT_LT(support::cpu_time(RUSAGE_THREAD) - cpu_before, std::chrono::milliseconds(200));
}

TEST(Mpsc, a_loop_sleeps_after_a_producer_closed_and_another_was_killed)
{
    const Names names(3);
    MpscConsumer consumer = MpscConsumer::create(names, 3, 4096);
    Child child([&] {
        MpscProducer producer = MpscProducer::connect(names, 1);
        write(producer, "killed");
        ::raise(SIGKILL);
    });
    EXPECT_TRUE(WIFSIGNALED(child.wait()));
    {
        MpscProducer producer = MpscProducer::connect(names, 0);
        write(producer, "closed");
    }
    EXPECT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), 0);
    EXPECT_EQ(read(consumer, 0, 6), "closed");
    EXPECT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), 1);
    EXPECT_EQ(read(consumer, 1, 6), "killed");
    expect_sleep(consumer);

    // The next ones' data ends the sleep.
    const Watchdog watchdog([] { return 0U; });
    for (const std::size_t which : { 0U, 1U }) {
        std::thread next([&] {
            MpscProducer producer = MpscProducer::connect(names, which);
            await_sleep(names.ring(which));
            write(producer, "next");
        });
        EXPECT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), static_cast<int>(which));
        EXPECT_EQ(read(consumer, which, 4), "next");
        next.join();
    }
}

TEST(Mpsc, a_ring_that_failed_is_told_once_no_other_has_data)
{
    const Names names(3);
    MpscConsumer consumer = MpscConsumer::create(names, 3, 1);
    EXPECT_EQ(consumer.wait_for_data(0), -1);
    const int fd = ::shm_open(names.ring(1).c_str(), O_RDWR, 0);
    ASSERT_GE(fd, 0);
    const std::uint64_t absurd = UINT64_MAX / 2;
    constexpr off_t head = 128;
    ASSERT_EQ(::pwrite(fd, &absurd, sizeof absurd, head), static_cast<ssize_t>(sizeof absurd));
    ::close(fd);
    MpscProducer producer = MpscProducer::connect(names, 2);
    write(producer, "x");
    EXPECT_EQ(consumer.wait_for_data(SPSC_WAIT_FOREVER), 2);
    EXPECT_EQ(read(consumer, 2, 1), "x");
    const Error error = error_of([&] { (void)consumer.wait_for_data(SPSC_WAIT_FOREVER); });
    EXPECT_EQ(error.status(), SPSC_ERR_CORRUPT);
    EXPECT_NE(std::string(error.what()).find(names.ring(1)), std::string::npos) << error.what();
}

TEST(Mpsc, another_consumer_of_a_ring_is_told)
{
    const Names names(2);
    MpscConsumer consumer = MpscConsumer::create(names, 2, 1);
    auto other = Ring::connect(names.ring(0)).value().into_consumer();
    EXPECT_EQ(other.peek(1, spsc::no_wait).status(), SPSC_TIMEOUT);
    const auto wait = [&] { (void)consumer.wait_for_data(SPSC_WAIT_FOREVER); };
    EXPECT_EQ(error_of(wait).status(), SPSC_ERR_ROLE_TAKEN);
}

TEST(Mpsc, a_move_takes_the_rings_and_the_turn_along)
{
    const Names names(2);
    MpscConsumer made = MpscConsumer::create(names, 2, 1);
    std::vector<MpscProducer> producers;
    for (std::size_t i = 0; i < 2; ++i) {
        MpscProducer producer = MpscProducer::connect(names, i);
        write(producer, "xy");
        producers.push_back(std::move(producer));
    }
    EXPECT_EQ(made.wait_for_data(ms), 0);
    MpscConsumer consumer(std::move(made));
    EXPECT_EQ(consumer.wait_for_data(ms), 1);
    EXPECT_EQ(made.peek(0, 1, 0), nullptr);
    EXPECT_NO_THROW(made.wakeup_all());
    EXPECT_EQ(error_of([&] { (void)made.wait_for_data(0); }).status(), SPSC_ERR_INVALID_ARGUMENT);
    made = std::move(consumer);
    EXPECT_EQ(made.wait_for_data(ms), 0);
    EXPECT_EQ(read(made, 0, 2), "xy");
    write(producers[1], "z");
    EXPECT_EQ(read(made, 1, 3), "xyz");
}

} // namespace
