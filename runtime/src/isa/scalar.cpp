// The engine in vectors of scalar.
#define ELMAN_SET set_scalar

#include "simd/scalar.hpp"

#include "engines.hpp"
#include "kernels/engine.hpp"
#include "kernels/stepper.hpp"

namespace elman {

extern const Engine<float> scalar_float = ELMAN_SET::engine_of<scalar::F32>("scalar");
extern const Engine<double> scalar_double = ELMAN_SET::engine_of<scalar::F64>("scalar");
extern const MakeStepper scalar_stepper = ELMAN_SET::make_either<scalar::F32, scalar::F64>;

}  // namespace elman
