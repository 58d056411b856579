// Products whose result has but few columns, as where a series of one or two numbers comes in: panels
// of columns would be next to empty. Vectors run along what is long here, the depth or the rows.
#pragma once

#include <algorithm>

#include "kernels/factors.hpp"

namespace elman::ELMAN_SET {

// Whether a sum of products is one of these: each column takes a pass of its own, and what a vector
// holds is added up at the end of each sum.
template <class V>
bool is_narrow(const Dense<typename V::Real>& it) {
    constexpr Index most = V::width / 2, least = 4 * V::width;
    return it.columns <= most && it.multiplications() >= least * it.rows * it.columns;
}

// Rows [from, to) of a sum of products.
template <class V>
class NarrowBlock {
public:
    using Real = typename V::Real;

    NarrowBlock(const Dense<Real>& it, Index from, Index to) : it_(it), from_(from), to_(to) {}

    void run() {
        for (const Factors<Real>& f : it_.terms)
            for (Index k = 0; k < f.depth; k += kDepth, begun_ = true)
                for (Index c = 0; c < it_.columns; ++c) {
                    const Index depth = std::min(kDepth, f.depth - k);
                    for (Index i = 0; i < depth; ++i) b_[i] = f.b.data[(k + i) * f.b.row + c * f.b.column];
                    f.a.column == 1 ? along_depth(f.a.data + k, f.a.row, depth, c)
                                    : along_rows(f.a.data + k * f.a.column, f.a.column, depth, c);
                }
    }

private:
    static constexpr int W = V::width, kSums = kManyRegisters<V> ? 16 : 8;  // vectors under way

    // Each sum of a row is one of as many as a vector has values, which are added at its end.
    void along_depth(const Real* a, Index row, Index depth, Index column) {
        constexpr int rows = kSums / 2;
        Index r = from_;
        for (; r + rows <= to_; r += rows) dots<rows>(a + r * row, row, depth, r, column);
        for (; r < to_; ++r) dots<1>(a + r * row, row, depth, r, column);
    }

    template <int rows>
    void dots(const Real* a, Index row, Index depth, Index r, Index column) {
        V sum[rows];
        for (V& one : sum) one = V::zero();
        Index k = 0;
        for (; k + W <= depth; k += W) {
            const V b = V::load(b_ + k);
            for (int i = 0; i < rows; ++i) sum[i] = fma(V::load(a + i * row + k), b, sum[i]);
        }
        if (const int left = static_cast<int>(depth - k)) {
            const V b = V::load(b_ + k, left);
            for (int i = 0; i < rows; ++i) sum[i] = fma(V::load(a + i * row + k, left), b, sum[i]);
        }
        for (int i = 0; i < rows; ++i) put(r + i, column, V::sum(sum[i]));
    }

    // Sums of rows that lie side by side.
    void along_rows(const Real* a, Index step, Index depth, Index column) {
        Index r = from_;
        for (; r + kSums * W <= to_; r += kSums * W) outer<kSums>(a + r, step, depth, r, W, column);
        for (; r + W <= to_; r += W) outer<1>(a + r, step, depth, r, W, column);
        if (r < to_) outer<1>(a + r, step, depth, r, static_cast<int>(to_ - r), column);
    }

    template <int vectors>
    void outer(const Real* a, Index step, Index depth, Index r, int left, Index column) {
        constexpr Index ahead = 8;  // rows apart are not foreseen
        V sum[vectors];
        for (V& one : sum) one = V::zero();
        for (Index k = 0; k < depth; ++k, a += step) {
            const V b = V::set(b_[k]);
            for (int i = 0; i < vectors; ++i) {
                __builtin_prefetch(a + ahead * step + i * W);
                sum[i] = fma(left == W ? V::load(a + i * W) : V::load(a, left), b, sum[i]);
            }
        }
        Real found[vectors * W];
        for (int i = 0; i < vectors; ++i) sum[i].store(found + i * W);
        for (Index i = 0; i < (vectors - 1) * W + left; ++i) put(r + i, column, found[i]);
    }

    void put(Index r, Index column, Real value) {
        Real& out = it_.out[r * it_.apart + column];
        out = value + (begun_ ? out : it_.bias ? it_.bias[column] : Real(0));
    }

    const Dense<Real>& it_;
    Index from_, to_;
    bool begun_ = false;
    alignas(64) Real b_[kDepth];
};

}  // namespace elman::ELMAN_SET
