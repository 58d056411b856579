// What a vector type offers.
//
// Each header of this folder has F32 and F64 for one instruction set, in a namespace of its own:
// what is compiled with different flags must never share inline code. V is either type, V::Real
// its element, V::width the number of lanes.
//
//   V::load(p), v.store(p)        width elements; any alignment
//   V::load(p, n), v.store(p, n)  0 < n < width elements; the other lanes are 0, and no memory
//                                 beyond the n elements is touched
//   V::set(x), V::zero()          the same value in every lane
//   a + b, a - b, a * b, a / b    rounded to nearest, ties to even
//   -a                            flips the sign bit, of zero and NaN too
//   fma(a, b, c), fnma(a, b, c)   a * b + c and c - a * b; one rounding where the set has it
//                                 (avx2, avx512, neon), else two
//   min(a, b), max(a, b)          NaN where either is NaN
//   abs(a), sqrt(a), round(a)     round: to nearest, ties to even
//   gt, ge, lt, le, ne            of (a, b), a V::Mask; false where a lane is NaN, but for ne
//   select(m, a, b)               m ? a : b
//   ones(m), any(m)               1 or 0 in each lane; whether some lane is set
//   exponent(n)                   2^n, for whole n within the exponents of normal numbers
//   V::sum(v)                     the lanes, halves added together until one is left
//   V::zip(a, b)                  a0 b0 a1 b1 ..., its first half in a and its second in b
//
// For math.hpp:
//
//   at_most(x, c), at_least(x, c) min and max at the price of one instruction: c is not NaN, and
//                                 NaN in x stays
//   flip(a, s)                    a, negated where the sign bit of s is set
//   unless(m, a)                  m ? 0 : a
//   to_exponent(a)                the bits of a, shifted left into the exponent field
//   from_exponent(a)              the biased exponent of a >= 0, as a number
//   add_bits(a, b), sub_bits      integer sum and difference of the bits
#pragma once

// Vector code is inlined even where a compiler's own weighing says no: a call would pass every
// vector and every constant through memory. What is rarely done beside it is kept apart: the registers
// that it takes would be missing there.
#if defined(_MSC_VER)
#define ELMAN_INLINE __forceinline
#define ELMAN_APART __declspec(noinline)
#else
#define ELMAN_INLINE inline __attribute__((always_inline))
#define ELMAN_APART __attribute__((noinline))
#endif
