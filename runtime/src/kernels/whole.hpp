// What a call adds that takes raw inputs: their projection before the steps, and after those going
// backwards the gradients that are products of whole matrices.
#pragma once

#include "kernels/ahead.hpp"
#include "kernels/buffer.hpp"
#include "kernels/matrices.hpp"

namespace elman::ELMAN_SET {

// Rows of an array of all steps: `count` of them, `step` apart from row `first` on.
struct Span {
    Index first, step, count;
};

// All there are: in one span, or of each sequence those within its length.
template <class Real>
std::vector<Span> spans_of(const Call<Real>& call) {
    if (!call.lengths) return {{0, 1, call.steps * call.rows}};
    const Index row = call.batch_first ? call.steps : 1, step = call.batch_first ? 1 : call.rows;
    std::vector<Span> found;
    for (Index r = 0; r < call.rows; ++r)
        if (call.lengths[r]) found.push_back({r * row, step, call.lengths[r]});
    return found;
}

// A call whose x is given, or W to make it of raw inputs.
template <class V>
class Projected {
public:
    using Real = typename V::Real;

    explicit Projected(const Call<Real>& given) : call(given) {}

    // With x of all steps, if it is not left to those who run them; `alone`: one thread does. False where
    // memory runs out.
    bool prepare(const Plan& plan, bool left, bool alone) {
        if (call.x) return true;
        const Index columns = plan.gates * call.units, rows = call.steps * call.rows;
        const bool in_v = call.v && plan.x_in_v;
        // Of few rows a panel of W is packed when it is multiplied: it is used but once.
        const bool few = rows <= DenseBlock<V>::kMost && !call.lengths;
        const auto packed = arena_.ask(few ? 0 : padded<V>(columns) * call.width), x = arena_.ask(in_v || left ? 0 : rows * columns);
        if (!arena_.allocate()) return false;
        weight = few ? columns_in_place<V>(call.weight_ih, call.width) : as_packed<V>(arena_.at(packed), call.width);
        if (!few) by_panels<V>(columns, call.width, call.threads, [&](Index c) {
            pack_rows<V>(call.weight_ih + c * call.width, call.width, std::min(kPanel<V>, columns - c), call.width,
                         arena_.at(packed) + c * call.width);
        });
        if (left) return true;
        Real* const out = in_v ? call.v : arena_.at(x);
        call.x = out;
        const Index apart = width_of_x(plan, call);
        std::vector<Dense<Real>> all;
        for (const auto& [first, step, count] : spans_of(call)) {
            const Factors<Real> term{{call.raw + first * call.width, step * call.width, 1}, weight, call.width};
            all.push_back({{term}, count, columns, out + first * apart, step * apart, call.bias_ih});
        }
        // In the order of steps only where rows of a step follow each other.
        const bool follow = !call.lengths && (!call.batch_first || call.rows == 1);
        if (alone && follow && call.threads > 1 && all[0].multiplications() >= kLeastAhead)
            ahead = std::make_unique<Ahead<V>>(std::move(all[0]), call.steps, call.reverse);
        else dense<V>(all, call.threads);
        return true;
    }

    Call<Real> call;
    Paneled<Real> weight{};            // W, where x was not given
    std::unique_ptr<Ahead<V>> ahead;   // what is still to make x, or null

private:
    // Multiplications for which another thread is called.
    static constexpr Index kLeastAhead = Index{1} << 20;

    Arena<Real> arena_;
};

// The gradients of raw inputs, weights and biases from those of every step's projections.
template <class V>
class WholeGradients {
public:
    using Real = typename V::Real;

    // `steps` found the gradients of the projections, their sums, and maybe the states before steps.
    WholeGradients(const Plan& plan, const BackwardCall<Real>& back, const BackwardCall<Real>& steps)
        : plan_(plan), back_(back), call_(*back.forward), d_(steps.dx), sums_(steps.dsums), before_(steps.before),
          rows_(call_.steps * call_.rows), apart_(steps.apart), spans_(spans_of(call_)) {}

    void run() {
        const Index gates = plan_.gates * call_.units;
        if (back_.draw) of_raw(gates);
        if (back_.dweight_ih) {
            all_.push_back({{}, gates, call_.width, back_.dweight_ih, call_.width, nullptr});
            add_outer(all_.back().terms, 0, call_.raw, call_.width);
        }
        if (back_.dbias_ih) std::copy_n(sums_, gates, back_.dbias_ih);
        if (back_.dbias_hh) std::fill_n(back_.dbias_hh, plan_.recurrent * call_.units, Real(0));
        for (Index gate = 0; gate < plan_.recurrent; ++gate) of_recurrent(gate);
        dense<V>(all_, call_.threads);
    }

private:
    // Beyond a length it is zero.
    void of_raw(Index gates) {
        const Index width = call_.width;
        const auto weight = rows_in_place<V>(call_.weight_ih, width);
        if (call_.lengths) std::fill_n(back_.draw, rows_ * width, Real(0));
        for (const auto& [first, step, count] : spans_) {
            const Factors<Real> term{{d_ + first * apart_, step * apart_, 1}, weight, gates};
            all_.push_back({{term}, count, width, back_.draw + first * width, step * width, nullptr});
        }
    }

    // Each product that has a gate, and the first column of the gradients it finds of it.
    using Parts = std::vector<std::pair<const Product*, Index>>;

    // Of the block of U and b_hh that belongs to one gate: a part from each product that has it.
    void of_recurrent(Index gate) {
        const Index units = call_.units, first = call_.first;
        Parts parts;
        for (const Product& product : plan_.products)
            for (std::size_t j = 0; j < product.gates.size(); ++j) {
                if (product.gates[j] != gate) continue;
                const Index column = plan_.slots[product.d[j]].index * units;
                parts.emplace_back(&product, column);
                for (Index i = 0; back_.dbias_hh && i < units; ++i)
                    back_.dbias_hh[gate * units + i] += sums_[column + i];
            }
        if (back_.dweight_hh && follows(parts)) {
            all_.back().rows += units;
        } else if (back_.dweight_hh) {
            all_.push_back({{}, units, first, back_.dweight_hh + gate * units * first, first, nullptr});
            for (const auto& [product, column] : parts)
                add_outer(all_.back().terms, column, plan_.slots[product->vector]);
        }
        last_ = std::move(parts);
    }

    // Whether these are the next columns of the one product that has the gate before too.
    bool follows(const Parts& parts) const {
        return parts.size() == 1 && last_.size() == 1 && parts[0].first == last_[0].first &&
               parts[0].second == last_[0].second + call_.units;
    }

    // Sum over rows and steps of gradient times what U multiplied.
    void add_outer(std::vector<Factors<Real>>& terms, Index column, const Slot& vector) const {
        if (vector.space == Space::v) {
            const Index stride = plan_.count[static_cast<int>(Space::v)] * call_.units;
            return add_outer(terms, column, call_.v + vector.index * call_.units, stride);
        }
        const auto k = static_cast<std::size_t>(vector.index);
        const Index width = k == 0 ? call_.first : call_.units, batch = call_.rows, later = rows_ - batch;
        if (before_[k]) return add_outer(terms, column, before_[k], width);
        // The state before a step is the one after the step before, but for the first.
        const Index first = call_.reverse ? later : 0, others = call_.reverse ? 0 : batch;
        const Real* states = call_.states[k] + (call_.reverse ? batch * width : 0);
        terms.push_back({turned(column, first), rows_in_place<V>(call_.state[k], width), batch});
        if (later) terms.push_back({turned(column, others), rows_in_place<V>(states, width), later});
    }

    // The same times an array of all steps, `stride` from a row to the next.
    void add_outer(std::vector<Factors<Real>>& terms, Index column, const Real* all, Index stride) const {
        for (const auto& [first, step, count] : spans_)
            terms.push_back({turned(column, first, step), rows_in_place<V>(all + first * stride, step * stride), count});
    }

    // Gradients from a column and a row on, every so many rows, transposed.
    Strided<Real> turned(Index column, Index row, Index step = 1) const {
        return {d_ + row * apart_ + column, 1, step * apart_};
    }

    const Plan& plan_;
    const BackwardCall<Real>& back_;
    const Call<Real>& call_;
    const Real *d_, *sums_;
    const std::vector<Real*>& before_;
    Index rows_, apart_;  // apart: from a row of gradients to the next
    std::vector<Span> spans_;
    std::vector<Dense<Real>> all_;
    Parts last_;  // of the gate before
};

}  // namespace elman::ELMAN_SET
