// Rows shared among threads: the bits of one thread, and a refused call that changes nothing.
//
//   test_team images.bin [divisor]
//
// tools/native_images.py writes the file. Best run with a sanitizer; with a divisor only the first
// images are run, of which are a program of every operation and two of cells.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engines.hpp"
#include "image_case.hpp"
#include "program/team.hpp"

#if (defined(__unix__) || defined(__APPLE__)) && !defined(ELMAN_EMULATED)
#include <sys/wait.h>
#include <unistd.h>
#define ELMAN_FORKS 1
#endif

namespace {

using elman::Team;

std::unique_ptr<Team> team_of(const Bytes& image, const std::string& set, int threads) {
    std::string wrong;
    auto team = Team::make(image.data(), image.size(), set, threads, wrong);
    check(team && team->threads() == threads, "there is no team: " + wrong);
    return team;
}

// Enough multiplications for a call to be shared, in an odd number of rows.
Index rows_for(const Bytes& image, const Stepper& stepper, Index steps) {
    const Index each = static_cast<Index>(image.size()) / stepper.real_size * steps;
    return std::max<Index>(101, ((Index{1} << 22) / each + 1) | 1);
}

bool equal(const Run& a, const Run& b) { return a.outputs == b.outputs && a.state == b.state; }

// Row i of the call has row (7 i + 3) mod `held` of the state, where `held` is no multiple of 7.
std::vector<std::int64_t> scattered(Index rows, Index held) {
    std::vector<std::int64_t> of;
    for (Index i = 0; i < rows; ++i) of.push_back((7 * i + 3) % held);
    return of;
}

Index more_than(Index rows) {
    const Index held = rows + 5;
    return held % 7 ? held : held + 1;
}

Run drawn(const Stepper& stepper, Index rows, Index steps, Index held) {
    Run run(stepper, rows, steps);
    run.draw(stepper);
    run.state.clear();
    for (Index r = 0; r < held; ++r) run.state.insert(run.state.end(), stepper.start.begin(), stepper.start.end());
    return run;
}

// Twice, so that the second call goes on from the states of the first.
void go_twice(Run& run, Team& team, const std::int64_t* row_of) {
    for (int i = 0; i < 2; ++i) check(run.go(team, true, row_of).input < 0, "a team refuses its inputs");
}

// The last number that comes in, in the last part, is one that may not.
void check_refusal(Team& team, Run run, const std::string& name) {
    const Stepper& stepper = team.stepper();
    for (std::size_t i = 0; i < stepper.inputs.size(); ++i) {
        const bool integer = stepper.inputs[i].integer;
        Bytes& bytes = run.inputs[i];
        const Bytes kept = bytes;
        const double wide = std::numeric_limits<double>::quiet_NaN();
        const float less = std::numeric_limits<float>::quiet_NaN();
        const std::int64_t beyond = stepper.inputs[i].limit;
        const void* bad = integer ? static_cast<const void*>(&beyond) : run.size == 4 ? static_cast<const void*>(&less) : &wide;
        const std::size_t width = integer ? 8 : static_cast<std::size_t>(run.size);
        std::memcpy(&bytes[bytes.size() - width], bad, width);
        const auto outputs = run.outputs;
        const Bytes state = run.state;
        const elman::Stepped done = run.go(team);
        check(done.input == static_cast<int>(i) && done.position == static_cast<Index>(bytes.size() / width) - 1, name + ": refuses another number");
        check(run.outputs == outputs && run.state == state, name + ": a refused call changes something");
        bytes = kept;
    }
}

void check_image(const Bytes& image, const std::string& set, const std::string& name) {
    const auto one = team_of(image, set, 1);
    const Index steps = 3, rows = rows_for(image, one->stepper(), steps), held = more_than(rows);
    const std::vector<std::int64_t> row_of = scattered(rows, held);
    Run dense = drawn(one->stepper(), rows, steps, rows), spread = drawn(one->stepper(), rows, steps, held);
    go_twice(dense, *one, nullptr);
    go_twice(spread, *one, row_of.data());
    check(dense.outputs == spread.outputs, name + ": outputs depend on where states stand");
    for (const int threads : {2, 3}) {
        const auto team = team_of(image, set, threads);
        Run same = drawn(team->stepper(), rows, steps, rows), there = drawn(team->stepper(), rows, steps, held);
        check(team->parts(same.call(true)) == threads, name + ": a large call is not shared");
        check_refusal(*team, same, name);
        go_twice(same, *team, nullptr);
        go_twice(there, *team, row_of.data());
        check(equal(same, dense) && equal(there, spread), name + ": bits depend on the number of threads");
        Run few = drawn(team->stepper(), 5, 1, 5), alone = few;
        check(team->parts(few.call(true)) == 1, name + ": a small call is shared");
        go_twice(few, *team, nullptr);
        go_twice(alone, *one, nullptr);
        check(equal(few, alone), name + ": a small call has other bits");
    }
}

void two_teams_at_once(const Bytes& image) {
    const auto one = team_of(image, "", 1);
    const Index rows = rows_for(image, one->stepper(), 2);
    Run wanted = drawn(one->stepper(), rows, 2, rows);
    go_twice(wanted, *one, nullptr);
    std::vector<std::thread> callers;
    for (int i = 0; i < 2; ++i)
        callers.emplace_back([&] {
            const auto team = team_of(image, "", 2);
            for (int k = 0; k < 10; ++k) {
                Run run = drawn(team->stepper(), rows, 2, rows);
                const elman::StepCall call = run.call(true);
                team->run(call);
                team->run(call);
                check(equal(run, wanted), "teams that run at once disturb each other");
            }
        });
    for (auto& caller : callers) caller.join();
}

void after_a_fork(const Bytes& image) {
#if defined(ELMAN_FORKS)
    const auto team = team_of(image, "", 3);
    const Index rows = rows_for(image, team->stepper(), 2);
    Run wanted = drawn(team->stepper(), rows, 2, rows);
    Run run = wanted;
    go_twice(wanted, *team, nullptr);
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        const elman::StepCall call = run.call(true);
        team->run(call);
        team->run(call);
        _exit(!equal(run, wanted));
    }
    int status = 0;
    check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "a team goes wrong in a child");
    go_twice(run, *team, nullptr);
    check(equal(run, wanted), "a team goes wrong after a fork");
#else
    (void)image;
#endif
}

}  // namespace

#if defined(__SANITIZE_THREAD__)
// The child makes threads of its own here, which the sanitizer refuses unless told.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }
#endif

int main(int count, char** arguments) {
    const std::vector<Bytes> images = read_images(count > 1 ? arguments[1] : "images.bin");
    const bool some = count > 2 && std::atoi(arguments[2]) > 1;
    const std::size_t end = std::min<std::size_t>(images.size(), some ? 3 : 6);
    for (std::size_t i = 0; i < end; ++i)
        for (const std::string& set : elman::engine_names())
            if (!some || set == elman::engine_names().back()) check_image(images[i], set, "image " + std::to_string(i) + " in " + set);
    two_teams_at_once(images[0]);
    after_a_fork(images[0]);
    std::printf("team: %zu images, %d failures\n", end, failures.load());
    return failures != 0;
}
