/*
 * Answers questions: it sends each message of each client back in capitals, with the same tag.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o server examples/cpp/server.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./server /tmp/answers
 *
 * In another terminal, start a client in any language: ./client /tmp/answers
 */
#include <cctype>
#include <exception>
#include <iostream>
#include <string>
#include <thread>

#include "spsc_shm_connection.hpp"

// Serves one client until it goes.
static void serve(spsc::Connection connection)
{
    while (auto question = connection.receiver().receive()) {
        std::string answer(reinterpret_cast<const char *>(question->data()), question->size());
        for (char &letter : answer)
            letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
        const auto tag = question->tag();
        if (!question->release() || !connection.sender().send(tag, answer.data(), answer.size()))
            return;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " PATH\n";
        return 2;
    }
    try {
        auto listener = spsc::Listener::bind(argv[1]).value();
        for (;;)
            std::thread(serve, listener.accept().value()).detach();
    } catch (const std::exception &error) {
        std::cerr << "server: " << error.what() << '\n';
        return 1;
    }
}
