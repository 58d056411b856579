// Products of rows with a packed matrix: out[r][c] = sum_k a[r][k] * W[c][k] + bias[c] + add[r][c].
//
// W is packed into panels of 2 vectors of columns, each panel [depth][columns], padded with zeros.
// Every sum is one chain in the order of k, whatever the number of rows: a row's bits do not depend
// on its neighbours. Few rows take several panels at once, so that enough sums are under way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "call.hpp"

namespace elman::ELMAN_SET {

template <class V>
constexpr Index kPanel = 2 * V::width;

template <class V>
constexpr Index padded(Index n) {
    return (n + kPanel<V> - 1) / kPanel<V> * kPanel<V>;
}

// `columns` may be any number; `data` holds padded(columns) * depth values, aligned to a vector.
template <class Real>
struct Panels {
    const Real* data;
    Index columns, depth;
};

// at(c, k) is W[c][k]. Writes padded(columns) * depth values.
template <class V, class At>
void pack(Index columns, Index depth, typename V::Real* out, At at) {
    for (Index first = 0; first < columns; first += kPanel<V>)
        for (Index k = 0; k < depth; ++k)
            for (Index j = 0; j < kPanel<V>; ++j)
                *out++ = first + j < columns ? at(first + j, k) : typename V::Real(0);
}

// Rows a: `segments` runs of `run` values each, run i at a + r * lda + offset[i];
// segments * run = depth.
template <class Real>
struct Rows {
    const Real* a;
    Index lda;
    const Index* offset;
    Index segments, run;
};

template <class Real>
struct Target {
    Real* out;           // (rows, ldo); whole panels are written, so ldo >= padded(columns)
    Index ldo;
    const Real* bias;    // padded(columns), or null
    const Real* const* add;  // for each row `columns` values, or null
    Index add_offset;
};

template <class V, int R, int P>
inline void tile(const Rows<typename V::Real>& in, Index row, const Panels<typename V::Real>& w,
                 Index column, const Target<typename V::Real>& to) {
    using Real = typename V::Real;
    constexpr int N = 2 * P;
    const Index stride = kPanel<V> * w.depth;
    const Real* panel = w.data + column * w.depth;
    V sum[R][N];
    for (int r = 0; r < R; ++r)
        for (int n = 0; n < N; ++n) sum[r][n] = V::zero();
    for (Index s = 0; s < in.segments; ++s) {
        const Real* a = in.a + row * in.lda + in.offset[s];
        for (Index k = 0; k < in.run; ++k, panel += kPanel<V>) {
            V b[N];
            for (int p = 0; p < P; ++p) {
                b[2 * p] = V::load(panel + p * stride);
                b[2 * p + 1] = V::load(panel + p * stride + V::width);
            }
            for (int r = 0; r < R; ++r) {
                const V x = V::set(a[r * in.lda + k]);
                for (int n = 0; n < N; ++n) sum[r][n] = fma(x, b[n], sum[r][n]);
            }
        }
    }
    for (int r = 0; r < R; ++r)
        for (int n = 0; n < N; ++n) {
            const Index c = column + n * V::width;
            V v = sum[r][n];
            if (to.bias) v = v + V::load(to.bias + c);
            if (to.add) {
                const Index left = w.columns - c;
                const Real* more = to.add[row + r] + to.add_offset + c;
                if (left >= V::width) v = v + V::load(more);
                else if (left > 0) v = v + V::load(more, static_cast<int>(left));
            }
            v.store(to.out + (row + r) * to.ldo + c);
        }
}

template <class V, int R, int P>
inline void rows_by(const Rows<typename V::Real>& in, Index row,
                    const Panels<typename V::Real>& w, Index& column, Index end,
                    const Target<typename V::Real>& to) {
    for (; column + P * kPanel<V> <= end; column += P * kPanel<V>) tile<V, R, P>(in, row, w, column, to);
}

// Vectors of 64 bytes come with 32 registers, others with 16.
template <class V>
constexpr bool kManyRegisters = V::width * sizeof(typename V::Real) >= 64;

// Most rows that share a panel: as many sums as there are registers for.
template <class V>
constexpr int kRows = kManyRegisters<V> ? 12 : 6;

template <class V, int R>
inline void few(const Rows<typename V::Real>& in, Index row, const Panels<typename V::Real>& w,
                const Target<typename V::Real>& to) {
    // 8 sums at least hide the latency of a multiplication.
    constexpr int most = kManyRegisters<V> ? (R == 1 ? 8 : R == 2 ? 4 : R == 3 ? 3 : R <= 6 ? 2 : 1)
                                            : (R == 1 ? 4 : R <= 3 ? 2 : 1);
    const Index end = padded<V>(w.columns);
    Index column = 0;
    rows_by<V, R, most>(in, row, w, column, end, to);
    if (most >= 4) rows_by<V, R, most >= 4 ? 2 : 1>(in, row, w, column, end, to);
    if (most >= 2) rows_by<V, R, 1>(in, row, w, column, end, to);
}

template <class V, int R>
struct Few {
    static void run(int rows, const Rows<typename V::Real>& in, Index row,
                    const Panels<typename V::Real>& w, const Target<typename V::Real>& to) {
        if (rows == R) few<V, R>(in, row, w, to);
        else Few<V, R - 1>::run(rows, in, row, w, to);
    }
};

template <class V>
struct Few<V, 0> {
    static void run(int, const Rows<typename V::Real>&, Index, const Panels<typename V::Real>&,
                    const Target<typename V::Real>&) {}
};

template <class V, int R>
struct Panelwise {
    static void run(int rows, const Rows<typename V::Real>& in, Index row,
                    const Panels<typename V::Real>& w, Index column,
                    const Target<typename V::Real>& to) {
        if (rows == R) tile<V, R, 1>(in, row, w, column, to);
        else Panelwise<V, R - 1>::run(rows, in, row, w, column, to);
    }
};

template <class V>
struct Panelwise<V, 0> {
    static void run(int, const Rows<typename V::Real>&, Index, const Panels<typename V::Real>&,
                    Index, const Target<typename V::Real>&) {}
};

template <class V>
void multiply(const Rows<typename V::Real>& in, Index rows, const Panels<typename V::Real>& w,
              const Target<typename V::Real>& to) {
    if (rows <= 0) return;
    if (rows <= kRows<V>) {
        Few<V, kRows<V>>::run(static_cast<int>(rows), in, 0, w, to);
        return;
    }
    // Blocks of rows that are as even as can be, each panel for all of them while it is in L1.
    const Index blocks = (rows + kRows<V> - 1) / kRows<V>;
    const Index end = padded<V>(w.columns);
    for (Index column = 0; column < end; column += kPanel<V>)
        for (Index block = 0; block < blocks; ++block) {
            const Index first = rows * block / blocks, last = rows * (block + 1) / blocks;
            Panelwise<V, kRows<V>>::run(static_cast<int>(last - first), in, first, w, column, to);
        }
}

}  // namespace elman::ELMAN_SET
