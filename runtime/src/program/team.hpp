// Steppers of one image that share the rows of a call among threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "program/stepper.hpp"

namespace elman {

// Each thread has a stepper of its own: packed weights and scratch. No two threads may be in `run`
// of one team. Allocates, and starts its threads, while it is made, never in `run`; after fork() a
// child starts its threads at its first call.
//
// Bits do not depend on the number of threads: a row's never depend on other rows.
class Team {
public:
    // `threads` from 1; otherwise as make_stepper.
    static std::unique_ptr<Team> make(const void* bytes, std::size_t size, const std::string& set,
                                      int threads, std::string& wrong);

    // Every input is checked before any row is run.
    Stepped run(const StepCall& call);

    const Stepper& stepper() const { return *steppers_[0]; }
    int threads() const { return static_cast<int>(steppers_.size()); }

    // How many threads share a call: one where it is small.
    int parts(const StepCall& call) const;

    // About the multiplications of a call.
    Index work(const StepCall& call) const { return call.rows * call.steps * reals_; }

private:
    struct Part {
        std::vector<const void*> inputs;
        std::vector<void*> outputs;
    };

    void feed(const StepCall& call, int part, int count);

    std::vector<std::unique_ptr<Stepper>> steppers_;
    std::vector<Part> parts_;
    Index reals_ = 0;  // of the image
};

}  // namespace elman
