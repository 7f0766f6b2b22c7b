// A small request and response service, written like code for Barretenberg's ipc classes: rings in
// std::optional and std::vector, 32-bit timeouts, nullptr as the only answer that it looks at,
// exceptions caught as std::runtime_error, wakeup_all for shutdown. Only the include and the next
// line differ from code for the class itself.

#include "spsc_shm_barretenberg.hpp"
namespace bb::ipc {
using spsc::SpscShm;
} // namespace bb::ipc

#include "support.hpp"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace bb::ipc {

// The members, as code calls them.
template <class Expected, class Actual> constexpr bool is = std::is_same_v<Expected, Actual>;
inline SpscShm& some();
inline const SpscShm& some_const();
inline const std::string& text();
constexpr uint32_t short_timeout = 100;

static_assert(is<SpscShm, decltype(SpscShm::create(text(), size_t{ 1 }))>);
static_assert(is<SpscShm, decltype(SpscShm::connect(text()))>);
static_assert(is<bool, decltype(SpscShm::unlink(text()))>);
static_assert(is<uint64_t, decltype(some_const().available())>);
static_assert(is<uint64_t, decltype(some_const().capacity())>);
static_assert(is<void*, decltype(some().claim(size_t{ 1 }, short_timeout))>);
static_assert(is<void*, decltype(some().claim(size_t{ 1 }, uint64_t{ 1 }))>);
static_assert(is<void, decltype(some().publish(size_t{ 1 }))>);
static_assert(is<void*, decltype(some().peek(size_t{ 1 }, short_timeout))>);
static_assert(is<void*, decltype(some().peek(size_t{ 1 }, uint64_t{ 1 }))>);
static_assert(is<void, decltype(some().release(size_t{ 1 }))>);
static_assert(is<void, decltype(some().wakeup_all())>);
static_assert(is<bool, decltype(some().wait_for_data(size_t{ 1 }, short_timeout))>);
static_assert(is<bool, decltype(some().wait_for_space(size_t{ 1 }, short_timeout))>);
static_assert(is<void, decltype(some_const().debug_dump("prefix"))>);
static_assert(std::is_nothrow_move_constructible_v<SpscShm>);
static_assert(std::is_nothrow_move_assignable_v<SpscShm>);
static_assert(!std::is_copy_constructible_v<SpscShm> && !std::is_copy_assignable_v<SpscShm>);

class Service {
  public:
    Service(std::string base_name, size_t clients)
        : base_name_(std::move(base_name))
        , clients_(clients)
    {}
    ~Service() { close(); }

    bool listen()
    {
        unlink_all();
        try {
            for (size_t i = 0; i < clients_; i++) {
                requests_.push_back(SpscShm::create(request_name(base_name_, i), 1 << 14));
                responses_.push_back(SpscShm::create(response_name(base_name_, i), 1 << 14));
            }
        } catch (const std::runtime_error&) {
            close();
            return false;
        }
        return true;
    }

    // Answers requests of one client until it says so.
    void serve(size_t client)
    {
        SpscShm& requests = requests_[client];
        SpscShm& responses = responses_[client];
        for (;;) {
            // The length and the message, each claimed, published, peeked and released in pairs.
            void* length_data = requests.peek(sizeof(uint32_t), 100'000'000U);
            if (length_data == nullptr) {
                if (is_shut_down_.load()) {
                    return;
                }
                continue;
            }
            uint32_t length = 0;
            std::memcpy(&length, length_data, sizeof length);
            requests.release(sizeof length);
            void* message = requests.peek(length, 100'000'000U);
            if (message == nullptr) {
                throw std::runtime_error("a request without a body");
            }
            std::string answer(static_cast<char*>(message), length);
            requests.release(length);
            answer += " to you";

            const size_t total = sizeof(uint32_t) + answer.size();
            if (!responses.wait_for_space(total, 1'000'000'000U)) {
                responses.debug_dump("service");
                throw std::runtime_error("no space for an answer");
            }
            const auto answer_length = static_cast<uint32_t>(answer.size());
            auto* out = static_cast<char*>(responses.claim(total, 1'000'000'000U));
            std::memcpy(out, &answer_length, sizeof answer_length);
            std::memcpy(out + sizeof answer_length, answer.data(), answer.size());
            responses.publish(total);
        }
    }

    void shut_down()
    {
        is_shut_down_.store(true);
        for (auto& ring : requests_) {
            ring.wakeup_all();
        }
        for (auto& ring : responses_) {
            ring.wakeup_all();
        }
    }

    void close()
    {
        requests_.clear();
        responses_.clear();
        unlink_all();
    }

    static std::string request_name(const std::string& base, size_t i)
    {
        return base + "_request_" + std::to_string(i);
    }
    static std::string response_name(const std::string& base, size_t i)
    {
        return base + "_response_" + std::to_string(i);
    }

  private:
    void unlink_all()
    {
        for (size_t i = 0; i < clients_; i++) {
            SpscShm::unlink(request_name(base_name_, i));
            SpscShm::unlink(response_name(base_name_, i));
        }
    }

    std::string base_name_;
    size_t clients_;
    std::vector<SpscShm> requests_;
    std::vector<SpscShm> responses_;
    std::atomic<bool> is_shut_down_{ false };
};

class Client {
  public:
    bool connect(const std::string& base, size_t i)
    {
        try {
            requests_ = SpscShm::connect(Service::request_name(base, i));
            responses_.emplace(SpscShm::connect(Service::response_name(base, i)));
        } catch (...) {
            requests_.reset();
            responses_.reset();
            return false;
        }
        return true;
    }

    bool send(const std::string& text, uint64_t timeout_ns)
    {
        const auto length = static_cast<uint32_t>(text.size());
        void* prefix = requests_->claim(sizeof length, static_cast<uint32_t>(timeout_ns));
        if (prefix == nullptr) {
            return false;
        }
        std::memcpy(prefix, &length, sizeof length);
        requests_->publish(sizeof length);
        void* body = requests_->claim(length, static_cast<uint32_t>(timeout_ns));
        if (body == nullptr) {
            return false;
        }
        std::memcpy(body, text.data(), length);
        requests_->publish(length);
        return true;
    }

    std::optional<std::string> receive(uint64_t timeout_ns)
    {
        if (!responses_->wait_for_data(sizeof(uint32_t), static_cast<uint32_t>(timeout_ns))) {
            return std::nullopt;
        }
        uint32_t length = 0;
        std::memcpy(&length, responses_->peek(sizeof length, 0), sizeof length);
        void* data = responses_->peek(sizeof length + length, static_cast<uint32_t>(timeout_ns));
        if (data == nullptr) {
            return std::nullopt;
        }
        std::string text(static_cast<const char*>(data) + sizeof length, length);
        responses_->release(sizeof length + length);
        return text;
    }

  private:
    std::optional<SpscShm> requests_;
    std::optional<SpscShm> responses_;
};

} // namespace bb::ipc

int main()
{
    constexpr size_t clients = 2;
    constexpr uint64_t second = 1'000'000'000;
    const std::string base = "spsc-cpp-bb-" + std::to_string(::getpid());

    bb::ipc::Client early;
    if (early.connect(base, 0)) {
        std::fprintf(stderr, "connected to nothing\n");
        return 1;
    }

    // The service is made first and served last, so that the fork comes before the threads.
    bb::ipc::Service service(base, clients);
    if (!service.listen()) {
        std::fprintf(stderr, "could not listen\n");
        return 1;
    }
    support::Child process([&] {
        for (size_t i = 0; i < clients; i++) {
            bb::ipc::Client client;
            if (!client.connect(base, i)) {
                ::_exit(1);
            }
            for (int n = 0; n < 2000; n++) {
                const std::string text = "hello " + std::to_string(n);
                if (!client.send(text, 240 * second)) {
                    ::_exit(2);
                }
                if (client.receive(240 * second) != text + " to you") {
                    ::_exit(3);
                }
            }
        }
    });
    std::atomic<bool> is_well{ true };
    std::vector<std::thread> threads;
    for (size_t i = 0; i < clients; i++) {
        threads.emplace_back([&, i] {
            try {
                service.serve(i);
            } catch (const std::runtime_error& error) {
                std::fprintf(stderr, "%s\n", error.what());
                is_well.store(false);
            }
        });
    }
    const int ending = process.wait();
    // The clients have closed their rings. The service's threads try again every 100 ms.
    const auto cpu_before = support::cpu_time(RUSAGE_SELF);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const auto cpu = support::cpu_time(RUSAGE_SELF) - cpu_before;
    service.shut_down();
    for (auto& thread : threads) {
        thread.join();
    }
    if (!WIFEXITED(ending) || WEXITSTATUS(ending) != 0) {
        std::fprintf(stderr, "the client ended with %d\n", ending);
        return 1;
    }
    if (cpu > std::chrono::milliseconds(200)) {
        std::fprintf(stderr, "%lld us of CPU in an idle second\n", static_cast<long long>(cpu.count()));
        return 1;
    }
    return is_well.load() ? 0 : 1;
}
