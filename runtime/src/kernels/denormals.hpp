// Values too small to matter take a hundred times as long as others: within a call they are zero.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

#include <cstdint>

namespace elman {

class FlushDenormals {
public:
    FlushDenormals() : before_(read()) { write(before_ | kFlush); }
    ~FlushDenormals() { write(before_); }
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

private:
#if defined(__x86_64__) || defined(_M_X64)
    using Word = unsigned int;
    static constexpr Word kFlush = 0x8040;  // FTZ and DAZ
    static Word read() { return _mm_getcsr(); }
    static void write(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
    using Word = std::uint64_t;
    static constexpr Word kFlush = std::uint64_t{1} << 24;  // FPCR.FZ
    static Word read() {
        Word word;
        __asm__ volatile("mrs %0, fpcr" : "=r"(word));
        return word;
    }
    static void write(Word word) { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#else
    using Word = unsigned int;
    static constexpr Word kFlush = 0;
    static Word read() { return 0; }
    static void write(Word) {}
#endif
    Word before_;
};

}  // namespace elman
