#ifndef SPSC_SHM_BARRETENBERG_HPP
#define SPSC_SHM_BARRETENBERG_HPP

/// For code that was written for Barretenberg's classes SpscShm, MpscConsumer and MpscProducer: the
/// same members, arguments and results. New code takes spsc_shm.hpp instead.
///
/// They wait as Barretenberg's classes do, which differs from the rest of the library:
///
/// - A peer that has closed or died ends no wait. The wait goes on to its timeout, or until the
///   next peer has brought what it waits for. So a loop that tries again never turns without
///   sleeping. last_status() tells that the peer is gone.
/// - wakeup_all ends the waits that are under way, and no later ones.
///
/// docs/CPP.md lists all differences from Barretenberg's classes.

#include "spsc_shm.hpp"

#if !defined(__cpp_exceptions)
#error "spsc_shm_barretenberg.hpp needs exceptions; spsc_shm.hpp does not"
#endif

#include <atomic>
#include <vector>

namespace spsc {

/// A side of a ring.
enum class Side { producer, consumer };

/// An open ring, with the members of Barretenberg's class of this name.
///
/// claim and peek return nullptr, and the waits false, after SPSC_TIMEOUT, SPSC_INTERRUPTED,
/// SPSC_CLOSED and SPSC_PEER_DEAD; last_status() tells which. Everything else that goes wrong
/// throws an Error, whose what() names the call, the ring and the reason.
///
/// Timeouts are nanoseconds for the whole call, in 32 or 64 bits. 0 does not wait,
/// SPSC_WAIT_FOREVER has no limit.
///
/// Thread: at most one producer and one consumer at a time. They may share the object. Lifetime:
/// the ring is closed with the object. Pointers from claim and peek are invalid from then on.
class SpscShm {
  public:
    /// Makes a ring under a name. min_capacity is rounded up to a power of two that is at least a
    /// page. Throws Error. Blocks: no.
    static SpscShm create(const std::string& name, std::size_t min_capacity)
    {
        return SpscShm("create", name, Ring::create(name, min_capacity));
    }

    /// Opens the ring of this name. Throws Error. Blocks: no.
    static SpscShm connect(const std::string& name)
    {
        return SpscShm("connect", name, Ring::connect(name));
    }

    /// Removes a name. Whoever has the ring open keeps it. False if there is none, or if it can't
    /// be removed. Blocks: no.
    static bool unlink(const std::string& name) { return Ring::unlink(name).has_value(); }

    SpscShm(SpscShm&& other) noexcept
        : ring_(std::move(other.ring_))
        , producer_(std::exchange(other.producer_, nullptr))
        , consumer_(std::exchange(other.consumer_, nullptr))
        , name_(std::move(other.name_))
    {
        take_statuses(other);
    }
    SpscShm& operator=(SpscShm&& other) noexcept
    {
        ring_ = std::move(other.ring_);
        producer_ = std::exchange(other.producer_, nullptr);
        consumer_ = std::exchange(other.consumer_, nullptr);
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
        void* data = detail::reserve(producing(), want, false);
        if (data != nullptr) {
            succeed(Side::producer);
        } else if (wait(Side::producer, "claim", want, timeout_ns)) {
            check("claim", detail::claim(producing(), want, 0, &data));
        }
        return data;
    }

    /// Makes the first n claimed bytes visible to the consumer. The rest stays claimed.
    ///
    /// Throws Error, with SPSC_ERR_MISUSE if n is more than is claimed. Nothing is published then.
    ///
    /// Thread: producer. Blocks: no.
    void publish(std::size_t n) { check("publish", detail::publish(producing(), n)); }

    /// Waits until `want` bytes are there and returns them, contiguous, to be read until they are
    /// released; or nullptr. Read only: the bytes are the producer's to write.
    ///
    /// Throws Error, with SPSC_ERR_TOO_LARGE if want is more than the capacity,
    /// SPSC_ERR_ROLE_TAKEN if another handle is the consumer, SPSC_ERR_CORRUPT.
    ///
    /// Thread: consumer. Blocks: up to timeout_ns.
    void* peek(std::size_t want, std::uint64_t timeout_ns)
    {
        if (void* data = detail::reserve(consuming(), want, true)) {
            succeed(Side::consumer);
            return data;
        }
        const void* data = nullptr;
        if (wait(Side::consumer, "peek", want, timeout_ns)) {
            check("peek", detail::peek(consuming(), want, 0, &data));
        }
        return const_cast<void*>(data);
    }

    /// Consumes the first n peeked bytes. The rest stays peeked.
    ///
    /// Throws Error, with SPSC_ERR_MISUSE if n is more than is peeked. Nothing is released then.
    ///
    /// Thread: consumer. Blocks: no.
    void release(std::size_t n) { check("release", detail::release(consuming(), n)); }

    /// Interrupts the waits of both sides that are under way, in every process.
    /// Thread: any. Blocks: no.
    void wakeup_all() { (void)ring_.wakeup_all(); }

    /// Waits until `need` bytes are there. Throws as peek.
    ///
    /// Thread: consumer. Blocks: up to timeout_ns.
    bool wait_for_data(std::size_t need, std::uint64_t timeout_ns)
    {
        return wait(Side::consumer, "wait_for_data", need, timeout_ns);
    }

    /// Waits until `need` bytes are free. Throws as claim.
    ///
    /// Thread: producer. Blocks: up to timeout_ns.
    bool wait_for_space(std::size_t need, std::uint64_t timeout_ns)
    {
        return wait(Side::producer, "wait_for_space", need, timeout_ns);
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
    /// succeeded. Thread: the side's.
    Status last_status(Side side) const noexcept
    {
        return last(side).load(std::memory_order_relaxed);
    }

    /// The same for the side that failed last: after a nullptr or a false, it tells why.
    /// Where two threads share the object, name the side.
    Status last_status() const noexcept
    {
        return last_status(last_refused_.load(std::memory_order_relaxed));
    }

  private:
    friend class MpscConsumer;

    SpscShm(const char* call, const std::string& name, Result<Ring> ring)
        : ring_(nullptr)
        , name_(name)
    {
        if (!ring) {
            raise(call, ring.error());
        }
        ring_ = *std::move(ring);
        producer_ = ::spsc_cursor_of(ring_.get(), SPSC_PRODUCER);
        consumer_ = ::spsc_cursor_of(ring_.get(), SPSC_CONSUMER);
    }

    detail::Access producing() const noexcept { return { ring_.get(), producer_ }; }
    detail::Access consuming() const noexcept { return { ring_.get(), consumer_ }; }

    /// Waits as the comment at the top says. True if the bytes are there: nobody else takes them.
    bool wait(Side side, const char* call, std::size_t need, std::uint64_t timeout_ns)
    {
        const detail::Access on = side == Side::producer ? producing() : consuming();
        if (!detail::has(on, need, side == Side::consumer)) {
            const Status status = ::spsc_wait(on.ring,
                                              side == Side::producer ? SPSC_PRODUCER : SPSC_CONSUMER,
                                              need,
                                              timeout_ns,
                                              SPSC_WAIT_NEXT_PEER | SPSC_WAIT_FRESH);
            if (status != SPSC_OK) {
                refuse(side, call, status);
                return false;
            }
        }
        succeed(side);
        return true;
    }

    void succeed(Side side) noexcept
    {
        // Written only if it is news: two threads may share this cache line.
        if (last(side).load(std::memory_order_relaxed) != SPSC_OK) {
            last(side).store(SPSC_OK, std::memory_order_relaxed);
        }
    }

    [[gnu::cold, gnu::noinline]] void refuse(Side side, const char* call, Status status)
    {
        last(side).store(status, std::memory_order_relaxed);
        last_refused_.store(side, std::memory_order_relaxed);
        if (status < 0) {
            raise(call, detail::failure(call, status));
        }
    }

    void check(const char* call, Status status) const
    {
        if (status != SPSC_OK) {
            raise(call, detail::failure(call, status));
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
    /// NULL after a move.
    spsc_cursor* producer_ = nullptr;
    spsc_cursor* consumer_ = nullptr;
    std::string name_;
    std::atomic<Status> last_producer_{ SPSC_OK };
    std::atomic<Status> last_consumer_{ SPSC_OK };
    std::atomic<Side> last_refused_{ Side::consumer };
};

/// The reading end of many rings, one for each producer, with the members of Barretenberg's class of
/// this name.
///
/// Timeouts and failures are those of SpscShm. A producer that has closed or died does not disturb
/// the others, and its ring waits for the next one.
///
/// Thread: one at a time, but for wakeup_all. Lifetime: the rings are closed with the object.
/// Pointers from peek are invalid from then on.
class MpscConsumer {
  public:
    /// Makes the rings of num_producers producers, of at least ring_capacity bytes each. Their names
    /// are `name` with _ring_0, _ring_1 and so on added. If one of them can't be made, none is.
    ///
    /// Throws Error, with SPSC_ERR_INVALID_ARGUMENT for no producers, and SPSC_ERR_TOO_LARGE for more
    /// than SPSC_WAIT_ANY_MAX. Blocks: no.
    static MpscConsumer create(
        const std::string& name, std::size_t num_producers, std::size_t ring_capacity)
    {
        if (num_producers == 0 || num_producers > SPSC_WAIT_ANY_MAX) {
            raise("create", name, num_producers == 0 ? SPSC_ERR_INVALID_ARGUMENT : SPSC_ERR_TOO_LARGE);
        }
        std::vector<SpscShm> rings;
        rings.reserve(num_producers);
        try {
            while (rings.size() < num_producers) {
                rings.push_back(SpscShm::create(ring_name(name, rings.size()), ring_capacity));
            }
        } catch (...) {
            (void)unlink(name, rings.size());
            throw;
        }
        return MpscConsumer(name, std::move(rings));
    }

    /// Removes the names of so many rings. Whoever has one open keeps it. False if a name can't be
    /// removed; one that is not there is no failure. Blocks: no.
    static bool unlink(const std::string& name, std::size_t num_producers)
    {
        bool gone = true;
        for (std::size_t i = 0; i < num_producers; ++i) {
            const Status status = Ring::unlink(ring_name(name, i)).status();
            gone = gone && (status == SPSC_OK || status == SPSC_ERR_NOT_FOUND);
        }
        return gone;
    }

    MpscConsumer(MpscConsumer&&) noexcept = default;
    MpscConsumer& operator=(MpscConsumer&&) noexcept = default;
    MpscConsumer(const MpscConsumer&) = delete;
    MpscConsumer& operator=(const MpscConsumer&) = delete;
    ~MpscConsumer() = default;

    /// Waits until a ring has data, and returns which; or -1, after the timeout or wakeup_all. Of
    /// several it takes the first after the one that it returned last, so that none is starved.
    ///
    /// Throws Error, if no ring has data and one has failed: SPSC_ERR_ROLE_TAKEN if another handle
    /// is its consumer, SPSC_ERR_CORRUPT.
    ///
    /// Blocks: up to timeout_ns.
    int wait_for_data(std::uint64_t timeout_ns)
    {
        const int ready = next([](const MpscConsumer& self, std::size_t ring) {
            return detail::has(self.rings_[ring].consuming(), 1, true);
        });
        return ready >= 0 ? ready : wait_for_any(timeout_ns);
    }

    /// Waits until that ring has `want` bytes, and returns them as SpscShm::peek; or nullptr, also
    /// if there is no such ring.
    ///
    /// Blocks: up to timeout_ns.
    void* peek(std::size_t ring_idx, std::size_t want, std::uint64_t timeout_ns)
    {
        return ring_idx < rings_.size() ? rings_[ring_idx].peek(want, timeout_ns) : nullptr;
    }

    /// Consumes the first n bytes that were peeked from that ring, as SpscShm::release. Does nothing
    /// if there is no such ring. Blocks: no.
    void release(std::size_t ring_idx, std::size_t n)
    {
        if (ring_idx < rings_.size()) {
            rings_[ring_idx].release(n);
        }
    }

    /// Interrupts the waits that are under way on all rings: this object's, and its producers'.
    /// Thread: any. Blocks: no.
    void wakeup_all()
    {
        for (SpscShm& ring : rings_) {
            ring.wakeup_all();
        }
    }

  private:
    friend class MpscProducer;

    MpscConsumer(const std::string& name, std::vector<SpscShm> rings)
        : name_(name)
        , rings_(std::move(rings))
        , items_(rings_.size())
        , last_served_(rings_.size() - 1)
    {
        for (std::size_t i = 0; i < items_.size(); ++i) {
            items_[i].ring = rings_[i].ring_.get();
            items_[i].side = SPSC_CONSUMER | SPSC_ITEM_NEXT_PEER | SPSC_ITEM_FRESH;
            items_[i].need = 1;
        }
    }

    static std::string ring_name(const std::string& name, std::size_t ring)
    {
        return name + "_ring_" + std::to_string(ring);
    }

    /// The first ring after the last one served of which that is so; or -1.
    template <class Is> int next(Is is)
    {
        const std::size_t count = rings_.size();
        std::size_t ring = last_served_;
        for (std::size_t i = 0; i < count; ++i) {
            ring = ring + 1 < count ? ring + 1 : 0;
            if (is(*this, ring)) {
                last_served_ = ring;
                return static_cast<int>(ring);
            }
        }
        return -1;
    }

    int wait_for_any(std::uint64_t timeout_ns)
    {
        std::size_t decided = 0;
        const Status status = ::spsc_wait_any(items_.data(), items_.size(), timeout_ns, &decided);
        if (status == SPSC_TIMEOUT || status == SPSC_INTERRUPTED) {
            return -1;
        }
        if (status != SPSC_OK) {
            raise("wait_for_data", name_, status);
        }
        const int ready = next([](const MpscConsumer& self, std::size_t ring) {
            return self.items_[ring].status == SPSC_OK;
        });
        if (ready < 0) {
            for (std::size_t i = 0; i < items_.size(); ++i) {
                if (items_[i].status < 0) {
                    raise("wait_for_data", ring_name(name_, i), items_[i].status);
                }
            }
        }
        return ready;
    }

    [[noreturn, gnu::cold, gnu::noinline]] static void raise(
        const char* call, const std::string& name, Status status)
    {
        throw Error(std::string("MpscConsumer::") + call + " of \"" + name + "\"",
                    Failure{ status, 0, call });
    }

    std::string name_;
    std::vector<SpscShm> rings_;
    /// The same rings, to wait for all.
    std::vector<spsc_wait_item> items_;
    std::size_t last_served_;
};

/// The writing end of one of the rings of an MpscConsumer, with the members of Barretenberg's class
/// of this name.
///
/// Timeouts and failures are those of SpscShm.
///
/// Thread: one at a time. Lifetime: the ring is closed with the object. Pointers from claim are
/// invalid from then on.
class MpscProducer {
  public:
    /// Opens the ring of producer number producer_id, counted from 0. Throws Error. Blocks: no.
    static MpscProducer connect(const std::string& name, std::size_t producer_id)
    {
        return MpscProducer(SpscShm::connect(MpscConsumer::ring_name(name, producer_id)));
    }

    MpscProducer(MpscProducer&&) noexcept = default;
    MpscProducer& operator=(MpscProducer&&) noexcept = default;
    MpscProducer(const MpscProducer&) = delete;
    MpscProducer& operator=(const MpscProducer&) = delete;
    ~MpscProducer() = default;

    /// As SpscShm::claim. Blocks: up to timeout_ns.
    void* claim(std::size_t want, std::uint64_t timeout_ns) { return ring_.claim(want, timeout_ns); }

    /// As SpscShm::publish. Wakes the consumer, if it sleeps. Blocks: no.
    void publish(std::size_t n) { ring_.publish(n); }

  private:
    explicit MpscProducer(SpscShm ring) noexcept
        : ring_(std::move(ring))
    {}

    SpscShm ring_;
};

} // namespace spsc

#endif /* SPSC_SHM_BARRETENBERG_HPP */
