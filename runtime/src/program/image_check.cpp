#include "program/image.hpp"

namespace elman {
namespace {

constexpr Index kNone = -1;

bool within(Index index, Index size) { return index >= 0 && index < size; }

// From 1.
bool counts_to(Index number, Index most) { return number >= 1 && number <= most; }

class Check {
public:
    explicit Check(const Image& image)
        : image_(image), written_(image.values.size()), carried_(image.states.size()) {}

    std::string all() {
        if (image_.inputs.empty() || image_.outputs.empty()) return "it has no inputs or no outputs";
        for (const Feed& input : image_.inputs)
            if (!within(input.size, kMostWidth + 1) || input.limit < 0) return "an input is out of range";
        for (const Carried& state : image_.states)
            if (!within(state.size, kMostWidth + 1) || !array(state.start, {state.size}))
                return "a state is out of range";
        if (image_.state_size() > image_.real_count) return "states share what they start from";
        for (std::size_t i = 0; i < image_.values.size(); ++i)
            if (!value(static_cast<Index>(i))) return "value " + std::to_string(i) + " is out of range";
        for (std::size_t i = 0; i < image_.nodes.size(); ++i) {
            const std::string wrong = node(image_.nodes[i]);
            if (!wrong.empty()) return "node " + std::to_string(i) + ": " + wrong;
        }
        for (const Index output : image_.outputs)
            if (!readable(output) || is_fixed(image_, output)) return "an output is out of range";
        for (const bool carried : carried_)
            if (!carried) return "a state is of no node";
        return {};
    }

private:
    // Whether so many reals stand at `offset`.
    bool array(Index offset, std::initializer_list<Index> sizes) const {
        Index size = 1;
        for (const Index each : sizes) {
            if (!within(each, kMostWidth + 1)) return false;
            size *= each;
            if (size > image_.real_count) return false;
        }
        return offset >= 0 && offset <= image_.real_count - size;
    }

    bool maybe(Index offset, std::initializer_list<Index> sizes) const {
        return offset == kNone || array(offset, sizes);
    }

    bool value(Index i) const {
        const Value& v = image_.values[i];
        if (!counts_to(v.lead, kMostLines) || !counts_to(v.width, kMostWidth)) return false;
        if (v.lead * v.width > kMostWidth) return false;
        const auto inputs = static_cast<Index>(image_.inputs.size());
        switch (v.kind) {
            case Value::input: case Value::integer:
                return within(v.of, inputs) && image_.inputs[v.of].size == v.lead * v.width &&
                       image_.inputs[v.of].integer == (v.kind == Value::integer);
            case Value::made:
                return true;
            case Value::fixed:
                return array(v.of, {v.lead, v.width});
            case Value::part: {
                if (!within(v.of, i)) return false;
                const Value& whole = image_.values[v.of];
                const bool real = whole.kind != Value::integer && whole.kind != Value::part;
                return real && whole.lead == v.lead && v.offset >= 0 && v.offset <= whole.width - v.width;
            }
            default:
                return false;
        }
    }

    // A value that stands there by now, of real numbers.
    bool readable(Index i) const {
        if (!within(i, static_cast<Index>(image_.values.size()))) return false;
        const Value& v = image_.values[i];
        if (v.kind == Value::part) return readable(v.of);
        return v.kind != Value::integer && (v.kind != Value::made || written_[i]);
    }

    std::string node(const Node& node) {
        const auto values = static_cast<Index>(image_.values.size());
        if (!within(node.out, values) || image_.values[node.out].kind != Value::made || written_[node.out])
            return "it writes a value that is not to be made, or was made before";
        if (node.in.empty()) return "it reads nothing";
        for (const Index in : node.in) {
            if (!within(in, values)) return "it reads a value out of range";
            const bool table = node.code == Node::embedding && image_.values[in].kind == Value::integer;
            if (!table && !readable(in)) return "it reads a value that is not there";
            // Only of two values is one that never changes taken line by line.
            if (is_fixed(image_, in) && image_.values[in].lead != 1 && node.code != Node::binary)
                return "it reads a fixed value of several lines";
        }
        for (const Index state : node.states) {
            if (!within(state, static_cast<Index>(image_.states.size())) || carried_[state])
                return "a state is out of range, or another node's";
            carried_[state] = true;
        }
        written_[node.out] = true;
        return fits(node) ? std::string() : "its sizes or numbers are out of range";
    }

    const Value& in(const Node& node, std::size_t i) const { return image_.values[node.in[i]]; }

    bool counts(const Node& node, std::size_t in, std::size_t states, std::size_t integers,
                std::size_t doubles) const {
        return node.in.size() == in && node.states.size() == states &&
               node.integers.size() == integers && node.doubles.size() == doubles;
    }

    bool same(const Node& node) const {
        const Value &a = in(node, 0), &b = image_.values[node.out];
        return a.lead == b.lead && a.width == b.width;
    }

    bool fits(const Node& node) const {
        const Value& out = image_.values[node.out];
        const auto& at = node.integers;
        switch (node.code) {
            case Node::embedding:
                return counts(node, 1, 0, 1, 0) && in(node, 0).kind == Value::integer &&
                       in(node, 0).lead * in(node, 0).width == out.lead &&
                       array(at[field::table], {image_.inputs[in(node, 0).of].limit, out.width});
            case Node::linear:
                return counts(node, 1, 0, 2, 0) && in(node, 0).lead == out.lead &&
                       array(at[field::linear_weight], {out.width, in(node, 0).width}) &&
                       maybe(at[field::linear_bias], {out.width});
            case Node::cell:
                return cell(node);
            case Node::layer_norm: case Node::affine:
                return counts(node, 1, 0, 2, node.code == Node::layer_norm) && same(node) &&
                       maybe(at[field::norm_weight], {out.width}) && maybe(at[field::norm_bias], {out.width});
            case Node::unary:
                return counts(node, 1, 0, 1, 0) && same(node) && is_unary(at[field::function]);
            case Node::softmax: case Node::log_softmax:
                return counts(node, 1, 0, 0, 0) && same(node);
            case Node::binary:
                return counts(node, 2, 0, 1, 0) && is_binary(at[field::function]) &&
                       broadcasts(node, 0) && broadcasts(node, 1);
            case Node::scale:
                return counts(node, 1, 0, 0, 2) && same(node);
            case Node::concat:
                return concat(node);
            case Node::running:
                return counts(node, 1, 2, 1, 0) && same(node) && out.lead == 1 &&
                       image_.states[node.states[0]].size == 1 &&
                       image_.states[node.states[1]].size == out.width;
            case Node::conv:
                return counts(node, 1, 1, 4, 0) && conv(node);
            default:
                return false;
        }
    }

    static bool is_unary(Index op) {
        if (op == kGelu) return true;
        return within(op, static_cast<Index>(Op::mean)) && arity(static_cast<Op>(op)) == 1;
    }

    static bool is_binary(Index op) {
        return within(op, static_cast<Index>(Op::mean)) && arity(static_cast<Op>(op)) == 2;
    }

    bool broadcasts(const Node& node, std::size_t i) const {
        const Value &a = in(node, i), &out = image_.values[node.out];
        const bool line = a.lead == out.lead || (a.lead == 1 && is_fixed(image_, node.in[i]));
        return line && (a.width == out.width || a.width == 1);
    }

    bool concat(const Node& node) const {
        const Value& out = image_.values[node.out];
        Index width = 0;
        for (std::size_t i = 0; i < node.in.size(); ++i) {
            if (in(node, i).lead != out.lead) return false;
            width += in(node, i).width;
        }
        return width == out.width && node.states.empty() && node.integers.empty();
    }

    bool conv(const Node& node) const {
        const Value &a = in(node, 0), &out = image_.values[node.out];
        const Index taps = node.integers[field::taps], dilation = node.integers[field::dilation];
        if (!counts_to(taps, kMostLines) || !counts_to(dilation, kMostWidth)) return false;
        return a.lead == 1 && out.lead == 1 &&
               image_.states[node.states[0]].size == (taps - 1) * dilation * a.width &&
               array(node.integers[field::conv_weight], {out.width, taps, a.width}) &&
               maybe(node.integers[field::conv_bias], {out.width});
    }

    // --- a cell ----------------------------------------------------------------------------------

    bool cell(const Node& node) const {
        const Plan& plan = node.plan;
        const auto& at = node.integers;
        if (!checked(plan).empty() || at.size() != field::params + static_cast<std::size_t>(plan.params)) return false;
        const Index units = at[field::units], first = at[field::first], gates = plan.gates;
        if (!counts_to(units, kMostWidth) || !counts_to(first, units)) return false;
        const Value& x = in(node, 0);
        const bool has_hh = at[field::weight_hh] != kNone, has_hr = at[field::weight_hr] != kNone;
        if (!has_hr && first != units) return false;
        if (!small(plan)) return false;
        if (!plan.products.empty() && !has_hh) return false;
        return x.lead == 1 && array(at[field::weight_ih], {gates, units, x.width}) &&
               maybe(at[field::weight_hh], {plan.recurrent, units, first}) &&
               maybe(at[field::bias_ih], {gates, units}) &&
               maybe(at[field::bias_hh], {plan.recurrent, units}) &&
               maybe(at[field::weight_hr], {first, units}) && cell_params(node) &&
               cell_states(node) && cell_inputs(node) && cell_outputs(node) && plan_runs(node);
    }

    // Bounds that no tape comes near, so that no product of sizes overflows.
    static bool small(const Plan& plan) {
        if (plan.slots.size() > 4096 || plan.products.size() > 512) return false;
        for (const Product& product : plan.products)
            if (product.gates.size() > 64) return false;
        for (const std::int32_t n : {plan.gates, plan.recurrent, plan.states, plan.params, plan.inputs})
            if (n > 64) return false;
        return true;
    }

    bool cell_params(const Node& node) const {
        for (std::size_t i = field::params; i < node.integers.size(); ++i)
            if (!array(node.integers[i], {node.integers[field::units]})) return false;
        return true;
    }

    bool cell_states(const Node& node) const {
        const auto states = static_cast<std::size_t>(node.plan.states);
        if (node.states.size() != states) return false;
        if (!node.doubles.empty() && node.doubles.size() != states) return false;
        for (std::size_t k = 0; k < states; ++k)
            if (image_.states[node.states[k]].size != node.integers[k ? field::units : field::first])
                return false;
        return true;
    }

    // x, and the further inputs in the order of the plan: one value a row, or one a unit.
    bool cell_inputs(const Node& node) const {
        if (node.in.size() != 1 + static_cast<std::size_t>(node.plan.inputs)) return false;
        for (std::size_t i = 1; i < node.in.size(); ++i) {
            const Value& v = in(node, i);
            if (v.lead != 1 || (v.width != 1 && v.width != node.integers[field::units])) return false;
        }
        return true;
    }

    bool cell_outputs(const Node& node) const {
        const Value& out = image_.values[node.out];
        Index width = node.plan.narrow_output.empty() ? node.integers[field::first] : 0;
        for (const auto narrow : node.plan.narrow_output) width += narrow ? 1 : node.integers[field::units];
        return out.lead == 1 && out.width == width;
    }

    // Only what a forward pass has, and nothing that it may not write. Rows of every place are as
    // wide as the units, so that no width that a plan claims leads out of one.
    static bool plan_runs(const Node& node) {
        const Plan& plan = node.plan;
        const bool narrow = node.integers[field::first] != node.integers[field::units];
        for (const Slot& slot : plan.slots) {
            if (!has_place(slot.space)) return false;
            if (slot.space == Space::y && slot.narrow != (plan.narrow_output[slot.index] != 0)) return false;
        }
        for (const Product& product : plan.products) {
            const Slot& vector = plan.slots[product.vector];
            const bool is_state = vector.space == Space::s && vector.index == 0;
            if (product.gates.empty() || vector.narrow || vector.space == Space::y || (narrow && !is_state)) return false;
        }
        for (const Section* section : {&plan.prologue, &plan.update, &plan.read})
            for (const Instruction& line : *section) {
                if (line.op == Op::unproject || (line.op == Op::project && section != &plan.update)) return false;
                if (line.op == Op::project) continue;
                if (!is_written(plan.slots[line.to].space, section == &plan.prologue)) return false;
                for (int i = 0; i < arity(line.op); ++i) {
                    const Space of = plan.slots[line.of[i]].space;
                    if (of == Space::y || (section == &plan.prologue && !lasts(of))) return false;
                }
            }
        return true;
    }

    static bool has_place(Space space) {
        return is_written(space, true) || is_written(space, false) || space == Space::p ||
               space == Space::x || space == Space::input || space == Space::s ||
               space == Space::u || space == Space::final || space == Space::number;
    }

    static bool is_written(Space space, bool once) {
        if (space == Space::r || space == Space::q) return true;
        if (once) return space == Space::f || space == Space::start;
        return space == Space::v || space == Space::w || space == Space::fresh || space == Space::y;
    }

    static bool lasts(Space space) {
        return is_written(space, true) || space == Space::p || space == Space::number;
    }

    const Image& image_;
    std::vector<bool> written_, carried_;
};

}  // namespace

bool is_fixed(const Image& image, Index value) {
    const Value& v = image.values[value];
    return v.kind == Value::fixed || (v.kind == Value::part && is_fixed(image, v.of));
}

std::string check_image(const Image& image) { return Check(image).all(); }

}  // namespace elman
