// Products of whole matrices: out[r][c] = bias[c] + sum_k a[r][k] * b[k][c].
//
// For calls so small that a library's product costs more to begin than to take, and for processors
// that the library was not made for. The sums of kDepth values of k are one chain each, and are added
// in their order: bits depend on neither the number of rows nor that of threads.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/denormals.hpp"
#include "kernels/narrow.hpp"
#include "threads.hpp"

namespace elman::ELMAN_SET {

// Some rows of one panel. What the sums are added to stands at `begin`, `step` values from a row to
// the next; without it they begin at zero.
template <class Real>
struct Tile {
    const Real* a;      // rows, `row` apart; kTurned: depth times as many values as rows
    Index row;
    const Real* b;      // depth times a panel
    Index depth;
    const Real* begin;
    Index step;
    Real* out;
    Index ldo;
    int left;           // columns that there are
};

template <class V, int R, bool kTurned>
ELMAN_INLINE void dense_tile(const Tile<typename V::Real>& t) {
    using Real = typename V::Real;
    constexpr int W = V::width;
    static_assert(R <= 12);
    // Few addresses for many rows: one of four, and one of three distances to it.
    const Real *a = t.a, *middle = a + 4 * t.row, *last = middle + 4 * t.row, *b = t.b;
    const Index distances[] = {0, t.row, 2 * t.row, 3 * t.row};
    V sum[R][2];
    for (int r = 0; r < R; ++r) {  // written to at the end: under way until then
        __builtin_prefetch(t.out + r * t.ldo, 1);
        __builtin_prefetch(t.out + r * t.ldo + W, 1);
    }
    for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = V::zero();
    for (Index k = 0; k < t.depth; ++k, b += kPanel<V>) {
        const V first = V::load(b), second = V::load(b + W);
        for (int r = 0; r < R; ++r) {
            const Index distance = distances[r % 4];  // named: GCC 12's UBSan reads it wrongly within
            const V x = V::set(kTurned ? a[r] : (r < 4 ? a : r < 8 ? middle : last)[distance]);
            sum[r][0] = fma(x, first, sum[r][0]);
            sum[r][1] = fma(x, second, sum[r][1]);
        }
        if (kTurned) {
            // Too far apart to be foreseen, maybe in no cache, and each in a line or in two.
            constexpr Index ahead = kManyRegisters<V> ? 32 : 8;
            __builtin_prefetch(a + ahead * t.row);
            if (kManyRegisters<V>) __builtin_prefetch(a + ahead * t.row + R - 1);
            a += t.row;
        } else {
            count_up(a, 1), count_up(middle, 1), count_up(last, 1);
        }
    }
    for (int r = 0; r < R; ++r)
        for (int n = 0; n < 2; ++n) {
            const int here = std::min(t.left - n * W, W);
            if (here <= 0) continue;
            const Real* begin = t.begin + r * t.step + n * W;
            Real* out = t.out + r * t.ldo + n * W;
            const bool whole = here == W;  // only a part may be asked for by its number
            V v = sum[r][n];
            if (t.begin) v = v + (whole ? V::load(begin) : V::load(begin, here));
            whole ? v.store(out) : v.store(out, here);
        }
}

template <class V, bool kTurned, int R = 1>
inline void dense_rows(int rows, const Tile<typename V::Real>& t) {
    if (rows == R) dense_tile<V, R, kTurned>(t);
    else if constexpr (R < kRows<V>) dense_rows<V, kTurned, R + 1>(rows, t);
}

// Rows [from, to) of a sum, few enough that they and what they are made of stay in cache.
template <class V>
class DenseBlock {
public:
    using Real = typename V::Real;
    static constexpr Index kMost = 32 * kRows<V>;  // rows

    DenseBlock(const Dense<Real>& it, Index from, Index to)
        : it_(it), from_(from), to_(to), blocks_((to - from + kRows<V> - 1) / kRows<V>) {}

    void run() {
        for (const Factors<Real>& term : it_.terms)
            for (Index k = 0; k < term.depth; k += kDepth, begun_ = true) add(term, k, std::min(kDepth, term.depth - k));
        if (begun_) return;
        for (Index r = from_; r < to_; ++r)
            for (Index c = 0; c < it_.columns; ++c) it_.out[r * it_.apart + c] = it_.bias ? it_.bias[c] : Real(0);
    }

private:
    Index first(Index block) const { return from_ + (to_ - from_) * block / blocks_; }

    // `depth` values of k from k on.
    void add(const Factors<Real>& f, Index k, Index depth) {
        const bool turned = f.a.column != 1;
        for (Index c = 0; c < it_.columns; c += kPanel<V>) {
            const int left = static_cast<int>(std::min(kPanel<V>, it_.columns - c));
            const Real *lies = f.b.data + c / kPanel<V> * f.b.panel + k * f.b.row, *b = lies;
            if (in_place<V>(f.b)) {  // the last row or column maybe shorter than a panel
                f.b.column == 1 ? pack_columns<V>(lies, f.b.row, left, depth, depth, panel_)
                                : pack_rows<V>(lies, f.b.column, left, depth, panel_);
                b = panel_;
            }
            for (Index block = 0; block < blocks_; ++block) {
                const Index row = first(block), ldo = it_.apart;
                const int rows = static_cast<int>(first(block + 1) - row);
                Real* out = it_.out + row * ldo + c;
                const Real* begin = begun_ ? out : it_.bias ? it_.bias + c : nullptr;
                const Real* a = f.a.data + row * f.a.row + k * f.a.column;
                const Tile<Real> tile{a, turned ? f.a.column : f.a.row, b, depth, begin, begun_ ? ldo : 0, out, ldo, left};
                turned ? dense_rows<V, true>(rows, tile) : dense_rows<V, false>(rows, tile);
                if (f.b.column != 1) ask_for_part(lies + f.b.panel, f.b.column, depth, block);
            }
        }
    }

    // Of the next panel, whose columns are too short to be foreseen, what is to be under way while a
    // block is multiplied: so many columns of it as there are to a block.
    ELMAN_APART void ask_for_part(const Real* panel, Index apart, Index depth, Index block) const {
        constexpr Index line = 64 / Index{sizeof(Real)};
        for (Index c = kPanel<V> * block / blocks_; c < kPanel<V> * (block + 1) / blocks_; ++c)
            for (Index k = 0; k < depth; k += line) __builtin_prefetch(panel + c * apart + k, 0, 2);
    }

    const Dense<Real>& it_;
    Index from_, to_, blocks_;
    bool begun_ = false;
    alignas(64) Real panel_[kDepth * kPanel<V>];
};

template <class V>
void dense(const Dense<typename V::Real>& it, Index from, Index to) {
    if (is_narrow<V>(it)) return NarrowBlock<V>(it, from, to).run();
    // Where but few values are summed, results are all there is to memory: row by row.
    const bool shallow = it.multiplications() < 16 * it.rows * it.columns;
    const Index most = shallow ? kRows<V> : DenseBlock<V>::kMost;
    const Index blocks = (to - from + most - 1) / most;
    for (Index block = 0; block < blocks; ++block)
        DenseBlock<V>(it, from + (to - from) * block / blocks, from + (to - from) * (block + 1) / blocks).run();
}

// All of them, shared out among threads by rows.
template <class V>
void dense(const std::vector<Dense<typename V::Real>>& all, int threads) {
    // Multiplications for which a thread is worth waking: it takes as long to write one value as for four.
    constexpr Index least = Index{1} << 21, value = 4;
    struct Part {
        const Dense<typename V::Real>* of;
        Index from, to;
    };
    Index work = 0;
    for (const auto& one : all) work += one.multiplications() + value * one.rows * one.columns;
    const Index helpers = std::min<Index>(threads, work / least + 1);
    std::vector<Part> parts;
    for (Index helper = 0; helper < helpers; ++helper)  // to each its rows of all of them
        for (const auto& one : all) {
            const Index blocks = (one.rows + kRows<V> - 1) / kRows<V>;
            const bool whole = helpers < 2 || one.multiplications() * 8 * helpers < work;
            const Index count = whole ? 1 : std::min<Index>(blocks, 2 * helpers);
            for (Index i = count * helper / helpers; i < count * (helper + 1) / helpers; ++i)
                parts.push_back({&one, one.rows * i / count, one.rows * (i + 1) / count});
        }
    parallel(static_cast<int>(parts.size()), static_cast<int>(helpers), [&](int i) noexcept {
        const FlushDenormals flush;
        const Part& part = parts[static_cast<std::size_t>(i)];
        dense<V>(*part.of, part.from, part.to);
    });
}

}  // namespace elman::ELMAN_SET
