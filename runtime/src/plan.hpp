// A tape made ready to run: operands resolved to numbered slots. See docs/tapes.md for what a tape
// is; elman_runtime.tape.lower makes plans, and checked() refuses those that are none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace elman {

// The order is that of elman_runtime.tape.lower.SPACES.
enum class Space : std::uint8_t {
    x, input, s, fresh, final, u, p, f, start, r, q, v, w, y, dy, dx, dinput, ds, dp, dnew,
    dfinal, dstart, dread, t, g, number,
    count
};

// The order is that of elman_runtime.tape.lower.OPS.
enum class Op : std::uint8_t {
    copy, neg, add, sub, mul, div, maximum, minimum, gt, ge, lt, le, where, abs, relu, sqrt, exp,
    expm1, log, sin, cos, tanh, sigmoid, softplus, dsigmoid, dtanh, mean,
    spread,     // one value a row to one a unit
    project,    // `to` is the number of the product, not a slot
    unproject,  // the same
    count
};

// How many operands an instruction has; 0 for products, whose operands stand in `Product`.
int arity(Op op) noexcept;

struct Slot {
    Space space;
    std::int32_t index;  // gate, state, register ... within its space; of `number`, of numbers
    bool narrow;         // one value a row instead of one a unit
};

struct Instruction {
    Op op;
    std::int32_t to;
    std::int32_t of[3];  // slots; those beyond the arity are 0
};

// u_k.g = U_g v + b_g (+ x.g) for the gates g of product k, and backwards t_k.
struct Product {
    std::int32_t vector;               // slot of v
    std::int32_t first_u;              // index in space u of its first gate; the others follow
    std::vector<std::int32_t> gates;   // rows of U, in blocks of H
    std::vector<std::int32_t> added;   // gate of x that is added to each, or -1
    std::vector<std::int32_t> d;       // slot of each gate's gradient
    std::int32_t t;                    // slot of the gradient of v
};

using Section = std::vector<Instruction>;

struct Plan {
    std::int32_t gates, recurrent, states, params, inputs;
    std::int32_t columns;      // in dx: gates of x and those of U that differ, H wide each
    std::int32_t count[static_cast<int>(Space::count)];  // indices in each space
    std::vector<Slot> slots;
    std::vector<double> numbers;
    std::vector<std::uint8_t> narrow_output;  // for each value read out; none: the first state
    std::vector<Product> products;
    Section prologue, update, read;
    Section back_prologue, back_read, back_update, back_epilogue;
    bool whole_rows;           // products or means: units cannot be run apart
    bool x_in_v = false;       // what is saved at a step may lie where its x lies: of value k nothing
                               // is written before gate k of x has been read for the last time
};

// Whether it copies a gate of x to where it lies in v, where that is so.
bool copies_in_place(const Plan& plan, const Instruction& line);

// Whether what instruction `at` of a section of the plan makes is read by the next one, as one of its
// operands, and by no other.
bool is_read_once(const Plan& plan, const Section& section, std::size_t at);

// What `x_in_v` is to say of a plan that is complete but for it.
bool may_lie_in_v(const Plan& plan);

// Empty where every index lies within its bounds; else what is wrong. Which space may stand in which
// section is not checked here: elman_runtime.tape.checked does that before a tape is lowered.
std::string checked(const Plan& plan);

}  // namespace elman
