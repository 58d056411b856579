// The engine in vectors of sse2, compiled with flags of its own.
#define ELMAN_SET set_sse2

#include "simd/sse2.hpp"

#include "engines.hpp"
#include "kernels/engine.hpp"
#include "kernels/stepper.hpp"

namespace elman {

extern const Engine<float> sse2_float = ELMAN_SET::engine_of<sse2::F32>("sse2");
extern const Engine<double> sse2_double = ELMAN_SET::engine_of<sse2::F64>("sse2");
extern const MakeStepper sse2_stepper = ELMAN_SET::make_either<sse2::F32, sse2::F64>;

}  // namespace elman
