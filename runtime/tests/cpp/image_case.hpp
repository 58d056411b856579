// What the tests of images share: the file of them, rows to run, and a count of allocations.
#pragma once

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "program/stepper.hpp"

namespace {

std::atomic<long> allocations{0};

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

std::atomic<int> failures{0};

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

    // Good until this is run again.
    elman::StepCall call(bool finite, const std::int64_t* row_of = nullptr) {
        in.clear();
        out.clear();
        for (const Bytes& one : inputs) in.push_back(one.data());
        for (Bytes& one : outputs) out.push_back(one.data());
        return {rows, steps, state.data(), row_of, in.data(), out.data(), finite};
    }

    // By a stepper, or a team of them.
    template <class Runs>
    elman::Stepped go(Runs& by, bool finite = true, const std::int64_t* row_of = nullptr) {
        const elman::StepCall made = call(finite, row_of);
        const long before = allocations;
        const auto done = by.run(made);
        const bool allocated = allocations != before;
        check(!kCounts || !allocated, "a step allocates");
        return done;
    }

    Index rows, steps, size;
    std::vector<Bytes> inputs, outputs;
    std::vector<Index> each;
    Bytes state;
    std::vector<const void*> in;
    std::vector<void*> out;
};

}  // namespace
