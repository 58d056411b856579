#include "program/team.hpp"

#include <algorithm>

#include "threads.hpp"

namespace elman {
namespace {

// A part has so many rows at least: fewer do not share the weights well.
constexpr Index kRowsOfPart = 24;
// And a call so many multiplications: to wake a thread takes as long as some of them.
constexpr Index kWorth = Index{1} << 22;

}  // namespace

std::unique_ptr<Team> Team::make(const void* bytes, std::size_t size, const std::string& set,
                                 int threads, std::string& wrong) {
    std::unique_ptr<Team> team(new Team);
    for (int i = 0; i < std::max(1, threads); ++i) {
        team->steppers_.push_back(make_stepper(bytes, size, set, wrong));
        if (!team->steppers_.back()) return nullptr;
    }
    const Stepper& stepper = team->stepper();
    team->reals_ = static_cast<Index>(size) / stepper.real_size;
    const Part part{std::vector<const void*>(stepper.inputs.size()), std::vector<void*>(stepper.outputs.size())};
    team->parts_.assign(team->steppers_.size(), part);
    parallel(team->threads(), team->threads(), [](int) {});
    return team;
}

int Team::parts(const StepCall& call) const {
    if (threads() == 1 || work(call) < kWorth) return 1;
    return static_cast<int>(std::max<Index>(1, std::min<Index>(threads(), call.rows / kRowsOfPart)));
}

Stepped Team::run(const StepCall& call) {
    const Stepped found = stepper().check(call);
    if (found.input >= 0) return found;
    const int count = parts(call);
    if (count == 1) steppers_[0]->feed(call);
    else parallel(count, count, [&](int part) { feed(call, part, count); });
    return found;
}

void Team::feed(const StepCall& call, int part, int count) {
    const Index first = call.rows * part / count, last = call.rows * (part + 1) / count;
    const Stepper& of = stepper();
    Part& own = parts_[static_cast<std::size_t>(part)];
    const auto from = [&](auto* array, Index size, Index bytes) { return array + first * call.steps * size * bytes; };
    for (std::size_t i = 0; i < own.inputs.size(); ++i)
        own.inputs[i] = from(static_cast<const char*>(call.inputs[i]), of.inputs[i].size,
                             of.inputs[i].integer ? Index{sizeof(std::int64_t)} : of.real_size);
    for (std::size_t i = 0; i < own.outputs.size(); ++i)
        own.outputs[i] = from(static_cast<char*>(call.outputs[i]), of.outputs[i], of.real_size);
    StepCall rows = call;
    rows.rows = last - first;
    rows.inputs = own.inputs.data();
    rows.outputs = own.outputs.data();
    if (call.row_of) rows.row_of = call.row_of + first;
    else rows.state = static_cast<char*>(call.state) + first * of.state_size * of.real_size;
    steppers_[static_cast<std::size_t>(part)]->feed(rows);
}

}  // namespace elman
