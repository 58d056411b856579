#pragma once

#include <nanobind/nanobind.h>

namespace elman {

void bind_engine(nanobind::module_& m);

}  // namespace elman
