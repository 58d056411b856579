// Plans in which one number is out of range are refused, or run without harm:
//
//   test_plans plans.txt
//
// Every number of every plan becomes -1, the first one too large and the largest there is. Best run
// with a sanitizer. Exit status 1 where a number that is out of range is let through.
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include <unistd.h>

#include "plan_file.hpp"
#include "run_case.hpp"

namespace {

using namespace elman_test;

char at_hand[200] = "";  // what is said where a run does harm
int refused = 0, ran = 0, failures = 0;

void last_words(int) {
    [[maybe_unused]] const auto written = write(2, at_hand, std::strlen(at_hand));
    _exit(1);
}

void run(const Plan& plan) {
    const Options options{true, true, false, true, true, true, true, 1, false};
    const Case c = make_case(plan, 2, 3, 5, 5, options, 7);
    for (const std::string& set : elman::engine_names()) {
        const Run<float> here(c, *elman::engine<float>(set), 2);
        if (!here.trouble().empty()) {
            std::printf("%s: %s\n", at_hand, here.trouble().c_str());
            ++failures;
        }
    }
}

// `number` lies in `plan`; `bound` is the first value that is too large.
void mutate(const NamedPlan& named, const Plan& plan, std::int32_t& number, std::int64_t bound, const char* what) {
    const std::int32_t right = number;
    for (const std::int64_t wrong : {std::int64_t{-1}, bound, std::int64_t{INT_MAX}}) {
        if (wrong == right || wrong > INT_MAX) continue;
        number = static_cast<std::int32_t>(wrong);
        std::snprintf(at_hand, sizeof at_hand, "%s: %s as %d instead of %d\n", named.name.c_str(), what,
                      static_cast<int>(number), static_cast<int>(right));
        if (!elman::checked(plan).empty()) {
            ++refused;
        } else {
            ++ran;
            run(plan);
        }
    }
    number = right;
}

void mutate_header(const NamedPlan& named, Plan& plan) {
    mutate(named, plan, plan.gates, plan.gates + 1, "gates");
    mutate(named, plan, plan.recurrent, 1 << 15, "recurrent");
    mutate(named, plan, plan.states, plan.states + 1, "states");
    mutate(named, plan, plan.params, plan.params + 1, "params");
    mutate(named, plan, plan.inputs, plan.inputs + 1, "inputs");
    mutate(named, plan, plan.columns, plan.columns + 1, "columns");
    for (std::int32_t& count : plan.count) {
        mutate(named, plan, count, 1 << 15, "count");
        mutate(named, plan, count, count - 1, "count");
    }
}

void mutate_products(const NamedPlan& named, Plan& plan) {
    const auto slots = static_cast<std::int64_t>(plan.slots.size());
    for (Product& product : plan.products) {
        mutate(named, plan, product.vector, slots, "vector");
        mutate(named, plan, product.first_u, plan.count[static_cast<int>(Space::u)], "first_u");
        mutate(named, plan, product.t, slots, "t");
        for (std::int32_t& gate : product.gates) mutate(named, plan, gate, plan.recurrent, "gate");
        for (std::int32_t& added : product.added) mutate(named, plan, added, plan.gates, "added");
        for (std::int32_t& d : product.d) mutate(named, plan, d, slots, "d");
        for (auto* list : {&product.gates, &product.added, &product.d}) {
            const auto right = *list;
            list->push_back(0);
            std::snprintf(at_hand, sizeof at_hand, "%s: a list of a product is too long\n", named.name.c_str());
            if (elman::checked(plan).empty()) run(plan);
            *list = right;
        }
    }
}

void mutate_all(const NamedPlan& named) {
    Plan plan = named.plan;
    const auto slots = static_cast<std::int64_t>(plan.slots.size());
    mutate_header(named, plan);
    mutate_products(named, plan);
    for (Slot& slot : plan.slots) {
        const bool is_number = slot.space == Space::number;
        const auto places = is_number ? static_cast<std::int64_t>(plan.numbers.size())
                                      : plan.count[static_cast<int>(slot.space)];
        mutate(named, plan, slot.index, places, "index of a slot");
        const Space right = slot.space;
        for (const int wrong : {static_cast<int>(Space::count), 255}) {
            slot.space = static_cast<Space>(wrong);
            if (elman::checked(plan).empty()) std::printf("%s: space %d passes\n", named.name.c_str(), wrong), ++failures;
        }
        slot.space = right;
    }
    for (Section* section : sections(plan))
        for (auto& line : *section) {
            const bool product = line.op == Op::project || line.op == Op::unproject;
            const auto targets = product ? static_cast<std::int64_t>(plan.products.size()) : slots;
            mutate(named, plan, line.to, targets, "target");
            for (std::int32_t& operand : line.of) mutate(named, plan, operand, slots, "operand");
            const Op right = line.op;
            for (const int wrong : {static_cast<int>(Op::count), 255}) {
                line.op = static_cast<Op>(wrong);
                if (elman::checked(plan).empty()) std::printf("%s: op %d passes\n", named.name.c_str(), wrong), ++failures;
            }
            line.op = right;
        }
    if (!elman::checked(plan).empty()) std::printf("%s is not what it was\n", named.name.c_str()), ++failures;
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_set_death_callback(void (*)());
#endif

int main(int count, char** arguments) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_set_death_callback([] { last_words(0); });
#else
    std::signal(SIGSEGV, last_words);
#endif
    for (const NamedPlan& plan : plans_of(count > 1 ? arguments[1] : "plans.txt")) mutate_all(plan);
    std::printf("plans: %d numbers refused, %d run, %d failures\n", refused, ran, failures);
    return failures != 0;
}
