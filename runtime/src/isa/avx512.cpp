// The engine in vectors of avx512, compiled with flags of its own.
#define ELMAN_SET set_avx512

#include "simd/avx512.hpp"

#include "engines.hpp"
#include "kernels/engine.hpp"
#include "kernels/stepper.hpp"

namespace elman {

extern const Engine<float> avx512_float = ELMAN_SET::engine_of<avx512::F32>("avx512");
extern const Engine<double> avx512_double = ELMAN_SET::engine_of<avx512::F64>("avx512");
extern const MakeStepper avx512_stepper = ELMAN_SET::make_either<avx512::F32, avx512::F64>;

}  // namespace elman
