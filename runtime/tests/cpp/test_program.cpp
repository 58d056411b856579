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
#include <string>
#include <vector>

#include "elman.h"
#include "engines.hpp"
#include "image_case.hpp"
#include "program/crc32.hpp"

namespace {

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
    std::printf("program: %zu images, %d mutants refused, %d run, %d failures\n", images.size(), refused, ran, failures.load());
    return failures != 0;
}
