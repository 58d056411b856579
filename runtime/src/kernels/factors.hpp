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

// b by panels: row k of panel p at data + p * panel + k * row, its values `column` apart.
template <class Real>
struct Paneled {
    const Real* data;
    Index panel, row, column = 1;
};

// As `pack_rows` leaves a matrix of so much depth.
template <class V>
Paneled<typename V::Real> as_packed(const typename V::Real* data, Index depth) {
    return {data, kPanel<V> * depth, kPanel<V>};
}

// As b lies in memory, a row after the other or a column after the other: panels are packed for the
// rows at hand.
template <class V>
Paneled<typename V::Real> rows_in_place(const typename V::Real* data, Index row) {
    return {data, kPanel<V>, row};
}

template <class V>
Paneled<typename V::Real> columns_in_place(const typename V::Real* data, Index column) {
    return {data, kPanel<V> * column, 1, column};
}

template <class V>
bool in_place(const Paneled<typename V::Real>& b) {
    return b.panel == kPanel<V> * b.column;
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
