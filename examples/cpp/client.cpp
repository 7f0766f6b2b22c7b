/*
 * Asks a server: it sends each line of its standard input as a message, and prints the answer.
 *
 * After "cargo build --release", in the root of the repository:
 *
 *   c++ -std=c++17 -O2 -Iinclude -o client examples/cpp/client.cpp target/release/libspsc_shm.a -lpthread -ldl -lm
 *   ./client /tmp/answers
 *
 * Before it, start a server in any language in another terminal: ./server /tmp/answers
 */
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>

#include "spsc_shm_connection.hpp"

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " PATH\n";
        return 2;
    }
    try {
        auto connection = spsc::Connection::dial(argv[1]).value();
        std::string line;
        for (std::uint32_t number = 1; std::getline(std::cin, line); ++number) {
            connection.sender().send(number, line.data(), line.size()).value();
            auto answer = connection.receiver().receive().value();
            std::cout << answer.tag() << ": ";
            std::cout.write(reinterpret_cast<const char *>(answer.data()),
                            static_cast<std::streamsize>(answer.size())) << std::endl;
            answer.release().value();
        }
    } catch (const std::exception &error) {
        std::cerr << "client: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
