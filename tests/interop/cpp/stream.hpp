// The messages that both sides expect: see ../README.md.
#pragma once

#include <spsc_shm.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

constexpr std::size_t header_size = 8;

/// A message that the library frames.
struct Payload {
    std::uint32_t tag;
    std::vector<unsigned char> bytes;
};

class Stream {
public:
    Stream(int argc, char **argv) {
        if (argc != 5) throw std::invalid_argument("usage: NAME COUNT SEED close|kill");
        name_ = argv[1];
        count = std::stoull(argv[2]);
        state_ = std::stoull(argv[3]) * 2 + 1;
        const std::string end = argv[4];
        if (end != "close" && end != "kill") throw std::invalid_argument("END is close or kill");
        killed = end == "kill";
    }

    std::uint64_t count;
    bool killed;

    spsc::Ring connect() const {
        return spsc::Ring::connect(name_, std::chrono::seconds(10)).value();
    }

    /// The next message that the library frames.
    Payload next_payload() {
        const std::uint64_t kind = next() % 4;
        Payload payload;
        payload.bytes.resize(next() % (kind == 0 ? 16385 : 300));
        payload.tag = static_cast<std::uint32_t>(next());
        const std::uint64_t base = next();
        for (std::size_t j = 0; j < payload.bytes.size(); ++j)
            payload.bytes[j] = static_cast<unsigned char>((base >> (8 * (j % 8))) ^ (j / 8));
        return payload;
    }

    /// The next message, with its header.
    const std::vector<unsigned char> &next_message() {
        const auto length = static_cast<std::uint32_t>(next() % 1500);
        const std::uint64_t base = next();
        std::uint32_t checksum = 0x811C9DC5;
        message_.resize(header_size + length);
        for (std::uint32_t j = 0; j < length; ++j) {
            const auto byte = static_cast<unsigned char>((base >> (8 * (j % 8))) ^ (j / 8));
            message_[header_size + j] = byte;
            checksum = (checksum ^ byte) * 0x01000193;
        }
        for (int i = 0; i < 4; ++i) {
            message_[i] = static_cast<unsigned char>(length >> (8 * i));
            message_[4 + i] = static_cast<unsigned char>(checksum >> (8 * i));
        }
        return message_;
    }

private:
    std::uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * UINT64_C(0x2545F4914F6CDD1D);
    }

    std::string name_;
    std::uint64_t state_;
    std::vector<unsigned char> message_;
};

/// Runs `work`; an exception ends the program with its message and status 1.
template <class Work> int run(Work work) {
    try {
        work();
        return 0;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
