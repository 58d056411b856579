// Vectors of 512 bits: AVX-512 F and DQ.
//
// Several unmasked intrinsics of GCC read an uninitialised variable and are warned about (its
// bug 105593); a zeroing mask of ones gives the same instruction without.
#pragma once

#include <immintrin.h>

#include "simd/vector.hpp"

namespace elman::avx512 {

struct F32 {
    using Real = float;
    static constexpr int width = 16;

    struct Mask {
        __mmask16 m;
    };

    __m512 v;

    static ELMAN_INLINE F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static ELMAN_INLINE F32 load(const float* p, int n) {
        return {_mm512_maskz_loadu_ps(first(n), p)};
    }
    static ELMAN_INLINE F32 set(float x) { return {_mm512_set1_ps(x)}; }
    static ELMAN_INLINE F32 zero() { return {_mm512_setzero_ps()}; }
    ELMAN_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
    ELMAN_INLINE void store(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }

    friend ELMAN_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator-(F32 a) { return {_mm512_xor_ps(a.v, sign())}; }
    friend ELMAN_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    friend ELMAN_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }

    // The instructions return their second operand where one is NaN.
    friend ELMAN_INLINE F32 min(F32 a, F32 b) { return select(ne(a, a), a, at_most(b, a)); }
    friend ELMAN_INLINE F32 max(F32 a, F32 b) { return select(ne(a, a), a, at_least(b, a)); }
    friend ELMAN_INLINE F32 at_most(F32 x, F32 limit) {
        return {_mm512_maskz_min_ps(kAll, limit.v, x.v)};
    }
    friend ELMAN_INLINE F32 at_least(F32 x, F32 limit) {
        return {_mm512_maskz_max_ps(kAll, limit.v, x.v)};
    }
    friend ELMAN_INLINE F32 abs(F32 a) { return {_mm512_andnot_ps(sign(), a.v)}; }
    friend ELMAN_INLINE F32 flip(F32 a, F32 s) {
        return {_mm512_xor_ps(a.v, _mm512_and_ps(s.v, sign()))};
    }
    friend ELMAN_INLINE F32 sqrt(F32 a) { return {_mm512_maskz_sqrt_ps(kAll, a.v)}; }
    friend ELMAN_INLINE F32 round(F32 a) {
        constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        return {_mm512_maskz_roundscale_ps(kAll, a.v, nearest)};
    }

    friend ELMAN_INLINE Mask gt(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
    friend ELMAN_INLINE Mask ge(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
    friend ELMAN_INLINE Mask lt(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
    friend ELMAN_INLINE Mask le(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
    friend ELMAN_INLINE Mask ne(F32 a, F32 b) {
        return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)};
    }
    friend ELMAN_INLINE F32 select(Mask m, F32 a, F32 b) {
        return {_mm512_mask_blend_ps(m.m, b.v, a.v)};
    }
    friend ELMAN_INLINE F32 unless(Mask m, F32 a) {
        return {_mm512_maskz_mov_ps(static_cast<__mmask16>(~m.m), a.v)};
    }
    friend ELMAN_INLINE F32 ones(Mask m) {
        return {_mm512_maskz_mov_ps(m.m, _mm512_set1_ps(1.0f))};
    }
    friend ELMAN_INLINE bool any(Mask m) { return m.m != 0; }

    friend ELMAN_INLINE F32 exponent(F32 n) { return to_exponent(n + set(0x1.8p23f + 127.0f)); }
    friend ELMAN_INLINE F32 to_exponent(F32 a) {
        return {_mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, bits(a), 23))};
    }
    friend ELMAN_INLINE F32 from_exponent(F32 a) {
        return {_mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_srli_epi32(kAll, bits(a), 23))};
    }
    friend ELMAN_INLINE F32 add_bits(F32 a, F32 b) {
        return {_mm512_castsi512_ps(_mm512_add_epi32(bits(a), bits(b)))};
    }
    friend ELMAN_INLINE F32 sub_bits(F32 a, F32 b) {
        return {_mm512_castsi512_ps(_mm512_sub_epi32(bits(a), bits(b)))};
    }

    static ELMAN_INLINE void zip(F32& a, F32& b) {
        const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        const __m512 first = a.v;
        a.v = _mm512_permutex2var_ps(first, low, b.v);
        b.v = _mm512_permutex2var_ps(first, high, b.v);
    }

    // Lanes i and i + 8, then as eight lanes are added in avx2.hpp.
    static ELMAN_INLINE float sum(F32 a) {
        const __m256 low = _mm512_maskz_extractf32x8_ps(0xff, a.v, 0);
        const __m256 eight = _mm256_add_ps(low, _mm512_maskz_extractf32x8_ps(0xff, a.v, 1));
        const __m128 four =
            _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }

private:
    static constexpr __mmask16 kAll = 0xffff;

    static ELMAN_INLINE __m512 sign() { return _mm512_set1_ps(-0.0f); }
    static ELMAN_INLINE __m512i bits(F32 a) { return _mm512_castps_si512(a.v); }
    static ELMAN_INLINE __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1); }
};

struct F64 {
    using Real = double;
    static constexpr int width = 8;

    struct Mask {
        __mmask8 m;
    };

    __m512d v;

    static ELMAN_INLINE F64 load(const double* p) { return {_mm512_loadu_pd(p)}; }
    static ELMAN_INLINE F64 load(const double* p, int n) {
        return {_mm512_maskz_loadu_pd(first(n), p)};
    }
    static ELMAN_INLINE F64 set(double x) { return {_mm512_set1_pd(x)}; }
    static ELMAN_INLINE F64 zero() { return {_mm512_setzero_pd()}; }
    ELMAN_INLINE void store(double* p) const { _mm512_storeu_pd(p, v); }
    ELMAN_INLINE void store(double* p, int n) const { _mm512_mask_storeu_pd(p, first(n), v); }

    friend ELMAN_INLINE F64 operator+(F64 a, F64 b) { return {_mm512_add_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator-(F64 a, F64 b) { return {_mm512_sub_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator*(F64 a, F64 b) { return {_mm512_mul_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator/(F64 a, F64 b) { return {_mm512_div_pd(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator-(F64 a) { return {_mm512_xor_pd(a.v, sign())}; }
    friend ELMAN_INLINE F64 fma(F64 a, F64 b, F64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
    friend ELMAN_INLINE F64 fnma(F64 a, F64 b, F64 c) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }

    // The instructions return their second operand where one is NaN.
    friend ELMAN_INLINE F64 min(F64 a, F64 b) { return select(ne(a, a), a, at_most(b, a)); }
    friend ELMAN_INLINE F64 max(F64 a, F64 b) { return select(ne(a, a), a, at_least(b, a)); }
    friend ELMAN_INLINE F64 at_most(F64 x, F64 limit) {
        return {_mm512_maskz_min_pd(kAll, limit.v, x.v)};
    }
    friend ELMAN_INLINE F64 at_least(F64 x, F64 limit) {
        return {_mm512_maskz_max_pd(kAll, limit.v, x.v)};
    }
    friend ELMAN_INLINE F64 abs(F64 a) { return {_mm512_andnot_pd(sign(), a.v)}; }
    friend ELMAN_INLINE F64 flip(F64 a, F64 s) {
        return {_mm512_xor_pd(a.v, _mm512_and_pd(s.v, sign()))};
    }
    friend ELMAN_INLINE F64 sqrt(F64 a) { return {_mm512_maskz_sqrt_pd(kAll, a.v)}; }
    friend ELMAN_INLINE F64 round(F64 a) {
        constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        return {_mm512_maskz_roundscale_pd(kAll, a.v, nearest)};
    }

    friend ELMAN_INLINE Mask gt(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ)}; }
    friend ELMAN_INLINE Mask ge(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ)}; }
    friend ELMAN_INLINE Mask lt(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)}; }
    friend ELMAN_INLINE Mask le(F64 a, F64 b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LE_OQ)}; }
    friend ELMAN_INLINE Mask ne(F64 a, F64 b) {
        return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_NEQ_UQ)};
    }
    friend ELMAN_INLINE F64 select(Mask m, F64 a, F64 b) {
        return {_mm512_mask_blend_pd(m.m, b.v, a.v)};
    }
    friend ELMAN_INLINE F64 unless(Mask m, F64 a) {
        return {_mm512_maskz_mov_pd(static_cast<__mmask8>(~m.m), a.v)};
    }
    friend ELMAN_INLINE F64 ones(Mask m) {
        return {_mm512_maskz_mov_pd(m.m, _mm512_set1_pd(1.0))};
    }
    friend ELMAN_INLINE bool any(Mask m) { return m.m != 0; }

    friend ELMAN_INLINE F64 exponent(F64 n) { return to_exponent(n + set(0x1.8p52 + 1023.0)); }
    friend ELMAN_INLINE F64 to_exponent(F64 a) {
        return {_mm512_castsi512_pd(_mm512_maskz_slli_epi64(kAll, bits(a), 52))};
    }
    friend ELMAN_INLINE F64 from_exponent(F64 a) {
        return {_mm512_maskz_cvtepi64_pd(kAll, _mm512_maskz_srli_epi64(kAll, bits(a), 52))};
    }
    friend ELMAN_INLINE F64 add_bits(F64 a, F64 b) {
        return {_mm512_castsi512_pd(_mm512_add_epi64(bits(a), bits(b)))};
    }
    friend ELMAN_INLINE F64 sub_bits(F64 a, F64 b) {
        return {_mm512_castsi512_pd(_mm512_sub_epi64(bits(a), bits(b)))};
    }

    static ELMAN_INLINE void zip(F64& a, F64& b) {
        const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
        const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
        const __m512d first = a.v;
        a.v = _mm512_permutex2var_pd(first, low, b.v);
        b.v = _mm512_permutex2var_pd(first, high, b.v);
    }

    // ((l0 + l4) + (l2 + l6)) + ((l1 + l5) + (l3 + l7))
    static ELMAN_INLINE double sum(F64 a) {
        const __m256d low = _mm512_maskz_extractf64x4_pd(kAll, a.v, 0);
        const __m256d four = _mm256_add_pd(low, _mm512_maskz_extractf64x4_pd(kAll, a.v, 1));
        const __m128d two =
            _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
        return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
    }

private:
    static constexpr __mmask8 kAll = 0xff;

    static ELMAN_INLINE __m512d sign() { return _mm512_set1_pd(-0.0); }
    static ELMAN_INLINE __m512i bits(F64 a) { return _mm512_castpd_si512(a.v); }
    static ELMAN_INLINE __mmask8 first(int n) { return static_cast<__mmask8>((1u << n) - 1); }
};

}  // namespace elman::avx512
