#pragma once
// What the tests share.

#include "spsc_shm.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace support {

// A ring name that nobody else has, unlinked at the end of the scope, or when the process aborts or
// is told to end.
class UniqueName {
  public:
    UniqueName()
        : name_("spsc-cpp-" + std::to_string(::getpid()) + "-" + std::to_string(next()))
        , owner_(::getpid())
    {
        for (auto& place : live) {
            UniqueName* nobody = nullptr;
            if (place.compare_exchange_strong(nobody, this)) {
                break;
            }
        }
        std::signal(SIGABRT, unlink_live);
        std::signal(SIGTERM, unlink_live);
    }
    UniqueName(const UniqueName&) = delete;
    UniqueName& operator=(const UniqueName&) = delete;
    ~UniqueName()
    {
        for (auto& place : live) {
            UniqueName* self = this;
            place.compare_exchange_strong(self, nullptr);
        }
        unlink();
    }

    operator const std::string&() const { return name_; }
    const std::string& get() const { return name_; }

  private:
    static unsigned next()
    {
        static std::atomic<unsigned> counter{ 0 };
        return counter++;
    }

    void unlink() const
    {
        // A forked child leaves its parent's names alone.
        if (::getpid() == owner_) {
            (void)::spsc_unlink(name_.c_str());
        }
    }

    static void unlink_live(int signal)
    {
        for (const auto& place : live) {
            if (const UniqueName* name = place.load()) {
                name->unlink();
            }
        }
        std::signal(signal, SIG_DFL);
        std::raise(signal);
    }

    inline static std::array<std::atomic<UniqueName*>, 8> live{};

    std::string name_;
    pid_t owner_;
};

// Aborts the process if `progress` has not moved for a minute: a lost wake-up must end in a
// failure, not in a silent hang. `report` runs first.
class Watchdog {
  public:
    explicit Watchdog(std::function<std::uint64_t()> progress, std::function<void()> report = [] {})
        : thread_([this, progress = std::move(progress), report = std::move(report)] {
            std::unique_lock lock(mutex_);
            std::uint64_t before = progress();
            while (!over_.wait_for(lock, std::chrono::minutes(1), [this] { return is_over_; })) {
                const std::uint64_t now = progress();
                if (now == before) {
                    std::fprintf(stderr, "no progress for a minute\n");
                    report();
                    std::abort();
                }
                before = now;
            }
        })
    {}
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
    ~Watchdog()
    {
        {
            const std::lock_guard lock(mutex_);
            is_over_ = true;
        }
        over_.notify_all();
        thread_.join();
    }

  private:
    std::mutex mutex_;
    std::condition_variable over_;
    bool is_over_ = false;
    std::thread thread_;
};

// A forked process that runs `body` and exits; killed at the end of the scope if it still runs.
class Child {
  public:
    explicit Child(const std::function<void()>& body)
        : pid_(::fork())
    {
        if (pid_ < 0) {
            std::perror("fork");
            std::abort();
        }
        if (pid_ == 0) {
            body();
            ::_exit(0);
        }
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            (void)wait();
        }
    }

    // How it ended, as waitpid says it.
    int wait()
    {
        int ending = 0;
        while (::waitpid(pid_, &ending, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return ending;
    }

  private:
    pid_t pid_;
};

// Waits until that side of the ring sleeps.
inline void await_sleep(const spsc_ring* ring, spsc_role_stats spsc_stats_t::*side)
{
    for (;;) {
        spsc_stats_t stats;
        if (::spsc_stats(ring, &stats, sizeof stats) != SPSC_OK) {
            std::fprintf(stderr, "the ring can't be looked at\n");
            std::abort();
        }
        if ((stats.*side).parked != 0) {
            return;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
}

// The processor time used so far by RUSAGE_THREAD or RUSAGE_SELF.
inline std::chrono::microseconds cpu_time(int who)
{
    rusage usage;
    if (::getrusage(who, &usage) != 0) {
        std::perror("getrusage");
        std::abort();
    }
    const auto time = [](const timeval& value) {
        return std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec);
    };
    return time(usage.ru_utime) + time(usage.ru_stime);
}

} // namespace support
