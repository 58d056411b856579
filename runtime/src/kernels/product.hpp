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

// From a row of so many values to the next: rows a power of two apart would share the same few lines
// of the cache.
template <class V>
constexpr Index leading(Index values) {
    return values * Index{sizeof(typename V::Real)} % 1024 ? values : values + kPanel<V>;
}

// `columns` may be any number; `data` holds padded(columns) * depth values, aligned to a vector.
template <class Real>
struct Panels {
    const Real* data;
    Index columns, depth;
    bool from_end = false;  // whether the last panel is read first
};

// at(c, k) is W[c][k]. Writes padded(columns) * depth values.
template <class V, class At>
void pack(Index columns, Index depth, typename V::Real* out, At at) {
    for (Index first = 0; first < columns; first += kPanel<V>)
        for (Index k = 0; k < depth; ++k)
            for (Index j = 0; j < kPanel<V>; ++j)
                *out++ = first + j < columns ? at(first + j, k) : typename V::Real(0);
}

// Rows of a square become its columns: with each round the two halves of them are zipped.
template <class V>
ELMAN_INLINE void transpose(V (&rows)[V::width]) {
    constexpr int half = V::width / 2;
    for (int round = 1; round < V::width; round *= 2) {
        V zipped[V::width];
        for (int i = 0; i < half; ++i) {
            zipped[2 * i] = rows[i];
            zipped[2 * i + 1] = rows[i + half];
            V::zip(zipped[2 * i], zipped[2 * i + 1]);
        }
        for (int i = 0; i < V::width; ++i) rows[i] = zipped[i];
    }
}

// The same for rows of W that lie in memory as they are, W[c][k] at w + c * stride + k: a square of
// them at a time.
template <class V, class Real = typename V::Real>
void pack_rows(const Real* w, Index stride, Index columns, Index depth, Real* out) {
    constexpr Index W = V::width;
    for (Index first = 0; first < columns; first += kPanel<V>, out += kPanel<V> * depth)
        for (Index c = 0; c < kPanel<V>; c += W) {
            const Index here = std::min(W, columns - first - c);
            const Real* from = w + (first + c) * stride;
            Real* to = out + c;
            Index k = 0;
            for (; here == W && k + W <= depth; k += W) {
                V square[W];
                for (Index i = 0; i < W; ++i) {
                    square[i] = V::load(from + i * stride + k);
                    __builtin_prefetch(from + (W + i) * stride + k, 0, 2);  // so many short runs are not foreseen
                }
                transpose<V>(square);
                for (Index i = 0; i < W; ++i) square[i].store(to + (k + i) * kPanel<V>);
            }
            for (; k < depth; ++k)
                for (Index i = 0; i < W; ++i) to[k * kPanel<V> + i] = i < here ? from[i * stride + k] : Real(0);
        }
}

// The same for W[c][k] at w + k * stride + c, where these `run` values of k are a part of `depth`.
template <class V, class Real = typename V::Real>
void pack_columns(const Real* w, Index stride, Index columns, Index run, Index depth, Real* out) {
    for (Index first = 0; first < columns; first += kPanel<V>, out += kPanel<V> * depth) {
        const Index here = std::min(kPanel<V>, columns - first);
        for (Index k = 0; k < run; ++k) {
            const Real* from = w + k * stride + first;
            Real* to = out + k * kPanel<V>;
            if (here == kPanel<V>) {
                V::load(from).store(to);
                V::load(from + V::width).store(to + V::width);
                continue;
            }
            for (Index j = 0; j < kPanel<V>; ++j) to[j] = j < here ? from[j] : Real(0);
        }
    }
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

// What is added to the sums of one panel: `count` values of a row, from `at` on; none where at < 0.
struct Added {
    Index at, count;
};

template <class Real>
struct Target {
    Real* out;           // (rows, ldo); whole panels are written, so ldo >= padded(columns)
    Index ldo;
    const Real* bias;    // padded(columns), or null
    const Real* const* add;  // for each row what `added` finds its values in, or null
    const Added* added;  // of each panel
};

// What belongs to the sums of one vector of columns after another is added to them. Each is known by
// its number when this is compiled, and so are its rows: only thus do sums stay in registers.
template <class V, int R, int N, int n = 0>
ELMAN_INLINE void add_and_store(V (&sum)[R][N], Index row, Index column, const Target<typename V::Real>& to) {
    const Index c = column + n * V::width;
    if (to.bias) {
        const V shift = V::load(to.bias + c);
        for (int r = 0; r < R; ++r) sum[r][n] = sum[r][n] + shift;
    }
    if (to.add) {
        const Added& added = to.added[c / kPanel<V>];
        const Index from = n % 2 * V::width, left = added.at < 0 ? 0 : added.count - from;
        const typename V::Real* const* more = to.add + row;
        const Index at = added.at + from;
        if (left >= V::width)
            for (int r = 0; r < R; ++r) sum[r][n] = sum[r][n] + V::load(more[r] + at);
        else if (left > 0)
            for (int r = 0; r < R; ++r) sum[r][n] = sum[r][n] + V::load(more[r] + at, static_cast<int>(left));
    }
    for (int r = 0; r < R; ++r) sum[r][n].store(to.out + (row + r) * to.ldo + c);
    if constexpr (n + 1 < N) add_and_store<V, R, N, n + 1>(sum, row, column, to);
}

// What is added comes from further off than the panels: it is under way while the sums are taken.
template <class V, int R, int P>
ELMAN_INLINE void ask_for_added(Index row, Index column, const Target<typename V::Real>& to) {
    for (int p = 0; p < P; ++p) {
        const Index at = to.added[column / kPanel<V> + p].at;
        for (int r = 0; at >= 0 && r < R; ++r) {
            __builtin_prefetch(to.add[row + r] + at);
            __builtin_prefetch(to.add[row + r] + at + V::width);
        }
    }
}

// In an inner loop, where some addresses lie at fixed distances from this one: or else compilers
// count up each of them, and run out of registers.
template <class Real>
ELMAN_INLINE void count_up(const Real*& address, Index by) {
    address += by;
#if defined(__GNUC__)
    asm("" : "+r"(address));
#endif
}

template <class V, int R, int P>
inline void tile(const Rows<typename V::Real>& in, Index row, const Panels<typename V::Real>& w,
                 Index column, const Target<typename V::Real>& to) {
    using Real = typename V::Real;
    constexpr int N = 2 * P;
    const Index stride = kPanel<V> * w.depth;
    const Real *low = w.data + column * w.depth, *high = low + 4 * stride;
    const Index distances[] = {0, stride, 2 * stride, 3 * stride};
    V sum[R][N];
    for (int r = 0; r < R; ++r)
        for (int n = 0; n < N; ++n) sum[r][n] = V::zero();
    if (to.add) ask_for_added<V, R, P>(row, column, to);
    for (Index s = 0; s < in.segments; ++s) {
        const Real* a = in.a + row * in.lda + in.offset[s];
        for (Index k = 0; k < in.run; ++k) {
            V b[N];
            for (int p = 0; p < P; ++p) {
                const Index distance = distances[p % 4];  // named: GCC 12's UBSan reads it wrongly within
                const Real* panel = (p < 4 ? low : high) + distance;
                b[2 * p] = V::load(panel);
                b[2 * p + 1] = V::load(panel + V::width);
            }
            count_up(low, kPanel<V>);
            if (P > 4) count_up(high, kPanel<V>);
            for (int r = 0; r < R; ++r) {
                const V x = V::set(a[r * in.lda + k]);
                for (int n = 0; n < N; ++n) sum[r][n] = fma(x, b[n], sum[r][n]);
            }
        }
    }
    add_and_store<V>(sum, row, column, to);
}

// Vectors of 64 bytes come with 32 registers, others with 16.
template <class V>
constexpr bool kManyRegisters = V::width * sizeof(typename V::Real) >= 64;

// Most rows that share a panel: as many sums as there are registers for.
template <class V>
constexpr int kRows = kManyRegisters<V> ? 12 : 6;

// Most panels side by side for so many rows: at least 8 sums hide the latency of a multiplication.
template <class V, int R>
constexpr int kMostPanels = kManyRegisters<V> ? (R == 1 ? 8 : R == 2 ? 4 : R == 3 ? 3 : R <= 6 ? 2 : 1)
                                              : (R == 1 ? 4 : R <= 3 ? 2 : 1);

template <class V, int R, int P>
inline void panels_by(const Rows<typename V::Real>& in, Index row, const Panels<typename V::Real>& w,
                      Index column, Index end, const Target<typename V::Real>& to) {
    constexpr Index width = P * kPanel<V>;
    if (w.from_end)
        for (; column + width <= end; end -= width) tile<V, R, P>(in, row, w, end - width, to);
    else
        for (; column + width <= end; column += width) tile<V, R, P>(in, row, w, column, to);
    if constexpr (P > 1) panels_by<V, R, P - 1>(in, row, w, column, end, to);
}

// Whether so many columns for one row go in several tiles: where one would take them all and L1 holds
// but a part, what the last tiles read is still there when the matrix is next read from its other end.
template <class V>
bool in_parts(const Panels<typename V::Real>& w, Index columns) {
    constexpr Index most = 64 << 10;  // bytes
    return columns <= kMostPanels<V, 1> * kPanel<V> && columns * w.depth * Index{sizeof(typename V::Real)} <= most;
}

// Some panels of some rows, at most kRows of them.
template <class V, int R = 1>
inline void few_rows(int rows, const Rows<typename V::Real>& in, Index row,
                     const Panels<typename V::Real>& w, Index column, Index end,
                     const Target<typename V::Real>& to) {
    constexpr int part = kManyRegisters<V> ? 3 : 2;
    if (rows == 1 && R == 1 && in_parts<V>(w, end - column)) panels_by<V, 1, part>(in, row, w, column, end, to);
    else if (rows == R) panels_by<V, R, kMostPanels<V, R>>(in, row, w, column, end, to);
    else if constexpr (R < kRows<V>) few_rows<V, R + 1>(rows, in, row, w, column, end, to);
}

template <class V>
void multiply(const Rows<typename V::Real>& in, Index rows, const Panels<typename V::Real>& w,
              const Target<typename V::Real>& to) {
    if (rows <= 0) return;
    const Index end = padded<V>(w.columns);
    if (rows <= kRows<V>) return few_rows<V>(static_cast<int>(rows), in, 0, w, 0, end, to);
    // Blocks of rows that are as even as can be, each panel for all of them while it is in L1.
    const Index blocks = (rows + kRows<V> - 1) / kRows<V>;
    for (Index done = 0; done < end; done += kPanel<V>)
        for (Index block = 0; block < blocks; ++block) {
            const Index column = w.from_end ? end - kPanel<V> - done : done;
            const Index first = rows * block / blocks, last = rows * (block + 1) / blocks;
            few_rows<V>(static_cast<int>(last - first), in, first, w, column, column + kPanel<V>, to);
        }
}

}  // namespace elman::ELMAN_SET
