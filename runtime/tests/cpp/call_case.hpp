// A call of the engine, with every buffer exactly as large as call.hpp says.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "call.hpp"

namespace elman_test {

using elman::Index;
using elman::Plan;
using elman::Space;

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
    std::uint64_t word() {
        state_ += 0x9e3779b97f4a7c15ull;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }
    Index below(Index n) { return static_cast<Index>(word() % static_cast<std::uint64_t>(n)); }
    bool one_in(Index n) { return below(n) == 0; }
    // A float, so that both precisions are given the same.
    double between(double low, double high) {
        return static_cast<float>(low + (high - low) * static_cast<double>(word() >> 11) * 0x1p-53);
    }

private:
    std::uint64_t state_;
};

// Memory of an exact size. A sanitizer sees a step beyond it; without one, guard values do.
template <class T>
class Guarded {
public:
    Guarded() = default;
    explicit Guarded(Index count) : count_(static_cast<std::size_t>(count)), bytes_((count_ + 2 * kGuard) * sizeof(T)) {
        std::fill(bytes_.begin(), bytes_.end(), kByte);
    }

    // Off the alignment of a vector by an odd number of elements: the contract asks for none.
    T* data() { return reinterpret_cast<T*>(bytes_.data()) + kGuard; }
    const T* data() const { return reinterpret_cast<const T*>(bytes_.data()) + kGuard; }
    std::size_t size() const { return count_; }

    bool intact() const {
        for (std::size_t i = 0; i < kGuard * sizeof(T); ++i)
            if (bytes_[i] != kByte || bytes_[bytes_.size() - 1 - i] != kByte) return false;
        return true;
    }

private:
#if defined(__SANITIZE_ADDRESS__)
    static constexpr std::size_t kGuard = 0;
#else
    static constexpr std::size_t kGuard = 67;
#endif
    static constexpr unsigned char kByte = 0xa5;
    std::size_t count_ = 0;
    std::vector<unsigned char> bytes_;
};

// (steps, rows, width); without rows of the batch, as weights are, (1, rows, width).
struct Shape {
    Index steps, rows, width;
    bool of_rows;
    bool of_time = false;
    Index count() const { return steps * rows * width; }
};

using Shapes = std::map<std::string, Shape>;
using Arrays = std::map<std::string, std::vector<double>>;

inline std::string name_of(const char* text, Index k) { return text + std::to_string(k); }

struct Options {
    bool lengths, reset, reverse, mask, bias, narrow;
    bool whole;     // every output wanted, and every gradient from above given
    int zoneout;    // 0 none, 1 one share for all, 2 one for each unit, 3 first one, then the other
    bool clip;      // a longest gradient of a state at each step

    std::string text() const {
        char line[160];
        std::snprintf(line, sizeof line,
                      "lengths %d reset %d reverse %d mask %d bias %d narrow %d whole %d zoneout %d clip %d", lengths,
                      reset, reverse, mask, bias, narrow, whole, zoneout, clip);
        return line;
    }
};

inline Options random_options(Random& random) {
    const auto coin = [&] { return random.one_in(2); };
    Options o{coin(), coin(), coin(), random.one_in(3), coin(), coin(), !random.one_in(4), 0, false};
    if (coin()) o.zoneout = 1 + static_cast<int>(random.below(3));
    o.clip = random.one_in(3);
    return o;
}

// What goes in, in double: every value is a float.
struct Case {
    const Plan* plan;
    Index steps, rows, units, first;
    Options options;
    Shapes shapes;
    Arrays given;
    std::vector<double> share;
    std::vector<std::int64_t> lengths;
    std::vector<std::uint8_t> reset;  // (T, B)
    double clip = 0;                  // of a row's state at a step; 0: no limit

    Index count(Space space) const { return plan->count[static_cast<int>(space)]; }
    Index width_of_state(Index k) const { return k == 0 ? first : units; }
    Index length(Index row) const { return options.lengths ? lengths[static_cast<std::size_t>(row)] : steps; }
    bool keeps_each(Index k) const { return options.zoneout == 2 || (options.zoneout == 3 && k % 2 == 1); }
    bool has(const std::string& name) const { return given.count(name) != 0; }

    Index outputs() const {
        Index total = 0;
        for (const auto narrow : plan->narrow_output) total += narrow ? 1 : units;
        return total ? total : first;
    }

    // All that the two passes write.
    Shapes written() const {
        Shapes found;
        const auto over_time = [&](const std::string& name, Index width) { found[name] = {steps, rows, width, true, true}; };
        if (!plan->narrow_output.empty()) over_time("y", outputs());
        over_time("v", count(Space::v) * units);
        over_time("w", count(Space::w));
        over_time("dx", plan->columns * units);
        if (first != units) over_time("dprojected", first);
        for (Index k = 0; k < plan->states; ++k) {
            const Index width = width_of_state(k);
            for (const char* name : {"states", "dh", "before"}) over_time(name_of(name, k), width);
            over_time(name_of("fresh", k), units);
            for (const char* name : {"final", "dstate"}) found[name_of(name, k)] = {1, rows, width, true};
            if (options.reset) found[name_of("dstart", k)] = {1, rows, width, true};
        }
        for (Index k = 0; k < plan->inputs; ++k) over_time(name_of("dinput", k), units);
        for (Index k = 0; k < plan->params; ++k) found[name_of("dparam", k)] = {1, 1, units, false};
        return found;
    }

    void give(Random& random, const std::string& name, Shape shape, double low, double high) {
        std::vector<double> values(static_cast<std::size_t>(shape.count()));
        for (double& each : values) each = random.between(low, high);
        if (shape.of_time && options.lengths)  // padding has no influence
            for (Index t = 0; t < steps; ++t)
                for (Index r = 0; r < rows; ++r)
                    for (Index i = 0; i < shape.width && t >= length(r); ++i)
                        values[static_cast<std::size_t>((t * rows + r) * shape.width + i)] =
                            std::numeric_limits<double>::quiet_NaN();
        shapes[name] = shape;
        given[name] = std::move(values);
    }
};

inline void give_forward(Case& c, Random& random) {
    const Plan& plan = *c.plan;
    const auto over_time = [&](Index width) { return Shape{c.steps, c.rows, width, true, true}; };
    const double scale = 1 / std::sqrt(static_cast<double>(c.first));
    c.give(random, "x", over_time(plan.gates * c.units), -1, 1);
    if (!plan.products.empty()) {
        c.give(random, "weight_hh", {1, plan.recurrent * c.units, c.first, false}, -scale, scale);
        if (c.options.bias) c.give(random, "bias_hh", {1, 1, plan.recurrent * c.units, false}, -1, 1);
        if (c.options.mask) c.give(random, "mask", {1, c.rows, c.first, true}, 0, 2);
    }
    if (c.first != c.units) c.give(random, "weight_hr", {1, c.first, c.units, false}, -scale, scale);
    for (Index k = 0; k < plan.inputs; ++k)
        c.give(random, name_of("input", k), over_time(c.options.narrow ? 1 : c.units), 0.1, 1);
    for (Index k = 0; k < plan.params; ++k) c.give(random, name_of("param", k), {1, 1, c.units, false}, 0.1, 0.9);
    for (Index k = 0; k < plan.states; ++k) {
        const Shape shape{1, c.rows, c.width_of_state(k), true};
        c.give(random, name_of("state", k), shape, 0.1, 1);
        if (c.options.reset) c.give(random, name_of("start", k), shape, 0.1, 1);
        c.share.push_back(c.options.zoneout ? random.between(0.2, 1) : 1);
        if (c.keeps_each(k)) c.give(random, name_of("keep", k), over_time(c.width_of_state(k)), 0, 1);
    }
}

inline void give_backward(Case& c, Random& random) {
    c.give(random, "dy", {c.steps, c.rows, c.outputs(), true, true}, -1, 1);
    for (Index k = 0; k < c.plan->states; ++k) {
        // Of what a caller may leave out, some is left out.
        const Index width = c.width_of_state(k);
        if (c.options.whole || k == 0) c.give(random, name_of("dfinal", k), {1, c.rows, width, true}, -1, 1);
        if (c.options.whole) c.give(random, name_of("dstates", k), {c.steps, c.rows, width, true, true}, -1, 1);
    }
    if (!c.options.whole && random.one_in(2)) c.given.erase("dy");
    // Far below what arrives, and about as long: most rows are cut, or some.
    if (c.options.clip) c.clip = random.one_in(2) ? random.between(0.01, 0.1) : random.between(0.3, 3);
}

inline Case make_case(const Plan& plan, Index steps, Index rows, Index units, Index first, Options options,
                      std::uint64_t seed) {
    Random random(seed);
    Case c{&plan, steps, rows, units, first, options, {}, {}, {}, {}, {}, 0};
    for (Index r = 0; options.lengths && r < rows; ++r) c.lengths.push_back(random.below(steps + 1));
    for (Index i = 0; options.reset && i < steps * rows; ++i) c.reset.push_back(random.one_in(3));
    give_forward(c, random);
    give_backward(c, random);
    return c;
}

// One row of (steps, rows, width).
template <class T>
std::vector<T> row_of(const T* values, const Shape& shape, Index row) {
    std::vector<T> found;
    for (Index t = 0; t < shape.steps; ++t)
        for (Index i = 0; i < shape.width; ++i) found.push_back(values[(t * shape.rows + row) * shape.width + i]);
    return found;
}

inline Case alone(const Case& c, Index row) {
    Case one = c;
    one.rows = 1;
    for (auto& [name, values] : one.given) {
        Shape& shape = one.shapes[name];
        if (!shape.of_rows) continue;
        values = row_of(values.data(), shape, row);
        shape.rows = 1;
    }
    if (c.options.lengths) one.lengths = {c.lengths[static_cast<std::size_t>(row)]};
    if (c.options.reset) one.reset = row_of(c.reset.data(), {c.steps, c.rows, 1, true}, row);
    return one;
}

}  // namespace elman_test
