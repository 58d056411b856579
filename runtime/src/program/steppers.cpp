#include "program/stepper.hpp"

#include <cstring>

#include "engines.hpp"

namespace elman {

#if defined(ELMAN_X86_64)
extern const MakeStepper sse2_stepper, avx2_stepper, avx512_stepper;
#elif defined(ELMAN_NEON)
extern const MakeStepper neon_stepper;
#else
extern const MakeStepper scalar_stepper;
#endif

namespace {

struct Maker {
    const char* name;
    const MakeStepper* make;
};

constexpr Maker kMakers[] = {
#if defined(ELMAN_X86_64)
    {"sse2", &sse2_stepper}, {"avx2", &avx2_stepper}, {"avx512", &avx512_stepper},
#elif defined(ELMAN_NEON)
    {"neon", &neon_stepper},
#else
    {"scalar", &scalar_stepper},
#endif
};

const Maker* maker(const std::string& set) {
    const std::vector<std::string> here = engine_names();
    const std::string& wanted = set.empty() ? here.back() : set;
    for (const std::string& name : here)
        for (const Maker& one : kMakers)
            if (name == wanted && name == one.name) return &one;
    return nullptr;
}

// What does not depend on the instruction set.
void describe(const Image& image, Stepper& stepper) {
    stepper.real_size = image.real_size;
    stepper.state_size = image.state_size();
    stepper.inputs = image.inputs;
    for (const Index output : image.outputs) stepper.outputs.push_back(image.size_of(output));
    for (const Carried& state : image.states) {
        const unsigned char* from = image.reals + state.start * image.real_size;
        stepper.start.insert(stepper.start.end(), from, from + state.size * image.real_size);
    }
}

}  // namespace

Stepper::~Stepper() = default;

std::unique_ptr<Stepper> make_stepper(const void* bytes, std::size_t size, const std::string& set,
                                      std::string& wrong) {
    Image image;
    wrong = read_image(bytes, size, image);
    if (!wrong.empty()) return nullptr;
    const Maker* found = maker(set);
    if (!found) {
        wrong = "instruction_set: there is none of that name here";
        return nullptr;
    }
    std::unique_ptr<Stepper> stepper((*found->make)(image));
    if (!stepper) {
        wrong = "image: there is not enough memory for its values";
        return nullptr;
    }
    stepper->set = found->name;
    describe(image, *stepper);
    return stepper;
}

}  // namespace elman
