// A cell, step by step: W x for the whole block, then the tape with its products.
#pragma once

#include <algorithm>

#include "kernels/step.hpp"

namespace elman::ELMAN_SET {

template <class V>
class StepCell final : public Operation<V> {
    using Real = typename V::Real;

public:
    StepCell(const Node& node, Making<V>& making)
        : node_(node), plan_(node_.plan), values_(making.values), units_(node.integers[field::units]),
          first_(node.integers[field::first]), each_(padded<V>(units_)), ld_(leading<V>(each_)),
          x_ld_(leading<V>(plan_.gates * each_)), u_ld_(leading<V>(count(Space::u) * each_)) {
        Arena<Real>& arena = making.arena;
        if (plan_.gates) input_ = Matrix<V>(making, plan_.gates, units_, values_[node.in[0]].width);
        for (const Product& product : plan_.products)
            products_.emplace_back(making, static_cast<Index>(product.gates.size()), units_, first_);
        if (projects()) projection_ = Matrix<V>(making, 1, first_, units_);
        x_ = arena.ask(making.most * x_ld_);
        u_ = arena.ask(making.most * u_ld_);
        for (std::int32_t k = 0; k < plan_.states; ++k) {
            now_.push_back(arena.ask(making.most * ld_));
            next_.push_back(arena.ask(making.most * ld_));
            made_.push_back(differs(k) ? arena.ask(making.most * ld_) : next_.back());
            state_at_.push_back(making.state[node.states[k]]);
        }
        for (const Slot& slot : plan_.slots) own_.push_back(ask_slot(slot, making));
        local_.resize(static_cast<std::size_t>(making.most));
        for (std::size_t i = 0; i < local_.size(); ++i) local_[i] = static_cast<Index>(i);
        for (const Section* section : {&plan_.update, &plan_.read}) cut(*section, section == &plan_.read ? read_ : update_);
    }

    void place(const Making<V>& making) override {
        arena_ = &making.arena;
        place_weights(making);
        places_.assign(plan_.slots.size(), {nullptr, 0, local_.data()});
        for (std::size_t i = 0; i < places_.size(); ++i) place_slot(i, making);
        begins_.resize(moving_.size());
        steps_.resize(moving_.size());
        for (const Instruction& it : plan_.prologue) {
            const Line<Real> one = line(it);
            one.run(one, places_.data(), 0, 1);
        }
    }

    void run(const Block<Real>& block) override {
        const Lines<Real>&x = values_[node_.in[0]], &out = values_[node_.out];
        if (plan_.gates)
            chain<V>({{x.base, x.ld, kNoOffset, 1, x.width}, input_.panels, input_.starts.data(),
                      arena_->at(x_), x_ld_}, block.rows * block.steps);
        begin(block);
        for (Index t = 0; t < block.steps; ++t) step(t, block.rows, out.base + t * out.ld, block.steps * out.ld);
        for (std::size_t k = 0; k < now_.size(); ++k)
            for (Index r = 0; r < block.rows; ++r)
                copy(block.state_row(r) + state_at_[k], arena_->at(now_[k]) + r * ld_, width_of(k));
    }

private:
    struct Stage {
        std::vector<Line<Real>> lines;
        int product = -1;
    };
    // A slot in lines of the block, which moves on with each step.
    struct Moving {
        std::size_t slot;
        std::int32_t value;  // of the program; -1: columns of x; -2: a further input, spread
        Index offset;
    };
    struct Taken {
        std::size_t panel;
        Index offset;
    };

    Index count(Space space) const { return plan_.count[static_cast<int>(space)]; }
    bool projects() const { return node_.integers[field::weight_hr] >= 0; }
    Index width_of(std::size_t k) const { return k == 0 ? first_ : units_; }
    bool keeps(std::int32_t k) const { return !node_.doubles.empty() && node_.doubles[k] != 1; }
    // Whether what `update` makes of state k is not yet the new state.
    bool differs(std::int32_t k) const { return (k == 0 && projects()) || keeps(k); }

    static void copy(Real* to, const Real* from, Index count) {
        std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(Real));
    }

    // --- making ------------------------------------------------------------------------------

    static constexpr std::size_t kElsewhere = std::size_t(-1);

    std::size_t ask_slot(const Slot& slot, Making<V>& making) const {
        switch (slot.space) {
            case Space::r: case Space::q: case Space::v: case Space::w:
                return making.arena.ask(making.most * ld_);
            case Space::p: case Space::f: case Space::start: case Space::number:
                return making.arena.ask(ld_);
            case Space::input:
                return is_spread(slot) ? making.arena.ask(making.most * ld_) : kElsewhere;
            default:
                return kElsewhere;
        }
    }

    bool is_spread(const Slot& input) const { return values_[node_.in[1 + input.index]].width != units_; }

    Index width(std::int32_t slot) const {
        const Slot& s = plan_.slots[slot];
        if (s.narrow) return 1;
        const bool of_first = s.space == Space::s || s.space == Space::final || s.space == Space::start;
        return of_first && s.index == 0 ? first_ : units_;
    }

    Line<Real> line(const Instruction& it) const {
        return {runner<V>(it.op), it.to, it.of[0], it.of[1], it.of[2], width(it.op == Op::mean ? it.of[0] : it.to)};
    }

    void cut(const Section& section, std::vector<Stage>& stages) const {
        stages.resize(1);
        for (const Instruction& it : section) {
            if (it.op == Op::project) {
                stages.back().product = it.to;
                stages.emplace_back();
            } else {
                stages.back().lines.push_back(line(it));
            }
        }
    }

    void place_weights(const Making<V>& making) {
        const auto& at = node_.integers;
        const Index bias_hh = at[field::bias_hh], depth = values_[node_.in[0]].width;
        const auto shift = [&](Index offset, Index i) { return offset < 0 ? Real(0) : making.real(offset, i); };
        // A gate that a product takes in begins with both biases.
        std::vector<Index> taken_by(static_cast<std::size_t>(plan_.gates), -1);
        for (const Product& product : plan_.products)
            for (std::size_t j = 0; j < product.gates.size(); ++j)
                if (product.added[j] >= 0) taken_by[product.added[j]] = product.gates[j];
        if (plan_.gates)
            input_.place(making,
                         [&](Index g, Index c, Index k) { return making.real(at[field::weight_ih], (g * units_ + c) * depth + k); },
                         [&](Index g, Index c) {
                             const Real own = shift(at[field::bias_ih], g * units_ + c);
                             return taken_by[g] < 0 ? own : own + shift(bias_hh, taken_by[g] * units_ + c);
                         });
        taken_.resize(products_.size());
        for (std::size_t k = 0; k < products_.size(); ++k) {
            const Product& product = plan_.products[k];
            products_[k].place(making,
                               [&](Index g, Index c, Index i) {
                                   return making.real(at[field::weight_hh], (product.gates[g] * units_ + c) * first_ + i);
                               },
                               [&](Index g, Index c) { return shift(bias_hh, product.gates[g] * units_ + c); });
            for (std::size_t p = 0; p < products_[k].starts.size(); ++p) {
                const Index column = static_cast<Index>(p) * kPanel<V>, gate = product.added[column / each_];
                if (gate >= 0) taken_[k].push_back({p, gate * each_ + column % each_});
            }
        }
        if (projects())
            projection_.place(making,
                              [&](Index, Index c, Index k) { return making.real(at[field::weight_hr], c * units_ + k); },
                              [](Index, Index) { return Real(0); });
    }

    void place_slot(std::size_t i, const Making<V>& making) {
        const Slot& slot = plan_.slots[i];
        const Index k = slot.index;
        Place<Real>& place = places_[i];
        Real* own = own_[i] == kElsewhere ? nullptr : arena_->at(own_[i]);
        switch (slot.space) {
            case Space::r: case Space::q: case Space::v: case Space::w:
                place = {own, ld_, local_.data()};
                break;
            case Space::p: case Space::f: case Space::start: case Space::number:
                place.base = own;
                if (slot.space == Space::p) making.copy(node_.integers[field::params + k], units_, own);
                if (slot.space == Space::number) std::fill(own, own + ld_, static_cast<Real>(plan_.numbers[k]));
                break;
            case Space::u:
                place = {arena_->at(u_) + k * each_, u_ld_, local_.data()};
                break;
            case Space::x:
                moving_.push_back({i, -1, k * each_});
                break;
            case Space::input:
                moving_.push_back({i, is_spread(slot) ? -2 : static_cast<std::int32_t>(node_.in[1 + k]), 0});
                break;
            case Space::y:
                moving_.push_back({i, static_cast<std::int32_t>(node_.out), offset_of(k)});
                break;
            default:  // s, fresh, final
                turning_.push_back(i);
        }
    }

    Index offset_of(Index output) const {
        Index offset = 0;
        for (Index k = 0; k < output; ++k) offset += plan_.narrow_output[k] ? 1 : units_;
        return offset;
    }

    // --- running -----------------------------------------------------------------------------

    void begin(const Block<Real>& block) {
        for (std::size_t k = 0; k < now_.size(); ++k)
            for (Index r = 0; r < block.rows; ++r)
                copy(arena_->at(now_[k]) + r * ld_, block.state_row(r) + state_at_[k], width_of(k));
        for (std::size_t i = 0; i < moving_.size(); ++i) {
            const Moving& m = moving_[i];
            Real* base = m.value == -1 ? arena_->at(x_) : m.value == -2 ? spread_input(m.slot, block) : values_[m.value].base;
            const Index ld = m.value == -1 ? x_ld_ : m.value == -2 ? ld_ : values_[m.value].ld;
            places_[m.slot].stride = block.steps * ld;
            begins_[i] = base + m.offset;
            steps_[i] = ld;
        }
        x_stride_ = block.steps * x_ld_;
    }

    // One value a row becomes one a unit.
    Real* spread_input(std::size_t slot, const Block<Real>& block) {
        const Lines<Real>& from = values_[node_.in[1 + plan_.slots[slot].index]];
        Real* to = arena_->at(own_[slot]);
        for (Index i = 0; i < block.rows * block.steps; ++i)
            std::fill(to + i * ld_, to + i * ld_ + units_, *from.at(i));
        return to;
    }

    void step(Index t, Index rows, Real* out, Index out_stride) {
        for (std::size_t i = 0; i < moving_.size(); ++i) places_[moving_[i].slot].base = begins_[i] + t * steps_[i];
        for (const std::size_t i : turning_) {
            const Slot& slot = plan_.slots[i];
            const auto& of = slot.space == Space::s ? now_ : slot.space == Space::fresh ? made_ : next_;
            places_[i] = {arena_->at(of[slot.index]), ld_, local_.data()};
        }
        for (const Stage& stage : update_) {
            run_lines(stage.lines, rows);
            if (stage.product >= 0) project(static_cast<std::size_t>(stage.product), t, rows);
        }
        finish(rows);
        for (const Stage& stage : read_) run_lines(stage.lines, rows);
        if (plan_.narrow_output.empty())
            for (Index r = 0; r < rows; ++r) copy(out + r * out_stride, arena_->at(next_[0]) + r * ld_, first_);
        for (std::size_t k = 0; k < now_.size(); ++k) {
            const bool apart = made_[k] != next_[k];
            std::swap(now_[k], next_[k]);
            if (!apart) made_[k] = next_[k];
        }
    }

    void run_lines(const std::vector<Line<Real>>& lines, Index rows) const {
        if (lines.empty()) return;
        // So many rows at once that what a section touches of them stays in L1.
        const Index touched = static_cast<Index>(lines.size() + 8) * units_ * Index{sizeof(Real)};
        const Index block = std::max<Index>(1, 24 * 1024 / touched);
        for (Index first = 0; first < rows; first += block) {
            const Index last = std::min(rows, first + block);
            for (const Line<Real>& line : lines) line.run(line, places_.data(), first, last);
        }
    }

    void project(std::size_t k, Index t, Index rows) {
        Matrix<V>& matrix = products_[k];
        const Real* x = arena_->at(x_) + t * x_ld_;
        for (const Taken& taken : taken_[k]) matrix.starts[taken.panel] = {x + taken.offset, x_stride_};
        const Place<Real>& vector = places_[plan_.products[k].vector];
        chain<V>({{vector.base, vector.stride, kNoOffset, 1, first_}, matrix.panels, matrix.starts.data(),
                  arena_->at(u_) + plan_.products[k].first_u * each_, u_ld_}, rows);
    }

    // Projection V and zoneout.
    void finish(Index rows) {
        if (projects())
            chain<V>({{arena_->at(made_[0]), ld_, kNoOffset, 1, units_}, projection_.panels,
                      projection_.starts.data(), arena_->at(next_[0]), ld_}, rows);
        for (std::int32_t k = 0; k < plan_.states; ++k) {
            if (!keeps(k)) continue;
            const Real *old = arena_->at(now_[k]), *fresh = arena_->at(k == 0 && projects() ? next_[0] : made_[k]);
            Real* to = arena_->at(next_[k]);
            const V share = V::set(static_cast<Real>(node_.doubles[k]));
            for (Index r = 0; r < rows; ++r)
                for (Index i = r * ld_; i < r * ld_ + padded<V>(width_of(k)); i += V::width) {
                    const V before = V::load(old + i);
                    (before + share * (V::load(fresh + i) - before)).store(to + i);
                }
        }
    }

    const Node node_;
    const Plan& plan_;
    const std::vector<Lines<Real>>& values_;
    const Index units_, first_, each_;  // H, P, H in whole panels
    const Index ld_, x_ld_, u_ld_;      // from a row to the next: of states and registers, W x, U v
    Index x_stride_ = 0;
    Matrix<V> input_, projection_;
    std::vector<Matrix<V>> products_;
    std::vector<std::vector<Taken>> taken_;  // by each product: panels that begin with W x
    std::vector<Stage> update_, read_;
    Arena<Real>* arena_ = nullptr;
    std::size_t x_, u_;
    std::vector<std::size_t> now_, next_, made_, own_;
    std::vector<Index> state_at_, local_;
    std::vector<Place<Real>> places_;
    std::vector<Moving> moving_;
    std::vector<Real*> begins_;
    std::vector<Index> steps_;
    std::vector<std::size_t> turning_;
};

}  // namespace elman::ELMAN_SET
