// What all threads of a call read: the rows that are the same at every step.
#pragma once

#include <vector>

#include "kernels/buffer.hpp"
#include "call.hpp"
#include "kernels/ahead.hpp"
#include "kernels/factors.hpp"
#include "kernels/interpret.hpp"
#include "kernels/matrices.hpp"
#include "kernels/stream.hpp"

namespace elman::ELMAN_SET {

inline constexpr const Index* kNoRow = nullptr;

// Sections cut at their products.
template <class Real>
struct Stage {
    std::vector<Line<Real>> lines;
    int product = -1;  // what comes after them, if anything
};

template <class Real>
using Stages = std::vector<Stage<Real>>;

template <class V>
class Shared {
public:
    using Real = typename V::Real;

    Shared(const Plan& plan, const Call<Real>& call) : plan(plan), call(call) {
        units = call.units;
        narrow = call.first != call.units;
        padded_units = padded<V>(units);
        streams = call.steps * call.rows * units * Index{sizeof(Real)} >= kStreamed;
        ask_constants();
    }

    // Runs the prologues; false where memory runs out.
    bool prepare(bool backward) {
        if (!arena_.allocate()) return false;
        place_constants();
        run_once(plan.prologue);
        if (backward) run_once(plan.back_prologue);
        return true;
    }

    Index width(std::int32_t slot, Index all) const { return width_of(plan, call, slot, all); }

    Index width_of_state(std::size_t k) const { return k == 0 ? call.first : units; }

    Line<Real> line(const Instruction& it, Index all) const {
        const Index n = it.op == Op::mean ? width(it.of[0], all) : width(it.to, all);
        const bool out = streams && it.op == Op::copy && plan.slots[it.to].space == Space::y && !plan.slots[it.to].narrow;
        return {out ? stream_rows<V> : runner<V>(it.op), it.to, it.of[0], it.of[1], it.of[2], n};
    }

    Stages<Real> stages(const Section& section, Index all) const {
        Stages<Real> found(1);
        for (std::size_t i = 0; i < section.size(); ++i) {
            const Instruction& it = section[i];
            if (const Line<Real> two = line_of_two(section, i, all); two.run) {
                found.back().lines.push_back(two);
                ++i;
            } else if (it.op == Op::project || it.op == Op::unproject) {
                found.back().product = it.to;
                found.emplace_back();
            } else if (!lies_in_v(call) || !copies_in_place(plan, it)) {
                found.back().lines.push_back(line(it, all));
            }
        }
        return found;
    }

    // Instruction i and the next one as one, where nothing else reads what goes from one to the other.
    Line<Real> line_of_two(const Section& section, std::size_t i, Index all) const {
        if (i + 1 == section.size() || !is_read_once(plan, section, i)) return {};
        const Instruction &first = section[i], &second = section[i + 1];
        if (arity(second.op) != 2 || width(first.to, all) != width(second.to, all)) return {};
        const bool last = second.of[1] == first.to;
        return {runner<V>(first.op, second.op, last), second.to, first.of[0], first.of[1], second.of[last ? 0 : 1], width(second.to, all)};
    }

    // A section that is run once a call, with what is summed over rows and steps in `sums`.
    void run_once(const Section& section, Real* sums = nullptr) {
        if (sums)
            for (std::size_t i = 0; i < plan.slots.size(); ++i)
                if (plan.slots[i].space == Space::g)
                    constants[i] = {sums + plan.slots[i].index * units, 0, kNoRow};
        for (const Instruction& it : section) {
            const Line<Real> one = line(it, units);
            one.run(one, constants.data(), 0, 1);
        }
    }

    const Plan& plan;
    const Call<Real>& call;
    Index units, padded_units;
    bool narrow;                         // P < H
    bool streams;                        // whether arrays of all steps are too large for caches
    Paneled<Real> weight{};              // W, where jobs make their x of it
    Ahead<V>* ahead = nullptr;           // what makes x while steps are taken, if anything does
    std::vector<Place<Real>> constants;  // of slots that no row or step changes

private:
    static bool lasts(Space space) {
        return space == Space::p || space == Space::f || space == Space::start ||
               space == Space::number || space == Space::dp || space == Space::dstart ||
               space == Space::r || space == Space::q;
    }

    void ask_constants() {
        constants.resize(plan.slots.size(), Place<Real>{nullptr, 0, kNoRow});
        for (const Slot& slot : plan.slots)
            numbers_.push_back(lasts(slot.space) && slot.space != Space::p
                                   ? arena_.ask(padded_units) : std::size_t(-1));
    }

    void place_constants() {
        for (std::size_t i = 0; i < plan.slots.size(); ++i) {
            const Slot& slot = plan.slots[i];
            // Nothing writes to a parameter: the plan has no instruction that goes to space p.
            if (slot.space == Space::p) constants[i].base = const_cast<Real*>(call.params[slot.index]);
            if (numbers_[i] == std::size_t(-1)) continue;
            Real* row = constants[i].base = arena_.at(numbers_[i]);
            const Real value = slot.space == Space::number ? static_cast<Real>(plan.numbers[slot.index]) : Real(0);
            for (Index j = 0; j < padded_units; ++j) row[j] = value;
        }
    }

    Arena<Real> arena_;
    std::vector<std::size_t> numbers_;
};

}  // namespace elman::ELMAN_SET
