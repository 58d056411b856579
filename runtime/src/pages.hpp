// Large pages for large arrays.
#pragma once

#include <cstddef>
#include <cstdint>

namespace elman {

// A hint for the whole pages of 2 MiB in [address, address + size): memory there that is touched
// for the first time comes in such pages. Nothing happens where there are none.
void use_large_pages(std::uintptr_t address, std::size_t size) noexcept;

}  // namespace elman
