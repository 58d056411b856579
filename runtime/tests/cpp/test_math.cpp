// Elementwise functions, for the one instruction set that ELMAN_SET names:
//
//   c++ -std=c++17 -O2 -ffp-contract=off -mavx2 -mfma -DELMAN_SET=avx2 -I ../../src
//       test_math.cpp ../../src/cpu.cpp -o test_math && ./test_math
//
// Prints, for each function and precision, the largest error in units in the last place of the
// result, against the C library in the next wider type. Exit status 1 where something is wrong.
// An argument divides the number of points, for slow machines.
#include "math.hpp"

#include <cstdlib>

#include "kernels/denormals.hpp"
#include "testing.hpp"

namespace {

template <class V>
struct Function {
    using Wide = typename Type<typename V::Real>::Wide;

    const char* name;
    V (*vector)(V);
    Wide (*reference)(Wide);
    double low, high;  // where errors are measured
    double bound;      // of the error
};

template <class V>
std::vector<Function<V>> functions() {
    using Real = typename V::Real;
    using Wide = typename Type<Real>::Wide;
    const bool narrow = sizeof(Real) == sizeof(float);
    const double hot = fused() ? 2.0 : 2.5, other = 3.0;
    const double least = narrow ? -87.3 : -708.3, most = narrow ? 88.7 : 709.7;
    const double angle = narrow ? 1e4 : 1e6, largest = std::numeric_limits<Real>::max();
    const auto sigmoid = [](Wide x) { return 1 / (1 + std::exp(-x)); };
    const auto softplus = [](Wide x) { return x > 20 ? x : std::log1p(std::exp(x)); };
    return {
        {"exp", elman::exp<V>, std::exp, least, most, hot},
        {"exp", elman::exp<V>, std::exp, -1, 1, hot},
        {"sigmoid", elman::sigmoid<V>, sigmoid, least, -least, hot},
        {"sigmoid", elman::sigmoid<V>, sigmoid, -40, 0, hot},
        {"tanh", elman::tanh<V>, std::tanh, least, -least, hot},
        {"tanh", elman::tanh<V>, std::tanh, -1, 1, hot},
        {"expm1", elman::expm1<V>, std::expm1, least, most, other},
        {"expm1", elman::expm1<V>, std::expm1, -2, 2, other},
        {"log", elman::log<V>, std::log, 0, largest, other},
        {"log", elman::log<V>, std::log, 0.25, 4, other},
        {"softplus", elman::softplus<V>, softplus, least, -least, other},
        {"softplus", elman::softplus<V>, softplus, -4, 4, other},
        {"sin", elman::sin<V>, std::sin, -angle, angle, other},
        {"sin", elman::sin<V>, std::sin, -1e9, 1e9, other},
        {"cos", elman::cos<V>, std::cos, -angle, angle, other},
        {"cos", elman::cos<V>, std::cos, -1e9, 1e9, other},
    };
}

// A result below the smallest normal number may be anything from zero to that number.
template <class Real, class Wide>
double error_in_ulps(Real got, Wide want) {
    using Limits = std::numeric_limits<Real>;
    const Wide size = std::fabs(want), smallest = Limits::min();
    if (!std::isfinite(got)) return HUGE_VAL;
    if (size < smallest) {
        const bool side = got == 0 || std::signbit(got) == std::signbit(want);
        return side && std::fabs(got) <= smallest ? 0 : HUGE_VAL;
    }
    const int ulp = std::ilogb(size) - (Limits::digits - 1);
    return static_cast<double>(std::ldexp(std::fabs(static_cast<Wide>(got) - want), -ulp));
}

// Half of the points dense in the logarithm on either side of zero, half uniform.
template <class Real>
std::vector<Real> points(double low, double high, std::size_t count) {
    std::vector<Real> out;
    const double ends[2] = {low, high};
    for (const double end : ends) {
        if (end == 0) continue;
        const double inner = low * high > 0 ? std::fmin(std::fabs(low), std::fabs(high)) : 0;
        const Real nearest = std::fmax(static_cast<Real>(inner), std::numeric_limits<Real>::min());
        const auto first = bits(nearest);
        const auto last = bits(static_cast<Real>(std::fabs(end)));
        if (last <= first) continue;
        const auto step = (last - first) / (count / 4) + 1;
        for (auto word = first; word <= last && word >= first; word += step)
            out.push_back(std::copysign(bit_cast<Real>(word), static_cast<Real>(end)));
    }
    Random random(count);
    while (out.size() < count) out.push_back(static_cast<Real>(random.between(low, high)));
    while (out.size() % 16 != 0) out.push_back(static_cast<Real>(high));
    return out;
}

template <class V>
std::vector<typename V::Real> apply(V (*f)(V), const std::vector<typename V::Real>& x) {
    std::vector<typename V::Real> y(x.size());
    for (std::size_t i = 0; i < x.size(); i += V::width) f(V::load(&x[i])).store(&y[i]);
    return y;
}

// Some systems have no long double wider than double, or functions of it that are double's.
template <class Real>
bool reference_is_wider() {
    using Wide = typename Type<Real>::Wide;
    const volatile Real one = 1;  // asks the library, not the compiler
    if (std::exp(static_cast<Wide>(one)) != static_cast<Wide>(std::exp(one))) return true;
    std::printf("%s %s: no wider functions to compare with, no errors measured\n", kSet,
                Type<Real>::name);
    return false;
}

template <class V>
void test_errors(const Function<V>& f, std::size_t count) {
    using Real = typename V::Real;
    using Wide = typename Type<Real>::Wide;
    const auto x = points<Real>(f.low, f.high, count), y = apply(f.vector, x);
    double worst = 0;
    Real where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = error_in_ulps(y[i], f.reference(static_cast<Wide>(x[i])));
        if (error > worst) worst = error, where = x[i];
    }
    std::printf("%-7s %-6s %-8s %9.3g to %9.3g: %.3f ulp at %.9g\n", kSet, Type<Real>::name, f.name,
                f.low, f.high, worst, static_cast<double>(where));
    check<V>(worst <= f.bound, f.name, static_cast<double>(where));
}

template <class V>
void test_special_values() {
    using Real = typename V::Real;
    using Limits = std::numeric_limits<Real>;
    const Real inf = Limits::infinity(), nan = Limits::quiet_NaN(), least = Limits::denorm_min();
    struct Case {
        const char* name;
        V (*f)(V);
        Real x, y;
    };
    const Case cases[] = {
        {"exp", elman::exp<V>, inf, inf}, {"exp", elman::exp<V>, -inf, 0},
        {"exp", elman::exp<V>, 0, 1}, {"exp", elman::exp<V>, Real(-0.0), 1},
        {"exp", elman::exp<V>, 1e30f, inf}, {"exp", elman::exp<V>, -1e30f, 0},
        {"expm1", elman::expm1<V>, inf, inf}, {"expm1", elman::expm1<V>, -inf, -1},
        {"expm1", elman::expm1<V>, 0, 0}, {"expm1", elman::expm1<V>, Real(-0.0), Real(-0.0)},
        {"log", elman::log<V>, inf, inf}, {"log", elman::log<V>, 0, -inf},
        {"log", elman::log<V>, Real(-0.0), -inf}, {"log", elman::log<V>, -1, nan},
        {"log", elman::log<V>, -inf, nan}, {"log", elman::log<V>, 1, 0},
        {"log", elman::log<V>, least, static_cast<Real>(std::log(static_cast<double>(least)))},
        {"sin", elman::sin<V>, inf, nan}, {"sin", elman::sin<V>, -inf, nan},
        {"sin", elman::sin<V>, 0, 0}, {"sin", elman::sin<V>, Real(-0.0), Real(-0.0)},
        {"cos", elman::cos<V>, inf, nan}, {"cos", elman::cos<V>, 0, 1},
        {"tanh", elman::tanh<V>, inf, 1}, {"tanh", elman::tanh<V>, -inf, -1},
        {"tanh", elman::tanh<V>, 0, 0}, {"tanh", elman::tanh<V>, Real(-0.0), Real(-0.0)},
        {"sigmoid", elman::sigmoid<V>, inf, 1}, {"sigmoid", elman::sigmoid<V>, -inf, 0},
        {"sigmoid", elman::sigmoid<V>, 0, 0.5f},
        {"softplus", elman::softplus<V>, inf, inf}, {"softplus", elman::softplus<V>, -inf, 0},
        {"softplus", elman::softplus<V>, 20.5f, 20.5f},
    };
    for (const Case& c : cases) {
        Real y[V::width];
        c.f(V::set(c.x)).store(y);
        for (const Real each : y) check<V>(same(each, c.y), c.name, static_cast<double>(c.x));
    }
    for (const auto& f : functions<V>())
        for (const Real x : odd_numbers<Real>())
            if (x != x) check<V>(any(ne(f.vector(V::set(x)), f.vector(V::set(x)))), f.name, NAN);
}

// Neighbours may be anything: a lane gives the bits that a vector full of its value gives.
template <class V>
void test_lanes_are_independent() {
    using Real = typename V::Real;
    const auto odd = odd_numbers<Real>();
    Random random(7);
    for (const auto& f : functions<V>()) {
        for (int round = 0; round < 2000; ++round) {
            Real x[V::width], y[V::width], alone[V::width];
            for (Real& each : x)
                each = random.word() % 3 ? static_cast<Real>(random.between(-30, 30))
                                         : odd[random.word() % odd.size()];
            f.vector(V::load(x)).store(y);
            for (int i = 0; i < V::width; ++i) {
                f.vector(V::set(x[i])).store(alone);
                check<V>(same(y[i], alone[0]), f.name, static_cast<double>(x[i]));
            }
        }
    }
}

// Flushing numbers below the normal ones to zero, as a call does, changes nothing else.
template <class V>
void test_flushed() {
    using Real = typename V::Real;
    const Real smallest = std::numeric_limits<Real>::min();
    for (const auto& f : functions<V>()) {
        const auto x = points<Real>(f.low, f.high, 1 << 14);
        const auto plain = apply(f.vector, x);
        std::vector<Real> flushed;
        {
            const elman::FlushDenormals flush;
            flushed = apply(f.vector, x);
        }
        for (std::size_t i = 0; i < x.size(); ++i) {
            const bool ok = std::fabs(plain[i]) > smallest ? same(plain[i], flushed[i])
                                                           : std::fabs(flushed[i]) <= smallest;
            check<V>(ok, f.name, static_cast<double>(x[i]));
        }
    }
}

template <class V>
void test_type(std::size_t count) {
    if (reference_is_wider<typename V::Real>())
        for (const auto& f : functions<V>()) test_errors(f, count);
    test_special_values<V>();
    test_lanes_are_independent<V>();
    test_flushed<V>();
}

}  // namespace

int main(int count, char** arguments) {
    if (!runs_here()) return 0;
    const std::size_t divisor = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 1;
    test_type<simd::F32>((std::size_t{1} << 19) / divisor);
    test_type<simd::F64>((std::size_t{1} << 18) / divisor);
    return verdict();
}
