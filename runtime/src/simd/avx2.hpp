// Vectors of 256 bits: AVX2 and FMA.
#pragma once

#include <immintrin.h>

#include "simd/vector.hpp"

namespace elman::avx2 {

// Set lanes, then as many clear ones. From entry width - n on, the first n lanes are set.
alignas(64) static constexpr int kFirst32[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
alignas(64) static constexpr long long kFirst64[8] = {-1, -1, -1, -1};

struct F32 {
    using Real = float;
    static constexpr int width = 8;

    struct Mask {
        __m256 m;
    };

    __m256 v;

    static ELMAN_INLINE F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static ELMAN_INLINE F32 load(const float* p, int n) {
        return {_mm256_maskload_ps(p, first(n))};
    }
    static ELMAN_INLINE F32 set(float x) { return {_mm256_set1_ps(x)}; }
    static ELMAN_INLINE F32 zero() { return {_mm256_setzero_ps()}; }
    ELMAN_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
    ELMAN_INLINE void store(float* p, int n) const { _mm256_maskstore_ps(p, first(n), v); }

    friend ELMAN_INLINE F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator-(F32 a) { return {_mm256_xor_ps(a.v, sign())}; }
    friend ELMAN_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
    friend ELMAN_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }

    // The instructions return their second operand where one is NaN.
    friend ELMAN_INLINE F32 min(F32 a, F32 b) { return select(ne(a, a), a, at_most(b, a)); }
    friend ELMAN_INLINE F32 max(F32 a, F32 b) { return select(ne(a, a), a, at_least(b, a)); }
    friend ELMAN_INLINE F32 at_most(F32 x, F32 limit) { return {_mm256_min_ps(limit.v, x.v)}; }
    friend ELMAN_INLINE F32 at_least(F32 x, F32 limit) { return {_mm256_max_ps(limit.v, x.v)}; }
    friend ELMAN_INLINE F32 abs(F32 a) { return {_mm256_andnot_ps(sign(), a.v)}; }
    friend ELMAN_INLINE F32 flip(F32 a, F32 s) {
        return {_mm256_xor_ps(a.v, _mm256_and_ps(s.v, sign()))};
    }
    friend ELMAN_INLINE F32 sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
    friend ELMAN_INLINE F32 round(F32 a) {
        return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
    }

    friend ELMAN_INLINE Mask gt(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
    friend ELMAN_INLINE Mask ge(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
    friend ELMAN_INLINE Mask lt(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
    friend ELMAN_INLINE Mask le(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
    friend ELMAN_INLINE Mask ne(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
    friend ELMAN_INLINE F32 select(Mask m, F32 a, F32 b) {
        return {_mm256_blendv_ps(b.v, a.v, m.m)};
    }
    friend ELMAN_INLINE F32 unless(Mask m, F32 a) { return {_mm256_andnot_ps(m.m, a.v)}; }
    friend ELMAN_INLINE F32 ones(Mask m) { return {_mm256_and_ps(m.m, _mm256_set1_ps(1.0f))}; }
    friend ELMAN_INLINE bool any(Mask m) { return _mm256_movemask_ps(m.m) != 0; }

    friend ELMAN_INLINE F32 exponent(F32 n) { return to_exponent(n + set(0x1.8p23f + 127.0f)); }
    friend ELMAN_INLINE F32 to_exponent(F32 a) {
        return {_mm256_castsi256_ps(_mm256_slli_epi32(bits(a), 23))};
    }
    friend ELMAN_INLINE F32 from_exponent(F32 a) {
        const __m256i field = _mm256_srli_epi32(bits(a), 23);
        const __m256 shifted = _mm256_or_ps(_mm256_castsi256_ps(field), _mm256_set1_ps(0x1p23f));
        return {_mm256_sub_ps(shifted, _mm256_set1_ps(0x1p23f))};
    }
    friend ELMAN_INLINE F32 add_bits(F32 a, F32 b) {
        return {_mm256_castsi256_ps(_mm256_add_epi32(bits(a), bits(b)))};
    }
    friend ELMAN_INLINE F32 sub_bits(F32 a, F32 b) {
        return {_mm256_castsi256_ps(_mm256_sub_epi32(bits(a), bits(b)))};
    }

    static ELMAN_INLINE void zip(F32& a, F32& b) {
        const __m256 low = _mm256_unpacklo_ps(a.v, b.v), high = _mm256_unpackhi_ps(a.v, b.v);
        a.v = _mm256_permute2f128_ps(low, high, 0x20);
        b.v = _mm256_permute2f128_ps(low, high, 0x31);
    }

    // ((l0 + l4) + (l2 + l6)) + ((l1 + l5) + (l3 + l7))
    static ELMAN_INLINE float sum(F32 a) {
        const __m128 four =
            _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }

private:
    static ELMAN_INLINE __m256 sign() { return _mm256_set1_ps(-0.0f); }
    static ELMAN_INLINE __m256i bits(F32 a) { return _mm256_castps_si256(a.v); }
    static ELMAN_INLINE __m256i first(int n) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirst32 + width - n));
    }
};

struct F64 {
    using Real = double;
    static constexpr int width = 4;

    struct Mask {
        __m256d m;
    };

    __m256d v;

    static ELMAN_INLINE F64 load(const double* p) { return {_mm256_loadu_pd(p)}; }
    static ELMAN_INLINE F64 load(const double* p, int n) {
        return {_mm256_maskload_pd(p, first(n))};
    }
    static ELMAN_INLINE F64 set(double x) { return {_mm256_set1_pd(x)}; }
    static ELMAN_INLINE F64 zero() { return {_mm256_setzero_pd()}; }
    ELMAN_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
    ELMAN_INLINE void store(double* p, int n) const { _mm256_maskstore_pd(p, first(n), v); }

    friend ELMAN_INLINE F64 operator+(F64 a, F64 b) { return {_mm256_add_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator-(F64 a, F64 b) { return {_mm256_sub_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator*(F64 a, F64 b) { return {_mm256_mul_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator/(F64 a, F64 b) { return {_mm256_div_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator-(F64 a) { return {_mm256_xor_pd(a.v, sign())}; }
    friend ELMAN_INLINE F64 fma(F64 a, F64 b, F64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
    friend ELMAN_INLINE F64 fnma(F64 a, F64 b, F64 c) { return {_mm256_fnmadd_pd(a.v, b.v, c.v)}; }

    // The instructions return their second operand where one is NaN.
    friend ELMAN_INLINE F64 min(F64 a, F64 b) { return select(ne(a, a), a, at_most(b, a)); }
    friend ELMAN_INLINE F64 max(F64 a, F64 b) { return select(ne(a, a), a, at_least(b, a)); }
    friend ELMAN_INLINE F64 at_most(F64 x, F64 limit) { return {_mm256_min_pd(limit.v, x.v)}; }
    friend ELMAN_INLINE F64 at_least(F64 x, F64 limit) { return {_mm256_max_pd(limit.v, x.v)}; }
    friend ELMAN_INLINE F64 abs(F64 a) { return {_mm256_andnot_pd(sign(), a.v)}; }
    friend ELMAN_INLINE F64 flip(F64 a, F64 s) {
        return {_mm256_xor_pd(a.v, _mm256_and_pd(s.v, sign()))};
    }
    friend ELMAN_INLINE F64 sqrt(F64 a) { return {_mm256_sqrt_pd(a.v)}; }
    friend ELMAN_INLINE F64 round(F64 a) {
        return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
    }

    friend ELMAN_INLINE Mask gt(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ)}; }
    friend ELMAN_INLINE Mask ge(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ)}; }
    friend ELMAN_INLINE Mask lt(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ)}; }
    friend ELMAN_INLINE Mask le(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LE_OQ)}; }
    friend ELMAN_INLINE Mask ne(F64 a, F64 b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_NEQ_UQ)}; }
    friend ELMAN_INLINE F64 select(Mask m, F64 a, F64 b) {
        return {_mm256_blendv_pd(b.v, a.v, m.m)};
    }
    friend ELMAN_INLINE F64 unless(Mask m, F64 a) { return {_mm256_andnot_pd(m.m, a.v)}; }
    friend ELMAN_INLINE F64 ones(Mask m) { return {_mm256_and_pd(m.m, _mm256_set1_pd(1.0))}; }
    friend ELMAN_INLINE bool any(Mask m) { return _mm256_movemask_pd(m.m) != 0; }

    friend ELMAN_INLINE F64 exponent(F64 n) { return to_exponent(n + set(0x1.8p52 + 1023.0)); }
    friend ELMAN_INLINE F64 to_exponent(F64 a) {
        return {_mm256_castsi256_pd(_mm256_slli_epi64(bits(a), 52))};
    }
    friend ELMAN_INLINE F64 from_exponent(F64 a) {
        const __m256i field = _mm256_srli_epi64(bits(a), 52);
        const __m256d shifted = _mm256_or_pd(_mm256_castsi256_pd(field), _mm256_set1_pd(0x1p52));
        return {_mm256_sub_pd(shifted, _mm256_set1_pd(0x1p52))};
    }
    friend ELMAN_INLINE F64 add_bits(F64 a, F64 b) {
        return {_mm256_castsi256_pd(_mm256_add_epi64(bits(a), bits(b)))};
    }
    friend ELMAN_INLINE F64 sub_bits(F64 a, F64 b) {
        return {_mm256_castsi256_pd(_mm256_sub_epi64(bits(a), bits(b)))};
    }

    static ELMAN_INLINE void zip(F64& a, F64& b) {
        const __m256d low = _mm256_unpacklo_pd(a.v, b.v), high = _mm256_unpackhi_pd(a.v, b.v);
        a.v = _mm256_permute2f128_pd(low, high, 0x20);
        b.v = _mm256_permute2f128_pd(low, high, 0x31);
    }

    // (l0 + l2) + (l1 + l3)
    static ELMAN_INLINE double sum(F64 a) {
        const __m128d two =
            _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
        return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
    }

private:
    static ELMAN_INLINE __m256d sign() { return _mm256_set1_pd(-0.0); }
    static ELMAN_INLINE __m256i bits(F64 a) { return _mm256_castpd_si256(a.v); }
    static ELMAN_INLINE __m256i first(int n) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirst64 + width - n));
    }
};

}  // namespace elman::avx2
