// The engine in vectors of avx512; compiled with flags of its own.
#include "simd/avx512.hpp"

#include "engines.hpp"
#include "kernels/engine.hpp"

namespace elman {

extern const Engine<float> avx512_float{"avx512", forward<avx512::F32>, backward<avx512::F32>};
extern const Engine<double> avx512_double{"avx512", forward<avx512::F64>, backward<avx512::F64>};

}  // namespace elman
