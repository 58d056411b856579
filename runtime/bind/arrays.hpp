// NumPy's arrays, read in place: a step takes less time than asking for three buffers would.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>

namespace elman {

// The first fields of PyArrayObject, the same since NumPy 1.7 and in NumPy 2.
struct ArrayObject {
    PyObject head;
    char* data;
    int rank;
    Py_ssize_t* sizes;
    Py_ssize_t* strides;
    PyObject* base;
    PyObject* dtype;
    int flags;

    std::int64_t count() const {
        std::int64_t product = 1;
        for (int i = 0; i < rank; ++i) product *= sizes[i];
        return product;
    }
};

// What has to be known of NumPy; fetched once.
struct Numpy {
    PyTypeObject* array;
    PyObject *float32, *float64, *int64;
};

// Raises ImportError where NumPy's arrays are not laid out as above.
const Numpy& numpy();

// The array, or null and TypeError: it must be an ndarray of that very dtype, aligned, contiguous
// in C order, and writable if `written`. `name` is what messages call it.
const ArrayObject* array_of(PyObject* object, PyObject* dtype, bool written, const char* name);

}  // namespace elman
