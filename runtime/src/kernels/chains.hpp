// Products whose sums begin with what is given: out[r][c] = start[r][c] + sum_k a[r][k] * W[c][k].
//
// As in product.hpp every sum is one chain in the order of k. One product may so take up the sums
// of another: [W|U] [x h] is W x with nothing lost and U h started from it, bit for bit.
#pragma once

#include "kernels/product.hpp"

namespace elman::ELMAN_SET {

// Where the sums of one panel begin: row r at base + r * stride.
template <class Real>
struct Start {
    const Real* base;
    Index stride;
};

template <class Real>
struct Chains {
    Rows<Real> in;
    Panels<Real> w;
    const Start<Real>* starts;  // of each panel
    Real* out;                  // (rows, ldo); whole panels are written
    Index ldo;
};

template <class V, int R, int P>
ELMAN_INLINE void chain_tile(const Chains<typename V::Real>& c, Index row, Index panel) {
    using Real = typename V::Real;
    constexpr int N = 2 * P;
    const Index stride = kPanel<V> * c.w.depth;
    const Real* w = c.w.data + panel * stride;
    V sum[R][N];
    for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) {
            const Start<Real>& start = c.starts[panel + p];
            const Real* from = start.base + (row + r) * start.stride;
            sum[r][2 * p] = V::load(from);
            sum[r][2 * p + 1] = V::load(from + V::width);
        }
    for (Index s = 0; s < c.in.segments; ++s) {
        const Real* a = c.in.a + row * c.in.lda + c.in.offset[s];
        for (Index k = 0; k < c.in.run; ++k, w += kPanel<V>) {
            V b[N];
            for (int p = 0; p < P; ++p) {
                b[2 * p] = V::load(w + p * stride);
                b[2 * p + 1] = V::load(w + p * stride + V::width);
            }
            for (int r = 0; r < R; ++r) {
                const V x = V::set(a[r * c.in.lda + k]);
                for (int n = 0; n < N; ++n) sum[r][n] = fma(x, b[n], sum[r][n]);
            }
        }
    }
    Real* out = c.out + row * c.ldo + panel * kPanel<V>;
    for (int r = 0; r < R; ++r)
        for (int n = 0; n < N; ++n) sum[r][n].store(out + r * c.ldo + n * V::width);
}

template <class V, int R, int P>
inline void chain_panels(const Chains<typename V::Real>& c, Index row, Index panel, Index end) {
    for (; panel + P <= end; panel += P) chain_tile<V, R, P>(c, row, panel);
    if constexpr (P > 1) chain_panels<V, R, P - 1>(c, row, panel, end);
}

template <class V, int R>
inline void chain_rows(int rows, const Chains<typename V::Real>& c, Index row, Index panel, Index end) {
    if (rows == R) chain_panels<V, R, kMostPanels<V, R>>(c, row, panel, end);
    else if constexpr (R < kRows<V>) chain_rows<V, R + 1>(rows, c, row, panel, end);
}

template <class V>
void chain(const Chains<typename V::Real>& c, Index rows) {
    const Index end = padded<V>(c.w.columns) / kPanel<V>;
    if (rows <= kRows<V>) {
        chain_rows<V, 1>(static_cast<int>(rows), c, 0, 0, end);
        return;
    }
    // Blocks of rows as even as can be, each panel for all of them while it is in L1.
    const Index blocks = (rows + kRows<V> - 1) / kRows<V>;
    for (Index panel = 0; panel < end; ++panel)
        for (Index block = 0; block < blocks; ++block) {
            const Index first = rows * block / blocks, last = rows * (block + 1) / blocks;
            chain_rows<V, 1>(static_cast<int>(last - first), c, first, panel, panel + 1);
        }
}

}  // namespace elman::ELMAN_SET
