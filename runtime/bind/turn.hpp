// One thread at a time. Across a fork nothing is held: the thread that held it does not exist in the
// child.
#pragma once

#include <atomic>
#include <thread>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace elman {

inline std::atomic<unsigned>& forks() {
    static std::atomic<unsigned> count{1};
    return count;
}

class Turn {
public:
    Turn() {
#if !defined(_WIN32)
        [[maybe_unused]] static const int watching = pthread_atfork(nullptr, nullptr, [] { ++forks(); });
#endif
    }

    // False where another thread has it.
    bool begin() {
        const unsigned now = forks().load(std::memory_order_relaxed);
        unsigned held = held_.load(std::memory_order_relaxed);
        // What was held before a fork is free.
        return held != now && held_.compare_exchange_strong(held, now, std::memory_order_acquire);
    }

    void wait() {
        while (!begin()) std::this_thread::yield();
    }

    void end() { held_.store(0, std::memory_order_release); }

private:
    std::atomic<unsigned> held_{0};
};

}  // namespace elman
