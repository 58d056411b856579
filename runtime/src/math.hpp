// Elementwise functions of vectors.
//
// Templates over the vector types of simd/: what a lane gives depends on that lane alone, bit for
// bit. Nothing is kept, allocated or thrown. NaN stays NaN; a result below the smallest normal
// number may be zero. Rounding must be to nearest. No division but the one each of sigmoid, tanh
// and the logarithms.
//
// Largest errors found, in units in the last place; runtime/tests/cpp/test_math.cpp fails above 2
// for the first three (2.5 where fma rounds twice) and above 3 for the others:
//
//   exp 1.1, sigmoid 2.0, tanh 1.8 (2.0 where fma rounds twice),
//   expm1 2.2, log 0.9, softplus 1.7, sin and cos 2.5
#pragma once

#include <math.h>

#include <limits>

#include "simd/vector.hpp"

namespace elman {

// c0 + x (c1 + x (c2 + ...)), from the highest power down.
template <class V>
ELMAN_INLINE V polynomial(V, typename V::Real c0) {
    return V::set(c0);
}
template <class V, class... Rest>
ELMAN_INLINE V polynomial(V x, typename V::Real c0, Rest... rest) {
    return fma(polynomial(x, rest...), x, V::set(c0));
}

// exp(r) = 1 + r + r^2 q(r) for |r| <= ln(2) / 2. The coefficients make the relative error of
// r + r^2 q(r) as an approximation of exp(r) - 1 least in the maximum (Remez): 0.22 and 0.16
// units of 2^-24 and 2^-53.
//
// ln(2) is split in two: n * ln2_high is exact for every n that occurs.
// n + whole, for an integer n, holds n in its lowest bits; n + biased holds n plus the bias of
// the exponent field. Adding either rounds to an integer.
template <class Real>
struct ExpConstants;

template <>
struct ExpConstants<float> {
    static constexpr float infinity = std::numeric_limits<float>::infinity();
    static constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    static constexpr float log2e = 0x1.715476p+0f;
    static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    static constexpr float whole = 0x1.8p23f, biased = 0x1.8p23f + 127.0f;
    static constexpr float highest = 0x1.62e42ep+6f;   // exp(x) is finite up to here,
    static constexpr float lowest = -0x1.5d589ep+6f;   // and normal from here on
    static constexpr float least_sigmoid = -88.0f;     // sigmoid(x) is below normal before this,
    static constexpr float most_sigmoid = 40.0f;       // and 1 from well before this on
    static constexpr float most_tanh = 10.0f;          // tanh(x) is 1 from well before this on
    static constexpr float least_expm1 = -20.0f;       // expm1(x) is -1 from well after this down,
    static constexpr float most_expm1 = 89.0f;         // infinite before this,
    static constexpr float linear_expm1 = 0x1p-25f;    // and x itself on either side of zero

    // factor * q(scale * r), both of them powers of two, so that the products are exact. Odd and
    // even powers apart: half as long a chain.
    template <class V>
    static ELMAN_INLINE V q(V r, V r2, float scale = 1, float factor = 1) {
        const float one = factor * scale, square = scale * scale;
        const V even = polynomial(r2, factor * 0x1p-1f, factor * square * 0x1.555486p-5f,
                                  factor * square * square * 0x1.6d995cp-10f);
        const V odd = polynomial(r2, one * 0x1.5554bp-3f, one * square * 0x1.122838p-7f);
        return fma(odd, r, even);
    }
};

template <>
struct ExpConstants<double> {
    static constexpr double infinity = std::numeric_limits<double>::infinity();
    static constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    static constexpr double log2e = 0x1.71547652b82fep+0;
    static constexpr double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;
    static constexpr double whole = 0x1.8p52, biased = 0x1.8p52 + 1023.0;
    static constexpr double highest = 0x1.62e42fefa39efp+9;
    static constexpr double lowest = -0x1.6232bdd7abcd2p+9;
    static constexpr double least_sigmoid = -709.0;
    static constexpr double most_sigmoid = 40.0;
    static constexpr double most_tanh = 20.0;
    static constexpr double least_expm1 = -40.0;
    static constexpr double most_expm1 = 710.0;
    static constexpr double linear_expm1 = 0x1p-54;

    template <class V>
    static ELMAN_INLINE V q(V r, V r2, double scale = 1, double factor = 1) {
        const double one = factor * scale, s2 = scale * scale, s4 = s2 * s2;
        const V even = polynomial(
            r2, factor * 0x1.0000000000005p-1, factor * s2 * 0x1.55555555520c9p-5,
            factor * s4 * 0x1.6c16c17f43272p-10, factor * s4 * s2 * 0x1.a019a660aa9c5p-16,
            factor * s4 * s4 * 0x1.28a2d234d3324p-22);
        const V odd = polynomial(
            r2, one * 0x1.555555555555cp-3, one * s2 * 0x1.111111110e6c1p-7,
            one * s4 * 0x1.a01a01b5e01b2p-13, one * s4 * s2 * 0x1.71dde9f159482p-19,
            one * s4 * s4 * 0x1.af76cf0a95273p-26);
        return fma(odd, r, even);
    }
};

// +inf above the range, 0 where the result would be below the smallest normal number.
template <class V>
ELMAN_INLINE V exp(V x) {
    using C = ExpConstants<typename V::Real>;
    const V shifted = fma(x, V::set(C::log2e), V::set(C::whole));
    const V n = shifted - V::set(C::whole);
    const V r = fnma(n, V::set(C::ln2_low), fnma(n, V::set(C::ln2_high), x));
    const V r2 = r * r;
    const V one_octave = fma(r2, C::q(r, r2), r) + V::set(1);
    // n goes into the exponent field by an addition of integers, because 2^n itself would
    // overflow before the product does. NaN and what is too large leave by x + inf.
    const V scaled = add_bits(one_octave, to_exponent(shifted));
    const V bounded = select(le(x, V::set(C::highest)), scaled, x + V::set(C::infinity));
    return unless(lt(x, V::set(C::lowest)), bounded);
}

// 1 / (1 + exp(-x)); to full relative accuracy in the lower tail too.
template <class V>
ELMAN_INLINE V sigmoid(V x) {
    using C = ExpConstants<typename V::Real>;
    const V bounded = at_most(x, V::set(C::most_sigmoid));
    const V shifted = fnma(bounded, V::set(C::log2e), V::set(C::biased));
    const V n = shifted - V::set(C::biased);
    // exp(-x) = 2^n (1 - g) with g = 1 - exp(-r).
    const V r = fma(n, V::set(C::ln2_low), fma(n, V::set(C::ln2_high), bounded));
    const V r2 = r * r;
    const V g = fnma(r2, C::q(r, r2, -1), r);
    const V power = to_exponent(shifted), one = V::set(1);
    // power * g is exact. The smaller of 1 and the power takes it first, so that the larger
    // loses nothing: where the power is 2^24 (2^53), power + 1 would.
    const V y = one / (fnma(power, g, at_most(power, one)) + at_least(power, one));
    return unless(lt(x, V::set(C::least_sigmoid)), y);
}

// (1 - e) / (1 + e) with e = exp(-2 |x|); the sign of x, also of zero.
template <class V>
ELMAN_INLINE V tanh(V x) {
    using C = ExpConstants<typename V::Real>;
    const V bounded = at_most(abs(x), V::set(C::most_tanh));
    const V shifted = fnma(bounded, V::set(2 * C::log2e), V::set(C::biased));
    const V n = shifted - V::set(C::biased);
    // e = 2^n (1 - 2 g) with 2 g = 1 - exp(-2 h). Both sides of the fraction are halved, which
    // leaves g alone, and accurate, near zero.
    const V h = fma(n, V::set(C::ln2_low / 2), fma(n, V::set(C::ln2_high / 2), bounded));
    const V h2 = h * h;
    const V g = fnma(h2, C::q(h, h2, -2, 2), h);
    const V power = to_exponent(shifted), half = V::set(0.5f);
    const V part = power * g, minus = fnma(power, half, half), plus = fma(power, half, half);
    const V quotient = (minus + part) / (plus - part);
    // The three roundings of the quotient together pass 2 units, so one step of Newton follows:
    // the rest of the division, times 1 / denominator = 1 + tanh |x|.
    const V rest = fma(part, quotient, fnma(quotient, plus, minus) + part);
    const V y = fma(rest, quotient + V::set(1), quotient);
    return flip(y, x);
}

// exp(x) - 1, to full relative accuracy near zero; the sign of x, also of zero.
template <class V>
ELMAN_INLINE V expm1(V x) {
    using C = ExpConstants<typename V::Real>;
    const V bounded = at_most(at_least(x, V::set(C::least_expm1)), V::set(C::most_expm1));
    // Half of 2^n does not overflow before the result does.
    const V shifted = fma(bounded, V::set(C::log2e), V::set(C::biased - 1));
    const V n = shifted - V::set(C::biased - 1);
    const V r = fnma(n, V::set(C::ln2_low), fnma(n, V::set(C::ln2_high), bounded));
    const V r2 = r * r;
    const V power = to_exponent(shifted);
    const V y = fma(power, fma(r2, C::q(r, r2), r), power - V::set(0.5f));
    return select(lt(abs(x), V::set(C::linear_expm1)), x, y + y);
}

// With s = f / (2 + f) and z = s^2, log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + z l(z)) for 1 + f from
// sqrt(1/2) to sqrt(2). Relative error of the logarithm: 0.014 and 0.011 units.
template <class Real>
struct LogConstants;

template <>
struct LogConstants<float> {
    static constexpr float smallest = std::numeric_limits<float>::min();
    static constexpr float one = 1.0f, bias = 127.0f, digits = 24.0f, lift = 0x1p24f;
    static constexpr float root_half = 0x1.6a09e6p-1f;

    template <class V>
    static ELMAN_INLINE V l(V z) {
        return polynomial(z, 0x1.55557ap-1f, 0x1.995e7cp-2f, 0x1.31eap-2f);
    }
};

template <>
struct LogConstants<double> {
    static constexpr double smallest = std::numeric_limits<double>::min();
    static constexpr double one = 1.0, bias = 1023.0, digits = 53.0, lift = 0x1p53;
    static constexpr double root_half = 0x1.6a09e667f3bcdp-1;

    template <class V>
    static ELMAN_INLINE V l(V z) {
        return polynomial(z, 0x1.5555555555593p-1, 0x1.999999997f8a8p-2, 0x1.249249423e4c9p-2,
                          0x1.c71c51c67294cp-3, 0x1.74664d7570816p-3, 0x1.39a02f00bee32p-3,
                          0x1.2f15baa99269cp-3);
    }
};

// k ln(2) + log(1 + f).
template <class V>
ELMAN_INLINE V log_of_parts(V k, V f) {
    using E = ExpConstants<typename V::Real>;
    using L = LogConstants<typename V::Real>;
    const V s = f / (f + V::set(2)), z = s * s, half_square = V::set(0.5f) * f * f;
    const V low = fma(s, fma(z, L::l(z), half_square), k * V::set(E::ln2_low));
    return fma(k, V::set(E::ln2_high), f - (half_square - low));
}

// -inf for zero, NaN below.
template <class V>
ELMAN_INLINE V log(V x) {
    using E = ExpConstants<typename V::Real>;
    using L = LogConstants<typename V::Real>;
    const auto tiny = lt(x, V::set(L::smallest));
    const V normal = select(tiny, x * V::set(L::lift), x);
    // x = 2^k m with m from sqrt(1/2) to sqrt(2): the difference of the bits of 1 and of
    // sqrt(1/2) carries into the exponent field where the fraction is too large.
    const V one = V::set(L::one);
    const V field = from_exponent(add_bits(normal, sub_bits(one, V::set(L::root_half))));
    const V k = field - V::set(L::bias);
    const V m = sub_bits(normal, to_exponent(k + V::set(E::whole)));
    const V y = log_of_parts(k - V::set(L::digits) * ones(tiny), m - one);
    const V finite = select(lt(x, V::set(E::infinity)), y, x);
    const V none = select(lt(x, V::zero()), V::set(E::nan), V::set(-E::infinity));
    return select(le(x, V::zero()), none, finite);
}

// log(1 + exp(x)), and x itself above 20, as torch has it; accurate in the lower tail.
template <class V>
ELMAN_INLINE V softplus(V x) {
    // log(1 + e) with 0 <= e <= 1, as ln(2) + log((1 + e) / 2) where 1 + e passes sqrt(2).
    const V e = exp(-abs(x)), one = V::set(1), half = V::set(0.5f);
    const auto upper = gt(e, V::set(0x1.a8279ap-2f));
    const V tail = log_of_parts(ones(upper), select(upper, (e - one) * half, e));
    return select(gt(x, V::set(20)), x, at_least(x, V::zero()) + tail);
}

// sin(r) = r + r^3 s(r^2) and cos(r) = 1 - r^2 / 2 + r^4 c(r^2) for |r| <= pi / 4. Relative
// error: 0.064 and 0.002, 0.033 and 0.001 units.
//
// half_pi is split in four, so that the products of n and the first three are exact up to `reach`.
template <class Real>
struct CircleConstants;

template <>
struct CircleConstants<float> {
    static constexpr float reach = 1e4f, inverse = 0x1.45f306p-1f;
    static constexpr float half_pi[4] = {0x1.92p+0f, 0x1.fbp-12f, 0x1.51p-22f, 0x1.0b4612p-34f};

    template <class V>
    static ELMAN_INLINE V s(V z) {
        return polynomial(z, -0x1.555546p-3f, 0x1.110736p-7f, -0x1.994222p-13f);
    }
    template <class V>
    static ELMAN_INLINE V c(V z) {
        return polynomial(z, 0x1.55554ap-5f, -0x1.6c0c2ep-10f, 0x1.99ea04p-16f);
    }
};

template <>
struct CircleConstants<double> {
    static constexpr double reach = 1e6, inverse = 0x1.45f306dc9c883p-1;
    static constexpr double half_pi[4] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69,
                                          0x1.b839a252049c1p-104};

    template <class V>
    static ELMAN_INLINE V s(V z) {
        return polynomial(z, -0x1.5555555555548p-3, 0x1.111111110f7bp-7, -0x1.a01a019bf9b65p-13,
                          0x1.71de356408f15p-19, -0x1.ae5e57815dba2p-26, 0x1.5d8ee7a9664b4p-33);
    }
    template <class V>
    static ELMAN_INLINE V c(V z) {
        return polynomial(z, 0x1.555555555554bp-5, -0x1.6c16c16c14f6cp-10,
                          0x1.a01a019c8096ap-16, -0x1.27e4f7e8029e9p-22, 0x1.1ee9d5c9338b9p-29,
                          -0x1.8fa3959505fabp-37);
    }
};

// The C library, one lane at a time, where |x| is too large for the reduction above.
template <class V, bool kSine>
V with_far_lanes(V x, V y) {
    using Real = typename V::Real;
    const V reach = V::set(CircleConstants<Real>::reach);
    if (!any(gt(abs(x), reach))) return y;
    Real from[V::width], to[V::width], outside[V::width];
    x.store(from);
    y.store(to);
    ones(gt(abs(x), reach)).store(outside);
    for (int i = 0; i < V::width; ++i) {
        if (outside[i] == 0) continue;
        const Real a = from[i];
        if constexpr (sizeof(Real) == sizeof(float)) to[i] = kSine ? ::sinf(a) : ::cosf(a);
        else to[i] = kSine ? ::sin(a) : ::cos(a);
    }
    return V::load(to);
}

template <class V, bool kSine>
ELMAN_INLINE V circle(V x) {
    using E = ExpConstants<typename V::Real>;
    using C = CircleConstants<typename V::Real>;
    const V whole = V::set(E::whole), one = V::set(1), two = V::set(2);
    const V n = fma(x, V::set(C::inverse), whole) - whole;
    const V near_r = fnma(n, V::set(C::half_pi[1]), fnma(n, V::set(C::half_pi[0]), x));
    const V r = fnma(n, V::set(C::half_pi[3]), fnma(n, V::set(C::half_pi[2]), near_r));
    const V z = r * r;
    const V sine = flip(abs(fma(r * z, C::s(z), r)), r);
    const V cosine = one - fnma(z * z, C::c(z), V::set(0.5f) * z);
    // A cosine is a sine one quarter of a turn ahead. Quarter 0, 1, 2 or 3 of a turn:
    const V quarters = kSine ? n : n + one;
    const V turns = fma(quarters, V::set(0.25f), V::set(-0.375f)) + whole - whole;
    const V quarter = fnma(V::set(4), turns, quarters);
    const V y = select(ne(abs(quarter - two), one), sine, cosine);
    return with_far_lanes<V, kSine>(x, select(gt(quarter, one), -y, y));
}

// NaN for infinities.
template <class V>
ELMAN_INLINE V sin(V x) {
    return circle<V, true>(x);
}
template <class V>
ELMAN_INLINE V cos(V x) {
    return circle<V, false>(x);
}

}  // namespace elman
