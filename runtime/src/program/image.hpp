// An image: a step program in one flat block of bytes, which elman_runtime.program.image makes.
//
// Little-endian. 64 bytes of header: "elmanimg", uint32 version, uint32 CRC-32 of all bytes from 16
// on, uint32 size of a number (4 or 8), uint32 0, uint64 count of words, uint64 count of reals,
// zeros. Then the words (int64), zeros up to a multiple of 64, and the reals. Nothing follows.
//
// The words, in this order; a list is its count and its entries, a double stands as its bits:
//
//   inputs     list of: kind (0 real, 1 integer), size of a step, least value too large (integers)
//   states     list of: size; offset of the start in the reals
//   values     list of: kind, of, offset, lead, width
//   outputs    list of: value
//   nodes      list of: code, list of values read, value written, list of states, list of integers,
//              list of doubles; a cell's plan follows it
//
// A value is `lead` lines of `width` numbers for each row and step. What a reader is given has been
// checked: every index within its bounds, every array within the reals.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "call.hpp"
#include "plan.hpp"

namespace elman {

struct Feed {
    bool integer;
    Index size;   // numbers for each row and step
    Index limit;  // integers are below it, and not below 0
};

struct Carried {
    Index size, start;
};

struct Value {
    enum Kind : std::int64_t { input, integer, made, fixed, part, count };
    Kind kind;
    Index of;      // input: its number; fixed: offset in the reals; part: the value it is a part of
    Index offset;  // of a part, in each line
    Index lead, width;
};

struct Node {
    enum Code : std::int64_t {
        embedding, linear, cell, layer_norm, affine, unary, softmax, log_softmax, binary, scale,
        concat, running, conv, count
    };
    Code code;
    std::vector<Index> in;
    Index out;
    std::vector<Index> states;
    std::vector<Index> integers;
    std::vector<double> doubles;
    Plan plan;  // of a cell
};

// What the integers of a node are, by its code. Offsets are into the reals; -1 where there is none.
namespace field {
enum Embedding { table };                       // table (limit, width), limit that of the input
enum Linear { linear_weight, linear_bias };     // (O, I), (O)
enum Norm { norm_weight, norm_bias };           // of layer_norm (doubles: eps) and affine: (width)
enum Unary { function };                        // an Op, or kGelu
enum Running { is_mean };
enum Conv { conv_weight, conv_bias, taps, dilation };  // (O, taps, I): the oldest tap first
// Doubles of a cell: for each state the share of its new value; none without zoneout.
enum Cell { units, first, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, params };
}  // namespace field

constexpr Index kGelu = 100;
constexpr Index kMostLines = 1 << 12, kMostWidth = 1 << 24;

struct Image {
    int real_size = 0;
    const unsigned char* reals = nullptr;  // borrowed from the caller; of any alignment
    Index real_count = 0;
    std::vector<Feed> inputs;
    std::vector<Carried> states;
    std::vector<Value> values;
    std::vector<Index> outputs;
    std::vector<Node> nodes;

    Index state_size() const {
        Index sum = 0;
        for (const Carried& state : states) sum += state.size;
        return sum;
    }
    Index size_of(Index value) const { return values[value].lead * values[value].width; }
};

// Empty where the bytes are an image, which is then in `image`; else what is wrong.
std::string read_image(const void* bytes, std::size_t size, Image& image);

// Empty where every index and size of what was read is within its bounds; `read_image` asks it.
std::string check_image(const Image& image);

// Whether a value is the same in every row and step.
bool is_fixed(const Image& image, Index value);

}  // namespace elman
