// Vectors of 128 bits: Advanced SIMD, which every 64-bit Arm processor has.
#pragma once

#include <arm_neon.h>

#include "simd/vector.hpp"

namespace elman::neon {

struct F32 {
    using Real = float;
    static constexpr int width = 4;

    struct Mask {
        uint32x4_t m;
    };

    float32x4_t v;

    static ELMAN_INLINE F32 load(const float* p) { return {vld1q_f32(p)}; }
    static ELMAN_INLINE F32 load(const float* p, int n) {
        float32x4_t v = vld1q_lane_f32(p, vdupq_n_f32(0), 0);
        if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
        if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
        return {v};
    }
    static ELMAN_INLINE F32 set(float x) { return {vdupq_n_f32(x)}; }
    static ELMAN_INLINE F32 zero() { return {vdupq_n_f32(0)}; }
    ELMAN_INLINE void store(float* p) const { vst1q_f32(p, v); }
    ELMAN_INLINE void store(float* p, int n) const {
        vst1q_lane_f32(p, v, 0);
        if (n > 1) vst1q_lane_f32(p + 1, v, 1);
        if (n > 2) vst1q_lane_f32(p + 2, v, 2);
    }

    friend ELMAN_INLINE F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator-(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator/(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE F32 operator-(F32 a) { return {vnegq_f32(a.v)}; }
    friend ELMAN_INLINE F32 fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
    friend ELMAN_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {vfmsq_f32(c.v, a.v, b.v)}; }

    friend ELMAN_INLINE F32 min(F32 a, F32 b) { return {vminq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE F32 max(F32 a, F32 b) { return {vmaxq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE F32 at_most(F32 x, F32 limit) { return min(x, limit); }
    friend ELMAN_INLINE F32 at_least(F32 x, F32 limit) { return max(x, limit); }
    friend ELMAN_INLINE F32 abs(F32 a) { return {vabsq_f32(a.v)}; }
    friend ELMAN_INLINE F32 flip(F32 a, F32 s) {
        return number(veorq_u32(bits(a), vandq_u32(bits(s), bits(set(-0.0f)))));
    }
    friend ELMAN_INLINE F32 sqrt(F32 a) { return {vsqrtq_f32(a.v)}; }
    friend ELMAN_INLINE F32 round(F32 a) { return {vrndnq_f32(a.v)}; }

    friend ELMAN_INLINE Mask gt(F32 a, F32 b) { return {vcgtq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE Mask ge(F32 a, F32 b) { return {vcgeq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE Mask lt(F32 a, F32 b) { return {vcltq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE Mask le(F32 a, F32 b) { return {vcleq_f32(a.v, b.v)}; }
    friend ELMAN_INLINE Mask ne(F32 a, F32 b) { return {vmvnq_u32(vceqq_f32(a.v, b.v))}; }
    friend ELMAN_INLINE F32 select(Mask m, F32 a, F32 b) { return {vbslq_f32(m.m, a.v, b.v)}; }
    friend ELMAN_INLINE F32 unless(Mask m, F32 a) { return number(vbicq_u32(bits(a), m.m)); }
    friend ELMAN_INLINE F32 ones(Mask m) { return number(vandq_u32(m.m, bits(set(1)))); }
    friend ELMAN_INLINE bool any(Mask m) { return vmaxvq_u32(m.m) != 0; }

    friend ELMAN_INLINE F32 exponent(F32 n) { return to_exponent(n + set(0x1.8p23f + 127.0f)); }
    friend ELMAN_INLINE F32 to_exponent(F32 a) { return number(vshlq_n_u32(bits(a), 23)); }
    friend ELMAN_INLINE F32 from_exponent(F32 a) {
        return {vcvtq_f32_u32(vshrq_n_u32(bits(a), 23))};
    }
    friend ELMAN_INLINE F32 add_bits(F32 a, F32 b) { return number(vaddq_u32(bits(a), bits(b))); }
    friend ELMAN_INLINE F32 sub_bits(F32 a, F32 b) { return number(vsubq_u32(bits(a), bits(b))); }

    static ELMAN_INLINE void zip(F32& a, F32& b) {
        const float32x4_t first = a.v;
        a.v = vzip1q_f32(first, b.v);
        b.v = vzip2q_f32(first, b.v);
    }

    // (l0 + l2) + (l1 + l3)
    static ELMAN_INLINE float sum(F32 a) {
        const float32x2_t half = vadd_f32(vget_low_f32(a.v), vget_high_f32(a.v));
        return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
    }

private:
    static ELMAN_INLINE uint32x4_t bits(F32 a) { return vreinterpretq_u32_f32(a.v); }
    static ELMAN_INLINE F32 number(uint32x4_t u) { return {vreinterpretq_f32_u32(u)}; }
};

struct F64 {
    using Real = double;
    static constexpr int width = 2;

    struct Mask {
        uint64x2_t m;
    };

    float64x2_t v;

    static ELMAN_INLINE F64 load(const double* p) { return {vld1q_f64(p)}; }
    static ELMAN_INLINE F64 load(const double* p, int) {
        return {vld1q_lane_f64(p, vdupq_n_f64(0), 0)};
    }
    static ELMAN_INLINE F64 set(double x) { return {vdupq_n_f64(x)}; }
    static ELMAN_INLINE F64 zero() { return {vdupq_n_f64(0)}; }
    ELMAN_INLINE void store(double* p) const { vst1q_f64(p, v); }
    ELMAN_INLINE void store(double* p, int) const { vst1q_lane_f64(p, v, 0); }

    friend ELMAN_INLINE F64 operator+(F64 a, F64 b) { return {vaddq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator-(F64 a, F64 b) { return {vsubq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator*(F64 a, F64 b) { return {vmulq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator/(F64 a, F64 b) { return {vdivq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE F64 operator-(F64 a) { return {vnegq_f64(a.v)}; }
    friend ELMAN_INLINE F64 fma(F64 a, F64 b, F64 c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
    friend ELMAN_INLINE F64 fnma(F64 a, F64 b, F64 c) { return {vfmsq_f64(c.v, a.v, b.v)}; }

    friend ELMAN_INLINE F64 min(F64 a, F64 b) { return {vminq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE F64 max(F64 a, F64 b) { return {vmaxq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE F64 at_most(F64 x, F64 limit) { return min(x, limit); }
    friend ELMAN_INLINE F64 at_least(F64 x, F64 limit) { return max(x, limit); }
    friend ELMAN_INLINE F64 abs(F64 a) { return {vabsq_f64(a.v)}; }
    friend ELMAN_INLINE F64 flip(F64 a, F64 s) {
        return number(veorq_u64(bits(a), vandq_u64(bits(s), bits(set(-0.0f)))));
    }
    friend ELMAN_INLINE F64 sqrt(F64 a) { return {vsqrtq_f64(a.v)}; }
    friend ELMAN_INLINE F64 round(F64 a) { return {vrndnq_f64(a.v)}; }

    friend ELMAN_INLINE Mask gt(F64 a, F64 b) { return {vcgtq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE Mask ge(F64 a, F64 b) { return {vcgeq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE Mask lt(F64 a, F64 b) { return {vcltq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE Mask le(F64 a, F64 b) { return {vcleq_f64(a.v, b.v)}; }
    friend ELMAN_INLINE Mask ne(F64 a, F64 b) {
        return {veorq_u64(vceqq_f64(a.v, b.v), vdupq_n_u64(~0ull))};
    }
    friend ELMAN_INLINE F64 select(Mask m, F64 a, F64 b) { return {vbslq_f64(m.m, a.v, b.v)}; }
    friend ELMAN_INLINE F64 unless(Mask m, F64 a) { return number(vbicq_u64(bits(a), m.m)); }
    friend ELMAN_INLINE F64 ones(Mask m) { return number(vandq_u64(m.m, bits(set(1)))); }
    friend ELMAN_INLINE bool any(Mask m) {
        return (vgetq_lane_u64(m.m, 0) | vgetq_lane_u64(m.m, 1)) != 0;
    }

    friend ELMAN_INLINE F64 exponent(F64 n) { return to_exponent(n + set(0x1.8p52 + 1023.0)); }
    friend ELMAN_INLINE F64 to_exponent(F64 a) { return number(vshlq_n_u64(bits(a), 52)); }
    friend ELMAN_INLINE F64 from_exponent(F64 a) {
        return {vcvtq_f64_u64(vshrq_n_u64(bits(a), 52))};
    }
    friend ELMAN_INLINE F64 add_bits(F64 a, F64 b) { return number(vaddq_u64(bits(a), bits(b))); }
    friend ELMAN_INLINE F64 sub_bits(F64 a, F64 b) { return number(vsubq_u64(bits(a), bits(b))); }

    static ELMAN_INLINE void zip(F64& a, F64& b) {
        const float64x2_t first = a.v;
        a.v = vzip1q_f64(first, b.v);
        b.v = vzip2q_f64(first, b.v);
    }

    // l0 + l1
    static ELMAN_INLINE double sum(F64 a) {
        return vgetq_lane_f64(a.v, 0) + vgetq_lane_f64(a.v, 1);
    }

private:
    static ELMAN_INLINE uint64x2_t bits(F64 a) { return vreinterpretq_u64_f64(a.v); }
    static ELMAN_INLINE F64 number(uint64x2_t u) { return {vreinterpretq_f64_u64(u)}; }
};

}  // namespace elman::neon
