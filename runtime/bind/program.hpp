#pragma once

#include <nanobind/nanobind.h>

namespace elman {

void bind_program(nanobind::module_& m);

}  // namespace elman
