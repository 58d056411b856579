// Where does a buffer first hold a NaN or an infinity?
#pragma once

#include <cstddef>
#include <cstdint>

namespace elman {

// values: `count` contiguous elements, read only, aligned to the element; may be null when
// count is 0. Nothing is kept, allocated or thrown. Safe to call from several threads.
// Returns the index of the first NaN or infinity, or -1 when every element is finite.
std::int64_t first_nonfinite(const float* values, std::size_t count) noexcept;
std::int64_t first_nonfinite(const double* values, std::size_t count) noexcept;

}  // namespace elman
