#include "finite.hpp"

#include <algorithm>
#include <cstring>

namespace elman {
namespace {

// A block is scanned without branches, so that the compiler can use vectors; only a block
// known to hold a bad value is searched element by element. 1024 doubles stay in L1.
constexpr std::size_t kBlock = 1024;

// NaN and infinity, and nothing else, have every bit of the exponent set. Integers are
// compared because floating-point tests may be folded away under some users' flags.
template <class Word, class Real>
bool nonfinite(const Real& value, Word exponent) noexcept {
    Word word;
    static_assert(sizeof word == sizeof value, "a word is the bits of one value");
    std::memcpy(&word, &value, sizeof word);
    return (word & exponent) == exponent;
}

template <class Word, class Real>
std::int64_t scan(const Real* values, std::size_t count, Word exponent) noexcept {
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
        const std::size_t end = std::min(count, begin + kBlock);
        Word found = 0;
        for (std::size_t i = begin; i < end; ++i)
            found |= static_cast<Word>(nonfinite<Word>(values[i], exponent));
        if (!found) continue;
        std::size_t i = begin;
        while (!nonfinite<Word>(values[i], exponent)) ++i;
        return static_cast<std::int64_t>(i);
    }
    return -1;
}

}  // namespace

std::int64_t first_nonfinite(const float* values, std::size_t count) noexcept {
    return scan<std::uint32_t>(values, count, 0x7f800000u);
}

std::int64_t first_nonfinite(const double* values, std::size_t count) noexcept {
    return scan<std::uint64_t>(values, count, 0x7ff0000000000000ull);
}

}  // namespace elman
