// Vectors of 128 bits: SSE2, which every x86-64 processor has.
#pragma once

#include <emmintrin.h>

#include "simd/vector.hpp"

namespace elman::sse2 {

struct F32 {
    using Real = float;
    static constexpr int width = 4;

    struct Mask {
        __m128 m;
    };

    __m128 v;

    static ELMAN_INLINE F32 load(const float* p) { return {_mm_loadu_ps(p)}; }
    static ELMAN_INLINE F32 load(const float* p, int n) {
        const __m128 low = n == 1 ? _mm_load_ss(p) : two(p);
        return {n == 3 ? _mm_movelh_ps(low, _mm_load_ss(p + 2)) : low};
    }
    static ELMAN_INLINE F32 set(float x) { return {_mm_set1_ps(x)}; }
    static ELMAN_INLINE F32 zero() { return {_mm_setzero_ps()}; }
    ELMAN_INLINE void store(float* p) const { _mm_storeu_ps(p, v); }
    ELMAN_INLINE void store(float* p, int n) const {
        if (n == 1) return _mm_store_ss(p, v);
        _mm_storel_pi(reinterpret_cast<__m64*>(p), v);
        if (n == 3) _mm_store_ss(p + 2, _mm_movehl_ps(v, v));
    }

    friend ELMAN_INLINE F32 operator+(F32 a, F32 b) { return {_mm_add_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator-(F32 a, F32 b) { return {_mm_sub_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator*(F32 a, F32 b) { return {_mm_mul_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator/(F32 a, F32 b) { return {_mm_div_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator-(F32 a) { return {_mm_xor_ps(a.v, sign())}; }
    friend ELMAN_INLINE F32 fma(F32 a, F32 b, F32 c) { return a * b + c; }
    friend ELMAN_INLINE F32 fnma(F32 a, F32 b, F32 c) { return c - a * b; }

    // The instructions return their second operand where one is NaN.
    friend ELMAN_INLINE F32 min(F32 a, F32 b) { return select(ne(a, a), a, at_most(b, a)); }
    friend ELMAN_INLINE F32 max(F32 a, F32 b) { return select(ne(a, a), a, at_least(b, a)); }
    friend ELMAN_INLINE F32 at_most(F32 x, F32 limit) { return {_mm_min_ps(limit.v, x.v)}; }
    friend ELMAN_INLINE F32 at_least(F32 x, F32 limit) { return {_mm_max_ps(limit.v, x.v)}; }
    friend ELMAN_INLINE F32 abs(F32 a) { return {_mm_andnot_ps(sign(), a.v)}; }
    friend ELMAN_INLINE F32 flip(F32 a, F32 s) {
        return {_mm_xor_ps(a.v, _mm_and_ps(s.v, sign()))};
    }
    friend ELMAN_INLINE F32 sqrt(F32 a) { return {_mm_sqrt_ps(a.v)}; }
    // No number from 0x1p23f on has a fraction, so adding that rounds the smaller ones.
    friend ELMAN_INLINE F32 round(F32 a) {
        const F32 size = abs(a), whole = set(0x1p23f);
        return select(lt(size, whole), flip((size + whole) - whole, a), a);
    }

    friend ELMAN_INLINE Mask gt(F32 a, F32 b) { return {_mm_cmpgt_ps(a.v, b.v)}; }
    friend ELMAN_INLINE Mask ge(F32 a, F32 b) { return {_mm_cmpge_ps(a.v, b.v)}; }
    friend ELMAN_INLINE Mask lt(F32 a, F32 b) { return {_mm_cmplt_ps(a.v, b.v)}; }
    friend ELMAN_INLINE Mask le(F32 a, F32 b) { return {_mm_cmple_ps(a.v, b.v)}; }
    friend ELMAN_INLINE Mask ne(F32 a, F32 b) { return {_mm_cmpneq_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 select(Mask m, F32 a, F32 b) {
        return {_mm_or_ps(_mm_and_ps(m.m, a.v), _mm_andnot_ps(m.m, b.v))};
    }
    friend ELMAN_INLINE F32 unless(Mask m, F32 a) { return {_mm_andnot_ps(m.m, a.v)}; }
    friend ELMAN_INLINE F32 ones(Mask m) { return {_mm_and_ps(m.m, _mm_set1_ps(1.0f))}; }
    friend ELMAN_INLINE bool any(Mask m) { return _mm_movemask_ps(m.m) != 0; }

    friend ELMAN_INLINE F32 exponent(F32 n) { return to_exponent(n + set(0x1.8p23f + 127.0f)); }
    friend ELMAN_INLINE F32 to_exponent(F32 a) {
        return {_mm_castsi128_ps(_mm_slli_epi32(bits(a), 23))};
    }
    friend ELMAN_INLINE F32 from_exponent(F32 a) {
        const __m128i field = _mm_srli_epi32(bits(a), 23);
        const __m128 shifted = _mm_or_ps(_mm_castsi128_ps(field), _mm_set1_ps(0x1p23f));
        return {_mm_sub_ps(shifted, _mm_set1_ps(0x1p23f))};
    }
    friend ELMAN_INLINE F32 add_bits(F32 a, F32 b) {
        return {_mm_castsi128_ps(_mm_add_epi32(bits(a), bits(b)))};
    }
    friend ELMAN_INLINE F32 sub_bits(F32 a, F32 b) {
        return {_mm_castsi128_ps(_mm_sub_epi32(bits(a), bits(b)))};
    }

    static ELMAN_INLINE void zip(F32& a, F32& b) {
        const __m128 first = a.v;
        a.v = _mm_unpacklo_ps(first, b.v);
        b.v = _mm_unpackhi_ps(first, b.v);
    }

    // (l0 + l2) + (l1 + l3)
    static ELMAN_INLINE float sum(F32 a) {
        const __m128 half = _mm_add_ps(a.v, _mm_movehl_ps(a.v, a.v));
        return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
    }

private:
    static ELMAN_INLINE __m128 sign() { return _mm_set1_ps(-0.0f); }
    static ELMAN_INLINE __m128i bits(F32 a) { return _mm_castps_si128(a.v); }
    static ELMAN_INLINE __m128 two(const float* p) {
        return _mm_loadl_pi(_mm_setzero_ps(), reinterpret_cast<const __m64*>(p));
    }
};

struct F64 {
    using Real = double;
    static constexpr int width = 2;

    struct Mask {
        __m128d m;
    };

    __m128d v;

    static ELMAN_INLINE F64 load(const double* p) { return {_mm_loadu_pd(p)}; }
    static ELMAN_INLINE F64 load(const double* p, int) { return {_mm_load_sd(p)}; }
    static ELMAN_INLINE F64 set(double x) { return {_mm_set1_pd(x)}; }
    static ELMAN_INLINE F64 zero() { return {_mm_setzero_pd()}; }
    ELMAN_INLINE void store(double* p) const { _mm_storeu_pd(p, v); }
    ELMAN_INLINE void store(double* p, int) const { _mm_store_sd(p, v); }

    friend ELMAN_INLINE F64 operator+(F64 a, F64 b) { return {_mm_add_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator-(F64 a, F64 b) { return {_mm_sub_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator*(F64 a, F64 b) { return {_mm_mul_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator/(F64 a, F64 b) { return {_mm_div_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator-(F64 a) { return {_mm_xor_pd(a.v, sign())}; }
    friend ELMAN_INLINE F64 fma(F64 a, F64 b, F64 c) { return a * b + c; }
    friend ELMAN_INLINE F64 fnma(F64 a, F64 b, F64 c) { return c - a * b; }

    // The instructions return their second operand where one is NaN.
    friend ELMAN_INLINE F64 min(F64 a, F64 b) { return select(ne(a, a), a, at_most(b, a)); }
    friend ELMAN_INLINE F64 max(F64 a, F64 b) { return select(ne(a, a), a, at_least(b, a)); }
    friend ELMAN_INLINE F64 at_most(F64 x, F64 limit) { return {_mm_min_pd(limit.v, x.v)}; }
    friend ELMAN_INLINE F64 at_least(F64 x, F64 limit) { return {_mm_max_pd(limit.v, x.v)}; }
    friend ELMAN_INLINE F64 abs(F64 a) { return {_mm_andnot_pd(sign(), a.v)}; }
    friend ELMAN_INLINE F64 flip(F64 a, F64 s) {
        return {_mm_xor_pd(a.v, _mm_and_pd(s.v, sign()))};
    }
    friend ELMAN_INLINE F64 sqrt(F64 a) { return {_mm_sqrt_pd(a.v)}; }
    // No number from 0x1p52 on has a fraction, so adding that rounds the smaller ones.
    friend ELMAN_INLINE F64 round(F64 a) {
        const F64 size = abs(a), whole = set(0x1p52);
        return select(lt(size, whole), flip((size + whole) - whole, a), a);
    }

    friend ELMAN_INLINE Mask gt(F64 a, F64 b) { return {_mm_cmpgt_pd(a.v, b.v)}; }
    friend ELMAN_INLINE Mask ge(F64 a, F64 b) { return {_mm_cmpge_pd(a.v, b.v)}; }
    friend ELMAN_INLINE Mask lt(F64 a, F64 b) { return {_mm_cmplt_pd(a.v, b.v)}; }
    friend ELMAN_INLINE Mask le(F64 a, F64 b) { return {_mm_cmple_pd(a.v, b.v)}; }
    friend ELMAN_INLINE Mask ne(F64 a, F64 b) { return {_mm_cmpneq_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 select(Mask m, F64 a, F64 b) {
        return {_mm_or_pd(_mm_and_pd(m.m, a.v), _mm_andnot_pd(m.m, b.v))};
    }
    friend ELMAN_INLINE F64 unless(Mask m, F64 a) { return {_mm_andnot_pd(m.m, a.v)}; }
    friend ELMAN_INLINE F64 ones(Mask m) { return {_mm_and_pd(m.m, _mm_set1_pd(1.0))}; }
    friend ELMAN_INLINE bool any(Mask m) { return _mm_movemask_pd(m.m) != 0; }

    friend ELMAN_INLINE F64 exponent(F64 n) { return to_exponent(n + set(0x1.8p52 + 1023.0)); }
    friend ELMAN_INLINE F64 to_exponent(F64 a) {
        return {_mm_castsi128_pd(_mm_slli_epi64(bits(a), 52))};
    }
    friend ELMAN_INLINE F64 from_exponent(F64 a) {
        const __m128i field = _mm_srli_epi64(bits(a), 52);
        const __m128d shifted = _mm_or_pd(_mm_castsi128_pd(field), _mm_set1_pd(0x1p52));
        return {_mm_sub_pd(shifted, _mm_set1_pd(0x1p52))};
    }
    friend ELMAN_INLINE F64 add_bits(F64 a, F64 b) {
        return {_mm_castsi128_pd(_mm_add_epi64(bits(a), bits(b)))};
    }
    friend ELMAN_INLINE F64 sub_bits(F64 a, F64 b) {
        return {_mm_castsi128_pd(_mm_sub_epi64(bits(a), bits(b)))};
    }

    static ELMAN_INLINE void zip(F64& a, F64& b) {
        const __m128d first = a.v;
        a.v = _mm_unpacklo_pd(first, b.v);
        b.v = _mm_unpackhi_pd(first, b.v);
    }

    // l0 + l1
    static ELMAN_INLINE double sum(F64 a) {
        return _mm_cvtsd_f64(_mm_add_sd(a.v, _mm_unpackhi_pd(a.v, a.v)));
    }

private:
    static ELMAN_INLINE __m128d sign() { return _mm_set1_pd(-0.0); }
    static ELMAN_INLINE __m128i bits(F64 a) { return _mm_castpd_si128(a.v); }
};

}  // namespace elman::sse2
