#include "engines.hpp"

#include "cpu.hpp"

namespace elman {

#if defined(ELMAN_X86_64)
extern const Engine<float> sse2_float, avx2_float, avx512_float;
extern const Engine<double> sse2_double, avx2_double, avx512_double;
#elif defined(ELMAN_NEON)
extern const Engine<float> neon_float;
extern const Engine<double> neon_double;
#else
extern const Engine<float> scalar_float;
extern const Engine<double> scalar_double;
#endif

namespace {

template <class Real>
struct Built;

#if defined(ELMAN_X86_64)
#define ELMAN_BUILT(Real) {&sse2_##Real, &avx2_##Real, &avx512_##Real}
#elif defined(ELMAN_NEON)
#define ELMAN_BUILT(Real) {&neon_##Real}
#else
#define ELMAN_BUILT(Real) {&scalar_##Real}
#endif

template <>
struct Built<float> {
    static constexpr const Engine<float>* all[] = ELMAN_BUILT(float);
};

template <>
struct Built<double> {
    static constexpr const Engine<double>* all[] = ELMAN_BUILT(double);
};

bool runs_here(const std::string& name) {
    static const InstructionSets sets = instruction_sets();
    return name == "avx2" ? sets.avx2_fma : name == "avx512" ? sets.avx512 : true;
}

}  // namespace

std::vector<std::string> engine_names() {
    std::vector<std::string> names;
    for (const auto* one : Built<float>::all)
        if (runs_here(one->name)) names.emplace_back(one->name);
    return names;
}

template <class Real>
const Engine<Real>* engine(const std::string& name) {
    const Engine<Real>* best = nullptr;
    for (const auto* one : Built<Real>::all)
        if (runs_here(one->name) && (name.empty() || name == one->name)) best = one;
    return best;
}

template const Engine<float>* engine(const std::string&);
template const Engine<double>* engine(const std::string&);

}  // namespace elman
