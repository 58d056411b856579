// The vector types, for the one instruction set that ELMAN_SET names; built like test_math.cpp.
// Silent where all is well, exit status 1 where something is wrong.
#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#include <cstdlib>

#include "testing.hpp"

namespace {

// A page of its own, between two that must not be touched.
class Guarded {
public:
#if defined(__unix__) || defined(__APPLE__)
    Guarded() : size_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        void* all = mmap(nullptr, 3 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED) std::abort();
        page_ = static_cast<char*>(all) + size_;
        if (mprotect(page_, size_, PROT_READ | PROT_WRITE) != 0) std::abort();
    }
    ~Guarded() { munmap(page_ - size_, 3 * size_); }
#else
    Guarded() : size_(4096), page_(static_cast<char*>(std::calloc(1, size_))) {}
    ~Guarded() { std::free(page_); }
#endif
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    char* begin() { return page_; }
    char* end() { return page_ + size_; }

private:
    std::size_t size_;
    char* page_;
};

template <class V>
void test_part_at(typename V::Real* p, int n, char* begin, char* end) {
    using Real = typename V::Real;
    Real values[V::width], loaded[V::width];
    for (int i = 0; i < V::width; ++i) values[i] = static_cast<Real>(i + 1);
    std::memset(begin, 0x7f, static_cast<std::size_t>(end - begin));
    V::load(values).store(p, n);
    for (int i = 0; i < n; ++i) check<V>(p[i] == values[i], "store of n", n);
    for (const char* c = begin; c < end; ++c)
        if (c < reinterpret_cast<char*>(p) || c >= reinterpret_cast<char*>(p + n))
            check<V>(*c == 0x7f, "store beyond n", n);
    V::load(p, n).store(loaded);
    for (int i = 0; i < V::width; ++i)
        check<V>(same(loaded[i], i < n ? values[i] : Real(0)), "load of n", n);
}

template <class V>
void test_parts() {
    using Real = typename V::Real;
    Guarded page;
    Real* first = reinterpret_cast<Real*>(page.begin());
    for (int n = 1; n < V::width; ++n) {
        Real* last = reinterpret_cast<Real*>(page.end()) - n;
        test_part_at<V>(last, n, page.begin(), page.end());
        for (int shift = 0; shift < V::width; ++shift)
            test_part_at<V>(first + shift, n, page.begin(), page.end());
    }
    Real* last = reinterpret_cast<Real*>(page.end()) - V::width;
    for (int i = 0; i < V::width; ++i) last[i] = static_cast<Real>(i);
    (V::load(last) + V::set(1)).store(last - 1);
    for (int i = 0; i < V::width; ++i) check<V>(last[i - 1] == i + 1, "unaligned load or store", i);
}

template <class V>
typename V::Real lane(V v) {
    typename V::Real all[V::width];
    v.store(all);
    return all[V::width - 1];
}

template <class V>
bool lane(typename V::Mask m) {
    return lane(ones(m)) == 1;
}

template <class V>
void test_two_operands() {
    using Real = typename V::Real;
    const Real nan = std::numeric_limits<Real>::quiet_NaN();
    const auto odd = odd_numbers<Real>();
    for (const Real x : odd) {
        for (const Real y : odd) {
            const V a = V::set(x), b = V::set(y);
            const double at = static_cast<double>(x);
            const bool unordered = x != x || y != y;
            check<V>(same(lane(a + b), x + y), "+", at);
            check<V>(same(lane(a - b), x - y), "-", at);
            check<V>(same(lane(a * b), x * y), "*", at);
            check<V>(y == 0 || same(lane(a / b), x / y), "/", at);
            check<V>(lane<V>(gt(a, b)) == (x > y), "gt", at);
            check<V>(lane<V>(ge(a, b)) == (x >= y), "ge", at);
            check<V>(lane<V>(lt(a, b)) == (x < y), "lt", at);
            check<V>(lane<V>(le(a, b)) == (x <= y), "le", at);
            check<V>(lane<V>(ne(a, b)) == (x != y), "ne", at);
            check<V>(any(lt(a, b)) == (x < y), "any", at);
            check<V>(same(lane(select(lt(a, b), a, b)), x < y ? x : y), "select", at);
            check<V>(same(lane(unless(lt(a, b), b)), x < y ? Real(0) : y), "unless", at);
            const Real low = lane(min(a, b)), high = lane(max(a, b));
            check<V>(unordered ? low != low : low == (x < y ? x : y), "min", at);
            check<V>(unordered ? high != high : high == (x > y ? x : y), "max", at);
            if (y == y) {
                const Real under = lane(at_most(a, b)), over = lane(at_least(a, b));
                check<V>(x != x ? under != under : under == (x < y ? x : y), "at_most", at);
                check<V>(x != x ? over != over : over == (x > y ? x : y), "at_least", at);
            }
            const Real flipped = std::signbit(y) ? -x : x;
            check<V>(bits(lane(flip(a, b))) == bits(flipped), "flip", at);
        }
    }
    check<V>(lane(min(V::set(nan), V::set(1))) != 1, "min of NaN");
}

template <class V>
void test_one_operand() {
    using Real = typename V::Real;
    for (const Real x : odd_numbers<Real>()) {
        const V a = V::set(x);
        const double at = static_cast<double>(x);
        check<V>(bits(lane(-a)) == bits(-x), "unary minus", at);
        check<V>(bits(lane(abs(a))) == bits(std::fabs(x)), "abs", at);
        check<V>(same(lane(round(a)), std::nearbyint(x)), "round", at);
        if (!(x < 0)) check<V>(same(lane(sqrt(a)), std::sqrt(x)), "sqrt", at);
    }
    Random random(3);
    for (int i = 0; i < 20000; ++i) {
        const double scale = std::ldexp(1.0, static_cast<int>(random.word() % 60));
        Real x = static_cast<Real>(random.between(-scale, scale));
        if (i % 2) x = std::nearbyint(x) + Real(0.5);
        check<V>(same(lane(round(V::set(x))), std::nearbyint(x)), "round", static_cast<double>(x));
        check<V>(same(lane(sqrt(V::set(std::fabs(x)))), std::sqrt(std::fabs(x))), "sqrt", x);
    }
    using Limits = std::numeric_limits<Real>;
    for (int n = Limits::min_exponent - 1; n < Limits::max_exponent; ++n)
        check<V>(lane(exponent(V::set(Real(n)))) == std::ldexp(Real(1), n), "exponent", n);
}

template <class V>
void test_fused() {
    using Real = typename V::Real;
    Random random(5);
    for (int i = 0; i < 20000; ++i) {
        const Real a = static_cast<Real>(random.between(-2, 2));
        const Real b = static_cast<Real>(random.between(-2, 2));
        const Real c = i % 2 ? -a * b : static_cast<Real>(random.between(-2, 2));
        const volatile Real product = a * b;  // keeps a compiler from fusing here
        const Real sum = fused() ? std::fma(a, b, c) : product + c;
        const Real difference = fused() ? std::fma(-a, b, c) : c - product;
        check<V>(same(lane(fma(V::set(a), V::set(b), V::set(c))), sum), "fma", a);
        check<V>(same(lane(fnma(V::set(a), V::set(b), V::set(c))), difference), "fnma", a);
    }
}

template <class V>
void test_sum() {
    using Real = typename V::Real;
    Random random(9);
    for (int round = 0; round < 1000; ++round) {
        Real x[V::width];
        for (Real& each : x)
            each = static_cast<Real>(random.between(-1, 1) * std::pow(10, random.word() % 8));
        const Real sum = V::sum(V::load(x));
        for (int half = V::width / 2; half > 0; half /= 2)
            for (int i = 0; i < half; ++i) x[i] += x[i + half];
        check<V>(same(sum, x[0]), "sum", x[0]);
    }
}

template <class V>
void test_zip() {
    using Real = typename V::Real;
    Real values[2 * V::width], zipped[2 * V::width];
    for (int i = 0; i < 2 * V::width; ++i) values[i] = static_cast<Real>(i);
    V a = V::load(values), b = V::load(values + V::width);
    V::zip(a, b);
    a.store(zipped);
    b.store(zipped + V::width);
    for (int i = 0; i < 2 * V::width; ++i)
        check<V>(zipped[i] == values[i / 2 + i % 2 * V::width], "zip", i);
}

template <class V>
void test_type() {
    test_parts<V>();
    test_two_operands<V>();
    test_one_operand<V>();
    test_fused<V>();
    test_sum<V>();
    test_zip<V>();
}

}  // namespace

int main() {
    if (!runs_here()) return 0;
    test_type<simd::F32>();
    test_type<simd::F64>();
    return verdict();
}
