// Runs the step programs of images, a row's states in, a row's states out.
//
// A row's result depends on its inputs and states alone, bit for bit: not on other rows, their
// number, their order, nor on how its time is cut into calls.
#pragma once

#include <memory>
#include <string>

#include "program/image.hpp"

namespace elman {

// N rows, T steps, either of them from 0. Arrays are dense and may not overlap; pointers are
// borrowed for the call and need no alignment but that of their numbers.
struct StepCall {
    Index rows, steps;
    void* state;                   // (at least N, state_size), read and written
    const std::int64_t* row_of;    // (N): the row of `state` that each row has, no two the same; or null
    const void* const* inputs;     // each (N, T, size) real, or int64 where the image says so
    void* const* outputs;          // each (N, T, size); every element is written
    bool finite;                   // refuse inputs that are not
};

// What became of a call: nothing at all was done where an input was refused.
struct Stepped {
    int input;       // -1, or which one was refused
    Index position;  // and where in it
};

// Owns packed weights and the scratch of one call at a time: no two threads may be in `run` or `feed`
// of one stepper. Allocates while it is made, never afterwards.
class Stepper {
public:
    virtual ~Stepper();

    // Whether an input is refused; writes nothing.
    virtual Stepped check(const StepCall& call) const = 0;
    // Runs a call, or any rows of one, that `check` found good.
    virtual void feed(const StepCall& call) = 0;

    Stepped run(const StepCall& call) {
        const Stepped found = check(call);
        if (found.input < 0) feed(call);
        return found;
    }

    const char* set = "";       // the instruction set
    int real_size = 0;
    Index state_size = 0;
    std::vector<Feed> inputs;
    std::vector<Index> outputs;                // sizes of a row and step
    std::vector<unsigned char> start;          // state_size reals
};

// One for each instruction set; null where memory runs out.
using MakeStepper = Stepper* (*)(const Image&);

// Null, and `wrong` says why, where the bytes are no image, this processor or build has no such
// instruction set, or memory runs out. An empty name is the fastest set. The bytes may go afterwards.
std::unique_ptr<Stepper> make_stepper(const void* bytes, std::size_t size, const std::string& set,
                                      std::string& wrong);

}  // namespace elman
