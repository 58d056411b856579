// "Vectors" of one lane, for processors without an instruction set of their own here.
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>

#include "simd/vector.hpp"

namespace elman::scalar {

// Word: the unsigned integer of Real's size. kFraction: the width of its fraction in bits.
template <class Real_, class Word, int kFraction, int kBias>
struct Lane {
    using Real = Real_;
    static constexpr int width = 1;

    struct Mask {
        bool m;
    };

    Real v;

    static ELMAN_INLINE Lane load(const Real* p) { return {*p}; }
    static ELMAN_INLINE Lane load(const Real* p, int n) { return {n > 0 ? *p : Real(0)}; }
    static ELMAN_INLINE Lane set(Real x) { return {x}; }
    static ELMAN_INLINE Lane zero() { return {0}; }
    ELMAN_INLINE void store(Real* p) const { *p = v; }
    ELMAN_INLINE void store(Real* p, int n) const {
        if (n > 0) *p = v;
    }

    friend ELMAN_INLINE Lane operator+(Lane a, Lane b) { return {a.v + b.v}; }
    friend ELMAN_INLINE Lane operator-(Lane a, Lane b) { return {a.v - b.v}; }
    friend ELMAN_INLINE Lane operator*(Lane a, Lane b) { return {a.v * b.v}; }
    friend ELMAN_INLINE Lane operator/(Lane a, Lane b) { return {a.v / b.v}; }
    friend ELMAN_INLINE Lane operator-(Lane a) { return {-a.v}; }
    friend ELMAN_INLINE Lane fma(Lane a, Lane b, Lane c) { return {a.v * b.v + c.v}; }
    friend ELMAN_INLINE Lane fnma(Lane a, Lane b, Lane c) { return {c.v - a.v * b.v}; }

    friend ELMAN_INLINE Lane min(Lane a, Lane b) { return a.v != a.v || a.v < b.v ? a : b; }
    friend ELMAN_INLINE Lane max(Lane a, Lane b) { return a.v != a.v || a.v > b.v ? a : b; }
    friend ELMAN_INLINE Lane at_most(Lane x, Lane limit) { return limit.v < x.v ? limit : x; }
    friend ELMAN_INLINE Lane at_least(Lane x, Lane limit) { return limit.v > x.v ? limit : x; }
    friend ELMAN_INLINE Lane abs(Lane a) { return number(bits(a) & ~sign()); }
    friend ELMAN_INLINE Lane flip(Lane a, Lane s) { return number(bits(a) ^ (bits(s) & sign())); }
    friend ELMAN_INLINE Lane sqrt(Lane a) {
        if constexpr (sizeof(Real) == sizeof(float)) return {::sqrtf(a.v)};
        else return {::sqrt(a.v)};
    }
    // No number from 2^kFraction on has a fraction, so adding that rounds the smaller ones.
    friend ELMAN_INLINE Lane round(Lane a) {
        const Lane size = abs(a), whole = set(kWhole);
        return size.v < kWhole ? flip((size + whole) - whole, a) : a;
    }

    friend ELMAN_INLINE Mask gt(Lane a, Lane b) { return {a.v > b.v}; }
    friend ELMAN_INLINE Mask ge(Lane a, Lane b) { return {a.v >= b.v}; }
    friend ELMAN_INLINE Mask lt(Lane a, Lane b) { return {a.v < b.v}; }
    friend ELMAN_INLINE Mask le(Lane a, Lane b) { return {a.v <= b.v}; }
    friend ELMAN_INLINE Mask ne(Lane a, Lane b) { return {a.v != b.v}; }
    friend ELMAN_INLINE Lane select(Mask m, Lane a, Lane b) { return m.m ? a : b; }
    friend ELMAN_INLINE Lane unless(Mask m, Lane a) { return m.m ? zero() : a; }
    friend ELMAN_INLINE Lane ones(Mask m) { return {Real(m.m)}; }
    friend ELMAN_INLINE bool any(Mask m) { return m.m; }

    friend ELMAN_INLINE Lane exponent(Lane n) {
        return to_exponent(n + set(Real(1.5) * kWhole + kBias));
    }
    friend ELMAN_INLINE Lane to_exponent(Lane a) { return number(bits(a) << kFraction); }
    friend ELMAN_INLINE Lane from_exponent(Lane a) { return {Real(bits(a) >> kFraction)}; }
    friend ELMAN_INLINE Lane add_bits(Lane a, Lane b) { return number(bits(a) + bits(b)); }
    friend ELMAN_INLINE Lane sub_bits(Lane a, Lane b) { return number(bits(a) - bits(b)); }

    static ELMAN_INLINE void zip(Lane&, Lane&) {}
    static ELMAN_INLINE Real sum(Lane a) { return a.v; }

private:
    static constexpr Real kWhole = Real(Word(1) << kFraction);

    static constexpr Word sign() { return Word(1) << (8 * sizeof(Word) - 1); }
    static ELMAN_INLINE Word bits(Lane a) {
        Word word;
        std::memcpy(&word, &a.v, sizeof word);
        return word;
    }
    static ELMAN_INLINE Lane number(Word word) {
        Real v;
        std::memcpy(&v, &word, sizeof v);
        return {v};
    }
};

using F32 = Lane<float, std::uint32_t, 23, 127>;
using F64 = Lane<double, std::uint64_t, 52, 1023>;

}  // namespace elman::scalar
