// What the tests of vectors share. ELMAN_SET names the one instruction set that is tested.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#define ELMAN_TEXT(x) #x
#define ELMAN_NAME(set) ELMAN_TEXT(set)
#define ELMAN_HEADER(set) ELMAN_TEXT(simd/set.hpp)
#include ELMAN_HEADER(ELMAN_SET)

#include "cpu.hpp"

namespace {

namespace simd = elman::ELMAN_SET;
constexpr const char* kSet = ELMAN_NAME(ELMAN_SET);

bool is_set(const char* name) { return std::strcmp(kSet, name) == 0; }

// Sets whose fma rounds once.
bool fused() { return !is_set("sse2") && !is_set("scalar"); }

template <class Real>
struct Type;
template <>
struct Type<float> {
    using Word = std::uint32_t;
    using Wide = double;
    static constexpr const char* name = "float";
};
template <>
struct Type<double> {
    using Word = std::uint64_t;
    using Wide = long double;
    static constexpr const char* name = "double";
};

int failures = 0;

template <class V>
void check(bool ok, const char* what, double where = 0) {
    if (ok) return;
    if (++failures <= 40)
        std::printf("%s %s: %s is wrong at %.17g\n", kSet, Type<typename V::Real>::name, what,
                    where);
}

template <class To, class From>
To bit_cast(From from) {
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

template <class Real>
auto bits(Real x) {
    return bit_cast<typename Type<Real>::Word>(x);
}

// Equal bits, or both NaN.
template <class Real>
bool same(Real a, Real b) {
    return a != a ? b != b : bits(a) == bits(b);
}

// SplitMix64.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t word() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    double between(double low, double high) {
        return low + (high - low) * (static_cast<double>(word() >> 11) * 0x1p-53);
    }

private:
    std::uint64_t state_;
};

// Numbers that functions trip over, in vectors of one value each time.
template <class Real>
std::vector<Real> odd_numbers() {
    using Limits = std::numeric_limits<Real>;
    using Word = typename Type<Real>::Word;
    const Real inf = Limits::infinity(), nan = Limits::quiet_NaN();
    // Quiet NaNs whose payload a shift would bring into the exponent field.
    const Real payload = bit_cast<Real>(static_cast<Word>(bits(nan) | 0x1ff));
    const Real other = bit_cast<Real>(static_cast<Word>(bits(-nan) | 0x155));
    return {inf, -inf, nan, -nan, payload, other, 0, Real(-0.0), 1, -1, 20, 88, 89, -87, -88, -104,
            128, 709, 710, -708, -745, -746, 1e4f, 1e6f, -1e9f, 2147483648.0f, 1e30f,
            Limits::min(), -Limits::min(), Limits::denorm_min(), Limits::max(), Limits::lowest()};
}

bool runs_here() {
    const elman::InstructionSets has = elman::instruction_sets();
    const bool here = is_set("avx2") ? has.avx2_fma : is_set("avx512") ? has.avx512 : true;
    if (!here) std::printf("%s: not on this processor, nothing is tested\n", kSet);
    return here;
}

// What main returns, once every test has run.
int verdict() {
    if (failures) std::printf("%s: %d failures\n", kSet, failures);
    return failures != 0;
}

}  // namespace
