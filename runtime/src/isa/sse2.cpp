// The engine in vectors of sse2; compiled with flags of its own.
#include "simd/sse2.hpp"

#include "engines.hpp"
#include "kernels/engine.hpp"

namespace elman {

extern const Engine<float> sse2_float{"sse2", forward<sse2::F32>, backward<sse2::F32>};
extern const Engine<double> sse2_double{"sse2", forward<sse2::F64>, backward<sse2::F64>};

}  // namespace elman
