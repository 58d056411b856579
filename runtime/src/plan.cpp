#include "plan.hpp"

#include <algorithm>

namespace elman {
namespace {

constexpr std::int32_t kMost = 1 << 14;

bool within(std::int64_t index, std::int64_t size) noexcept { return index >= 0 && index < size; }

bool all_within(const std::vector<std::int32_t>& indices, std::int64_t size) noexcept {
    for (const std::int32_t i : indices)
        if (!within(i, size)) return false;
    return true;
}

bool fits(const Plan& plan, const Slot& slot) noexcept {
    if (slot.space >= Space::count) return false;
    if (slot.space == Space::number)
        return within(slot.index, static_cast<std::int64_t>(plan.numbers.size()));
    return within(slot.index, plan.count[static_cast<int>(slot.space)]);
}

bool fits(const Plan& plan, const Instruction& line) noexcept {
    const auto slots = static_cast<std::int64_t>(plan.slots.size());
    if (line.op >= Op::count) return false;
    if (line.op == Op::project || line.op == Op::unproject)
        return within(line.to, static_cast<std::int64_t>(plan.products.size()));
    for (int i = 0; i < 3; ++i)
        if (!within(line.of[i], slots)) return false;
    return within(line.to, slots);
}

bool fits(const Plan& plan, const Product& product) noexcept {
    const auto slots = static_cast<std::int64_t>(plan.slots.size());
    const std::size_t gates = product.gates.size();
    if (!within(product.vector, slots) || product.added.size() != gates) return false;
    if (!all_within(product.gates, plan.recurrent)) return false;
    for (const std::int32_t added : product.added)
        if (added != -1 && !within(added, plan.gates)) return false;
    const std::int64_t end = std::int64_t{product.first_u} + static_cast<std::int64_t>(gates);
    if (product.first_u < 0 || end > plan.count[static_cast<int>(Space::u)]) return false;
    if (product.d.empty()) return true;
    return product.d.size() == gates && all_within(product.d, slots) && within(product.t, slots);
}

bool is_product(const Instruction& line) noexcept { return line.op == Op::project || line.op == Op::unproject; }

// How often an instruction reads a slot.
int times_read(const Plan& plan, const Instruction& line, std::int32_t slot) {
    int times = 0;
    if (!is_product(line)) {
        for (int i = 0; i < arity(line.op); ++i) times += line.of[i] == slot;
        return times;
    }
    const Product& product = plan.products[static_cast<std::size_t>(line.to)];
    if (line.op == Op::project) return product.vector == slot;
    return static_cast<int>(std::count(product.d.begin(), product.d.end(), slot));
}

// What the caller gives an array for: there are as many places as arrays.
bool agree(const Plan& plan) noexcept {
    const auto count = [&](Space space) { return plan.count[static_cast<int>(space)]; };
    for (const Space space : {Space::s, Space::fresh, Space::final, Space::start, Space::ds,
                              Space::dnew, Space::dfinal, Space::dstart})
        if (count(space) != plan.states) return false;
    return count(Space::x) == plan.gates && count(Space::dx) == plan.columns &&
           count(Space::p) == plan.params && count(Space::dp) == plan.params &&
           count(Space::input) == plan.inputs && count(Space::dinput) == plan.inputs &&
           count(Space::y) == static_cast<std::int64_t>(plan.narrow_output.size());
}

}  // namespace

int arity(Op op) noexcept {
    switch (op) {
        case Op::project: case Op::unproject:
            return 0;
        case Op::copy: case Op::neg: case Op::abs: case Op::relu: case Op::sqrt: case Op::exp:
        case Op::expm1: case Op::log: case Op::sin: case Op::cos: case Op::tanh: case Op::sigmoid:
        case Op::softplus: case Op::mean: case Op::spread:
            return 1;
        case Op::where:
            return 3;
        default:
            return 2;
    }
}

bool copies_in_place(const Plan& plan, const Instruction& line) {
    const Slot &to = plan.slots[static_cast<std::size_t>(line.to)], &of = plan.slots[static_cast<std::size_t>(line.of[0])];
    return line.op == Op::copy && of.space == Space::x && to.space == Space::v && to.index == of.index;
}

bool is_read_once(const Plan& plan, const Section& section, std::size_t at) {
    const std::int32_t slot = section[at].to;
    const auto made_anew = [&](const Instruction& line) { return !is_product(line) && line.to == slot; };
    if (is_product(section[at]) || at + 1 == section.size() || plan.slots[static_cast<std::size_t>(slot)].space != Space::r ||
        times_read(plan, section[at + 1], slot) != 1)
        return false;
    // Whether it is read from an instruction on before it is made anew; else where that ends.
    enum class Found { read, made, neither };
    const auto look = [&](const Section& lines, std::size_t from) {
        for (std::size_t i = from; i < lines.size(); ++i) {
            if (times_read(plan, lines[i], slot)) return Found::read;
            if (made_anew(lines[i])) return Found::made;
        }
        return Found::neither;
    };
    if (made_anew(section[at + 1])) return true;
    if (const Found found = look(section, at + 2); found != Found::neither) return found == Found::made;
    for (const Section* other : {&plan.prologue, &plan.update, &plan.read, &plan.back_prologue, &plan.back_read,
                                 &plan.back_update, &plan.back_epilogue})
        if (look(*other, 0) == Found::read) return false;
    return true;
}

bool may_lie_in_v(const Plan& plan) {
    const auto gates = static_cast<std::size_t>(plan.gates);
    if (plan.count[static_cast<int>(Space::v)] < plan.gates) return false;
    std::vector<bool> written(gates, false);
    bool may = true;
    const auto read = [&](std::int32_t gate) { may = may && !written[static_cast<std::size_t>(gate)]; };
    for (const Section* section : {&plan.update, &plan.read})
        for (const Instruction& line : *section) {
            if (line.op == Op::project) {
                for (const std::int32_t gate : plan.products[static_cast<std::size_t>(line.to)].added)
                    if (gate >= 0) read(gate);
                continue;
            }
            for (int i = 0; i < arity(line.op); ++i) {
                const Slot& of = plan.slots[static_cast<std::size_t>(line.of[i])];
                if (of.space == Space::x) read(of.index);
            }
            const Slot& to = plan.slots[static_cast<std::size_t>(line.to)];
            if (to.space == Space::v && to.index < plan.gates && !copies_in_place(plan, line)) written[static_cast<std::size_t>(to.index)] = true;
        }
    return may;
}

std::string checked(const Plan& plan) {
    for (const std::int32_t n : {plan.gates, plan.recurrent, plan.params, plan.inputs, plan.columns})
        if (n < 0 || n > kMost) return "a count is out of range";
    if (plan.states < 1 || plan.states > kMost) return "a plan has between 1 and 16384 states";
    for (const std::int32_t n : plan.count)
        if (n < 0 || n > kMost) return "a count of places is out of range";
    if (!agree(plan)) return "the counts of places do not agree with what the plan declares";
    for (std::size_t i = 0; i < plan.slots.size(); ++i)
        if (!fits(plan, plan.slots[i])) return "slot " + std::to_string(i) + " is out of range";
    for (std::size_t i = 0; i < plan.products.size(); ++i)
        if (!fits(plan, plan.products[i])) return "product " + std::to_string(i) + " is out of range";
    for (const Section* section :
         {&plan.prologue, &plan.update, &plan.read, &plan.back_prologue, &plan.back_read,
          &plan.back_update, &plan.back_epilogue})
        for (std::size_t i = 0; i < section->size(); ++i)
            if (!fits(plan, (*section)[i]))
                return "instruction " + std::to_string(i) + " is out of range";
    return {};
}

}  // namespace elman
