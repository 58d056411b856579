// Runs instructions over rows of units: each loads vectors, computes, stores. A row that is no
// multiple of a vector ends in a partial one; there is no other path.
#pragma once

#include "kernels/product.hpp"
#include "math.hpp"
#include "plan.hpp"

namespace elman::ELMAN_SET {

// Where a slot stands for the rows at hand: row r begins at base + row[r] * stride. Without a stride
// all rows are the same one, and there is no `row`.
template <class Real>
struct Place {
    Real* base;
    Index stride;
    const Index* row;

    Real* at(Index r) const { return stride ? base + row[r] * stride : base; }
};

template <class Real>
struct Line {
    using Run = void (*)(const Line&, const Place<Real>*, Index first, Index last);
    Run run;
    std::int32_t to, a, b, c;
    Index units;
};

// What each instruction computes of vectors.
namespace ops {

struct Copy { template <class V> static V of(V a) { return a; } };
struct Neg { template <class V> static V of(V a) { return -a; } };
struct Abs { template <class V> static V of(V a) { return abs(a); } };
struct Relu { template <class V> static V of(V a) { return max(a, V::zero()); } };
struct Sqrt { template <class V> static V of(V a) { return sqrt(a); } };
struct Exp { template <class V> static V of(V a) { return exp(a); } };
struct Expm1 { template <class V> static V of(V a) { return expm1(a); } };
struct Log { template <class V> static V of(V a) { return log(a); } };
struct Sin { template <class V> static V of(V a) { return sin(a); } };
struct Cos { template <class V> static V of(V a) { return cos(a); } };
struct Tanh { template <class V> static V of(V a) { return tanh(a); } };
struct Sigmoid { template <class V> static V of(V a) { return sigmoid(a); } };
struct Softplus { template <class V> static V of(V a) { return softplus(a); } };
struct Add { template <class V> static V of(V a, V b) { return a + b; } };
struct Sub { template <class V> static V of(V a, V b) { return a - b; } };
struct Mul { template <class V> static V of(V a, V b) { return a * b; } };
struct Div { template <class V> static V of(V a, V b) { return a / b; } };
struct Maximum { template <class V> static V of(V a, V b) { return max(a, b); } };
struct Minimum { template <class V> static V of(V a, V b) { return min(a, b); } };
struct Gt { template <class V> static V of(V a, V b) { return ones(gt(a, b)); } };
struct Ge { template <class V> static V of(V a, V b) { return ones(ge(a, b)); } };
struct Lt { template <class V> static V of(V a, V b) { return ones(lt(a, b)); } };
struct Le { template <class V> static V of(V a, V b) { return ones(le(a, b)); } };
struct Dsigmoid { template <class V> static V of(V g, V y) { return g * (V::set(1) - y) * y; } };
struct Dtanh { template <class V> static V of(V g, V y) { return g * fnma(y, y, V::set(1)); } };
struct Where {
    template <class V> static V of(V m, V a, V b) { return select(ne(m, V::zero()), a, b); }
};

// Two of them: what the first one makes is an operand of the second one, and goes through no memory.
template <class First, class Second>
struct Before {
    template <class V> static V of(V a, V b, V c) { return Second::of(First::of(a, b), c); }
};
template <class First, class Second>
struct After {
    template <class V> static V of(V a, V b, V c) { return Second::of(c, First::of(a, b)); }
};

}  // namespace ops

template <class V, class Op>
void unary(const Line<typename V::Real>& line, const Place<typename V::Real>* places, Index first,
           Index last) {
    constexpr Index W = V::width;
    const Place<typename V::Real>&to = places[line.to], &a = places[line.a];
    for (Index r = first; r < last; ++r) {
        auto *out = to.at(r), *x = a.at(r);
        Index i = 0;
        for (; i + 2 * W <= line.units; i += 2 * W) {
            const V one = Op::of(V::load(x + i)), two = Op::of(V::load(x + i + W));
            one.store(out + i);
            two.store(out + i + W);
        }
        for (; i + W <= line.units; i += W) Op::of(V::load(x + i)).store(out + i);
        if (const int left = static_cast<int>(line.units - i))
            Op::of(V::load(x + i, left)).store(out + i, left);
    }
}

template <class V, class Op>
void binary(const Line<typename V::Real>& line, const Place<typename V::Real>* places, Index first,
            Index last) {
    constexpr Index W = V::width;
    const Place<typename V::Real>&to = places[line.to], &a = places[line.a], &b = places[line.b];
    for (Index r = first; r < last; ++r) {
        auto *out = to.at(r), *x = a.at(r), *y = b.at(r);
        Index i = 0;
        for (; i + W <= line.units; i += W)
            Op::of(V::load(x + i), V::load(y + i)).store(out + i);
        if (const int left = static_cast<int>(line.units - i))
            Op::of(V::load(x + i, left), V::load(y + i, left)).store(out + i, left);
    }
}

template <class V, class Op>
void ternary(const Line<typename V::Real>& line, const Place<typename V::Real>* places,
             Index first, Index last) {
    constexpr Index W = V::width;
    const Place<typename V::Real>&to = places[line.to], &a = places[line.a], &b = places[line.b],
                                 &c = places[line.c];
    for (Index r = first; r < last; ++r) {
        auto *out = to.at(r), *x = a.at(r), *y = b.at(r), *z = c.at(r);
        Index i = 0;
        for (; i + W <= line.units; i += W)
            Op::of(V::load(x + i), V::load(y + i), V::load(z + i)).store(out + i);
        if (const int left = static_cast<int>(line.units - i))
            Op::of(V::load(x + i, left), V::load(y + i, left), V::load(z + i, left))
                .store(out + i, left);
    }
}

// One value a row: the sum of its units in one fixed order, divided by their number.
template <class V>
void mean(const Line<typename V::Real>& line, const Place<typename V::Real>* places, Index first,
          Index last) {
    constexpr Index W = V::width;
    for (Index r = first; r < last; ++r) {
        auto* x = places[line.a].at(r);
        V sum = V::zero();
        Index i = 0;
        for (; i + W <= line.units; i += W) sum = sum + V::load(x + i);
        if (const int left = static_cast<int>(line.units - i)) sum = sum + V::load(x + i, left);
        *places[line.to].at(r) = V::sum(sum) / static_cast<typename V::Real>(line.units);
    }
}

template <class V>
void spread(const Line<typename V::Real>& line, const Place<typename V::Real>* places, Index first,
            Index last) {
    constexpr Index W = V::width;
    for (Index r = first; r < last; ++r) {
        auto* out = places[line.to].at(r);
        const V value = V::set(*places[line.a].at(r));
        Index i = 0;
        for (; i + W <= line.units; i += W) value.store(out + i);
        if (const int left = static_cast<int>(line.units - i)) value.store(out + i, left);
    }
}

template <class V>
typename Line<typename V::Real>::Run runner(Op op) {
    switch (op) {
        case Op::copy: return unary<V, ops::Copy>;
        case Op::neg: return unary<V, ops::Neg>;
        case Op::add: return binary<V, ops::Add>;
        case Op::sub: return binary<V, ops::Sub>;
        case Op::mul: return binary<V, ops::Mul>;
        case Op::div: return binary<V, ops::Div>;
        case Op::maximum: return binary<V, ops::Maximum>;
        case Op::minimum: return binary<V, ops::Minimum>;
        case Op::gt: return binary<V, ops::Gt>;
        case Op::ge: return binary<V, ops::Ge>;
        case Op::lt: return binary<V, ops::Lt>;
        case Op::le: return binary<V, ops::Le>;
        case Op::where: return ternary<V, ops::Where>;
        case Op::abs: return unary<V, ops::Abs>;
        case Op::relu: return unary<V, ops::Relu>;
        case Op::sqrt: return unary<V, ops::Sqrt>;
        case Op::exp: return unary<V, ops::Exp>;
        case Op::expm1: return unary<V, ops::Expm1>;
        case Op::log: return unary<V, ops::Log>;
        case Op::sin: return unary<V, ops::Sin>;
        case Op::cos: return unary<V, ops::Cos>;
        case Op::tanh: return unary<V, ops::Tanh>;
        case Op::sigmoid: return unary<V, ops::Sigmoid>;
        case Op::softplus: return unary<V, ops::Softplus>;
        case Op::dsigmoid: return binary<V, ops::Dsigmoid>;
        case Op::dtanh: return binary<V, ops::Dtanh>;
        case Op::mean: return mean<V>;
        case Op::spread: return spread<V>;
        default: return nullptr;
    }
}

// `second`, whose first operand, or last, is what First makes of two others; null where there is none.
template <class V, class First>
typename Line<typename V::Real>::Run runner_after(Op second, bool last) {
    switch (second) {
        case Op::add: return ternary<V, ops::Before<First, ops::Add>>;
        case Op::mul: return ternary<V, ops::Before<First, ops::Mul>>;
        case Op::sub: return last ? ternary<V, ops::After<First, ops::Sub>> : ternary<V, ops::Before<First, ops::Sub>>;
        case Op::dsigmoid: return last ? nullptr : ternary<V, ops::Before<First, ops::Dsigmoid>>;
        case Op::dtanh: return last ? nullptr : ternary<V, ops::Before<First, ops::Dtanh>>;
        default: return nullptr;
    }
}

template <class V>
typename Line<typename V::Real>::Run runner(Op first, Op second, bool last) {
    switch (first) {
        case Op::add: return runner_after<V, ops::Add>(second, last);
        case Op::sub: return runner_after<V, ops::Sub>(second, last);
        case Op::mul: return runner_after<V, ops::Mul>(second, last);
        default: return nullptr;
    }
}

}  // namespace elman::ELMAN_SET
