// Runs the plans of a file in every instruction set of this processor, forwards and backwards:
//
//   test_engine plans.txt [divisor]
//
// What comes out is held to naive.hpp, to its own bits with other numbers of threads, and to those
// of each row alone. Outputs hold NaN before, so every element must have been written. The
// divisor leaves out cases, for slow builds. Exit status 1 where something is wrong.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "naive.hpp"
#include "plan_file.hpp"
#include "run_case.hpp"

namespace {

using namespace elman_test;

int failures = 0;
double worst[2] = {0, 0};  // error as a share of what is allowed, in float and double

template <class Real>
const char* const kName = sizeof(Real) == 4 ? "float" : "double";

struct Told {
    const char* plan;
    std::string set;
    const Case& c;

    template <class Real>
    void fail(const std::string& what) const {
        if (++failures > 40) return;
        std::printf("%s, %s %s, T %d B %d H %d P %d, %s: %s\n", plan, set.c_str(), kName<Real>,
                    static_cast<int>(c.steps), static_cast<int>(c.rows), static_cast<int>(c.units),
                    static_cast<int>(c.first), c.options.text().c_str(), what.c_str());
    }
};

// Each instruction of each step, and each term of a sum, adds one rounding of what is at hand.
double allowed(const Case& c, double eps, const std::string& name) {
    const auto& plan = *c.plan;
    const double lines = static_cast<double>(plan.update.size() + plan.read.size() + plan.back_read.size() +
                                             plan.back_update.size() + plan.products.size());
    const double summed = name.rfind("dparam", 0) == 0 ? static_cast<double>(c.rows * c.steps) : 1;
    return eps * (4 + lines * static_cast<double>(c.steps) + std::sqrt(static_cast<double>(c.units) * summed));
}

template <class Real>
void hold_to(const Naive::Results& expected, const Run<Real>& run, const Told& told) {
    const double eps = std::numeric_limits<Real>::epsilon();
    for (const auto& [name, shape] : told.c.written()) {
        const Row& right = expected.at(name);
        Wide scale = 1;
        for (const Wide each : right) scale = std::max(scale, std::fabs(each));
        const double bound = allowed(told.c, eps, name) * static_cast<double>(scale);
        for (std::size_t i = 0; i < right.size(); ++i) {
            const double off = static_cast<double>(std::fabs(run.out(name).data()[i] - right[i])) / bound;
            double& most = worst[sizeof(Real) == 8];
            if (off <= 1) {
                most = std::max(most, off);
                continue;
            }
            char line[160];
            std::snprintf(line, sizeof line, "%s[%d] is %.17g, not %.17g", name.c_str(), static_cast<int>(i),
                          static_cast<double>(run.out(name).data()[i]), static_cast<double>(right[i]));
            told.fail<Real>(line);
            return;  // one is enough to say of a case
        }
    }
}

template <class Real>
bool same(const std::vector<Real>& a, const std::vector<Real>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(Real)) == 0);
}

template <class Real>
std::vector<Real> all_of(const Guarded<Real>& values) {
    return {values.data(), values.data() + values.size()};
}

template <class Real>
void hold_to_itself(const elman::Engine<Real>& engine, const Run<Real>& run, const Told& told, Random& random) {
    const Shapes written = told.c.written();
    const int threads = 2 + static_cast<int>(random.below(3));
    const Run<Real> several(told.c, engine, threads), again(told.c, engine, threads);
    for (const auto& [name, shape] : written) {
        const auto values = all_of(several.out(name));
        // Sums over the batch depend on how it is shared out.
        if (shape.of_rows && !same(all_of(run.out(name)), values)) told.fail<Real>(name + ": threads change bits");
        if (!same(values, all_of(again.out(name)))) told.fail<Real>(name + ": differs from run to run");
    }
    const Run<Real> bare(told.c, engine, threads, false);
    for (const auto& [name, shape] : written)
        if (name == "y" || name.rfind("final", 0) == 0 || (name == "states0" && told.c.plan->narrow_output.empty()))
            if (!same(all_of(run.out(name)), all_of(bare.out(name)))) told.fail<Real>(name + ": differs where little is wanted");
    for (const auto* each : {&several, &again, &bare})
        if (!each->trouble().empty()) told.fail<Real>(each->trouble());
    if (told.c.rows < 2) return;
    const Index row = random.below(told.c.rows);
    const Case one = alone(told.c, row);
    const Run<Real> lone(one, engine, threads);
    for (const auto& [name, shape] : written)
        if (shape.of_rows && !same(row_of(run.out(name).data(), shape, row), all_of(lone.out(name))))
            told.fail<Real>(name + ": a row's bits depend on its batch");
}

template <class Real>
void test(const NamedPlan& plan, const Case& c, const Naive::Results& expected, std::uint64_t seed) {
    for (const std::string& set : elman::engine_names()) {
        const elman::Engine<Real>& engine = *elman::engine<Real>(set);
        const Told told{plan.name.c_str(), set, c};
        Random random(seed);
        const Run<Real> run(c, engine, 1);
        if (!run.trouble().empty()) told.fail<Real>(run.trouble());
        hold_to(expected, run, told);
        hold_to_itself(engine, run, told, random);
    }
}

void test(const NamedPlan& plan, Index steps, Index rows, Index units, std::uint64_t seed) {
    Random random(seed);
    const Options options = random_options(random);
    const bool projected = plan.takes_projection && units > 1 && random.one_in(2);
    const Index first = projected ? 1 + random.below(units - 1) : units;
    const Case c = make_case(plan.plan, steps, rows, units, first, options, seed);
    const Naive expected(c);
    test<float>(plan, c, expected.results(), seed);
    test<double>(plan, c, expected.results(), seed);
}

// Tables of one entry are not read by the number of a row: far beyond them no memory is mapped.
void test_very_many_rows(const NamedPlan& plan) {
    const Index rows = 200000;
    const Case c = make_case(plan.plan, 1, rows, 1, 1, Options{false, false, false, false, true, true, true, 0, false}, 5);
    const elman::Engine<float>& engine = *elman::engine<float>("");
    const Run<float> run(c, engine, 1), last(alone(c, rows - 1), engine, 1);
    const Told told{plan.name.c_str(), engine.name, c};
    for (const auto& [name, shape] : c.written())
        if (shape.of_rows && !same(row_of(run.out(name).data(), shape, rows - 1), all_of(last.out(name))))
            told.fail<float>(name + ": the last of very many rows differs");
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<NamedPlan> plans = plans_of(count > 1 ? arguments[1] : "plans.txt");
    const std::uint64_t divisor = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1;
    std::uint64_t seed = 0;
    int cases = 0;
    const auto due = [&] { return ++seed % divisor == 0; };
    for (const NamedPlan& plan : plans) {
        for (const Index units : {1, 5, 16, 33})
            for (const Index rows : {1, 2, 7, 13})
                for (const Index steps : {1, 3, 9})
                    if (due()) test(plan, steps, rows, units, seed), ++cases;
        // Many rows; no rows; units enough to be shared out among threads.
        if (due()) test(plan, 3, 40, 5, seed), ++cases;
        if (due()) test(plan, 2, 0, 3, seed), ++cases;
        for (int i = 0; i < 4; ++i)
            if (due()) test(plan, 3, 3, plan.plan.whole_rows ? 70 : 600, seed), ++cases;
        // Units enough for threads to share them out though they need each other: 140 where they are
        // columns of several gates.
        if (!plan.plan.products.empty())
            for (const Index units : {140, 263})
                for (const Index rows : {1, 2, 5})
                    if (due()) test(plan, 2, rows, units, seed), ++cases;
    }
    for (const NamedPlan& plan : plans)
        if (plan.plan.params && !plan.plan.products.empty()) test_very_many_rows(plan);
    for (const std::string& set : elman::engine_names()) std::printf("%s ", set.c_str());
    std::printf("\n%d plans, %d cases: errors up to %.3f of what is allowed in float, %.3f in double\n",
                static_cast<int>(plans.size()), cases, worst[0], worst[1]);
    if (failures) std::printf("%d failures\n", failures);
    return failures != 0;
}
