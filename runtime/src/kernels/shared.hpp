// What all threads of a call read: packed matrices, and the rows that are the same at every step.
#pragma once

#include <vector>

#include "kernels/buffer.hpp"
#include "call.hpp"
#include "kernels/interpret.hpp"

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
        ask_constants();
        for (const Product& product : plan.products) ask_product(product);
        if (call.weight_hr) {
            ahead_ = arena_.ask(padded<V>(call.first) * units);
            back_ = arena_.ask(padded<V>(units) * call.first);
        }
    }

    // Packs and runs the prologues; false where memory runs out.
    bool prepare(bool backward) {
        if (!arena_.allocate()) return false;
        place_constants();
        run_once(plan.prologue);
        if (backward) run_once(plan.back_prologue);
        for (std::size_t k = 0; k < plan.products.size(); ++k) pack_product(k, backward);
        if (call.weight_hr) pack_projection(backward);
        return true;
    }

    // How many values a row of a slot has; `all` is H or the part of it that a thread has.
    Index width(std::int32_t slot, Index all) const {
        const Slot& s = plan.slots[slot];
        if (s.narrow) return 1;
        return narrow && is_first(s) ? call.first : all;
    }

    Index width_of_state(std::size_t k) const { return k == 0 ? call.first : units; }

    Line<Real> line(const Instruction& it, Index all) const {
        const Index n = it.op == Op::mean ? width(it.of[0], all) : width(it.to, all);
        return {runner<V>(it.op), it.to, it.of[0], it.of[1], it.of[2], n};
    }

    Stages<Real> stages(const Section& section, Index all) const {
        Stages<Real> found(1);
        for (const Instruction& it : section) {
            if (it.op == Op::project || it.op == Op::unproject) {
                found.back().product = it.to;
                found.emplace_back();
            } else {
                found.back().lines.push_back(line(it, all));
            }
        }
        return found;
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
    std::vector<Place<Real>> constants;  // of slots that no row or step changes
    std::vector<std::vector<Panels<Real>>> ahead;  // of each product and gate
    std::vector<std::vector<const Real*>> bias;
    std::vector<Panels<Real>> back;                // of each product
    Panels<Real> project, unproject;               // V

private:
    static bool is_first(const Slot& s) {
        switch (s.space) {
            case Space::s: case Space::final: case Space::ds: case Space::dfinal:
            case Space::dstart: case Space::start:
                return s.index == 0;
            case Space::t:  // P < H only where every product is of the first state
                return true;
            default:
                return false;
        }
    }

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

    void ask_product(const Product& product) {
        const Index gates = static_cast<Index>(product.gates.size());
        packed_.push_back(arena_.ask(gates * padded_units * std::max(units, call.first)));
        packed_back_.push_back(arena_.ask(padded<V>(std::max(units, call.first)) * gates * units));
        biases_.push_back(arena_.ask(gates * padded_units));
    }

    void pack_product(std::size_t k, bool backward) {
        const Product& product = plan.products[k];
        const Index gates = static_cast<Index>(product.gates.size());
        const Index depth = width(product.vector, units);
        if (backward) {
            Real* out = arena_.at(packed_back_[k]);
            pack<V>(depth, gates * units, out, [&](Index c, Index i) {
                return call.weight_hh[(product.gates[i / units] * units + i % units) * depth + c];
            });
            back.push_back({out, depth, gates * units});
            return;
        }
        ahead.emplace_back();
        bias.emplace_back();
        for (Index j = 0; j < gates; ++j) {
            const Real* rows = call.weight_hh + product.gates[j] * units * depth;
            Real* out = arena_.at(packed_[k]) + j * padded_units * depth;
            pack<V>(units, depth, out, [&](Index c, Index i) { return rows[c * depth + i]; });
            ahead[k].push_back({out, units, depth});
            Real* shift = arena_.at(biases_[k]) + j * padded_units;
            for (Index c = 0; c < padded_units; ++c)
                shift[c] = call.bias_hh && c < units ? call.bias_hh[product.gates[j] * units + c] : Real(0);
            bias[k].push_back(call.bias_hh ? shift : nullptr);
        }
    }

    void pack_projection(bool backward) {
        const Index first = call.first;
        if (backward) {
            Real* out = arena_.at(back_);
            pack<V>(units, first, out, [&](Index c, Index i) { return call.weight_hr[i * units + c]; });
            unproject = {out, units, first};
        } else {
            Real* out = arena_.at(ahead_);
            pack<V>(first, units, out, [&](Index c, Index i) { return call.weight_hr[c * units + i]; });
            project = {out, first, units};
        }
    }

    Arena<Real> arena_;
    std::vector<std::size_t> numbers_, packed_, packed_back_, biases_;
    std::size_t ahead_ = 0, back_ = 0;
};

}  // namespace elman::ELMAN_SET
