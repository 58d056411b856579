// The engine in vectors of avx2, compiled with flags of its own.
#define ELMAN_SET set_avx2

#include "simd/avx2.hpp"

#include "engines.hpp"
#include "kernels/engine.hpp"
#include "kernels/stepper.hpp"

namespace elman {

extern const Engine<float> avx2_float = ELMAN_SET::engine_of<avx2::F32>("avx2");
extern const Engine<double> avx2_double = ELMAN_SET::engine_of<avx2::F64>("avx2");
extern const MakeStepper avx2_stepper = ELMAN_SET::make_either<avx2::F32, avx2::F64>;

}  // namespace elman
