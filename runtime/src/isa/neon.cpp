// The engine in vectors of neon.
#define ELMAN_SET set_neon

#include "simd/neon.hpp"

#include "engines.hpp"
#include "kernels/engine.hpp"
#include "kernels/stepper.hpp"

namespace elman {

extern const Engine<float> neon_float = ELMAN_SET::engine_of<neon::F32>("neon");
extern const Engine<double> neon_double = ELMAN_SET::engine_of<neon::F64>("neon");
extern const MakeStepper neon_stepper = ELMAN_SET::make_either<neon::F32, neon::F64>;

}  // namespace elman
