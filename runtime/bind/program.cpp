// Steppers for Python. Two methods are functions of CPython's own calling convention: at a step of a
// microsecond, what a binding does for each argument would be a third of it.
#include "program.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "program/team.hpp"
#include "turn.hpp"

namespace nb = nanobind;

namespace elman {
namespace {

// From so many multiplications on, other threads may have the interpreter meanwhile.
constexpr Index kReleaseFrom = Index{1} << 20;
constexpr std::size_t kMostArrays = 64;
constexpr int kMostThreads = 256;

struct Bound {
    std::unique_ptr<Team> team;
    Turn turn;
    PyObject* dtype;
    std::vector<std::uint32_t> seen;   // by row of a state: in which call it was last asked for
    std::uint32_t call = 0;
    const void* inputs[kMostArrays];
    void* outputs[kMostArrays];

    const Stepper& stepper() const { return team->stepper(); }
};

Bound* make(nb::bytes image, const std::string& set, int threads) {
    if (threads < 1 || threads > kMostThreads) throw nb::value_error("threads: must be 1 to 256");
    std::string wrong;
    auto bound = std::make_unique<Bound>();
    bound->team = Team::make(image.c_str(), image.size(), set, threads, wrong);
    if (!bound->team) throw nb::value_error(wrong.c_str());
    const Stepper& stepper = bound->stepper();
    if (stepper.inputs.size() > kMostArrays || stepper.outputs.size() > kMostArrays)
        throw nb::value_error("image: at most 64 inputs and 64 outputs");
    bound->dtype = stepper.real_size == 4 ? numpy().float32 : numpy().float64;
    return bound.release();
}

Bound& of(PyObject* self) { return *nb::inst_ptr<Bound>(self); }

PyObject* mismatch(const char* name, Index wanted, Index got) {
    return PyErr_Format(PyExc_ValueError, "%s: must have %lld values, got %lld", name,
                        static_cast<long long>(wanted), static_cast<long long>(got));
}

// Runs a call whose arrays have been checked; False where an input is not finite, and was to be.
PyObject* run(Bound& bound, const StepCall& call) {
    Stepped done;
    if (bound.team->work(call) < kReleaseFrom) {
        done = bound.team->run(call);
        bound.turn.end();
    } else {
        const nb::gil_scoped_release released;
        done = bound.team->run(call);
        bound.turn.end();
    }
    if (done.input < 0) Py_RETURN_TRUE;
    if (!bound.stepper().inputs[static_cast<std::size_t>(done.input)].integer) Py_RETURN_FALSE;
    return PyErr_Format(PyExc_ValueError, "inputs: input %d holds %lld; the embedding has the rows 0 to %lld; map unknown entries to one of them",
                        done.input, static_cast<long long>(static_cast<const std::int64_t*>(call.inputs[done.input])[done.position]),
                        static_cast<long long>(bound.stepper().inputs[static_cast<std::size_t>(done.input)].limit - 1));
}

// Waits until no other thread is in this team; ends with `run`, or where an array does not fit.
void take_turn(Bound& bound) {
    if (bound.turn.begin()) return;
    const nb::gil_scoped_release released;
    bound.turn.wait();
}

PyObject* give_up(Bound& bound) {
    bound.turn.end();
    return nullptr;
}

// step(state, x, out, finite=False): one row; (state_size,), (T, ...), (T, ...) or without T.
PyObject* step(PyObject* self, PyObject* const* given, Py_ssize_t count) {
    if (count != 3 && count != 4) return PyErr_Format(PyExc_TypeError, "step: takes state, x, out and finite");
    Bound& bound = of(self);
    const Stepper& stepper = bound.stepper();
    if (stepper.inputs.size() != 1 || stepper.outputs.size() != 1)
        return PyErr_Format(PyExc_TypeError, "step: the program has several inputs or outputs; use run");
    const Feed& feed = stepper.inputs[0];
    const ArrayObject* state = array_of(given[0], bound.dtype, true, "state");
    const ArrayObject* x = state ? array_of(given[1], feed.integer ? numpy().int64 : bound.dtype, false, "x") : nullptr;
    const ArrayObject* out = x ? array_of(given[2], bound.dtype, true, "out") : nullptr;
    if (!out) return nullptr;
    const Index steps = x->count() / std::max<Index>(1, feed.size);
    if (state->count() != stepper.state_size) return mismatch("state", stepper.state_size, state->count());
    if (x->count() != steps * feed.size) return mismatch("x", (steps + 1) * feed.size, x->count());
    if (out->count() != steps * stepper.outputs[0]) return mismatch("out", steps * stepper.outputs[0], out->count());
    const void* const inputs[1] = {x->data};
    void* const outputs[1] = {out->data};
    take_turn(bound);
    return run(bound, {1, steps, state->data, nullptr, inputs, outputs, count == 4 && given[3] == Py_True});
}

// The rows of `state` that are asked for, each at most once; null and an error where they are not.
const std::int64_t* rows_of(Bound& bound, PyObject* object, Index rows, Index held) {
    const ArrayObject* array = array_of(object, numpy().int64, false, "rows");
    if (!array) return nullptr;
    if (array->count() != rows) return mismatch("rows", rows, array->count()), nullptr;
    const auto* of = reinterpret_cast<const std::int64_t*>(array->data);
    if (static_cast<Index>(bound.seen.size()) < held) bound.seen.resize(static_cast<std::size_t>(held), 0);
    if (++bound.call == 0) {
        std::fill(bound.seen.begin(), bound.seen.end(), 0);
        bound.call = 1;
    }
    for (Index i = 0; i < rows; ++i) {
        if (of[i] < 0 || of[i] >= held)
            return PyErr_Format(PyExc_ValueError, "rows: must be 0 to %lld, got %lld", static_cast<long long>(held - 1),
                                static_cast<long long>(of[i])), nullptr;
        std::uint32_t& seen = bound.seen[static_cast<std::size_t>(of[i])];
        if (seen == bound.call)
            return PyErr_Format(PyExc_ValueError, "rows: no row stands twice; feed one row's inputs as steps of time; got %lld again",
                                static_cast<long long>(of[i])), nullptr;
        seen = bound.call;
    }
    return of;
}

// An array (N, T, ...) of `size` values a row and step.
const ArrayObject* sequence(PyObject* object, PyObject* dtype, bool written, Index size, Index rows, Index steps, const char* name) {
    const ArrayObject* array = array_of(object, dtype, written, name);
    if (!array) return nullptr;
    if (array->rank >= 2 && array->sizes[0] == rows && array->sizes[1] == steps && array->count() == rows * steps * size)
        return array;
    PyErr_Format(PyExc_ValueError, "%s: each must be (%lld, %lld, ...) with %lld values a row and step, got %lld values",
                 name, static_cast<long long>(rows), static_cast<long long>(steps), static_cast<long long>(size),
                 static_cast<long long>(array->count()));
    return nullptr;
}

bool tuple_of(PyObject* object, std::size_t count, const char* name) {
    if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) == static_cast<Py_ssize_t>(count)) return true;
    PyErr_Format(PyExc_TypeError, "%s: must be a tuple of %zu arrays", name, count);
    return false;
}

// Checks every array of a call, with the turn taken; false and an error where one does not fit.
bool collect(Bound& bound, PyObject* const* given, StepCall& call) {
    const Stepper& stepper = bound.stepper();
    const auto* first = reinterpret_cast<const ArrayObject*>(PyTuple_GET_ITEM(given[1], 0));
    if (!PyObject_TypeCheck(&first->head, numpy().array) || first->rank < 2) {
        PyErr_SetString(PyExc_ValueError, "inputs: each must be a numpy.ndarray (N, T, ...)");
        return false;
    }
    call.rows = first->sizes[0];
    call.steps = first->sizes[1];
    for (std::size_t i = 0; i < stepper.inputs.size(); ++i) {
        const Feed& feed = stepper.inputs[i];
        const auto* x = sequence(PyTuple_GET_ITEM(given[1], static_cast<Py_ssize_t>(i)), feed.integer ? numpy().int64 : bound.dtype,
                                 false, feed.size, call.rows, call.steps, "inputs");
        if (!x) return false;
        bound.inputs[i] = x->data;
    }
    for (std::size_t i = 0; i < stepper.outputs.size(); ++i) {
        const auto* y = sequence(PyTuple_GET_ITEM(given[2], static_cast<Py_ssize_t>(i)), bound.dtype, true, stepper.outputs[i],
                                 call.rows, call.steps, "outputs");
        if (!y) return false;
        bound.outputs[i] = y->data;
    }
    const ArrayObject* state = array_of(given[0], bound.dtype, true, "state");
    if (!state) return false;
    if (state->rank != 2 || state->sizes[1] != stepper.state_size || (given[3] == Py_None && state->sizes[0] != call.rows)) {
        PyErr_Format(PyExc_ValueError, "state: must be (%s, %lld)", given[3] == Py_None ? "N" : "rows", static_cast<long long>(stepper.state_size));
        return false;
    }
    call.state = state->data;
    call.row_of = given[3] == Py_None ? nullptr : rows_of(bound, given[3], call.rows, state->sizes[0]);
    call.inputs = bound.inputs;
    call.outputs = bound.outputs;
    return given[3] == Py_None || call.row_of;
}

// run(state, inputs, outputs, rows, finite): N rows; (M, state_size), tuples of (N, T, ...), (N,) or None.
PyObject* run_rows(PyObject* self, PyObject* const* given, Py_ssize_t count) {
    if (count != 5) return PyErr_Format(PyExc_TypeError, "run: takes state, inputs, outputs, rows and finite");
    Bound& bound = of(self);
    if (!tuple_of(given[1], bound.stepper().inputs.size(), "inputs") || !tuple_of(given[2], bound.stepper().outputs.size(), "outputs"))
        return nullptr;
    StepCall call{};
    call.finite = given[4] == Py_True;
    take_turn(bound);
    return collect(bound, given, call) ? run(bound, call) : give_up(bound);
}

template <class Function>
PyCFunction as_c(Function* function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

void add_method(nb::handle type, PyMethodDef* definition) {
    const nb::object method = nb::steal(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), definition));
    if (!method.is_valid()) throw nb::python_error();
    nb::setattr(type, definition->ml_name, method);
}

PyMethodDef step_method{"step", as_c(&step), METH_FASTCALL, "step(state, x, out, finite=False) -> bool"};
PyMethodDef run_method{"run", as_c(&run_rows), METH_FASTCALL, "run(state, inputs, outputs, rows, finite) -> bool"};

}  // namespace

void bind_program(nb::module_& m) {
    const auto type = nb::class_<Bound>(m, "Stepper")
        .def(nb::new_(&make), nb::arg("image"), nb::arg("instruction_set") = "", nb::arg("threads") = 1)
        .def_prop_ro("instruction_set", [](const Bound& b) { return std::string(b.stepper().set); })
        .def_prop_ro("threads", [](const Bound& b) { return b.team->threads(); })
        .def_prop_ro("real_size", [](const Bound& b) { return b.stepper().real_size; })
        .def_prop_ro("state_size", [](const Bound& b) { return b.stepper().state_size; })
        .def_prop_ro("start", [](const Bound& b) { return nb::bytes(b.stepper().start.data(), b.stepper().start.size()); });
    add_method(type, &step_method);
    add_method(type, &run_method);
}

}  // namespace elman
