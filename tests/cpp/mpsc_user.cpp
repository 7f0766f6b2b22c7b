// A server of many clients, written like code for Barretenberg's MpscConsumer and MpscProducer. 1 to 8
// clients in processes of their own send requests as fast as they can. One of them is killed under
// load and replaced, again and again. Only the include and the next lines differ from code for the
// classes themselves.

#include "spsc_shm_barretenberg.hpp"
namespace bb::ipc {
using spsc::MpscConsumer;
using spsc::MpscProducer;
} // namespace bb::ipc

#include "support.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace bb::ipc {

// The members, as code calls them.
template <class Expected, class Actual> constexpr bool is = std::is_same_v<Expected, Actual>;
inline MpscConsumer& consumer();
inline MpscProducer& producer();
inline const std::string& text();
constexpr uint32_t short_timeout = 100;

static_assert(is<MpscConsumer, decltype(MpscConsumer::create(text(), size_t{ 1 }, size_t{ 1 }))>);
static_assert(is<bool, decltype(MpscConsumer::unlink(text(), size_t{ 1 }))>);
static_assert(is<int, decltype(consumer().wait_for_data(short_timeout))>);
static_assert(is<int, decltype(consumer().wait_for_data(uint64_t{ 1 }))>);
static_assert(is<void*, decltype(consumer().peek(size_t{ 1 }, size_t{ 1 }, short_timeout))>);
static_assert(is<void*, decltype(consumer().peek(size_t{ 1 }, size_t{ 1 }, uint64_t{ 1 }))>);
static_assert(is<void, decltype(consumer().release(size_t{ 1 }, size_t{ 1 }))>);
static_assert(is<void, decltype(consumer().wakeup_all())>);
static_assert(is<MpscProducer, decltype(MpscProducer::connect(text(), size_t{ 1 }))>);
static_assert(is<void*, decltype(producer().claim(size_t{ 1 }, short_timeout))>);
static_assert(is<void*, decltype(producer().claim(size_t{ 1 }, uint64_t{ 1 }))>);
static_assert(is<void, decltype(producer().publish(size_t{ 1 }))>);

// A request: its length, and then as many bytes, which tell who sent it.
struct Request {
    uint32_t client;
    // How many clients of this number there were before.
    uint32_t generation;
    uint64_t number;

    size_t padding() const { return static_cast<size_t>((number * 37 + client) % 200); }
    char filler() const { return static_cast<char>('a' + (number + client + generation) % 26); }
    size_t size() const { return sizeof(Request) + padding(); }
};

class Client {
  public:
    bool connect(const std::string& base, size_t id)
    {
        try {
            producer_ = MpscProducer::connect(base, id);
        } catch (const std::runtime_error&) {
            return false;
        }
        return true;
    }

    bool send(const Request& request)
    {
        const auto length = static_cast<uint32_t>(request.size());
        const size_t total = sizeof length + length;
        void* buffer = producer_->claim(total, 100'000'000U);
        if (buffer == nullptr) {
            return false;
        }
        auto* out = static_cast<char*>(buffer);
        std::memcpy(out, &length, sizeof length);
        std::memcpy(out + sizeof length, &request, sizeof request);
        std::memset(out + sizeof length + sizeof request, request.filler(), request.padding());
        producer_->publish(total);
        return true;
    }

  private:
    std::optional<MpscProducer> producer_;
};

class Server {
  public:
    Server(std::string base, size_t clients)
        : base_(std::move(base))
        , clients_(clients)
    {}
    ~Server() { MpscConsumer::unlink(base_, clients_); }

    bool listen()
    {
        MpscConsumer::unlink(base_, clients_);
        try {
            consumer_.emplace(MpscConsumer::create(base_, clients_, 1 << 12));
        } catch (const std::runtime_error& error) {
            std::fprintf(stderr, "%s\n", error.what());
            return false;
        }
        return true;
    }

    int wait_for_data(uint64_t timeout_ns)
    {
        return consumer_->wait_for_data(static_cast<uint32_t>(timeout_ns));
    }

    // The next request of that client, which must be there whole.
    Request receive(size_t client)
    {
        void* prefix = consumer_->peek(client, sizeof(uint32_t), 1'000'000'000U);
        if (prefix == nullptr) {
            throw std::runtime_error("a request without a length");
        }
        uint32_t length = 0;
        std::memcpy(&length, prefix, sizeof length);
        void* data = consumer_->peek(client, sizeof length + length, 1'000'000'000U);
        if (data == nullptr) {
            throw std::runtime_error("a request without a body");
        }
        Request request;
        const char* in = static_cast<const char*>(data) + sizeof length;
        std::memcpy(&request, in, sizeof request);
        if (request.client != client || length != request.size()) {
            throw std::runtime_error("another client's request");
        }
        for (size_t i = sizeof request; i < length; i++) {
            if (in[i] != request.filler()) {
                throw std::runtime_error("other bytes than were sent");
            }
        }
        consumer_->release(client, sizeof length + length);
        return request;
    }

    void wakeup_all() { consumer_->wakeup_all(); }

  private:
    std::string base_;
    size_t clients_;
    std::optional<MpscConsumer> consumer_;
};

constexpr uint64_t requests = 5000;
constexpr uint32_t last_generation = 5;

// A client in a process of its own. The one to be killed has no end.
std::unique_ptr<support::Child> start(const std::string& base, uint32_t id, uint32_t generation, bool endless)
{
    return std::make_unique<support::Child>([=] {
        Client client;
        if (!client.connect(base, id)) {
            ::_exit(1);
        }
        for (uint64_t n = 0; endless || n < requests; n++) {
            while (!client.send({ id, generation, n })) {
            }
        }
    });
}

void serve(uint32_t clients)
{
    const std::string base = "spsc-cpp-bb-mpsc-" + std::to_string(::getpid());
    Server server(base, clients);
    if (!server.listen()) {
        throw std::runtime_error("could not listen");
    }
    // The last client is the one that is killed, while the others go on.
    const uint32_t victim = clients - 1;
    std::vector<std::unique_ptr<support::Child>> processes;
    struct Progress {
        uint32_t generation = 0;
        uint64_t next = 0;
    };
    std::vector<Progress> progress(clients);
    for (uint32_t id = 0; id < clients; id++) {
        processes.push_back(start(base, id, 0, id == victim));
    }
    std::atomic<uint64_t> received{ 0 };
    const support::Watchdog watchdog([&] { return received.load(); });
    uint32_t running = 0;
    uint64_t of_this_one = 0;
    for (size_t done = 0; done < clients;) {
        const int ready = server.wait_for_data(100'000'000U);
        if (ready < 0) {
            continue;
        }
        const auto id = static_cast<uint32_t>(ready);
        const Request request = server.receive(id);
        received++;
        Progress& seen = progress[id];
        if (id == victim && request.generation == seen.generation + 1) {
            // All that the dead one had published came before.
            seen = { request.generation, 0 };
        }
        if (request.generation != seen.generation || request.number != seen.next) {
            throw std::runtime_error("a request is missing, or out of order");
        }
        seen.next++;
        if (id == victim && running < last_generation && request.generation == running) {
            // At another place in each generation.
            if (++of_this_one == 100 + running * 177) {
                processes[id].reset();
                running++;
                processes[id] = start(base, id, running, running < last_generation);
                of_this_one = 0;
            }
        }
        const bool is_last = id != victim || request.generation == last_generation;
        done += is_last && seen.next == requests ? 1 : 0;
    }
    for (auto& process : processes) {
        const int ending = process->wait();
        if (!WIFEXITED(ending) || WEXITSTATUS(ending) != 0) {
            throw std::runtime_error("a client ended with " + std::to_string(ending));
        }
    }
    // All clients have gone: the server sleeps.
    const auto cpu_before = support::cpu_time(RUSAGE_SELF);
    for (int i = 0; i < 3; i++) {
        if (server.wait_for_data(100'000'000U) != -1) {
            throw std::runtime_error("data of nobody");
        }
    }
    if (support::cpu_time(RUSAGE_SELF) - cpu_before > std::chrono::milliseconds(100)) {
        throw std::runtime_error("an idle server uses the processor");
    }
    server.wakeup_all();
}

} // namespace bb::ipc

int main()
{
    try {
        for (const uint32_t clients : { 1U, 2U, 3U, 5U, 8U }) {
            bb::ipc::serve(clients);
        }
    } catch (const std::runtime_error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
