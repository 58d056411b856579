#include "pages.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace elman {

void use_large_pages(std::uintptr_t address, std::size_t size) noexcept {
#if defined(MADV_HUGEPAGE)
    constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
    const std::uintptr_t first = (address + page - 1) / page * page, last = (address + size) / page * page;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
    (void)address;
    (void)size;
#endif
}

}  // namespace elman
