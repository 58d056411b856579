// The meaning of a plan, one row and one value at a time in long double: what engines are held to.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "call_case.hpp"

namespace elman_test {

using Wide = long double;
using Row = std::vector<Wide>;
using Rows = std::vector<Row>;
using elman::Instruction;
using elman::Op;
using elman::Product;
using elman::Section;
using elman::Slot;

inline Wide computed(Op op, Wide a, Wide b, Wide c) {
    switch (op) {
        case Op::copy: case Op::spread: return a;
        case Op::neg: return -a;
        case Op::add: return a + b;
        case Op::sub: return a - b;
        case Op::mul: return a * b;
        case Op::div: return a / b;
        case Op::maximum: return std::max(a, b);
        case Op::minimum: return std::min(a, b);
        case Op::gt: return a > b;
        case Op::ge: return a >= b;
        case Op::lt: return a < b;
        case Op::le: return a <= b;
        case Op::where: return a != 0 ? b : c;
        case Op::abs: return std::fabs(a);
        case Op::relu: return a > 0 ? a : 0;
        case Op::sqrt: return std::sqrt(a);
        case Op::exp: return std::exp(a);
        case Op::expm1: return std::expm1(a);
        case Op::log: return std::log(a);
        case Op::sin: return std::sin(a);
        case Op::cos: return std::cos(a);
        case Op::tanh: return std::tanh(a);
        case Op::sigmoid: return 1 / (1 + std::exp(-a));
        case Op::softplus: return a > 20 ? a : std::log1p(std::exp(a));
        case Op::dsigmoid: return a * (1 - b) * b;
        case Op::dtanh: return a * (1 - b * b);
        default: return std::nanl("");
    }
}

class Naive {
public:
    using Results = std::map<std::string, Row>;

    explicit Naive(const Case& c) : c_(c), plan_(*c.plan), fixed_(plan_.slots.size()), written_(c.written()) {
        for (const auto& [name, shape] : written_) out_[name].assign(static_cast<std::size_t>(shape.count()), 0);
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::number) value = {plan_.numbers[static_cast<std::size_t>(slot.index)]};
            if (slot.space == Space::p) value = given("param", slot.index, 0, 0);
            if (slot.space == Space::start || slot.space == Space::dstart) value.assign(size(c_.units), 0);
        }, fixed_);
        run(plan_.prologue, fixed_);
        run(plan_.back_prologue, fixed_);
        sums_.assign(size(c_.count(Space::g)), Row(size(c_.units), 0));
        for (row_ = 0; row_ < c_.rows; ++row_) all_steps();
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::g) value = sums_[size(slot.index)];
        }, fixed_);
        run(plan_.back_epilogue, fixed_);
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::dp) out_[name_of("dparam", slot.index)] = value;
        }, fixed_);
    }

    const Results& results() const { return out_; }

private:
    static std::size_t size(Index n) { return static_cast<std::size_t>(n); }

    template <class Function>
    void each_slot(Function function, Rows& values) {
        for (std::size_t i = 0; i < plan_.slots.size(); ++i) function(plan_.slots[i], values[i]);
    }

    Row given(const char* name, Index k, Index t, Index row) const {
        const std::string whole = k < 0 ? name : name_of(name, k);
        const Shape& shape = c_.shapes.at(whole);
        const auto from = c_.given.at(whole).begin() + (t * shape.rows + row) * shape.width;
        return Row(from, from + shape.width);
    }

    bool has(const char* name, Index k) const { return c_.has(name_of(name, k)); }

    void put(const std::string& name, Index t, const Row& value, Index at = 0) {
        const Shape& shape = written_.at(name);
        std::copy(value.begin(), value.end(), out_[name].begin() + (t * c_.rows + row_) * shape.width + at);
    }

    // --- sections ----------------------------------------------------------------------------

    void run(const Section& section, Rows& values) {
        for (const Instruction& line : section) {
            if (line.op == Op::project) project(plan_.products[size(line.to)], values);
            else if (line.op == Op::unproject) unproject(plan_.products[size(line.to)], values);
            else compute(line, values);
        }
    }

    void compute(const Instruction& line, Rows& values) {
        const int count = elman::arity(line.op);
        if (line.op == Op::mean) {
            const Row& a = values[size(line.of[0])];
            Wide sum = 0;
            for (const Wide each : a) sum += each;
            values[size(line.to)] = {sum / static_cast<Wide>(a.size())};
            return;
        }
        std::size_t width = plan_.slots[size(line.to)].narrow ? 1 : size(c_.units);
        for (int i = 0; i < count; ++i) {
            const Slot& slot = plan_.slots[size(line.of[i])];
            if (!slot.narrow && slot.space != Space::number) width = values[size(line.of[i])].size();
        }
        Row found(width);
        for (std::size_t i = 0; i < width; ++i) {
            Wide operand[3] = {0, 0, 0};
            for (int k = 0; k < count; ++k) {
                const Row& from = values[size(line.of[k])];
                operand[k] = from.at(std::min(i, from.size() - 1));
            }
            found[i] = computed(line.op, operand[0], operand[1], operand[2]);
        }
        values[size(line.to)] = std::move(found);
    }

    bool is_masked(const Product& product) const {
        const Slot& slot = plan_.slots[size(product.vector)];
        return c_.has("mask") && slot.space == Space::s && slot.index == 0;
    }

    Row masked(Row vector) const {
        const Row mask = given("mask", -1, 0, row_);
        for (std::size_t i = 0; i < vector.size(); ++i) vector[i] *= mask[i];
        return vector;
    }

    void project(const Product& product, Rows& values) {
        Row vector = values[size(product.vector)];
        if (is_masked(product)) vector = masked(vector);
        for (std::size_t j = 0; j < product.gates.size(); ++j) {
            Row out(size(c_.units));
            for (Index i = 0; i < c_.units; ++i) {
                const Index at = product.gates[j] * c_.units + i;
                const Row weights = given("weight_hh", -1, 0, at);
                Wide sum = c_.has("bias_hh") ? c_.given.at("bias_hh")[size(at)] : 0;
                for (std::size_t k = 0; k < vector.size(); ++k) sum += vector[k] * weights[k];
                if (product.added[j] >= 0) sum += given("x", -1, t_, row_)[size(product.added[j] * c_.units + i)];
                out[size(i)] = sum;
            }
            for (std::size_t s = 0; s < plan_.slots.size(); ++s)
                if (plan_.slots[s].space == Space::u && plan_.slots[s].index == product.first_u + static_cast<int>(j))
                    values[s] = out;
        }
    }

    void unproject(const Product& product, Rows& values) {
        Row total(values[size(product.vector)].size(), 0);
        for (std::size_t j = 0; j < product.gates.size(); ++j)
            for (Index i = 0; i < c_.units; ++i) {
                const Row weights = given("weight_hh", -1, 0, product.gates[j] * c_.units + i);
                const Wide d = values[size(product.d[j])][size(i)];
                for (std::size_t k = 0; k < total.size(); ++k) total[k] += weights[k] * d;
            }
        values[size(product.t)] = is_masked(product) ? masked(total) : total;
    }

    // --- steps -------------------------------------------------------------------------------

    void all_steps() {
        const Index length = c_.length(row_);
        Rows state;
        for (Index k = 0; k < plan_.states; ++k) state.push_back(given("state", k, 0, row_));
        steps_.assign(size(c_.steps), fixed_);
        for (Index n = 0; n < length; ++n) forward(c_.options.reverse ? length - 1 - n : n, state);
        for (Index k = 0; k < plan_.states; ++k) put(name_of("final", k), 0, state[size(k)]);
        Rows carry;
        for (Index k = 0; k < plan_.states; ++k)
            carry.push_back(has("dfinal", k) ? given("dfinal", k, 0, row_) : Row(size(c_.width_of_state(k)), 0));
        dstart_ = Rows(size(plan_.states));
        for (Index k = 0; k < plan_.states; ++k) dstart_[size(k)].assign(size(c_.width_of_state(k)), 0);
        for (Index n = 0; n < length; ++n) backward(c_.options.reverse ? n : length - 1 - n, carry);
        for (Index k = 0; k < plan_.states; ++k) {
            put(name_of("dstate", k), 0, carry[size(k)]);
            if (c_.options.reset) put(name_of("dstart", k), 0, dstart_[size(k)]);
        }
    }

    bool starts_anew(Index t) const {
        const Index boundary = c_.options.reverse ? t + 1 : t;
        return c_.options.reset && boundary < c_.length(row_) && c_.reset[size(boundary * c_.rows + row_)];
    }

    Row share(Index k, Index t) const {
        if (c_.keeps_each(k)) return given("keep", k, t, row_);
        return Row(size(c_.width_of_state(k)), c_.options.zoneout ? c_.share[size(k)] : 1);
    }

    void forward(Index t, Rows& state) {
        t_ = t;
        Rows& values = steps_[size(t)];
        for (Index k = 0; k < plan_.states && starts_anew(t); ++k) state[size(k)] = given("start", k, 0, row_);
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::s) value = state[size(slot.index)];
            if (slot.space == Space::x) {
                const Row all = given("x", -1, t, row_);
                value.assign(all.begin() + slot.index * c_.units, all.begin() + (slot.index + 1) * c_.units);
            }
            if (slot.space == Space::input) {
                value = given("input", slot.index, t, row_);
                if (c_.options.narrow) value.assign(size(c_.units), value[0]);
            }
        }, values);
        run(plan_.update, values);
        each_slot([&](const Slot& slot, Row& fresh) {
            if (slot.space == Space::fresh) renew(slot.index, t, fresh, state[size(slot.index)]);
        }, values);
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::final) value = state[size(slot.index)];
        }, values);
        run(plan_.read, values);
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::v || slot.space == Space::w)
                put(slot.space == Space::v ? "v" : "w", t, value, slot.index * (slot.space == Space::v ? c_.units : 1));
            if (slot.space == Space::y) put("y", t, value, output_at(slot.index));
        }, values);
    }

    // Projection V and zoneout: `state` is the old one, then the new one.
    void renew(Index k, Index t, const Row& fresh, Row& state) {
        put(name_of("before", k), t, k == 0 && c_.has("mask") ? masked(state) : state);
        put(name_of("fresh", k), t, fresh);
        Row made = fresh;
        if (k == 0 && c_.has("weight_hr")) {
            made.assign(size(c_.first), 0);
            for (Index p = 0; p < c_.first; ++p)
                for (Index i = 0; i < c_.units; ++i) made[size(p)] += given("weight_hr", -1, 0, p)[size(i)] * fresh[size(i)];
        }
        const Row part = share(k, t);
        for (std::size_t i = 0; i < state.size(); ++i) state[i] += part[i] * (made[i] - state[i]);
        put(name_of("states", k), t, state);
    }

    Index output_at(Index k) const {
        Index at = 0;
        for (Index i = 0; i < k; ++i) at += plan_.narrow_output[size(i)] ? 1 : c_.units;
        return at;
    }

    void backward(Index t, Rows& carry) {
        t_ = t;
        Rows& values = steps_[size(t)];
        const Row dy = c_.has("dy") ? given("dy", -1, t, row_) : Row(size(c_.outputs()), 0);
        const bool reads = !plan_.narrow_output.empty();
        for (Index k = 0; k < plan_.states; ++k) {
            if (has("dstates", k)) add(carry[size(k)], given("dstates", k, t, row_));
            if (k == 0 && !reads) add(carry[0], dy);
        }
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space != Space::dy) return;
            const auto from = dy.begin() + output_at(slot.index);
            if (slot.narrow) value = {*from / static_cast<Wide>(c_.units)};
            else value.assign(from, from + c_.units);
        }, values);
        run(plan_.back_read, values);
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::dfinal && reads) add(carry[size(slot.index)], value);
        }, values);
        for (Row& d : carry) clip(d);
        Rows past;
        for (Index k = 0; k < plan_.states; ++k) past.push_back(undo(k, t, carry[size(k)], values));
        run(plan_.back_update, values);
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::dx) put("dx", t, value, slot.index * c_.units);
            if (slot.space == Space::dinput) put(name_of("dinput", slot.index), t, value);
            if (slot.space == Space::g) add(sums_[size(slot.index)], value);
            if (slot.space == Space::ds) {
                carry[size(slot.index)] = past[size(slot.index)];
                add(carry[size(slot.index)], value);
            }
        }, values);
        for (Index k = 0; k < plan_.states && starts_anew(t); ++k) {
            add(dstart_[size(k)], carry[size(k)]);
            std::fill(carry[size(k)].begin(), carry[size(k)].end(), 0);
        }
    }

    // The gradient of one state, made no longer than asked.
    void clip(Row& d) const {
        Wide squares = 0;
        for (const Wide each : d) squares += each * each;
        const Wide norm = std::sqrt(squares), most = static_cast<Wide>(c_.clip);
        for (std::size_t i = 0; most > 0 && norm > most && i < d.size(); ++i) d[i] *= most / norm;
    }

    // Sets `dnew`; what zoneout lets pass is returned.
    Row undo(Index k, Index t, const Row& d, Rows& values) {
        put(name_of("dh", k), t, d);
        const Row part = share(k, t);
        Row fresh = d, past = d;
        for (std::size_t i = 0; i < d.size(); ++i) {
            fresh[i] = part[i] * d[i];
            past[i] = (1 - part[i]) * d[i];
        }
        if (k == 0 && c_.has("weight_hr")) {
            put("dprojected", t, fresh);
            Row wide(size(c_.units), 0);
            for (Index p = 0; p < c_.first; ++p)
                for (Index i = 0; i < c_.units; ++i) wide[size(i)] += given("weight_hr", -1, 0, p)[size(i)] * fresh[size(p)];
            fresh = wide;
        }
        each_slot([&](const Slot& slot, Row& value) {
            if (slot.space == Space::dnew && slot.index == k) value = fresh;
        }, values);
        return past;
    }

    static void add(Row& to, const Row& from) {
        for (std::size_t i = 0; i < to.size(); ++i) to[i] += from.at(i);
    }

    const Case& c_;
    const Plan& plan_;
    Rows fixed_, sums_, dstart_;
    const Shapes written_;
    std::vector<Rows> steps_;  // values of every slot after each step of the row at hand
    Results out_;
    Index row_ = 0, t_ = 0;
};

}  // namespace elman_test
