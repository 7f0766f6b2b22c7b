// spsc_shm.hpp: messages, and waiting for many ends.

#include "spsc_shm.hpp"
#include "support.hpp"

#include <array>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spsc::Consumer;
using spsc::no_wait;
using spsc::Producer;
using spsc::Ring;

template <class T>
constexpr bool is_move_only =
    std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
    !std::is_default_constructible_v<T>;

static_assert(is_move_only<spsc::Message>);
static_assert(is_move_only<spsc::MessageClaim>);

struct Ends {
    Producer producer;
    Consumer consumer;
};

Ends anonymous()
{
    auto [producer, consumer] = Ring::anonymous(4096).value().split();
    return { std::move(producer), std::move(consumer) };
}

std::string_view text(const spsc::Message& message)
{
    return { reinterpret_cast<const char*>(message.data()), message.size() };
}

TEST(Messages, arrive_whole_with_their_tags)
{
    auto [producer, consumer] = anonymous();
    EXPECT_EQ(consumer.receive(no_wait).status(), SPSC_TIMEOUT);
    EXPECT_TRUE(producer.send(7, "hello", 5));
    EXPECT_TRUE(producer.send(8, nullptr, 0));
    auto message = consumer.receive().value();
    EXPECT_EQ(message.tag(), 7U);
    EXPECT_EQ(text(message), "hello");
    EXPECT_EQ(message.end() - message.begin(), 5);
    // Not released, it comes again.
    auto again = consumer.receive().value();
    EXPECT_EQ(text(again), "hello");
    EXPECT_TRUE(again.release());
    EXPECT_EQ(again.size(), 0U);
    EXPECT_EQ(again.release().status(), SPSC_ERR_INVALID_ARGUMENT);
    auto empty = consumer.receive().value();
    EXPECT_EQ(empty.tag(), 8U);
    EXPECT_EQ(empty.size(), 0U);
    auto moved = std::move(empty);
    EXPECT_EQ(empty.release().status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(moved.tag(), 8U);
    EXPECT_TRUE(moved.release());
    EXPECT_EQ(consumer.available(), 0U);
    EXPECT_EQ(consumer.receive_done().status(), SPSC_ERR_MISUSE);
}

TEST(Messages, may_be_larger_than_the_ring)
{
    auto ends = anonymous();
    const support::Watchdog watchdog([] { return 0U; });
    const std::string large(20'000, 'x');
    std::thread sender([&] { EXPECT_TRUE(ends.producer.send(1, large.data(), large.size())); });
    auto message = ends.consumer.receive().value();
    EXPECT_EQ(text(message), large);
    EXPECT_TRUE(message.release());
    sender.join();

    EXPECT_TRUE(ends.consumer.set_max_message(10'000));
    std::thread next([&] {
        EXPECT_TRUE(ends.producer.send(1, large.data(), large.size()));
        EXPECT_TRUE(ends.producer.send(2, "next", 4));
    });
    EXPECT_EQ(ends.consumer.receive().status(), SPSC_ERR_TOO_LARGE);
    EXPECT_TRUE(ends.consumer.receive_done());
    EXPECT_EQ(text(ends.consumer.receive().value()), "next");
    next.join();
    EXPECT_EQ(ends.producer.send(1, large.data(), large.size(), no_wait).status(), SPSC_TIMEOUT);
}

TEST(Messages, are_written_in_place)
{
    auto [producer, consumer] = anonymous();
    auto claim = producer.claim_message(100).value();
    EXPECT_EQ(claim.size(), 100U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(claim.data()) % 8, 0U);
    std::memcpy(claim.data(), "in place", 8);
    EXPECT_EQ(claim.publish(3, 101).status(), SPSC_ERR_MISUSE);
    auto moved = std::move(claim);
    EXPECT_EQ(claim.publish(3, 0).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_TRUE(moved.publish(3, 8));
    EXPECT_EQ(moved.publish(3, 0).status(), SPSC_ERR_INVALID_ARGUMENT);
    auto whole = producer.claim_message(2).value();
    std::memcpy(whole.data(), "ab", 2);
    EXPECT_TRUE(whole.publish(4));
    auto message = consumer.receive().value();
    EXPECT_EQ(message.tag(), 3U);
    EXPECT_EQ(text(message), "in place");
    EXPECT_TRUE(message.release());
    EXPECT_EQ(text(consumer.receive().value()), "ab");
    EXPECT_EQ(producer.claim_message(4096).status(), SPSC_ERR_TOO_LARGE);
    EXPECT_EQ(producer.claim_message(8).value().size(), 8U);
    // One that is not published is given up.
    EXPECT_EQ(consumer.stats().value().published, 16U + 16U);
}

TEST(Messages, are_sent_and_received_many_at_once)
{
    auto [producer, consumer] = anonymous();
    std::array<spsc_message, 300> many = {};
    for (std::uint32_t i = 0; i < many.size(); ++i) {
        many[i] = { "12345678", 8, i, 0 };
    }
    const std::size_t sent = producer.send_some(many.data(), many.size()).value();
    EXPECT_EQ(sent, 4096U / 16);
    EXPECT_EQ(producer.send_some(many.data(), 1, no_wait).status(), SPSC_TIMEOUT);
    std::array<spsc_message, 300> got = {};
    EXPECT_EQ(consumer.receive_some(got.data(), 10).value(), 10U);
    EXPECT_TRUE(consumer.receive_done());
    EXPECT_EQ(consumer.receive_some(got.data(), got.size()).value(), sent - 10);
    EXPECT_EQ(got[0].tag, 10U);
    EXPECT_EQ(std::memcmp(got[sent - 11].data, "12345678", 8), 0);
    EXPECT_TRUE(consumer.receive_done());
    EXPECT_EQ(consumer.receive_some(got.data(), 1, no_wait).status(), SPSC_TIMEOUT);
}

#if __cplusplus >= 202002L
TEST(Messages, are_spans)
{
    auto [producer, consumer] = anonymous();
    const std::array<std::byte, 3> bytes = { std::byte{ 1 }, std::byte{ 2 }, std::byte{ 3 } };
    EXPECT_TRUE(producer.send(0, bytes));
    auto message = consumer.receive().value();
    EXPECT_TRUE(std::equal(message.span().begin(), message.span().end(), bytes.begin(), bytes.end()));
    EXPECT_EQ(producer.claim_message(5).value().span().size(), 5U);
}
#endif

TEST(Messages, of_an_end_that_was_moved_away_fail)
{
    auto [producer, consumer] = anonymous();
    const Producer other = std::move(producer);
    const Consumer another = std::move(consumer);
    spsc_message message = {};
    EXPECT_EQ(producer.send(0, "x", 1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(producer.send_some(&message, 1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(producer.claim_message(1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(consumer.receive().status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(consumer.receive_some(&message, 1).status(), SPSC_ERR_INVALID_ARGUMENT);
    EXPECT_EQ(consumer.set_max_message(1).status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(WaitAny, tells_of_each_end_how_it_stands)
{
    auto first = anonymous();
    auto second = anonymous();
    auto third = anonymous();
    std::vector<spsc_wait_item> items = {
        spsc::wait_item(first.consumer),
        spsc::wait_item(second.consumer, 2),
        spsc::wait_item(third.producer, 4096),
    };
    EXPECT_EQ(spsc::wait_any(items).value(), 1U);
    EXPECT_EQ(items[0].status, SPSC_TIMEOUT);
    EXPECT_EQ(items[2].status, SPSC_OK);
    items.pop_back();
    EXPECT_EQ(spsc::wait_any(items, 1ms).status(), SPSC_TIMEOUT);

    EXPECT_TRUE(second.producer.send(0, "x", 1));
    EXPECT_EQ(spsc::wait_any(items).value(), 1U);
    EXPECT_EQ(items[0].status, SPSC_TIMEOUT);
    EXPECT_EQ(items[1].status, SPSC_OK);
    EXPECT_TRUE(second.consumer.receive().value().release());

    EXPECT_TRUE(first.consumer.interrupt());
    EXPECT_EQ(spsc::wait_any(items).status(), SPSC_INTERRUPTED);
    items.clear();
    EXPECT_EQ(spsc::wait_any(items).status(), SPSC_ERR_INVALID_ARGUMENT);
}

TEST(WaitAny, may_outlive_a_peer)
{
    auto ends = anonymous();
    {
        const Producer leaving = std::move(ends.producer);
        EXPECT_TRUE(leaving.get() != nullptr);
        EXPECT_EQ(::spsc_wait_for_space(leaving.get(), 1, 0), SPSC_OK);
    }
    std::array<spsc_wait_item, 1> items = { spsc::wait_item(ends.consumer) };
    EXPECT_EQ(spsc::wait_any(items).value(), 1U);
    EXPECT_EQ(items[0].status, SPSC_CLOSED);
    items[0] = spsc::wait_item(ends.consumer, 1, SPSC_ITEM_NEXT_PEER);
    EXPECT_EQ(spsc::wait_any(items, 1ms).status(), SPSC_TIMEOUT);
}

} // namespace
