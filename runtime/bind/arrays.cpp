#include "arrays.hpp"

namespace nb = nanobind;

namespace elman {
namespace {

constexpr int kContiguous = 0x1, kAligned = 0x100, kWritable = 0x400;

// An array whose every field is known, looked at through the struct.
bool laid_out_so(const nb::object& zeros, const nb::object& dtype) {
    const nb::object made = zeros(nb::make_tuple(2, 3), dtype);
    const auto* array = reinterpret_cast<const ArrayObject*>(made.ptr());
    const auto address = nb::cast<std::uintptr_t>(made.attr("ctypes").attr("data"));
    constexpr int wanted = kContiguous | kAligned | kWritable;
    return reinterpret_cast<std::uintptr_t>(array->data) == address && array->rank == 2 &&
           array->sizes[0] == 2 && array->sizes[1] == 3 && array->strides[0] == 3 * array->strides[1] &&
           array->base == nullptr && array->dtype == dtype.ptr() && (array->flags & wanted) == wanted;
}

Numpy find() {
    const nb::module_ module = nb::module_::import_("numpy");
    const nb::object dtype = module.attr("dtype"), f32 = dtype("float32"), f64 = dtype("float64"), i64 = dtype("int64");
    const nb::object array = module.attr("ndarray"), zeros = module.attr("zeros");
    if (!laid_out_so(zeros, f32) || !laid_out_so(zeros, f64) || !laid_out_so(zeros, i64))
        throw nb::import_error("NumPy's arrays are laid out in a way that is not known here");
    return {reinterpret_cast<PyTypeObject*>(array.inc_ref().ptr()), f32.inc_ref().ptr(),
            f64.inc_ref().ptr(), i64.inc_ref().ptr()};
}

}  // namespace

const Numpy& numpy() {
    static const Numpy found = find();
    return found;
}

const ArrayObject* array_of(PyObject* object, PyObject* dtype, bool written, const char* name) {
    if (!PyObject_TypeCheck(object, numpy().array)) {
        PyErr_Format(PyExc_TypeError, "%s: must be a numpy.ndarray, got %s", name, Py_TYPE(object)->tp_name);
        return nullptr;
    }
    const auto* array = reinterpret_cast<const ArrayObject*>(object);
    const int wanted = kContiguous | kAligned | (written ? kWritable : 0);
    if (array->dtype == dtype && (array->flags & wanted) == wanted) return array;
    PyErr_Format(PyExc_TypeError, "%s: must be %S, contiguous in C order%s; got %S; pass numpy.ascontiguousarray(array, dtype)",
                 name, dtype, written ? " and writable" : "", array->dtype);
    return nullptr;
}

}  // namespace elman
