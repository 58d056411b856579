// What the engine is asked: one layer in one direction, over a whole sequence.
//
// Axes: B rows, T steps, H units, G gates, K states; P is the size of the first state, H of the
// others: "S" below is either. All arrays are dense, time first unless the call is `batch_first`: then
// what is (T, B, ...) below is (B, T, ...). None may overlap another unless it says so. Every element
// of an output is written. Pointers are borrowed for the call.
#pragma once

#include <cstdint>
#include <vector>

#include "plan.hpp"

namespace elman {

using Index = std::int64_t;

template <class Real>
struct Input {
    const Real* data;  // (T, B, H), or (T, B) where narrow
    bool narrow;
};

template <class Real>
struct Keep {
    Real share;        // zoneout: how much of the new value is taken,
    const Real* data;  // (T, B, S), or null where `share` holds for all
};

template <class Real>
struct Call {
    Index steps, rows, units, first;  // T, B, H, P
    bool reverse, batch_first;
    int threads;
    const Real* x;                           // (T, B, G*H): W x + b_ih; null where made of `raw`; may
                                             // be `v`, where the plan says so, of each row the first
    std::vector<Input<Real>> inputs;
    const Real* weight_hh;                   // (R*H, P), or null
    const Real* bias_hh;                     // (R*H), or null
    const Real* weight_hr;                   // (P, H), or null
    std::vector<const Real*> params;         // (H) each
    std::vector<const Real*> state;          // (B, S) each
    std::vector<const Real*> start;          // (B, S) each; empty where reset is null
    const std::int64_t* lengths;             // (B), 0 to T; or null
    const std::uint8_t* reset;               // (T, B), or null
    const Real* state_mask;                  // (B, P), or null
    std::vector<Keep<Real>> keep;            // for each state; empty without zoneout
    // What a forward pass writes, and a backward pass reads. Null where not wanted.
    Real* y;                                 // (T, B, O); without values read out null, for
                                             // states[0], which is never null then, has them
    std::vector<Real*> states;               // (T, B, S) each, zero beyond a length
    std::vector<Real*> fresh;                // (T, B, H) each: before V and zoneout
    Real* v;                                 // (T, B, count of v * H)
    Real* w;                                 // (T, B, count of w)
    std::vector<Real*> final;                // (B, S) each
    // Where x is null.
    Index width;                             // I
    const Real* raw;                         // (T, B, I)
    const Real* weight_ih;                   // (G*H, I)
    const Real* bias_ih;                     // (G*H), or null
};

// Whether x lies where what is saved of each step is to lie.
template <class Real>
bool lies_in_v(const Call<Real>& call) {
    return call.x && call.x == call.v;
}

// From a row of x to the next.
template <class Real>
Index width_of_x(const Plan& plan, const Call<Real>& call) {
    return (lies_in_v(call) ? plan.count[static_cast<int>(Space::v)] : plan.gates) * call.units;
}

template <class Real>
struct BackwardCall {
    const Call<Real>* forward;               // as it was; its `final` is not read
    const Real* dy;                          // (T, B, O), or null
    std::vector<const Real*> dfinal;         // (B, S) each, or null
    std::vector<const Real*> dstates;        // (T, B, S) each, or null: of every step's states
    Real* dx;                                // (T, B, columns*H); zero beyond a length; or null
                                             // where those below are wanted instead
    Index apart;                             // from a row of dx to the next; 0: columns*H
    Real* dsums;                             // (columns*H), or null: those of dx over all rows and
                                             // steps; their bits depend on the threads
    std::vector<Real*> dinputs;              // (T, B, H) each
    std::vector<Real*> dstate;               // (B, S) each
    std::vector<Real*> dstart;               // (B, S) each; empty where reset is null
    std::vector<Real*> dparams;              // (H) each; their bits depend on the threads
    std::vector<Real*> dh;                   // (T, B, S) each, or null: gradient at every step
    std::vector<Real*> before;               // (T, B, S) each, or null: the states that steps
                                             // began with, the first times its mask
    Real* dprojected;                        // (T, B, P), or null: gradient of V's result
    Real clip;                               // longest gradient of a row's state as it leaves a
                                             // step, each state apart; 0: no limit
    // Where dx is null, which asks for `raw` too; each null where not wanted. There must be no
    // projection V, no reset, no mask and no zoneout, and U must multiply states as steps find them or
    // values of `v`.
    Real* draw;                              // (T, B, I)
    Real* dweight_ih;                        // (G*H, I)
    Real* dbias_ih;                          // (G*H)
    Real* dweight_hh;                        // (R*H, P)
    Real* dbias_hh;                          // (R*H)
};

template <class Real>
struct Engine {
    const char* name;
    // False where memory runs out, and then nothing that was written means anything.
    bool (*forward)(const Plan&, const Call<Real>&);
    bool (*backward)(const Plan&, const BackwardCall<Real>&);
    // A loop of `count` times `chain_flops` operations, and nothing else: what the processor can do.
    double (*fma_chains)(Index count);
    int chain_flops;
};

}  // namespace elman
