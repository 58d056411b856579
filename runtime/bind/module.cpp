// Checks and forwards: the Python side of the core. No arithmetic here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <vector>

#include "cpu.hpp"
#include "engine.hpp"
#include "finite.hpp"
#include "program.hpp"

namespace nb = nanobind;

namespace {

template <class Real>
using Array = nb::ndarray<const Real, nb::c_contig, nb::device::cpu, nb::ro>;

// Below this many values a scan is shorter than giving the lock away and taking it back.
constexpr std::size_t kReleaseFrom = std::size_t{1} << 16;

template <class Real>
std::int64_t first_nonfinite(const Array<Real>& array) {
    std::optional<nb::gil_scoped_release> released;
    if (array.size() >= kReleaseFrom) released.emplace();
    return elman::first_nonfinite(array.data(), array.size());
}

std::vector<std::string> instruction_sets() {
    const elman::InstructionSets sets = elman::instruction_sets();
    std::vector<std::string> names{"baseline"};
    if (sets.avx2_fma) names.emplace_back("avx2+fma");
    if (sets.avx512) names.emplace_back("avx512");
    if (sets.neon) names.emplace_back("neon");
    return names;
}

}  // namespace

NB_MODULE(_native, m) {
    // noconvert: a copy would be silent, and elman_runtime.native says what is wrong instead.
    m.def("first_nonfinite", &first_nonfinite<float>, nb::arg("array").noconvert());
    m.def("first_nonfinite", &first_nonfinite<double>, nb::arg("array").noconvert());
    m.def("instruction_sets", &instruction_sets);
    m.def("maker", [] { return std::string(elman::maker().name); });
    elman::bind_engine(m);
    elman::bind_program(m);
}
