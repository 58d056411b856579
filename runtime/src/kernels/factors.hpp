// What products of whole matrices are made of.
#pragma once

#include <vector>

#include "kernels/product.hpp"

namespace elman::ELMAN_SET {

// Values of k that are summed in one chain.
inline constexpr Index kDepth = 256;

// A matrix by its strides: value (i, j) at data + i * row + j * column. `column` is 1, or else `row`
// is.
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
    Real* out;         // rows, `apart` from each other
    Index apart;
    const Real* bias;  // (columns), or null

    Index multiplications() const {
        Index all = 0;
        for (const Factors<Real>& term : terms) all += term.depth;
        return all * rows * columns;
    }
};

}  // namespace elman::ELMAN_SET
