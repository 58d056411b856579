// What the operations of a stepper share: where values stand, packed matrices, a block of rows.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/buffer.hpp"
#include "kernels/chains.hpp"
#include "kernels/interpret.hpp"
#include "program/image.hpp"

namespace elman::ELMAN_SET {

// What is run at once: `rows` x `steps` lines of each value, those of a row side by side.
template <class Real>
struct Block {
    Index rows, steps;
    Real* state;             // of all rows of the call
    Index state_size;
    const std::int64_t* row_of;
    Index first_row;

    Real* state_row(Index r) const {
        const Index row = first_row + r;
        return state + (row_of ? row_of[row] : row) * state_size;
    }
};

// A value of the block at hand. Line i = (row * steps + step) * lead + j begins at base + i * ld; one
// that never changes has `lead` lines.
template <class Real>
struct Lines {
    Real* base;
    Index ld, lead, width;
    bool fixed;

    Real* at(Index line) const { return base + (fixed ? line % lead : line) * ld; }
};

// What operations are made with. First each asks the arena; once it is allocated each is placed.
template <class V>
struct Making {
    using Real = typename V::Real;

    const Image& image;
    Arena<Real>& arena;
    std::vector<Lines<Real>>& values;
    Index most;                // rows x steps of a block
    std::vector<Index> state;  // where each state begins in a row

    Real real(Index offset, Index i) const {
        Real value;
        std::memcpy(&value, image.reals + (offset + i) * Index{sizeof(Real)}, sizeof value);
        return value;
    }

    // `count` numbers of the image, and zeros up to what was asked for.
    void copy(Index offset, Index count, Real* to) const {
        std::memcpy(to, image.reals + offset * Index{sizeof(Real)}, static_cast<std::size_t>(count) * sizeof(Real));
    }
};

// A matrix of the image in panels, and what its sums begin with. Columns come in groups that are
// padded each, so that a group can be read as a row of its own.
template <class V>
class Matrix {
    using Real = typename V::Real;

public:
    Matrix() = default;

    Matrix(Making<V>& making, Index groups, Index columns, Index depth)
        : groups_(groups), columns_(columns), depth_(depth), each_(padded<V>(columns)),
          panels_(making.arena.ask(groups * each_ * depth)), bias_(making.arena.ask(groups * each_)) {}

    // at(g, c, k) is the matrix, shift(g, c) the bias.
    template <class At, class Shift>
    void place(const Making<V>& making, At at, Shift shift) {
        Real* data = making.arena.at(panels_);
        Real* bias = making.arena.at(bias_);
        for (Index g = 0; g < groups_; ++g) {
            pack<V>(columns_, depth_, data + g * each_ * depth_, [&](Index c, Index k) { return at(g, c, k); });
            for (Index c = 0; c < columns_; ++c) bias[g * each_ + c] = shift(g, c);
        }
        panels = {data, groups_ * each_, depth_};
        for (Index c = 0; c < groups_ * each_; c += kPanel<V>) starts.push_back({bias + c, 0});
    }

    Index width() const { return groups_ * each_; }

    Panels<Real> panels{};
    std::vector<Start<Real>> starts;  // the bias, until something else is put there

private:
    Index groups_ = 0, columns_ = 0, depth_ = 0, each_ = 0;
    std::size_t panels_ = 0, bias_ = 0;
};

inline constexpr Index kNoOffset[1] = {0};

template <class V>
class Operation {
    using Real = typename V::Real;

public:
    virtual ~Operation() = default;
    virtual void place(const Making<V>& making) = 0;
    virtual void run(const Block<Real>& block) = 0;
};

}  // namespace elman::ELMAN_SET
