// The operations of a stepper but for cells, each over all lines of a block.
#pragma once

#include <math.h>

#include <algorithm>

#include "kernels/step.hpp"

namespace elman::ELMAN_SET {

// function(i, n): n of V::width values from i on, or fewer at the end.
template <class V, class Function>
ELMAN_INLINE void by_vector(Index width, Function function) {
    Index i = 0;
    for (; i + V::width <= width; i += V::width) function(i, static_cast<int>(V::width));
    if (i < width) function(i, static_cast<int>(width - i));
}

template <class V>
ELMAN_INLINE V load_some(const typename V::Real* from, int n) {
    return n == V::width ? V::load(from) : V::load(from, n);
}

template <class V>
ELMAN_INLINE void store_some(V value, typename V::Real* to, int n) {
    if (n == V::width) value.store(to);
    else value.store(to, n);
}

template <class V>
class Simple : public Operation<V> {
protected:
    using Real = typename V::Real;

    Simple(const Node& node, const Making<V>& making)
        : in_(making.values[node.in[0]]), out_(making.values[node.out]) {}

    Index lines(const Block<Real>& block) const { return block.rows * block.steps * out_.lead; }

    const Lines<Real>&in_, &out_;
};

template <class V>
class StepEmbedding final : public Operation<V> {
    using Real = typename V::Real;

public:
    StepEmbedding(const Node& node, Making<V>& making, const std::vector<const std::int64_t*>& integers)
        : of_(static_cast<std::size_t>(making.image.values[node.in[0]].of)), offset_(node.integers[field::table]),
          rows_(making.image.inputs[of_].limit), integers_(integers), out_(making.values[node.out]),
          table_(making.arena.ask(rows_ * out_.width)) {}

    void place(const Making<V>& making) override {
        data_ = making.arena.at(table_);
        making.copy(offset_, rows_ * out_.width, data_);
    }

    void run(const Block<Real>& block) override {
        const std::int64_t* of = integers_[of_];
        for (Index i = 0; i < block.rows * block.steps * out_.lead; ++i)
            std::memcpy(out_.at(i), data_ + of[i] * out_.width, static_cast<std::size_t>(out_.width) * sizeof(Real));
    }

private:
    std::size_t of_;
    Index offset_, rows_;
    const std::vector<const std::int64_t*>& integers_;
    const Lines<Real>& out_;
    std::size_t table_;
    Real* data_ = nullptr;
};

template <class V>
class StepLinear final : public Simple<V> {
    using Real = typename V::Real;

public:
    StepLinear(const Node& node, Making<V>& making)
        : Simple<V>(node, making), weight_(node.integers[field::linear_weight]), bias_(node.integers[field::linear_bias]),
          matrix_(making, 1, this->out_.width, this->in_.width) {}

    void place(const Making<V>& making) override {
        const Index depth = this->in_.width;
        matrix_.place(making, [&](Index, Index c, Index k) { return making.real(weight_, c * depth + k); },
                      [&](Index, Index c) { return bias_ < 0 ? Real(0) : making.real(bias_, c); });
    }

    void run(const Block<Real>& block) override {
        const Lines<Real>&in = this->in_, &out = this->out_;
        chain<V>({{in.base, in.ld, kNoOffset, 1, in.width}, matrix_.panels, matrix_.starts.data(), out.base, out.ld},
                 this->lines(block));
    }

private:
    Index weight_, bias_;
    Matrix<V> matrix_;
};

// layer_norm, and affine without the norm.
template <class V>
class StepNorm final : public Simple<V> {
    using Real = typename V::Real;

public:
    StepNorm(const Node& node, Making<V>& making)
        : Simple<V>(node, making), weight_(node.integers[field::norm_weight]), bias_(node.integers[field::norm_bias]),
          norms_(node.code == Node::layer_norm), eps_(norms_ ? static_cast<Real>(node.doubles[0]) : Real(0)),
          factor_(making.arena.ask(this->out_.width)), shift_(making.arena.ask(this->out_.width)) {}

    void place(const Making<V>& making) override {
        factors_ = making.arena.at(factor_);
        shifts_ = making.arena.at(shift_);
        if (weight_ >= 0) making.copy(weight_, this->out_.width, factors_);
        if (bias_ >= 0) making.copy(bias_, this->out_.width, shifts_);
    }

    void run(const Block<Real>& block) override {
        for (Index i = 0; i < this->lines(block); ++i) one(this->in_.at(i), this->out_.at(i));
    }

private:
    void one(const Real* from, Real* to) const {
        const Index width = this->out_.width;
        V mean = V::zero(), deviation = V::set(1);
        if (norms_) {
            mean = V::set(average([&](Index i, int n) { return load_some<V>(from + i, n); }));
            // Lanes beyond the end are 0 as loaded, not once the mean has gone.
            const Real square = average([&](Index i, int n) {
                const V off = load_some<V>(from + i, n) - mean;
                store_some(off * off, to + i, n);
                return load_some<V>(to + i, n);
            });
            deviation = sqrt(V::set(square + eps_));
        }
        by_vector<V>(width, [&](Index i, int n) {
            V v = (load_some<V>(from + i, n) - mean) / deviation;
            if (weight_ >= 0) v = v * load_some<V>(factors_ + i, n);
            if (bias_ >= 0) v = v + load_some<V>(shifts_ + i, n);
            store_some(v, to + i, n);
        });
    }

    template <class At>
    ELMAN_INLINE Real average(At at) const {
        V sum = V::zero();
        by_vector<V>(this->out_.width, [&](Index i, int n) { sum = sum + at(i, n); });
        return V::sum(sum) / static_cast<Real>(this->out_.width);
    }

    Index weight_, bias_;
    bool norms_;
    Real eps_;
    std::size_t factor_, shift_;
    Real *factors_ = nullptr, *shifts_ = nullptr;
};

// x / 2 (1 + erf(x / sqrt(2))): the C library's, one value at a time.
template <class V>
void gelu(const Line<typename V::Real>& line, const Place<typename V::Real>* places, Index, Index) {
    using Real = typename V::Real;
    const Real* from = places[line.a].base;
    Real* to = places[line.to].base;
    for (Index i = 0; i < line.units; ++i)
        to[i] = from[i] * static_cast<Real>(0.5 * (1 + ::erf(static_cast<double>(from[i]) * 0.70710678118654752440)));
}

template <class V>
class StepUnary final : public Simple<V> {
    using Real = typename V::Real;

public:
    StepUnary(const Node& node, Making<V>& making)
        : Simple<V>(node, making), line_{node.integers[field::function] == kGelu
                                             ? gelu<V> : runner<V>(static_cast<Op>(node.integers[field::function])),
                                         0, 1, 0, 0, this->out_.width} {}

    void place(const Making<V>&) override {}

    void run(const Block<Real>& block) override {
        for (Index i = 0; i < this->lines(block); ++i) {
            const Place<Real> places[2] = {{this->out_.at(i), 0, kNoRow}, {this->in_.at(i), 0, kNoRow}};
            line_.run(line_, places, 0, 1);
        }
    }

private:
    Line<Real> line_;
};

template <class V>
class StepScale final : public Simple<V> {
    using Real = typename V::Real;

public:
    StepScale(const Node& node, Making<V>& making)
        : Simple<V>(node, making), factor_(static_cast<Real>(node.doubles[0])), shift_(static_cast<Real>(node.doubles[1])) {}

    void place(const Making<V>&) override {}

    void run(const Block<Real>& block) override {
        const V factor = V::set(factor_), shift = V::set(shift_);
        for (Index l = 0; l < this->lines(block); ++l) {
            const Real* from = this->in_.at(l);
            Real* to = this->out_.at(l);
            by_vector<V>(this->out_.width, [&](Index i, int n) { store_some(load_some<V>(from + i, n) * factor + shift, to + i, n); });
        }
    }

private:
    Real factor_, shift_;
};

template <class V>
class StepSoftmax final : public Simple<V> {
    using Real = typename V::Real;

public:
    StepSoftmax(const Node& node, Making<V>& making) : Simple<V>(node, making), log_(node.code == Node::log_softmax) {}

    void place(const Making<V>&) override {}

    void run(const Block<Real>& block) override {
        for (Index i = 0; i < this->lines(block); ++i) one(this->in_.at(i), this->out_.at(i));
    }

private:
    void one(const Real* from, Real* to) const {
        const Index width = this->out_.width;
        const V top = V::set(largest(from, width));
        V sum = V::zero();
        by_vector<V>(width, [&](Index i, int n) {
            store_some(exp(load_some<V>(from + i, n) - top), to + i, n);
            sum = sum + load_some<V>(to + i, n);
        });
        const V total = V::set(V::sum(sum)), logarithm = log(total);
        by_vector<V>(width, [&](Index i, int n) {
            store_some(log_ ? load_some<V>(from + i, n) - top - logarithm : load_some<V>(to + i, n) / total, to + i, n);
        });
    }

    // Exact, so that its order does not matter; NaN where any is.
    static Real largest(const Real* from, Index width) {
        V top = V::set(from[0]);
        Index i = 0;
        for (; i + V::width <= width; i += V::width) top = max(top, V::load(from + i));
        for (; i < width; ++i) top = max(top, V::set(from[i]));
        Real lanes[V::width];
        top.store(lanes);
        Real found = lanes[0];
        for (int k = 1; k < V::width; ++k) found = lanes[k] > found || lanes[k] != lanes[k] ? lanes[k] : found;
        return found;
    }

    bool log_;
};

template <class V>
class StepBinary final : public Operation<V> {
    using Real = typename V::Real;

public:
    StepBinary(const Node& node, Making<V>& making)
        : a_(making.values[node.in[0]]), b_(making.values[node.in[1]]), out_(making.values[node.out]),
          line_{runner<V>(static_cast<Op>(node.integers[field::function])), 0, 1, 2, 0, out_.width},
          spread_{making.arena.ask(out_.width), making.arena.ask(out_.width)} {}

    void place(const Making<V>& making) override {
        for (int k = 0; k < 2; ++k) rows_[k] = making.arena.at(spread_[k]);
    }

    void run(const Block<Real>& block) override {
        for (Index i = 0; i < block.rows * block.steps * out_.lead; ++i) {
            const Place<Real> places[3] = {{out_.at(i), 0, kNoRow}, {operand(a_, i, 0), 0, kNoRow}, {operand(b_, i, 1), 0, kNoRow}};
            line_.run(line_, places, 0, 1);
        }
    }

private:
    Real* operand(const Lines<Real>& of, Index i, int k) const {
        Real* at = of.at(i);
        if (of.width == out_.width) return at;
        std::fill(rows_[k], rows_[k] + out_.width, *at);
        return rows_[k];
    }

    const Lines<Real>&a_, &b_, &out_;
    Line<Real> line_;
    std::size_t spread_[2];
    Real* rows_[2] = {nullptr, nullptr};
};

template <class V>
class StepConcat final : public Operation<V> {
    using Real = typename V::Real;

public:
    StepConcat(const Node& node, Making<V>& making) : out_(making.values[node.out]) {
        for (const Index in : node.in) in_.push_back(&making.values[in]);
    }

    void place(const Making<V>&) override {}

    void run(const Block<Real>& block) override {
        for (Index i = 0; i < block.rows * block.steps * out_.lead; ++i) {
            Real* to = out_.at(i);
            for (const Lines<Real>* in : in_) {
                std::memcpy(to, in->at(i), static_cast<std::size_t>(in->width) * sizeof(Real));
                to += in->width;
            }
        }
    }

private:
    std::vector<const Lines<Real>*> in_;
    const Lines<Real>& out_;
};

// Maximum or mean of all steps so far: a count, then the value.
template <class V>
class StepRunning final : public Simple<V> {
    using Real = typename V::Real;

public:
    StepRunning(const Node& node, Making<V>& making)
        : Simple<V>(node, making), mean_(node.integers[field::is_mean] != 0),
          count_(making.state[node.states[0]]), value_(making.state[node.states[1]]) {}

    void place(const Making<V>&) override {}

    void run(const Block<Real>& block) override {
        for (Index r = 0; r < block.rows; ++r)
            for (Index t = 0; t < block.steps; ++t) {
                const Index line = r * block.steps + t;
                one(block.state_row(r), this->in_.at(line), this->out_.at(line));
            }
    }

private:
    void one(Real* state, const Real* from, Real* to) const {
        const bool first = !(state[count_] > 0);
        state[count_] = state[count_] + 1;
        Real* value = state + value_;
        const V more = V::set(state[count_]);
        by_vector<V>(this->out_.width, [&](Index i, int n) {
            const V x = load_some<V>(from + i, n), old = load_some<V>(value + i, n);
            const V fresh = mean_ ? old + (x - old) / more : first ? x : max(old, x);
            store_some(fresh, value + i, n);
            store_some(fresh, to + i, n);
        });
    }

    bool mean_;
    Index count_, value_;
};

// A causal convolution: the inputs that it needs again stand in front of the new ones.
template <class V>
class StepConv final : public Simple<V> {
    using Real = typename V::Real;

public:
    StepConv(const Node& node, Making<V>& making)
        : Simple<V>(node, making), weight_(node.integers[field::conv_weight]), bias_(node.integers[field::conv_bias]),
          held_((node.integers[field::taps] - 1) * node.integers[field::dilation] * this->in_.width),
          state_(making.state[node.states[0]]),
          matrix_(making, 1, this->out_.width, node.integers[field::taps] * this->in_.width) {
        const Index width = this->in_.width, row = held_ + width;
        for (Index k = 0; k < node.integers[field::taps]; ++k)
            offsets_.push_back(k * node.integers[field::dilation] * width);
        together_ = std::max<Index>(1, std::min<Index>(making.most, (Index{1} << 16) / row));
        buffer_ = making.arena.ask(std::max(held_ + making.most * width, together_ * row));
    }

    void place(const Making<V>& making) override {
        const Index depth = static_cast<Index>(offsets_.size()) * this->in_.width;
        inputs_ = making.arena.at(buffer_);
        matrix_.place(making, [&](Index, Index c, Index k) { return making.real(weight_, c * depth + k); },
                      [&](Index, Index c) { return bias_ < 0 ? Real(0) : making.real(bias_, c); });
    }

    // One row with all its steps, or one step of several rows.
    void run(const Block<Real>& block) override {
        const Index rows = block.steps == 1 ? together_ : 1, width = this->in_.width;
        const Index stride = held_ + block.steps * width;
        for (Index first = 0; first < block.rows; first += rows) {
            const Index last = std::min(block.rows, first + rows);
            for (Index r = first; r < last; ++r) fill(block, r, inputs_ + (r - first) * stride);
            const Lines<Real>& out = this->out_;
            chain<V>({{inputs_, block.steps == 1 ? stride : width, offsets_.data(), static_cast<Index>(offsets_.size()), width},
                      matrix_.panels, matrix_.starts.data(), out.base + first * block.steps * out.ld, out.ld},
                     (last - first) * block.steps);
        }
    }

private:
    void fill(const Block<Real>& block, Index r, Real* row) const {
        const Index width = this->in_.width;
        Real* state = block.state_row(r) + state_;
        std::memcpy(row, state, static_cast<std::size_t>(held_) * sizeof(Real));
        for (Index t = 0; t < block.steps; ++t)
            std::memcpy(row + held_ + t * width, this->in_.at(r * block.steps + t), static_cast<std::size_t>(width) * sizeof(Real));
        std::memcpy(state, row + block.steps * width, static_cast<std::size_t>(held_) * sizeof(Real));
    }

    Index weight_, bias_, held_, state_, together_ = 1;
    std::vector<Index> offsets_;
    Matrix<V> matrix_;
    std::size_t buffer_ = 0;
    Real* inputs_ = nullptr;
};

}  // namespace elman::ELMAN_SET
