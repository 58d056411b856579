// What is lent: aligned, large enough, to one at a time, and again after it was given back.
//
//   test_memory [rounds]
//
// Exit status 1 where something is wrong.
#include "memory.hpp"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

using elman::Memory;

std::atomic<int> failures{0};

void check(bool ok, const char* what, std::size_t where = 0) {
    if (!ok && failures.fetch_add(1) < 40) std::printf("%s (%zu)\n", what, where);
}

std::size_t address(Memory memory) { return reinterpret_cast<std::uintptr_t>(memory.data); }

void sizes() {
    for (const std::size_t bytes : {0ul, 1ul, 64ul, 16383ul, 16384ul, 100000ul, 2097151ul, 2097152ul, 2097153ul, 9000000ul}) {
        const Memory one = elman::lend(bytes);
        check(one.data && one.size >= bytes, "too little is lent", bytes);
        check(address(one) % (bytes < (2u << 20) ? 64 : 2u << 20) == 0, "what is lent is not aligned", bytes);
        std::memset(one.data, 7, bytes);
        elman::take_back(one);
    }
    elman::take_back(Memory{});
}

#if !defined(__SANITIZE_ADDRESS__)
void lent_again() {
    const Memory first = elman::lend(3u << 20), second = elman::lend(3u << 20);
    check(first.data != second.data, "the same is lent twice");
    elman::take_back(first);
    const Memory small = elman::lend(20000);
    check(small.size < (1u << 20), "much is lent for little");
    const Memory third = elman::lend((3u << 20) - 100);
    check(third.data == first.data, "what was given back is not lent again");
    for (const Memory one : {second, third, small}) elman::take_back(one);
}
#endif

// Each thread writes into what it has, and finds that again: for more of it than is held.
void many_at_once(int rounds) {
    std::vector<std::thread> threads;
    for (unsigned k = 0; k < 4; ++k)
        threads.emplace_back([=] {
            unsigned seed = k + 1;
            std::vector<Memory> mine;
            std::vector<unsigned char> marks;
            for (int i = 0; i < rounds; ++i) {
                seed = seed * 1103515245u + 12345u;
                const std::size_t bytes = std::size_t{1} << (10 + seed / 65536 % 14);
                mine.push_back(elman::lend(bytes));
                marks.push_back(static_cast<unsigned char>(i * 4 + static_cast<int>(k)));
                std::memset(mine.back().data, marks.back(), bytes);
                if (mine.size() < 20) continue;
                const std::size_t at = seed / 256 % mine.size();
                const auto* bytes_of = static_cast<const unsigned char*>(mine[at].data);
                check(bytes_of[0] == marks[at] && bytes_of[1023] == marks[at], "two have the same", at);
                elman::take_back(mine[at]);
                mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(at));
                marks.erase(marks.begin() + static_cast<std::ptrdiff_t>(at));
            }
            for (const Memory one : mine) elman::take_back(one);
        });
    for (auto& thread : threads) thread.join();
}

}  // namespace

int main(int count, char** words) {
    sizes();
#if !defined(__SANITIZE_ADDRESS__)
    lent_again();
#endif
    many_at_once(count > 1 ? std::atoi(words[1]) : 2000);
    if (failures == 0) std::printf("memory: all right\n");
    return failures != 0;
}
