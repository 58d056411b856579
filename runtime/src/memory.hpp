// Memory that goes from call to call.
//
// To touch memory for the first time can cost more than all that is computed there: the system
// clears it, and hands it out in pages of 4 KiB unless it is told otherwise. So what calls give back
// is lent again, from a size on that is worth it.
#pragma once

#include <cstddef>

namespace elman {

struct Memory {
    void* data;  // on a cache line, and of a large page where it is as large; null where memory ran out
    std::size_t size;
};

// At least so many bytes, not initialised.
Memory lend(std::size_t bytes) noexcept;

// What was lent: some of it is held, as much as 256 MiB, and the rest goes back to the system.
void take_back(Memory memory) noexcept;

}  // namespace elman
