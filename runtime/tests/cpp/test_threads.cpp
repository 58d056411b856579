// The pool of threads: many short calls, calls within calls, callers at once, fork in between.
//
//   test_threads [calls [library]]
//
// The library is loaded first, as torch loads GNU's OpenMP. Exit status 1 where something is wrong,
// 77 where there is no such library.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "threads.hpp"

#if (defined(__unix__) || defined(__APPLE__)) && !defined(ELMAN_EMULATED)
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>
#define ELMAN_FORKS 1
#endif

namespace {

std::atomic<int> failures{0};

void check(bool ok, const char* what, int where = 0) {
    if (!ok && failures.fetch_add(1) < 40) std::printf("%s (%d)\n", what, where);
}

// Each index once, and what a task wrote is seen by the caller: `values` is no atomic on purpose.
void once_each(int count, int threads) {
    std::vector<int> values(static_cast<std::size_t>(count), 0);
    elman::parallel(count, threads, [&](int i) { values[static_cast<std::size_t>(i)] += i + 1; });
    for (int i = 0; i < count; ++i) check(values[static_cast<std::size_t>(i)] == i + 1, "an index is not run once", i);
}

void many_short_calls(int calls) {
    for (int i = 0; i < calls; ++i) once_each(i % 37, 1 + i % 8);
}

// What one call wrote, the next one reads, on whichever threads.
void calls_follow_each_other(int calls) {
    int values[16] = {0};
    for (int call = 0; call < calls; ++call)
        elman::parallel(16, 4, [&](int i) { values[(i + call) % 16] += 1; });
    for (const int value : values) check(value == calls, "a call does not see what the one before it wrote", value);
}

void within_a_call() {
    std::atomic<int> run{0};
    elman::parallel(5, 4, [&](int) {
        const std::thread::id here = std::this_thread::get_id();
        elman::parallel(7, 4, [&](int) {
            check(std::this_thread::get_id() == here, "a call within a task leaves its thread");
            run.fetch_add(1);
        });
    });
    check(run == 35, "calls within tasks are not run whole", run);
}

void at_most_so_many(int threads) {
    std::atomic<int> now{0}, most{0};
    elman::parallel(64, threads, [&](int) {
        const int here = now.fetch_add(1) + 1;
        for (int seen = most; seen < here && !most.compare_exchange_weak(seen, here);) {}
        std::this_thread::yield();
        now.fetch_sub(1);
    });
    check(most <= threads, "more threads than asked for", most);
}

// A team's threads run at once, or they would wait for each other for ever: what each wrote before
// a barrier, all read after it. `values` is no atomic on purpose.
void teams(int calls) {
    for (int call = 0; call < calls; ++call) {
        const int threads = 1 + call % 5;
        int values[5] = {0}, size = 0;
        elman::Barrier barrier;
        elman::together(threads, [&](int index, int count) {
            check(count >= 1 && count <= threads && index < count, "a team has the wrong size", count);
            for (int turn = 1; turn <= 4; ++turn) {
                values[index] = turn;
                barrier.wait(count);
                for (int i = 0; i < count; ++i) check(values[i] == turn, "a barrier lets through too early", i);
                barrier.wait(count);
            }
            if (index == 0) size = count;
        });
        check(size >= 1, "a team was not run");
        for (int i = 0; i < size; ++i) check(values[i] == 4, "one of a team was not run", i);
    }
}

void team_within_a_call() {
    std::atomic<int> run{0};
    elman::parallel(3, 2, [&](int) { elman::together(4, [&](int, int count) { run += count; }); });
    check(run == 3, "a team within a task is not of one", run);
}

void callers_at_once(int calls) {
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([=] {
            many_short_calls(calls);
            teams(calls / 8);
        });
    for (auto& caller : callers) caller.join();
}

// Parked threads must wake, not only polling ones.
void after_a_pause() {
    for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        once_each(9, 4);
    }
}

#if defined(ELMAN_FORKS)

// Runs `work` in a child; it has 20 seconds.
template <class Work>
void in_child(const char* what, Work work) {
    std::fflush(stdout);
    const pid_t child = fork();
    check(child >= 0, "fork failed");
    if (child == 0) {
        alarm(20);
        failures = 0;
        work();
        std::fflush(stdout);
        _exit(failures != 0);
    }
    int status = 0;
    check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, what, status);
}

void forks() {
    for (int i = 0; i < 5; ++i) {
        many_short_calls(20);
        in_child("a child's calls go wrong", [] {
            many_short_calls(100);
            teams(20);
            in_child("a grandchild's calls go wrong", [] { many_short_calls(100); });
            callers_at_once(20);
        });
    }
    // Other threads are in calls while this one forks.
    std::atomic<bool> ending{false};
    std::thread busy([&] { while (!ending) once_each(8, 3); });
    for (int i = 0; i < 20; ++i) in_child("a child of a busy parent goes wrong", [] { many_short_calls(50); });
    ending = true;
    busy.join();
    many_short_calls(100);
}

// OpenMP's threads exist, made by someone else, and the child is the first to call here.
void after_another_users_threads() {
    using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);
    const auto parallel = reinterpret_cast<Parallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    if (!parallel) return;
    parallel([](void*) {}, nullptr, 4, 0);
    in_child("a child that inherits OpenMP's threads goes wrong", [] { many_short_calls(50); });
}

#endif

// A short wait is forgiven; after a long one it does not pay for a hundred times as long.
void patience() {
    using std::chrono::milliseconds;
    elman::Patience some;
    check(some.pays(), "there is no patience to begin with");
    some.waited(std::chrono::microseconds(50));
    check(some.pays(), "a short wait is held against a thread");
    some.waited(std::chrono::hours(1));
    check(!some.pays(), "a long wait is forgotten at once");
    elman::Patience other;
    other.waited(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(110));
    check(other.pays(), "a wait is never forgotten");
}

}  // namespace

#if defined(__SANITIZE_THREAD__)
// Children make threads of their own here, which the sanitizer refuses unless told.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }
#endif

int main(int count, char** arguments) {
    const int calls = count > 1 ? std::atoi(arguments[1]) : 20000;
#if defined(ELMAN_FORKS)
    if (count > 2 && !dlopen(arguments[2], RTLD_NOW | RTLD_GLOBAL)) return 77;
    if (count > 2) in_child("a child that is the first to call goes wrong", [] { many_short_calls(50); });
    if (count > 2) after_another_users_threads();
#endif
    once_each(0, 4);
    once_each(1, 4);
    many_short_calls(calls);
    calls_follow_each_other(calls);
    within_a_call();
    teams(calls / 8);
    team_within_a_call();
    for (int threads = 1; threads <= 8; ++threads) at_most_so_many(threads);
    callers_at_once(calls / 8);
    after_a_pause();
    patience();
#if defined(ELMAN_FORKS)
    forks();
#endif
    many_short_calls(calls / 8);
    once_each(300, 70);  // more than have tasks of their own; last, for no child has so many
    std::printf("threads: %d failures\n", failures.load());
    return failures != 0;
}
