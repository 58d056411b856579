// Copies past the caches: of what is written once, and read when much else has been. A plain store
// would first read each line that it writes to, and keep it in place of another.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__) || defined(_M_X64)
#define ELMAN_STREAMS 1
#include <emmintrin.h>
#endif

#include "kernels/interpret.hpp"

namespace elman::ELMAN_SET {

// From so many bytes on, an array is beyond what caches keep until it is read again.
inline constexpr Index kStreamed = Index{16} << 20;

template <class Real>
void stream(Real* to, const Real* from, Index count) {
    const auto bytes = static_cast<std::size_t>(count) * sizeof(Real);
#if defined(ELMAN_STREAMS)
    if ((reinterpret_cast<std::uintptr_t>(to) | bytes) % sizeof(__m128i) == 0) {
        auto* out = reinterpret_cast<__m128i*>(to);
        const auto* in = reinterpret_cast<const __m128i*>(from);
        for (std::size_t i = 0; i < bytes / sizeof(__m128i); ++i) _mm_stream_si128(out + i, _mm_loadu_si128(in + i));
        return;
    }
#endif
    std::memcpy(to, from, bytes);
}

// Before another thread is told that it may read what was streamed.
inline void end_streams() {
#if defined(ELMAN_STREAMS)
    _mm_sfence();
#endif
}

template <class V>
void stream_rows(const Line<typename V::Real>& line, const Place<typename V::Real>* places, Index first, Index last) {
    for (Index r = first; r < last; ++r) stream(places[line.to].at(r), places[line.a].at(r), line.units);
}

}  // namespace elman::ELMAN_SET
