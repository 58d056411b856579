// A pool of threads that are parked between calls.
#pragma once

#include <atomic>
#include <chrono>

namespace elman {

using Task = void (*)(void* context, int index);

// Calls task(context, i) for each i in [0, count), on at most `threads` threads of which the caller
// is one, and returns when all are done. Thread k of n begins with the k-th of n parts of them, the
// same at each call, and helps the others then. A call from within a task, or while another thread is
// in a call, runs on the caller alone. After fork() the child makes threads of its own.
void parallel(int count, int threads, Task task, void* context);

template <class Function>
void parallel(int count, int threads, Function&& function) {
    parallel(count, threads,
             [](void* context, int index) { (*static_cast<Function*>(context))(index); }, &function);
}

// Calls task(context, i, count) for each i in [0, count) on `count` threads, all of which run at the
// same time, so that they may wait for each other; the caller is one. `count` is at most `threads`,
// and 1 where `parallel` would run on the caller alone.
using TeamTask = void (*)(void* context, int index, int count);
void together(int threads, TeamTask task, void* context);

template <class Function>
void together(int threads, Function&& function) {
    together(threads,
             [](void* context, int index, int count) { (*static_cast<Function*>(context))(index, count); },
             &function);
}

// What a thread does, again and again, that waits for another one: it looks for a while, then lets
// others have its core. `polls` begins at 0.
void poll(int& polls) noexcept;

// Whether to call another thread for what one could do alone: not for a while after it came so late that
// it was waited for, as where other processes want the cores: about 1 % of the time is spent waiting.
class Patience {
public:
    using Clock = std::chrono::steady_clock;

    bool pays() const noexcept;
    void waited(Clock::duration time) noexcept;

private:
    std::atomic<Clock::rep> until_{0};
};

// Where the threads of a team wait until all have come; what each wrote before, all see after.
class Barrier {
public:
    void wait(int count) noexcept;

private:
    std::atomic<int> arrived_{0};
    std::atomic<unsigned> turn_{0};
};

}  // namespace elman
