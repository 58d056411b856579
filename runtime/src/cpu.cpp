#include "cpu.hpp"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)
#define ELMAN_X86 1
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace elman {
namespace {

#if defined(ELMAN_X86)

struct Registers {
    std::uint32_t a, b, c, d;
};

// All zero where the processor does not know the leaf.
Registers cpuid(std::uint32_t leaf) noexcept {
#if defined(_MSC_VER)
    int highest[4], r[4];
    __cpuid(highest, 0);
    if (static_cast<std::uint32_t>(highest[0]) < leaf) return {};
    __cpuidex(r, static_cast<int>(leaf), 0);
    return {static_cast<std::uint32_t>(r[0]), static_cast<std::uint32_t>(r[1]),
            static_cast<std::uint32_t>(r[2]), static_cast<std::uint32_t>(r[3])};
#else
    Registers r{};
    if (!__get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d)) return {};
    return r;
#endif
}

// XCR0: what the operating system saves. Only legal where CPUID says OSXSAVE.
std::uint64_t saved_state() noexcept {
#if defined(_MSC_VER)
    return _xgetbv(0);
#else
    std::uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<std::uint64_t>(high) << 32) | low;
#endif
}

constexpr bool has(std::uint64_t word, std::uint64_t bits) noexcept {
    return (word & bits) == bits;
}

constexpr std::uint32_t bit(int n) noexcept { return std::uint32_t{1} << n; }

InstructionSets x86() noexcept {
    const Registers one = cpuid(1), seven = cpuid(7);
    constexpr std::uint32_t osxsave = bit(27), avx = bit(28), fma = bit(12), avx2 = bit(5);
    constexpr std::uint32_t avx512 = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);
    constexpr std::uint64_t xmm_ymm = 0x6, opmask_zmm = 0xe0;

    InstructionSets sets{};
    if (!has(one.c, osxsave | avx)) return sets;
    const std::uint64_t saved = saved_state();
    sets.avx2_fma = has(saved, xmm_ymm) && has(one.c, fma) && has(seven.b, avx2);
    sets.avx512 = sets.avx2_fma && has(saved, opmask_zmm) && has(seven.b, avx512);
    return sets;
}

#endif

}  // namespace

InstructionSets instruction_sets() noexcept {
#if defined(ELMAN_X86)
    return x86();
#elif defined(__aarch64__) || defined(_M_ARM64)
    return {false, false, true};
#else
    return {};
#endif
}

Maker maker() noexcept {
    Maker found{};
#if defined(ELMAN_X86)
    const Registers r = cpuid(0);
    const std::uint32_t letters[] = {r.b, r.d, r.c};
    std::memcpy(found.name, letters, sizeof letters);
#endif
    return found;
}

}  // namespace elman
