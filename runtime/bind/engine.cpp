// Plans and their engines for Python. Arrays come as addresses: elman.engine.native, the one caller,
// makes them, and knows their sizes.
#include "engine.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <tuple>

#include "engines.hpp"
#include "memory.hpp"
#include "peak.hpp"

namespace nb = nanobind;

namespace elman {
namespace {

using Address = std::uintptr_t;
using Addresses = std::vector<Address>;
using Numbers = std::vector<std::int32_t>;

using SlotOf = std::tuple<int, std::int32_t, bool>;
using CodeOf = std::tuple<int, std::int32_t, std::int32_t, std::int32_t, std::int32_t>;
using ProductOf = std::tuple<std::int32_t, std::int32_t, Numbers, Numbers, Numbers, std::int32_t>;

Section section(const std::vector<CodeOf>& codes) {
    Section lines;
    for (const auto& [op, to, a, b, c] : codes)
        lines.push_back({op < 0 || op > 255 ? Op::count : static_cast<Op>(op), to, {a, b, c}});
    return lines;
}

Plan* make(Numbers header, Numbers counts, const std::vector<SlotOf>& slots,
           std::vector<double> numbers, std::vector<std::uint8_t> narrow_output,
           const std::vector<ProductOf>& products, const std::vector<std::vector<CodeOf>>& sections,
           bool whole_rows) {
    constexpr auto spaces = static_cast<std::size_t>(Space::count);
    if (header.size() != 6 || counts.size() != spaces || sections.size() != 7)
        throw nb::value_error("Plan: it takes 6 numbers, one count for each space and 7 sections");
    auto plan = std::make_unique<Plan>();
    plan->gates = header[0];
    plan->recurrent = header[1];
    plan->states = header[2];
    plan->params = header[3];
    plan->inputs = header[4];
    plan->columns = header[5];
    for (std::size_t i = 0; i < spaces; ++i) plan->count[i] = counts[i];
    for (const auto& [space, index, narrow] : slots)
        plan->slots.push_back({space < 0 || space > 255 ? Space::count : static_cast<Space>(space), index, narrow});
    plan->numbers = std::move(numbers);
    plan->narrow_output = std::move(narrow_output);
    for (const auto& [vector, first, gates, added, d, t] : products)
        plan->products.push_back({vector, first, gates, added, d, t});
    Section* const parts[] = {&plan->prologue, &plan->update, &plan->read, &plan->back_prologue,
                              &plan->back_read, &plan->back_update, &plan->back_epilogue};
    for (std::size_t i = 0; i < 7; ++i) *parts[i] = section(sections[i]);
    plan->whole_rows = whole_rows;
    const std::string wrong = checked(*plan);
    if (!wrong.empty()) throw nb::value_error(("Plan: " + wrong).c_str());
    plan->x_in_v = may_lie_in_v(*plan);
    return plan.release();
}

template <class Real>
std::vector<const Real*> reading(const Addresses& addresses) {
    std::vector<const Real*> found;
    for (const Address address : addresses) found.push_back(reinterpret_cast<const Real*>(address));
    return found;
}

template <class Real>
std::vector<Real*> writing(const Addresses& addresses) {
    std::vector<Real*> found;
    for (const Address address : addresses) found.push_back(reinterpret_cast<Real*>(address));
    return found;
}

template <class Value>
Value* one(Address address) {
    return reinterpret_cast<Value*>(address);
}

template <class Real>
const Engine<Real>& engine_for(const std::string& name) {
    const Engine<Real>* found = engine<Real>(name);
    if (!found) throw nb::value_error("engine: there is none of that name here");
    return *found;
}

// A pass, while other threads of Python run; it says false where memory runs out.
template <class Pass>
void without_gil(Pass pass) {
    bool good;
    {
        const nb::gil_scoped_release released;
        good = pass();
    }
    if (!good) throw std::bad_alloc();
}

// Sizes T, B, H, P; whether it runs backwards in time; threads.
using Sizes = std::tuple<Index, Index, Index, Index, bool, int>;
// x, weight_hh, bias_hh, weight_hr, lengths, reset, state_mask
using Arrays = std::tuple<Address, Address, Address, Address, Address, Address, Address>;
using Keeps = std::vector<std::tuple<double, Address>>;
using Inputs = std::vector<std::tuple<Address, bool>>;
// y, v, w, and for each state: states, fresh, final
using Outputs = std::tuple<Address, Address, Address, Addresses, Addresses, Addresses>;

template <class Real>
Call<Real> call_of(const Plan& plan, const Sizes& sizes, const Arrays& arrays, const Inputs& inputs,
                   const Addresses& params, const Addresses& state, const Addresses& start,
                   const Keeps& keep, const Outputs& outputs) {
    Call<Real> call{};
    std::tie(call.steps, call.rows, call.units, call.first, call.reverse, call.threads) = sizes;
    const auto& [x, weight_hh, bias_hh, weight_hr, lengths, reset, mask] = arrays;
    call.x = one<const Real>(x);
    call.weight_hh = one<const Real>(weight_hh);
    call.bias_hh = one<const Real>(bias_hh);
    call.weight_hr = one<const Real>(weight_hr);
    call.lengths = one<const std::int64_t>(lengths);
    call.reset = one<const std::uint8_t>(reset);
    call.state_mask = one<const Real>(mask);
    for (const auto& [data, narrow] : inputs) call.inputs.push_back({one<const Real>(data), narrow});
    call.params = reading<Real>(params);
    call.state = reading<Real>(state);
    call.start = reading<Real>(start);
    for (const auto& [share, data] : keep) call.keep.push_back({static_cast<Real>(share), one<const Real>(data)});
    const auto& [y, v, w, states, fresh, final] = outputs;
    call.y = one<Real>(y);
    call.v = one<Real>(v);
    call.w = one<Real>(w);
    call.states = writing<Real>(states);
    call.fresh = writing<Real>(fresh);
    call.final = writing<Real>(final);
    const auto count = static_cast<std::size_t>(plan.states);
    const bool fits = call.steps > 0 && call.rows >= 0 && call.units > 0 && call.first > 0 &&
                      (call.weight_hr ? call.first <= call.units : call.first == call.units) &&
                      call.threads > 0 &&
                      call.inputs.size() == static_cast<std::size_t>(plan.inputs) &&
                      call.params.size() == static_cast<std::size_t>(plan.params) &&
                      call.state.size() == count && call.states.size() == count &&
                      call.final.size() == count && (call.start.empty() || call.start.size() == count) &&
                      (call.keep.empty() || call.keep.size() == count) &&
                      (call.fresh.empty() || call.fresh.size() == count) &&
                      (plan.products.empty() || call.weight_hh) && (!call.reset || !call.start.empty());
    if (!fits) throw nb::value_error("the arrays are not those that the plan needs");
    return call;
}

template <class Real>
void forward(const Plan& plan, const std::string& engine_name, const Sizes& sizes,
             const Arrays& arrays, const Inputs& inputs, const Addresses& params,
             const Addresses& state, const Addresses& start, const Keeps& keep,
             const Outputs& outputs) {
    const Call<Real> call = call_of<Real>(plan, sizes, arrays, inputs, params, state, start, keep, outputs);
    const Engine<Real>& here = engine_for<Real>(engine_name);
    without_gil([&] { return here.forward(plan, call); });
}

// dy, dx, dsums, dprojected, and for each state: dfinal, dstates, dstate, dstart, dh, before
using Back = std::tuple<Address, Address, Address, Address, Addresses, Addresses, Addresses, Addresses,
                        Addresses, Addresses>;

template <class Real>
void backward(const Plan& plan, const std::string& engine_name, const Sizes& sizes,
              const Arrays& arrays, const Inputs& inputs, const Addresses& params,
              const Addresses& state, const Addresses& start, const Keeps& keep,
              const Outputs& outputs, const Back& back, const Addresses& dinputs,
              const Addresses& dparams, double clip) {
    const Call<Real> call = call_of<Real>(plan, sizes, arrays, inputs, params, state, start, keep, outputs);
    const Engine<Real>& here = engine_for<Real>(engine_name);
    const auto& [dy, dx, dsums, dprojected, dfinal, dstates, dstate, dstart, dh, before] = back;
    BackwardCall<Real> all{};
    all.forward = &call;
    all.dy = one<const Real>(dy);
    all.dfinal = reading<Real>(dfinal);
    all.dstates = reading<Real>(dstates);
    all.dx = one<Real>(dx);
    all.dsums = one<Real>(dsums);
    all.dinputs = writing<Real>(dinputs);
    all.dstate = writing<Real>(dstate);
    all.dstart = writing<Real>(dstart);
    all.dparams = writing<Real>(dparams);
    all.dh = writing<Real>(dh);
    all.before = writing<Real>(before);
    all.dprojected = one<Real>(dprojected);
    all.clip = static_cast<Real>(clip);
    const auto count = static_cast<std::size_t>(plan.states);
    const bool fits = all.dfinal.size() == count && all.dstates.size() == count &&
                      all.dstate.size() == count && all.before.size() == count && all.dinputs.size() == call.inputs.size() &&
                      all.dparams.size() == call.params.size() && (all.dh.empty() || all.dh.size() == count) &&
                      (!call.reset || all.dstart.size() == count);
    if (!fits) throw nb::value_error("the arrays are not those that the plan needs");
    if (!(clip >= 0)) throw nb::value_error("clip: it must be 0, for no limit, or above");
    without_gil([&] { return here.backward(plan, all); });
}

// T, B, H, I; whether it runs backwards in time, and the batch comes first; threads; lengths, or null.
using PlainSizes = std::tuple<Index, Index, Index, Index, bool, bool, int, Address>;

// Addresses one after the other, as elman.engine.native_plain lays them out.
class Taken {
public:
    explicit Taken(const Addresses& all) : all_(all) {}

    template <class Value>
    Value* next() {
        if (at_ == all_.size()) throw nb::value_error("the arrays are not those that the plan needs");
        return one<Value>(all_[at_++]);
    }

    template <class Value>
    std::vector<Value*> next(std::int32_t count) {
        std::vector<Value*> found;
        for (std::int32_t k = 0; k < count; ++k) found.push_back(next<Value>());
        return found;
    }

    void end() const {
        if (at_ != all_.size()) throw nb::value_error("the arrays are not those that the plan needs");
    }

private:
    const Addresses& all_;
    std::size_t at_ = 0;
};

// A call without options but lengths, from raw inputs: x, W, U, b_ih, b_hh, params, state, y and what is
// kept for the derivative, or null: states other than y, v and w, one after the other.
template <class Real>
Call<Real> plain_call(const Plan& plan, const PlainSizes& sizes, Taken& taken) {
    Call<Real> call{};
    Address lengths = 0;
    std::tie(call.steps, call.rows, call.units, call.width, call.reverse, call.batch_first, call.threads, lengths) = sizes;
    call.first = call.units;
    call.lengths = one<const std::int64_t>(lengths);
    call.raw = taken.next<const Real>();
    call.weight_ih = taken.next<const Real>();
    call.weight_hh = taken.next<const Real>();
    call.bias_ih = taken.next<const Real>();
    call.bias_hh = taken.next<const Real>();
    call.params = taken.next<const Real>(plan.params);
    call.state = taken.next<const Real>(plan.states);
    Real* y = taken.next<Real>();
    Real* kept = taken.next<Real>();
    const bool reads = !plan.narrow_output.empty();
    const Index rows = call.steps * call.rows;
    const auto part = [&](Index width) {
        Real* found = kept;
        if (kept) kept += rows * width;
        return found;
    };
    for (std::int32_t k = 0; k < plan.states; ++k) call.states.push_back(k == 0 && !reads ? y : part(call.units));
    call.y = reads ? y : nullptr;
    call.v = part(plan.count[static_cast<int>(Space::v)] * call.units);
    call.w = part(plan.count[static_cast<int>(Space::w)]);
    bool known = true;  // what U multiplies
    for (const Product& product : plan.products) {
        const Space space = plan.slots[product.vector].space;
        known = known && (space == Space::s || space == Space::v);
    }
    const bool fits = known && call.steps > 0 && call.rows > 0 && call.units > 0 && call.width > 0 && call.threads > 0 &&
                      plan.inputs == 0 && call.raw && call.weight_ih && y &&
                      (plan.products.empty() || call.weight_hh);
    if (!fits) throw nb::value_error("the arrays are not those that the plan needs");
    return call;
}

// After those of the call W x + b_ih of all steps, or null where it is to be made, and the final states.
template <class Real>
void plain_forward(const Plan& plan, const std::string& name, const PlainSizes& sizes, const Addresses& arrays) {
    Taken taken(arrays);
    Call<Real> call = plain_call<Real>(plan, sizes, taken);
    call.x = taken.next<const Real>();
    call.final = taken.next<Real>(plan.states);
    taken.end();
    const Engine<Real>& here = engine_for<Real>(name);
    without_gil([&] { return here.forward(plan, call); });
}

// After those of the call the gradients of y and the final states, or null. Then those wanted: of
// every step's projections, their sums, and the states before each step, or null; or else, where there are
// none of the projections, of x, W, U, b_ih and b_hh, or null; of params and of the state.
template <class Real>
void plain_backward(const Plan& plan, const std::string& name, const PlainSizes& sizes, const Addresses& arrays) {
    Taken taken(arrays);
    const Call<Real> call = plain_call<Real>(plan, sizes, taken);
    BackwardCall<Real> back{};
    back.forward = &call;
    back.dy = taken.next<const Real>();
    back.dfinal = taken.next<const Real>(plan.states);
    back.dx = taken.next<Real>();
    back.dsums = taken.next<Real>();
    back.before = taken.next<Real>(plan.states);
    back.draw = taken.next<Real>();
    back.dweight_ih = taken.next<Real>();
    back.dweight_hh = taken.next<Real>();
    back.dbias_ih = taken.next<Real>();
    back.dbias_hh = taken.next<Real>();
    back.dparams = taken.next<Real>(plan.params);
    back.dstate = taken.next<Real>(plan.states);
    taken.end();
    back.dstates.assign(back.dfinal.size(), nullptr);
    const Engine<Real>& here = engine_for<Real>(name);
    without_gil([&] { return here.backward(plan, back); });
}

// An array whose memory is given back when it is gone.
template <class Real>
nb::ndarray<nb::numpy, Real> lent(std::size_t count) {
    auto memory = std::make_unique<Memory>(lend(count * sizeof(Real)));
    if (!memory->data) throw std::bad_alloc();
    void* const data = memory->data;
    const nb::capsule owner(memory.release(), [](void* held) noexcept {
        const std::unique_ptr<Memory> back(static_cast<Memory*>(held));
        take_back(*back);
    });
    return {data, {count}, owner};
}

template <class Real>
void define_backward(nb::module_& m, const char* name) {
    using nb::arg;
    m.def(name, &backward<Real>, arg("plan"), arg("engine"), arg("sizes"), arg("arrays"), arg("inputs"),
          arg("params"), arg("state"), arg("start"), arg("keep"), arg("outputs"), arg("back"), arg("dinputs"),
          arg("dparams"), arg("clip") = 0.0);
}

}  // namespace

void bind_engine(nb::module_& m) {
    // Plans live as long as the caches that hold them: until the process ends.
    nb::set_leak_warnings(false);
    nb::class_<Plan>(m, "Plan").def(nb::new_(&make)).def_ro("x_in_v", &Plan::x_in_v);
    m.def("engines", &engine_names);
    m.def("fma_peak", &fma_peak<float>);
    m.def("fma_peak_float64", &fma_peak<double>);
    m.def("lend_float32", &lent<float>);
    m.def("lend_float64", &lent<double>);
    m.def("forward_float32", &forward<float>);
    m.def("forward_float64", &forward<double>);
    m.def("plain_forward_float32", &plain_forward<float>);
    m.def("plain_forward_float64", &plain_forward<double>);
    m.def("plain_backward_float32", &plain_backward<float>);
    m.def("plain_backward_float64", &plain_backward<double>);
    define_backward<float>(m, "backward_float32");
    define_backward<double>(m, "backward_float64");
}

}  // namespace elman
