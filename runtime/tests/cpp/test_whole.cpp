// Calls that take raw inputs, in every instruction set of this processor:
//
//   test_whole plans.txt [divisor]
//
// Their steps are held to those of a call that is given the projections, and the gradients of raw
// inputs, weights and biases to sums in long double. Exit status 1 where something is wrong.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "naive.hpp"
#include "plan_file.hpp"
#include "run_case.hpp"

namespace {

using namespace elman_test;

int failures = 0;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// Whether a call of the plan may be one from raw inputs.
bool is_plain(const Plan& plan) {
    for (const elman::Product& product : plan.products) {
        const Space space = plan.slots[at(product.vector)].space;
        if (space != Space::s && space != Space::v) return false;
    }
    return plan.inputs == 0;
}

// What a call takes that makes its projections itself.
struct Raw {
    Index width;
    std::vector<double> input, weight, bias;

    Raw(const Case& c, Index width, std::uint64_t seed) : width(width) {
        Random random(seed);
        const Index gates = c.plan->gates * c.units;
        constexpr double none = std::numeric_limits<double>::quiet_NaN();  // beyond a length
        for (Index i = 0; i < c.steps * c.rows * width; ++i) {
            const bool there = i / width / c.rows < c.length(i / width % c.rows);
            input.push_back(there ? random.between(-1, 1) : none);
        }
        const double scale = 1 / std::sqrt(static_cast<double>(width));
        for (Index i = 0; i < gates * width; ++i) weight.push_back(random.between(-scale, scale));
        for (Index i = 0; c.options.bias && i < gates; ++i) bias.push_back(random.between(-1, 1));
    }

    // W raw + b of every step and row, as floats.
    std::vector<double> projected(const Case& c) const {
        const Index gates = c.plan->gates * c.units;
        std::vector<double> found;
        for (Index row = 0; row < c.steps * c.rows; ++row)
            for (Index g = 0; g < gates; ++g) {
                double sum = bias.empty() ? 0 : bias[at(g)];
                for (Index i = 0; i < width; ++i) sum += weight[at(g * width + i)] * input[at(row * width + i)];
                found.push_back(static_cast<float>(sum));
            }
        return found;
    }
};

template <class Real>
Guarded<Real> copied(const std::vector<double>& values) {
    Guarded<Real> found(static_cast<Index>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) found.data()[i] = static_cast<Real>(values[i]);
    return found;
}

template <class Real>
class WholeRun {
public:
    // In (B, T, ...) where `batch_first`; what is asked for afterwards is (T, B, ...) in any case.
    WholeRun(const Case& c, const Raw& raw, const elman::Engine<Real>& engine, int threads, bool batch_first) : c_(c) {
        const Plan& plan = *c.plan;
        for (const auto& [name, values] : c.given) arrays_[name] = copied<Real>(values);
        arrays_["raw"] = copied<Real>(raw.input);
        arrays_["weight_ih"] = copied<Real>(raw.weight);
        arrays_["bias_ih"] = copied<Real>(raw.bias);
        if (batch_first)
            for (const char* name : {"raw", "dy"}) turn(name, c.steps, c.rows);
        const Index rows = c.steps * c.rows, gates = plan.gates * c.units, recurrent = plan.recurrent * c.units;
        make("y", rows * c.outputs());
        make("v", rows * c.count(Space::v) * c.units);
        make("w", rows * c.count(Space::w));
        make("draw", rows * raw.width);
        make("dweight_ih", gates * raw.width);
        make("dbias_ih", gates);
        make("dweight_hh", recurrent * c.units);
        make("dbias_hh", recurrent);
        call_.steps = c.steps;
        call_.rows = c.rows;
        call_.units = call_.first = c.units;
        call_.reverse = c.options.reverse;
        call_.batch_first = batch_first;
        call_.threads = threads;
        call_.lengths = c.options.lengths ? c.lengths.data() : nullptr;
        call_.width = raw.width;
        call_.raw = get("raw");
        call_.weight_ih = get("weight_ih");
        call_.bias_ih = c.options.bias ? get("bias_ih") : nullptr;
        call_.weight_hh = get("weight_hh");
        call_.bias_hh = get("bias_hh");
        const bool reads = !plan.narrow_output.empty();
        call_.y = reads ? get("y") : nullptr;
        call_.v = get("v");
        call_.w = get("w");
        back_.forward = &call_;
        back_.dy = get("dy");
        for (Index k = 0; k < plan.params; ++k) {
            call_.params.push_back(get(name_of("param", k)));
            back_.dparams.push_back(make(name_of("dparam", k), c.units));
        }
        for (Index k = 0; k < plan.states; ++k) {
            Real* states = make(name_of("states", k), rows * c.units);
            call_.states.push_back(states);
            call_.state.push_back(get(name_of("state", k)));
            call_.final.push_back(make(name_of("final", k), c.rows * c.units));
            back_.dfinal.push_back(get(name_of("dfinal", k)));
            back_.dstate.push_back(make(name_of("dstate", k), c.rows * c.units));
            back_.dstates.push_back(nullptr);
            back_.before.push_back(nullptr);
        }
        back_.draw = get("draw");
        back_.dweight_ih = get("dweight_ih");
        back_.dbias_ih = get("dbias_ih");
        back_.dweight_hh = get("dweight_hh");
        back_.dbias_hh = get("dbias_hh");
        good = engine.forward(plan, call_) && engine.backward(plan, back_);
        for (const auto& [name, values] : arrays_) good = good && values.intact();
        if (batch_first)
            for (const char* name : {"draw", "y", "states0"}) turn(name, c.rows, c.steps);
    }
    WholeRun(const WholeRun&) = delete;
    WholeRun& operator=(const WholeRun&) = delete;

    const Guarded<Real>& out(const std::string& name) const { return arrays_.at(name); }

    bool good;

private:
    Real* get(const std::string& name) {
        const auto found = arrays_.find(name);
        return found == arrays_.end() || !found->second.size() ? nullptr : found->second.data();
    }

    // (first, second, ...) to (second, first, ...).
    void turn(const std::string& name, Index first, Index second) {
        Real* const values = get(name);
        if (!values) return;
        const Index width = arrays_[name].size() / (first * second);
        const std::vector<Real> before(values, values + first * second * width);
        for (Index i = 0; i < first * second; ++i)
            std::copy_n(before.data() + (i % first * second + i / first) * width, width, values + i * width);
    }

    Real* make(const std::string& name, Index count) {
        auto& to = arrays_[name] = Guarded<Real>(count);
        for (Index i = 0; i < count; ++i) to.data()[i] = std::numeric_limits<Real>::quiet_NaN();
        return get(name);
    }

    const Case& c_;
    std::map<std::string, Guarded<Real>> arrays_;
    elman::Call<Real> call_{};
    elman::BackwardCall<Real> back_{};
};

// Gradients from those of the projections that `run`, which was given x, has left.
template <class Real>
std::map<std::string, Row> products(const Case& c, const Raw& raw, const Run<Real>& run) {
    const Plan& plan = *c.plan;
    const Index H = c.units, C = plan.columns * H, G = plan.gates * H, I = raw.width, R = plan.recurrent * H;
    std::map<std::string, Row> found{{"draw", Row(at(c.steps * c.rows * I))}, {"dweight_ih", Row(at(G * I))},
                                     {"dbias_ih", Row(at(G))}, {"dweight_hh", Row(at(R * H))}, {"dbias_hh", Row(at(R))}};
    for (Index t = 0; t < c.steps; ++t)
        for (Index r = 0; r < c.rows; ++r) {
            if (t >= c.length(r)) continue;
            const Index row = t * c.rows + r;
            const Real* d = run.out("dx").data() + row * C;
            for (Index g = 0; g < G; ++g) {
                found["dbias_ih"][at(g)] += d[g];
                for (Index i = 0; i < I; ++i) {
                    found["draw"][at(row * I + i)] += static_cast<Wide>(d[g]) * raw.weight[at(g * I + i)];
                    found["dweight_ih"][at(g * I + i)] += static_cast<Wide>(d[g]) * raw.input[at(row * I + i)];
                }
            }
            for (const elman::Product& product : plan.products) {
                const elman::Slot& slot = plan.slots[at(product.vector)];
                const Real* v = slot.space == Space::v
                                    ? run.out("v").data() + (row * c.count(Space::v) + slot.index) * H
                                    : run.out(name_of("before", slot.index)).data() + row * H;
                for (std::size_t j = 0; j < product.gates.size(); ++j)
                    for (Index h = 0; h < H; ++h) {
                        const Wide one = d[plan.slots[at(product.d[j])].index * H + h];
                        const Index gate = product.gates[j] * H + h;
                        found["dbias_hh"][at(gate)] += one;
                        for (Index k = 0; k < H; ++k) found["dweight_hh"][at(gate * H + k)] += one * v[k];
                    }
            }
        }
    return found;
}

template <class Real>
void test(const NamedPlan& named, const Case& c, const Raw& raw) {
    const Plan& plan = *c.plan;
    for (const std::string& set : elman::engine_names()) {
        const elman::Engine<Real>& engine = *elman::engine<Real>(set);
        const auto fail = [&](const std::string& what) {
            if (++failures <= 40)
                std::printf("%s, %s, T %d B %d H %d I %d, %s: %s\n", named.name.c_str(), set.c_str(), static_cast<int>(c.steps),
                            static_cast<int>(c.rows), static_cast<int>(c.units), static_cast<int>(raw.width),
                            c.options.text().c_str(), what.c_str());
        };
        const Run<Real> steps(c, engine, 1);
        const WholeRun<Real> one(c, raw, engine, 1, false), several(c, raw, engine, 3, false), turned(c, raw, engine, 2, true);
        if (!one.good || !several.good || !turned.good) fail("memory ran out, or memory around an array was written to");
        auto expected = products(c, raw, steps);
        const auto expect = [&](const std::string& name) {
            for (const Real each : std::vector<Real>(steps.out(name).data(), steps.out(name).data() + steps.out(name).size()))
                expected[name].push_back(each);
        };
        for (Index k = 0; k < plan.states; ++k) expect(name_of("final", k)), expect(name_of("dstate", k));
        for (Index k = 0; k < plan.params; ++k) expect(name_of("dparam", k));
        expect(plan.narrow_output.empty() ? "states0" : "y");
        // x was rounded to a float here, and is not there: that grows with the steps.
        const double eps = std::numeric_limits<float>::epsilon();
        for (const auto& [name, right] : expected) {
            Wide scale = 1;
            for (const Wide each : right) scale = std::max(scale, std::fabs(each));
            const double bound = eps * static_cast<double>(scale) * (16 + 16 * static_cast<double>(c.steps));
            const bool summed = name.rfind("dparam", 0) == 0 || name.rfind("dbias", 0) == 0;
            for (std::size_t i = 0; i < right.size(); ++i) {
                const Real found = one.out(name).data()[i], other = turned.out(name).data()[i];
                if (!(std::fabs(found - right[i]) <= bound) || !(std::fabs(other - right[i]) <= bound)) {
                    fail(name + "[" + std::to_string(i) + "] is " + std::to_string(found) + ", batch first " + std::to_string(other) +
                         ", not " + std::to_string(static_cast<double>(right[i])));
                    break;
                }
                if (!summed && std::memcmp(&found, several.out(name).data() + i, sizeof found) != 0) {
                    fail(name + ": threads change bits");
                    break;
                }
            }
        }
    }
}

void test(const NamedPlan& plan, Index steps, Index rows, Index units, Index width, std::uint64_t seed) {
    Random random(seed);
    Options options{};
    options.reverse = random.one_in(2);
    options.bias = random.one_in(2);
    options.lengths = random.one_in(2);
    options.whole = false;
    Case c = make_case(plan.plan, steps, rows, units, units, options, seed);
    const Raw raw(c, width, seed);
    c.given["x"] = raw.projected(c);
    test<float>(plan, c, raw);
    test<double>(plan, c, raw);
}

}  // namespace

int main(int count, char** arguments) {
    const std::uint64_t divisor = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1;
    std::uint64_t seed = 0;
    int cases = 0;
    for (const NamedPlan& plan : plans_of(count > 1 ? arguments[1] : "plans.txt")) {
        if (!is_plain(plan.plan)) continue;
        for (const Index units : {1, 5, 33})
            for (const Index rows : {1, 2, 13})
                for (const Index width : {1, 19, 64})
                    if (++seed % divisor == 0) test(plan, 1 + static_cast<Index>(seed % 7), rows, units, width, seed), ++cases;
        // Long sums.
        if (++seed % divisor == 0) test(plan, 150, 2, 3, 40, seed), ++cases;
        if (++seed % divisor == 0) test(plan, 150, 2, 70, 3, seed), ++cases;
        // x that another thread makes while one takes the steps.
        for (const Index rows : {1, 5})
            if (++seed % divisor == 0 && plan.plan.gates > 1) test(plan, 130, rows, 66, 70, seed), ++cases;
        // Enough work for several threads.
        if (++seed % divisor == 0 && plan.plan.gates > 1) test(plan, 20, 30, 48, 48, seed), ++cases;
        // Units that threads share out: at every product, or where there is none, in parts.
        if (++seed % divisor == 0 && plan.plan.recurrent > 2) test(plan, 30, 2, 128, 24, seed), ++cases;
        if (++seed % divisor == 0 && plan.plan.products.empty()) test(plan, 40, 3, 320, 12, seed), ++cases;
    }
    std::printf("%d cases\n", cases);
    if (failures) std::printf("%d failures\n", failures);
    return failures != 0 || !cases;
}
