#include "threads.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#define ELMAN_POSIX 1
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace elman {
namespace {

// Either so many tasks, whoever takes them, or one for each thread of a team.
struct Work {
    // Tasks of one thread: what it did of one call, it does of the next, and finds in its own cache.
    struct Own {
        std::atomic<int> next;
        int end;
    };

    Work(Task task, void* context, int count, int threads)
        : task(task), context(context), count(count), parts(std::min(threads, kMost)) {
        for (int k = 0; k < parts; ++k) {
            own[k].next = share(k);
            own[k].end = share(k + 1);
        }
    }

    Work(TeamTask task, void* context, int count) : team_task(task), context(context), count(count) {}

    // What thread `member` does: its own tasks, then those that others have not come to.
    void help(int member) {
        if (team_task) return team_task(context, member, count);
        for (int k = 0; k < parts; ++k) {
            Own& those = own[(member + k) % parts];
            for (int i = those.next.fetch_add(1); i < those.end; i = those.next.fetch_add(1)) task(context, i);
        }
    }

    Task task = nullptr;
    TeamTask team_task = nullptr;
    void* context;
    int count;
    std::atomic<int> running{0};

private:
    int share(int k) const { return static_cast<int>(std::int64_t{count} * k / parts); }

    static constexpr int kMost = 64;  // of more threads some share theirs: a step allocates nothing
    int parts = 0;
    Own own[kMost];
};

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Polls before a thread parks: some 20 us, less than what waking it costs twice.
constexpr int kPolls = 400;

// Never ended: threads that are parked do not outlive the process.
class Pool {
public:
    // Only one caller at a time.
    void run(Work& work, int helpers) {
        try {
            while (static_cast<int>(threads_.size()) < helpers)
                threads_.emplace_back([this, k = static_cast<int>(threads_.size())] { serve(k); });
        } catch (const std::exception&) {
            helpers = static_cast<int>(threads_.size());  // the system gives no more of them
        }
        if (work.team_task) work.count = helpers + 1;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            work.running = helpers;
            helpers_ = helpers;
            work_ = &work;
            turn_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        work.help(0);
        for (int polls = 0; work.running.load(std::memory_order_acquire) > 0;) poll(polls);
    }

private:
    void serve(int k) {
        unsigned seen = 0;
        for (;;) {
            for (int polls = 0; polls < kPolls && turn_.load(std::memory_order_acquire) == seen; ++polls) pause();
            Work* work = nullptr;
            {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return turn_.load() != seen; });
                seen = turn_.load();
                if (k < helpers_) work = work_;
            }
            if (!work) continue;
            work->help(k + 1);
            work->running.fetch_sub(1, std::memory_order_release);
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::thread> threads_;
    std::atomic<unsigned> turn_{0};
    Work* work_ = nullptr;
    int helpers_ = 0;
};

std::atomic<bool> in_use{false};
Pool* pool = nullptr;

// GNU's OpenMP, where a library of this process has it (torch does). Its idle threads spin for
// milliseconds: threads of our own beside them would share their cores with them.
struct OpenMP {
    void (*parallel)(void (*)(void*), void*, unsigned threads, unsigned flags) = nullptr;
    int (*team_size)() = nullptr;  // it may give fewer threads than it was asked for
    int (*member)() = nullptr;
};

OpenMP find_openmp() {
    OpenMP found;
#if defined(ELMAN_POSIX) && defined(__linux__)
    found.parallel = reinterpret_cast<decltype(found.parallel)>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    found.team_size = reinterpret_cast<decltype(found.team_size)>(dlsym(RTLD_DEFAULT, "omp_get_num_threads"));
    found.member = reinterpret_cast<decltype(found.member)>(dlsym(RTLD_DEFAULT, "omp_get_thread_num"));
#endif
    return found;
}

const OpenMP& openmp() {
    static const OpenMP found = find_openmp();
    return found;
}

bool forked = false;

// The threads of a parent do not exist in its child: what is left of them is left alone.
void forget_in_child() {
    in_use = false;
    pool = nullptr;
    forked = true;
}

#if defined(ELMAN_POSIX)
// From the start: a parent may have used OpenMP's threads before it used these.
[[maybe_unused]] const int watching = pthread_atfork(nullptr, nullptr, forget_in_child);
#endif

Pool& the_pool() {
    if (!pool) pool = new Pool;
    return *pool;
}

void in_openmp(Work& work, int helpers) {
    const auto run = [](void* all) {
        Work& here = *static_cast<Work*>(all);
        if (here.team_task) here.team_task(here.context, openmp().member(), openmp().team_size());
        else here.help(openmp().member());
    };
    openmp().parallel(run, &work, static_cast<unsigned>(helpers) + 1, 0);
}

void run(Work& work, int helpers) {
    if (helpers <= 0 || in_use.exchange(true, std::memory_order_acquire)) {
        if (work.team_task) work.count = 1;
        return work.help(0);
    }
    if (openmp().parallel && openmp().team_size && openmp().member && !forked) in_openmp(work, helpers);
    else the_pool().run(work, helpers);
    in_use.store(false, std::memory_order_release);
}

}  // namespace

void parallel(int count, int threads, Task task, void* context) {
    const int most = std::max(1, std::min(threads, count));
    Work work(task, context, count, most);
    run(work, most - 1);
}

void together(int threads, TeamTask task, void* context) {
    Work work(task, context, threads);
    run(work, threads - 1);
}

void poll(int& polls) noexcept {
    if (polls < kPolls) ++polls, pause();
    else std::this_thread::yield();
}

bool Patience::pays() const noexcept {
    return Clock::now().time_since_epoch().count() >= until_.load(std::memory_order_relaxed);
}

void Patience::waited(Clock::duration time) noexcept {
    constexpr auto late = std::chrono::microseconds(200);  // more than it takes to wake a thread
    if (time > late) until_.store((Clock::now() + 100 * time).time_since_epoch().count(), std::memory_order_relaxed);
}

void Barrier::wait(int count) noexcept {
    const unsigned turn = turn_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
        arrived_.store(0, std::memory_order_relaxed);
        turn_.store(turn + 1, std::memory_order_release);
        return;
    }
    for (int polls = 0; turn_.load(std::memory_order_acquire) == turn;) poll(polls);
}

}  // namespace elman
