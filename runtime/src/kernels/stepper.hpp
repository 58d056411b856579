// A step program made ready to run: its operations over blocks of rows and steps.
//
// Included once for each instruction set, which defines ELMAN_SET.
#pragma once

#include <algorithm>
#include <memory>
#include <new>

#include "kernels/denormals.hpp"
#include "kernels/shared.hpp"
#include "kernels/step_cell.hpp"
#include "kernels/step_ops.hpp"
#include "program/stepper.hpp"

namespace elman::ELMAN_SET {

template <class V>
class ProgramStepper final : public Stepper {
    using Real = typename V::Real;

public:
    // Null where memory runs out, or an image asks for much more than it holds.
    static Stepper* make(const Image& image) {
        std::unique_ptr<ProgramStepper> stepper(new (std::nothrow) ProgramStepper);
        return stepper && stepper->prepare(image) ? stepper.release() : nullptr;
    }

    Stepped check(const StepCall& call) const override {
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const Index bad = refused(call, i);
            if (bad >= 0) return {static_cast<int>(i), bad};
        }
        return {-1, 0};
    }

    void feed(const StepCall& call) override {
        const FlushDenormals flush;
        if (call.rows == 0 || call.steps == 0) return;
        // Several rows at once where there are, so that they share the weights; blocks as even as can be.
        const Index rows = std::max(std::min<Index>(call.rows, std::min<Index>(most_, 2 * kRows<V>)),
                                    std::min(call.rows, most_ / std::min(call.steps, most_)));
        const Index blocks = (call.rows + rows - 1) / rows;
        for (Index i = 0; i < blocks; ++i) {
            const Index first = call.rows * i / blocks, last = call.rows * (i + 1) / blocks;
            Block<Real> block{last - first, 0, static_cast<Real*>(call.state), state_size, call.row_of, first};
            const Index steps = std::max<Index>(1, most_ / block.rows);
            for (Index t = 0; t < call.steps; t += steps) {
                block.steps = std::min(steps, call.steps - t);
                run_block(call, block, t);
            }
        }
    }

private:
    struct Input {
        std::size_t value, of;
        std::size_t copy;
    };
    struct Part {
        std::size_t value, of;
        Index offset;
    };

    // --- making ------------------------------------------------------------------------------

    bool prepare(const Image& image) {
        state_size = image.state_size();
        values_.resize(image.values.size());
        Making<V> making{image, arena_, values_, most_for(image), {}};
        most_ = making.most;
        Index at = 0;
        for (const Carried& state : image.states) {
            making.state.push_back(at);
            at += state.size;
        }
        integers_.resize(image.inputs.size());
        integer_copies_.resize(image.inputs.size());
        const std::size_t limit = (std::size_t{1} << 29) + 8 * static_cast<std::size_t>(image.real_count) * sizeof(Real);
        for (std::size_t i = 0; i < values_.size(); ++i) ask_value(making, i);
        for (const Node& node : image.nodes) {
            operations_.push_back(operation(node, making));
            if (!operations_.back() || arena_.bytes() > limit) return false;
        }
        if (arena_.bytes() > limit || !arena_.allocate()) return false;
        std::memset(arena_.at(first_), 0, arena_.bytes());
        for (std::size_t i = 0; i < values_.size(); ++i) place_value(making, i);
        for (auto& one : operations_) one->place(making);
        for (const Index output : image.outputs) outputs_.push_back(&values_[static_cast<std::size_t>(output)]);
        return true;
    }

    // So many lines that what the operations hand on stays in L2.
    static Index most_for(const Image& image) {
        Index line = 1;
        for (const Value& value : image.values)
            if (value.kind == Value::made) line += value.lead * padded<V>(value.width);
        for (const Node& node : image.nodes)
            if (node.code == Node::cell)
                line += 2 * padded<V>(node.integers[field::units]) * (node.plan.gates + 1);
        const Index held = 384 * 1024 / Index{sizeof(Real)} / line;
        const Index least = line < (Index{1} << 18) ? 24 : 1;
        return std::min<Index>(256, std::max(least, held));
    }

    void ask_value(Making<V>& making, std::size_t i) {
        const Value& value = making.image.values[i];
        Lines<Real>& lines = values_[i];
        lines = {nullptr, value.width, value.lead, value.width, is_fixed(making.image, static_cast<Index>(i))};
        if (i == 0) first_ = arena_.ask(1);
        asked_.push_back(0);
        const Index size = value.lead * value.width;
        if (value.kind == Value::made) {
            lines.ld = padded<V>(value.width);
            asked_[i] = arena_.ask(making.most * value.lead * lines.ld);
        } else if (value.kind == Value::fixed) {
            asked_[i] = arena_.ask(size);
            if (value.lead == 1) lines.ld = 0;
        } else if (value.kind == Value::input) {
            asked_[i] = arena_.ask(making.most * size);
            inputs_at_.push_back({i, static_cast<std::size_t>(value.of), asked_[i]});
        } else if (value.kind == Value::integer) {
            integer_copies_[static_cast<std::size_t>(value.of)].resize(static_cast<std::size_t>(making.most * size));
        } else {
            parts_.push_back({i, static_cast<std::size_t>(value.of), value.offset});
            lines.ld = values_[static_cast<std::size_t>(value.of)].ld;
        }
    }

    void place_value(const Making<V>& making, std::size_t i) {
        const Value& value = making.image.values[i];
        Lines<Real>& lines = values_[i];
        if (value.kind == Value::made || value.kind == Value::fixed) lines.base = arena_.at(asked_[i]);
        if (value.kind == Value::fixed) making.copy(value.of, value.lead * value.width, lines.base);
        if (value.kind == Value::part) lines.base = values_[static_cast<std::size_t>(value.of)].base + value.offset;
    }

    std::unique_ptr<Operation<V>> operation(const Node& node, Making<V>& making) {
        switch (node.code) {
            case Node::embedding:
                return std::unique_ptr<Operation<V>>(new (std::nothrow) StepEmbedding<V>(node, making, integers_));
            case Node::linear: return made<StepLinear<V>>(node, making);
            case Node::cell: return made<StepCell<V>>(node, making);
            case Node::layer_norm: case Node::affine: return made<StepNorm<V>>(node, making);
            case Node::unary: return made<StepUnary<V>>(node, making);
            case Node::softmax: case Node::log_softmax: return made<StepSoftmax<V>>(node, making);
            case Node::binary: return made<StepBinary<V>>(node, making);
            case Node::scale: return made<StepScale<V>>(node, making);
            case Node::concat: return made<StepConcat<V>>(node, making);
            case Node::running: return made<StepRunning<V>>(node, making);
            case Node::conv: return made<StepConv<V>>(node, making);
            default: return nullptr;
        }
    }

    template <class One>
    static std::unique_ptr<Operation<V>> made(const Node& node, Making<V>& making) {
        return std::unique_ptr<Operation<V>>(new (std::nothrow) One(node, making));
    }

    // --- running -----------------------------------------------------------------------------

    // Where the first number stands that may not come in, or -1.
    Index refused(const StepCall& call, std::size_t i) const {
        const Index count = call.rows * call.steps * inputs[i].size;
        if (inputs[i].integer) {
            const auto* of = static_cast<const std::int64_t*>(call.inputs[i]);
            for (Index k = 0; k < count; ++k)
                if (of[k] < 0 || of[k] >= inputs[i].limit) return k;
            return -1;
        }
        return call.finite ? first_bad(static_cast<const Real*>(call.inputs[i]), count) : -1;
    }

    static Index first_bad(const Real* of, Index count) {
        V sum = V::zero();  // of zeros, unless something is not finite
        by_vector<V>(count, [&](Index i, int n) {
            const V x = load_some<V>(of + i, n);
            sum = sum + (x - x);
        });
        if (!any(ne(sum, sum))) return -1;
        for (Index k = 0; k < count; ++k)
            if (of[k] - of[k] != 0) return k;
        return -1;
    }

    void run_block(const StepCall& call, const Block<Real>& block, Index t) {
        // Lines of a row follow one another, but those of the next row only if no step is left out.
        const bool dense = block.steps == call.steps || block.rows == 1;
        const Index from = block.first_row * call.steps + t;
        for (const Input& input : inputs_at_) {
            const Index size = inputs[input.of].size;
            const Real* given = static_cast<const Real*>(call.inputs[input.of]) + from * size;
            // Nothing writes to an input: no operation makes its value.
            if (dense) values_[input.value].base = const_cast<Real*>(given);
            else values_[input.value].base = gathered(given, arena_.at(input.copy), block, call.steps, size);
        }
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (!inputs[i].integer) continue;
            const auto* given = static_cast<const std::int64_t*>(call.inputs[i]) + from * inputs[i].size;
            integers_[i] = dense ? given : gathered(given, integer_copies_[i].data(), block, call.steps, inputs[i].size);
        }
        for (const Part& part : parts_) values_[part.value].base = values_[part.of].base + part.offset;
        for (const auto& one : operations_) one->run(block);
        for (std::size_t k = 0; k < outputs_.size(); ++k) put_out(call, block, t, k);
    }

    template <class Number>
    static Number* gathered(const Number* from, Number* to, const Block<Real>& block, Index steps, Index size) {
        const auto bytes = static_cast<std::size_t>(block.steps * size) * sizeof(Number);
        for (Index r = 0; r < block.rows; ++r)
            std::memcpy(to + r * block.steps * size, from + r * steps * size, bytes);
        return to;
    }

    void put_out(const StepCall& call, const Block<Real>& block, Index t, std::size_t k) const {
        const Lines<Real>& lines = *outputs_[k];
        const auto bytes = static_cast<std::size_t>(lines.width) * sizeof(Real);
        const Index each = block.steps * lines.lead;
        for (Index r = 0; r < block.rows; ++r) {
            Real* to = static_cast<Real*>(call.outputs[k]) + ((block.first_row + r) * call.steps + t) * lines.lead * lines.width;
            for (Index i = 0; i < each; ++i) std::memcpy(to + i * lines.width, lines.at(r * each + i), bytes);
        }
    }

    Arena<Real> arena_;
    Index most_ = 1;
    std::size_t first_ = 0;
    std::vector<std::size_t> asked_;
    std::vector<Lines<Real>> values_;
    std::vector<Input> inputs_at_;
    std::vector<Part> parts_;
    std::vector<const std::int64_t*> integers_;
    std::vector<std::vector<std::int64_t>> integer_copies_;
    std::vector<const Lines<Real>*> outputs_;
    std::vector<std::unique_ptr<Operation<V>>> operations_;
};

template <class Less, class More>
Stepper* make_either(const Image& image) {
    return image.real_size == 4 ? ProgramStepper<Less>::make(image) : ProgramStepper<More>::make(image);
}

}  // namespace elman::ELMAN_SET
