// Products of whole matrices: out[r][c] = bias[c] + sum_k a[r][k] * b[k][c].
//
// For calls so small that a library's product costs more to begin than to take. The sums of kDepth
// values of k are one chain each, and are added in their order: bits depend on neither the number
// of rows nor that of threads.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/product.hpp"
#include "threads.hpp"

namespace elman::ELMAN_SET {

inline constexpr Index kDepth = 128;

// A matrix by its strides: value (i, j) at data + i * row + j * column.
template <class Real>
struct Strided {
    const Real* data;
    Index row, column;
};

// b by panels, as `pack_rows` leaves them or as they lie in a row: row k of panel p at
// data + p * panel + k * row.
template <class Real>
struct Paneled {
    const Real* data;
    Index panel, row;
};

template <class V>
Paneled<typename V::Real> as_it_lies(const typename V::Real* data, Index row) {
    return {data, kPanel<V>, row};
}

template <class Real>
struct Factors {
    Strided<Real> a;
    Paneled<Real> b;
    Index depth;
};

// The sum of several products of equal size; without any it is zero, or the bias.
template <class Real>
struct Dense {
    std::vector<Factors<Real>> terms;
    Index rows, columns;
    Real* out;         // (rows, columns)
    const Real* bias;  // (columns), or null

    Index multiplications() const {
        Index all = 0;
        for (const Factors<Real>& term : terms) all += term.depth;
        return all * rows * columns;
    }
};

// `left` columns of a panel of a product, for R rows from `row` on and `depth` values of k. What the
// sums are added to stands at `begin`, `step` values from a row to the next; or it is zero.
template <class Real>
struct Tile {
    Index row, k, panel, depth;
    const Real* begin;
    Index step;
    Real* out;
    Index ldo;
    int left;
};

template <class V, int R, bool Whole>
ELMAN_INLINE void dense_tile(const Factors<typename V::Real>& f, const Tile<typename V::Real>& t) {
    using Real = typename V::Real;
    constexpr int W = V::width;
    const int one = std::min(t.left, W), two = t.left - one;
    const auto load = [](const Real* p, int n) { return Whole || n == W ? V::load(p) : V::load(p, n); };
    const auto store = [](const V& v, Real* p, int n) { Whole || n == W ? v.store(p) : v.store(p, n); };
    const Real* a = f.a.data + t.row * f.a.row + t.k * f.a.column;
    const Real* b = f.b.data + t.panel * f.b.panel + t.k * f.b.row;
    V sum[R][2];
    for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = V::zero();
    for (Index i = 0; i < t.depth; ++i, a += f.a.column, b += f.b.row) {
        const V first = load(b, one), second = Whole || two > 0 ? load(b + W, two) : V::zero();
        for (int r = 0; r < R; ++r) {
            const V x = V::set(a[r * f.a.row]);
            sum[r][0] = fma(x, first, sum[r][0]);
            sum[r][1] = fma(x, second, sum[r][1]);
        }
    }
    for (int r = 0; r < R; ++r) {
        const Real* begin = t.begin + r * t.step;
        Real* out = t.out + r * t.ldo;
        const V first = t.begin ? load(begin, one) + sum[r][0] : sum[r][0];
        store(first, out, one);
        if (!Whole && two <= 0) continue;
        store(t.begin ? load(begin + W, two) + sum[r][1] : sum[r][1], out + W, two);
    }
}

template <class V, bool Whole, int R = 1>
inline void dense_rows(int rows, const Factors<typename V::Real>& f, const Tile<typename V::Real>& t) {
    if (rows == R) dense_tile<V, R, Whole>(f, t);
    else if constexpr (R < kRows<V>) dense_rows<V, Whole, R + 1>(rows, f, t);
}

// Rows [from, to) of a sum, few enough that they and what they are made of stay in cache.
template <class V>
void dense_block(const Dense<typename V::Real>& it, Index from, Index to) {
    using Real = typename V::Real;
    const Index blocks = (to - from + kRows<V> - 1) / kRows<V>, ldo = it.columns;
    bool begun = false;
    for (const Factors<Real>& term : it.terms)
        for (Index k = 0; k < term.depth; k += kDepth, begun = true)
            for (Index c = 0; c < it.columns; c += kPanel<V>)
                for (Index block = 0; block < blocks; ++block) {
                    const Index first = from + (to - from) * block / blocks;
                    const int rows = static_cast<int>(from + (to - from) * (block + 1) / blocks - first);
                    const int left = static_cast<int>(std::min(kPanel<V>, it.columns - c));
                    Real* out = it.out + first * ldo + c;
                    const Real* begin = begun ? out : it.bias ? it.bias + c : nullptr;
                    const Tile<Real> tile{first, k, c / kPanel<V>, std::min(kDepth, term.depth - k), begin,
                                          begun ? ldo : 0, out, ldo, left};
                    if (left == kPanel<V>) dense_rows<V, true>(rows, term, tile);
                    else dense_rows<V, false>(rows, term, tile);
                }
    for (Index i = from * ldo; !begun && i < to * ldo; ++i) it.out[i] = it.bias ? it.bias[i % ldo] : Real(0);
}

template <class V>
void dense(const Dense<typename V::Real>& it, Index from, Index to) {
    constexpr Index most = 8 * kRows<V>;
    const Index blocks = (to - from + most - 1) / most;
    for (Index block = 0; block < blocks; ++block)
        dense_block<V>(it, from + (to - from) * block / blocks, from + (to - from) * (block + 1) / blocks);
}

// All of them, shared out among threads by rows.
template <class V>
void dense(const std::vector<Dense<typename V::Real>>& all, int threads) {
    constexpr Index least = Index{1} << 21;  // multiplications for which a thread is worth waking
    struct Part {
        const Dense<typename V::Real>* of;
        Index from, to;
    };
    Index work = 0;
    for (const auto& one : all) work += one.multiplications();
    const Index helpers = std::min<Index>(threads, work / least + 1);
    std::vector<Part> parts;
    for (const auto& one : all) {
        const Index blocks = (one.rows + kRows<V> - 1) / kRows<V>;
        const Index count = helpers < 2 || !one.multiplications() ? 1 : std::min<Index>(blocks, 2 * helpers);
        for (Index i = 0; i < count; ++i) parts.push_back({&one, one.rows * i / count, one.rows * (i + 1) / count});
    }
    parallel(static_cast<int>(parts.size()), static_cast<int>(helpers), [&](int i) noexcept {
        const Part& part = parts[static_cast<std::size_t>(i)];
        dense<V>(*part.of, part.from, part.to);
    });
}

}  // namespace elman::ELMAN_SET
