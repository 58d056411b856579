// Images run, and what is no image is refused or runs without harm:
//
//   test_program images.bin [divisor]
//
// tools/native_images.py writes the file. Of every image each row's bits are compared with those of
// the row alone and of its time cut in two, no step may allocate, and every word and every length
// is changed. Best run with a sanitizer. With a divisor only every so many changes are made.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "elman.h"
#include "engines.hpp"
#include "program/crc32.hpp"
#include "program/stepper.hpp"

namespace {

long allocations = 0;

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool kCounts = true;
static void* counted(std::size_t size, std::size_t line) {
    ++allocations;
    return line ? std::aligned_alloc(line, (size + line - 1) / line * line) : std::malloc(size ? size : 1);
}
void* operator new(std::size_t size) { return counted(size, 0); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size, 0); }
void* operator new(std::size_t size, std::align_val_t line) { return counted(size, static_cast<std::size_t>(line)); }
void* operator new(std::size_t size, std::align_val_t line, const std::nothrow_t&) noexcept {
    return counted(size, static_cast<std::size_t>(line));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
#else
constexpr bool kCounts = false;
#endif

namespace {

using elman::Index;
using elman::Stepper;
using Bytes = std::vector<unsigned char>;

int failures = 0;

void check(bool good, const std::string& what) {
    if (good) return;
    if (++failures <= 40) std::printf("%s\n", what.c_str());
}

std::vector<Bytes> read_images(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const Bytes all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::vector<Bytes> found;
    for (std::size_t at = 0; at + 8 <= all.size();) {
        std::uint64_t size;
        std::memcpy(&size, &all[at], sizeof size);
        found.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(at + 8), all.begin() + static_cast<std::ptrdiff_t>(at + 8 + size));
        at += 8 + size;
    }
    if (found.empty()) {
        std::printf("%s holds no images: write it with tools/native_images.py\n", path);
        std::exit(1);
    }
    return found;
}

// Rows of inputs and what becomes of them, in whatever numbers the program has.
struct Run {
    Run(const Stepper& stepper, Index rows, Index steps) : rows(rows), steps(steps), size(stepper.real_size) {
        for (const auto& feed : stepper.inputs) {
            inputs.emplace_back(static_cast<std::size_t>(rows * steps * feed.size * (feed.integer ? 8 : size)));
            each.push_back(feed.size * (feed.integer ? 8 : size));
        }
        for (const Index output : stepper.outputs) outputs.emplace_back(static_cast<std::size_t>(rows * steps * output * size), 0xff);
        for (Index r = 0; r < rows; ++r) state.insert(state.end(), stepper.start.begin(), stepper.start.end());
    }

    void draw(const Stepper& stepper) {
        unsigned seed = 1;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const auto& feed = stepper.inputs[i];
            for (Index k = 0; k < rows * steps * feed.size; ++k) {
                seed = seed * 1664525u + 1013904223u;
                const std::int64_t whole = feed.limit ? static_cast<std::int64_t>(seed >> 8) % feed.limit : 0;
                const double real = static_cast<double>(seed >> 8) * 0x1p-23 - 1;
                const auto less = static_cast<float>(real);
                const void* from = feed.integer ? static_cast<const void*>(&whole) : size == 4 ? static_cast<const void*>(&less) : &real;
                const std::size_t width = feed.integer ? 8 : static_cast<std::size_t>(size);
                std::memcpy(&inputs[i][static_cast<std::size_t>(k) * width], from, width);
            }
        }
    }

    // Steps [first, last) of row r, taken from another run.
    void take(const Run& whole, Index r, Index first) {
        for (std::size_t i = 0; i < inputs.size(); ++i)
            std::memcpy(inputs[i].data(), whole.inputs[i].data() + (r * whole.steps + first) * each[i], inputs[i].size());
    }

    elman::Stepped go(Stepper& stepper, bool finite = true) {
        std::vector<const void*> in;
        std::vector<void*> out;
        for (const Bytes& one : inputs) in.push_back(one.data());
        for (Bytes& one : outputs) out.push_back(one.data());
        const long before = allocations;
        const auto done = stepper.run({rows, steps, state.data(), nullptr, in.data(), out.data(), finite});
        const bool allocated = allocations != before;
        check(!kCounts || !allocated, "a step allocates");
        return done;
    }

    Index rows, steps, size;
    std::vector<Bytes> inputs, outputs;
    std::vector<Index> each;
    Bytes state;
};

// Row by row, each in two parts, against all at once.
void check_bits(Stepper& stepper, const std::string& name) {
    const Index rows = 17, steps = 9, half = 4;
    Run whole(stepper, rows, steps);
    whole.draw(stepper);
    check(whole.go(stepper).input < 0, name + ": refuses its inputs");
    for (Index r = 0; r < rows; ++r) {
        Run first(stepper, 1, half), second(stepper, 1, steps - half);
        first.take(whole, r, 0);
        first.go(stepper);
        second.take(whole, r, half);
        second.state = first.state;
        second.go(stepper);
        const std::size_t size = second.state.size();
        check(std::memcmp(second.state.data(), whole.state.data() + static_cast<std::size_t>(r) * size, size) == 0, name + ": a state differs in bits");
        for (std::size_t k = 0; k < whole.outputs.size(); ++k) {
            const Bytes &a = first.outputs[k], &b = second.outputs[k];
            const unsigned char* of = whole.outputs[k].data() + static_cast<std::size_t>(r) * (a.size() + b.size());
            check(std::memcmp(a.data(), of, a.size()) == 0 && std::memcmp(b.data(), of + a.size(), b.size()) == 0, name + ": an output differs in bits");
        }
    }
}

double number(const Bytes& of, std::size_t i, Index size) {
    double wide;
    float less;
    if (size == 8) return std::memcpy(&wide, &of[8 * i], 8), wide;
    return std::memcpy(&less, &of[4 * i], 4), less;
}

void check_sets(const Bytes& image, const std::string& name) {
    std::vector<Run> runs;
    for (const std::string& set : elman::engine_names()) {
        std::string wrong;
        const auto stepper = elman::make_stepper(image.data(), image.size(), set, wrong);
        check(stepper != nullptr, name + ": " + wrong);
        if (!stepper) return;
        check_bits(*stepper, name + " in " + set);
        runs.emplace_back(*stepper, 3, 5);
        runs.back().draw(*stepper);
        runs.back().go(*stepper);
        const double near = stepper->real_size == 4 ? 1e-3 : 1e-11;
        for (std::size_t k = 0; k < runs[0].outputs.size(); ++k)
            for (std::size_t i = 0; i < runs[0].outputs[k].size() / static_cast<std::size_t>(stepper->real_size); ++i) {
                const double a = number(runs[0].outputs[k], i, stepper->real_size), b = number(runs.back().outputs[k], i, stepper->real_size);
                check(std::abs(a - b) <= near * (1 + std::abs(a)), name + " in " + set + " is another");
            }
    }
}

void seal(Bytes& image) {
    const std::uint32_t sum = elman::crc32(image.data() + 16, image.size() - 16);
    std::memcpy(&image[12], &sum, sizeof sum);
}

int refused = 0, ran = 0;

// Runs what is still an image, if that is not too much.
void try_out(const Bytes& image) {
    std::string wrong;
    const auto stepper = elman::make_stepper(image.data(), image.size(), "", wrong);
    check(stepper || !wrong.empty(), "it is refused without a word");
    if (!stepper) {
        ++refused;
        return;
    }
    Index total = stepper->state_size;
    for (const auto& feed : stepper->inputs) total += feed.size;
    for (const Index output : stepper->outputs) total += output;
    if (total > 1 << 20) return;
    ++ran;
    Run run(*stepper, 2, 3);
    run.draw(*stepper);
    run.go(*stepper, false);
}

void check_mutants(const Bytes& image, std::size_t divisor) {
    std::uint64_t words;
    std::memcpy(&words, &image[24], sizeof words);
    for (std::size_t size = 0; size < image.size(); size += 1 + size / 64 * divisor) {
        Bytes cut(image.begin(), image.begin() + static_cast<std::ptrdiff_t>(size));
        if (size > 16) seal(cut);
        std::string wrong;
        check(!elman::make_stepper(cut.data(), cut.size(), "", wrong), "what is cut short is let through");
    }
    for (std::size_t at = 16; at < 64 + 8 * words; at += 8 * divisor) {
        std::int64_t right;
        std::memcpy(&right, &image[at], sizeof right);
        for (const std::int64_t wrong : {std::int64_t{-1}, std::int64_t{0}, right + 1, right - 1, std::int64_t{1} << 24,
                                         std::int64_t{INT32_MAX}, INT64_MAX, INT64_MIN}) {
            if (wrong == right) continue;
            Bytes mutant = image;
            std::memcpy(&mutant[at], &wrong, sizeof wrong);
            std::string why;
            if (at % 64 == 0) check(!elman::make_stepper(mutant.data(), mutant.size(), "", why), "a wrong checksum is let through");
            seal(mutant);
            try_out(mutant);
        }
    }
}

void check_c(const Bytes& image) {
    char error[64];
    check(!elman_load(nullptr, 0, error, sizeof error) && std::strlen(error) > 0, "null is let through");
    check(!elman_load(image.data(), 63, error, sizeof error), "a short image is let through");
    check(!elman_load_file("/nowhere", nullptr, 0), "a file that is not there is let through");
    elman_program* program = elman_load(image.data(), image.size(), error, sizeof error);
    check(program != nullptr, "C cannot load an image");
    if (!program) return;
    check(elman_number_size(program) == 4 || elman_number_size(program) == 8, "numbers have a size");
    check(elman_input_size(program, 999) == 0 && elman_output_size(program, 999) == 0, "there is no such input");
    check(elman_run(program, 1, 1, nullptr, nullptr, nullptr, 0) == ELMAN_BAD_ARGUMENT, "null arrays are let through");
    const void* const in[1] = {nullptr};
    void* const out[1] = {nullptr};
    check(elman_run(program, 0, 1, nullptr, in, out, 0) == ELMAN_OK, "no rows are no harm");
    check(elman_run(program, -1, 1, nullptr, in, out, 0) == ELMAN_BAD_ARGUMENT, "rows below 0 are let through");
    elman_free(program);
    elman_free(nullptr);
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<Bytes> images = read_images(count > 1 ? arguments[1] : "images.bin");
    const std::size_t divisor = count > 2 ? std::max(1, std::atoi(arguments[2])) : 1;
    for (std::size_t i = 0; i < images.size(); ++i) {
        check_sets(images[i], "image " + std::to_string(i));
        check_mutants(images[i], divisor);
        check_c(images[i]);
    }
    std::printf("program: %zu images, %d mutants refused, %d run, %d failures\n", images.size(), refused, ran, failures);
    return failures != 0;
}
