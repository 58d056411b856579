// The engine in vectors of avx2; compiled with flags of its own.
#include "simd/avx2.hpp"

#include "engines.hpp"
#include "kernels/engine.hpp"

namespace elman {

extern const Engine<float> avx2_float{"avx2", forward<avx2::F32>, backward<avx2::F32>};
extern const Engine<double> avx2_double{"avx2", forward<avx2::F64>, backward<avx2::F64>};

}  // namespace elman
