// elman.h, which says what these functions promise.
#include "elman.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "program/stepper.hpp"

struct elman_program {
    std::unique_ptr<elman::Stepper> stepper;
};

namespace {

using elman::Stepper;

elman_program* refuse(const std::string& why, char* error, size_t error_size) {
    if (error && error_size) std::snprintf(error, error_size, "%s", why.c_str());
    return nullptr;
}

struct Closing {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

elman_program* elman_load(const void* image, size_t size, char* error, size_t error_size) {
    if (!image) return refuse("image: is null", error, error_size);
    std::string wrong;
    std::unique_ptr<Stepper> stepper = elman::make_stepper(image, size, "", wrong);
    if (!stepper) return refuse(wrong, error, error_size);
    return new elman_program{std::move(stepper)};
}

elman_program* elman_load_file(const char* path, char* error, size_t error_size) {
    if (!path) return refuse("path: is null", error, error_size);
    const std::unique_ptr<std::FILE, Closing> file(std::fopen(path, "rb"));
    if (!file) return refuse(std::string(path) + ": cannot be opened", error, error_size);
    std::vector<unsigned char> bytes;
    unsigned char part[1 << 14];
    while (const size_t count = std::fread(part, 1, sizeof part, file.get()))
        bytes.insert(bytes.end(), part, part + count);
    if (std::ferror(file.get())) return refuse(std::string(path) + ": cannot be read", error, error_size);
    char why[256] = "";
    elman_program* program = elman_load(bytes.empty() ? part : bytes.data(), bytes.size(), why, sizeof why);
    return program ? program : refuse(std::string(path) + ": " + why, error, error_size);
}

void elman_free(elman_program* program) { delete program; }

size_t elman_number_size(const elman_program* program) { return static_cast<size_t>(program->stepper->real_size); }

const char* elman_instruction_set(const elman_program* program) { return program->stepper->set; }

size_t elman_state_size(const elman_program* program) { return static_cast<size_t>(program->stepper->state_size); }

size_t elman_inputs(const elman_program* program) { return program->stepper->inputs.size(); }

size_t elman_outputs(const elman_program* program) { return program->stepper->outputs.size(); }

size_t elman_input_size(const elman_program* program, size_t input) {
    const auto& all = program->stepper->inputs;
    return input < all.size() ? static_cast<size_t>(all[input].size) : 0;
}

size_t elman_output_size(const elman_program* program, size_t output) {
    const auto& all = program->stepper->outputs;
    return output < all.size() ? static_cast<size_t>(all[output]) : 0;
}

int64_t elman_input_limit(const elman_program* program, size_t input) {
    const auto& all = program->stepper->inputs;
    return input < all.size() && all[input].integer ? all[input].limit : 0;
}

void elman_start(const elman_program* program, void* state) {
    const auto& start = program->stepper->start;
    if (!start.empty()) std::memcpy(state, start.data(), start.size());
}

int elman_run(elman_program* program, int64_t rows, int64_t steps, void* state,
              const void* const* inputs, void* const* outputs, unsigned options) {
    if (!program || rows < 0 || steps < 0 || !inputs || !outputs || options > ELMAN_FINITE) return ELMAN_BAD_ARGUMENT;
    Stepper& stepper = *program->stepper;
    if (rows == 0 || steps == 0) return ELMAN_OK;
    if (!state && stepper.state_size) return ELMAN_BAD_ARGUMENT;
    for (std::size_t i = 0; i < stepper.inputs.size(); ++i)
        if (!inputs[i]) return ELMAN_BAD_ARGUMENT;
    for (std::size_t i = 0; i < stepper.outputs.size(); ++i)
        if (!outputs[i]) return ELMAN_BAD_ARGUMENT;
    const elman::Stepped done = stepper.run({rows, steps, state, nullptr, inputs, outputs, (options & ELMAN_FINITE) != 0});
    if (done.input < 0) return ELMAN_OK;
    return stepper.inputs[static_cast<std::size_t>(done.input)].integer ? ELMAN_OUT_OF_RANGE : ELMAN_NOT_FINITE;
}
