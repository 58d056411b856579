// Plans as text: words between white space, which tools/native_plans.py writes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "plan.hpp"

namespace elman_test {

using elman::Op;
using elman::Plan;
using elman::Product;
using elman::Section;
using elman::Slot;
using elman::Space;

struct NamedPlan {
    std::string name;
    bool takes_projection;  // the first state may be narrower than the others
    Plan plan;
};

inline std::int64_t whole(std::istream& in) {
    std::int64_t value = 0;
    if (!(in >> value)) {
        std::printf("the plans end too early, or hold no number where one is due\n");
        std::exit(1);
    }
    return value;
}

inline std::int32_t number(std::istream& in) { return static_cast<std::int32_t>(whole(in)); }

inline std::vector<std::int32_t> numbers(std::istream& in) {
    std::vector<std::int32_t> found(static_cast<std::size_t>(whole(in)));
    for (auto& each : found) each = number(in);
    return found;
}

inline std::vector<Section*> sections(Plan& plan) {
    return {&plan.prologue,  &plan.update,      &plan.read,         &plan.back_prologue,
            &plan.back_read, &plan.back_update, &plan.back_epilogue};
}

inline NamedPlan read_plan(std::istream& in) {
    NamedPlan found;
    Plan& plan = found.plan;
    in >> found.name;
    found.takes_projection = number(in) != 0;
    for (std::int32_t* each : {&plan.gates, &plan.recurrent, &plan.states, &plan.params, &plan.inputs, &plan.columns})
        *each = number(in);
    plan.whole_rows = number(in) != 0;
    const auto counts = numbers(in);
    for (std::size_t i = 0; i < static_cast<std::size_t>(Space::count); ++i) plan.count[i] = counts.at(i);
    plan.slots.resize(static_cast<std::size_t>(whole(in)));
    for (Slot& slot : plan.slots) {
        slot.space = static_cast<Space>(number(in));
        slot.index = number(in);
        slot.narrow = number(in) != 0;
    }
    plan.numbers.resize(static_cast<std::size_t>(whole(in)));
    for (double& each : plan.numbers) {
        std::string word;
        in >> word;
        each = std::strtod(word.c_str(), nullptr);
    }
    for (const std::int32_t narrow : numbers(in)) plan.narrow_output.push_back(static_cast<std::uint8_t>(narrow));
    plan.products.resize(static_cast<std::size_t>(whole(in)));
    for (Product& product : plan.products) {
        product.vector = number(in);
        product.first_u = number(in);
        product.t = number(in);
        product.gates = numbers(in);
        product.added = numbers(in);
        product.d = numbers(in);
    }
    for (Section* section : sections(plan)) {
        section->resize(static_cast<std::size_t>(whole(in)));
        for (auto& line : *section) {
            line.op = static_cast<Op>(number(in));
            line.to = number(in);
            for (std::int32_t& operand : line.of) operand = number(in);
        }
    }
    plan.x_in_v = elman::may_lie_in_v(plan);
    return found;
}

inline std::vector<NamedPlan> read_plans(std::istream& in) {
    std::vector<NamedPlan> found;
    for (std::string word; in >> word;) {
        if (word != "plan") {
            std::printf("a plan begins with the word `plan`, not %s\n", word.c_str());
            std::exit(1);
        }
        found.push_back(read_plan(in));
        const std::string wrong = elman::checked(found.back().plan);
        if (!wrong.empty()) {
            std::printf("%s: %s\n", found.back().name.c_str(), wrong.c_str());
            std::exit(1);
        }
    }
    return found;
}

inline std::vector<NamedPlan> plans_of(const char* path) {
    std::ifstream file(path);
    if (!file) {
        std::printf("%s cannot be read: write it with tools/native_plans.py\n", path);
        std::exit(1);
    }
    return read_plans(file);
}

}  // namespace elman_test
