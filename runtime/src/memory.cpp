#include "memory.hpp"

#include <atomic>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace elman {
namespace {

constexpr std::size_t kLine = 64, kPage = std::size_t{2} << 20;
constexpr std::size_t kStep = std::size_t{16} << 10;  // smaller ones the allocator has at hand
constexpr std::size_t kMost = std::size_t{256} << 20;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kHold = false;  // so that what is read after its end is seen
#else
constexpr bool kHold = true;
#endif

std::align_val_t alignment(std::size_t size) { return std::align_val_t{size < kPage ? kLine : kPage}; }

std::size_t rounded(std::size_t bytes) {
    const std::size_t step = bytes < kStep ? kLine : bytes < kPage ? kStep : kPage;
    return (bytes + step - 1) / step * step;
}

// Large ones in pages of 2 MiB, if the system has them: it clears fewer of them, at once.
Memory make(std::size_t bytes) noexcept {
    const std::size_t size = rounded(bytes ? bytes : 1);
    void* const data = ::operator new(size, alignment(size), std::nothrow);
#if defined(MADV_HUGEPAGE)
    if (data && size >= kPage) madvise(data, size, MADV_HUGEPAGE);
#endif
    return {data, size};
}

void end(Memory memory) noexcept { ::operator delete(memory.data, alignment(memory.size)); }

// What is held, the oldest first.
class Held {
public:
    // The smallest that will do, unless more than half of it would lie idle; null if there is none.
    Memory take(std::size_t bytes) noexcept {
        int found = -1;
        for (int i = 0; i < count_; ++i) {
            const std::size_t size = all_[i].size;
            if (bytes <= size && size / 2 <= rounded(bytes) && (found < 0 || size < all_[found].size)) found = i;
        }
        return found < 0 ? Memory{} : remove(found);
    }

    bool has_room_for(std::size_t size) const noexcept { return count_ < kCount && sum_ + size <= kMost; }
    Memory oldest() noexcept { return remove(0); }

    void put(Memory memory) noexcept {
        all_[count_++] = memory;
        sum_ += memory.size;
    }

private:
    static constexpr int kCount = 32;

    Memory remove(int at) noexcept {
        const Memory found = all_[at];
        for (int i = at + 1; i < count_; ++i) all_[i - 1] = all_[i];
        --count_;
        sum_ -= found.size;
        return found;
    }

    Memory all_[kCount];
    int count_ = 0;
    std::size_t sum_ = 0;
};

Held held;
std::atomic_flag busy = ATOMIC_FLAG_INIT;

// Does something with what is held, unless another thread stays at it: no one waits longer than that
// takes, and what a parent was about to do when it forked stops no child.
template <class Do>
bool with_held(Do act) noexcept {
    for (int tries = 0; busy.test_and_set(std::memory_order_acquire);)
        if (++tries == 1000) return false;
    act();
    busy.clear(std::memory_order_release);
    return true;
}

}  // namespace

Memory lend(std::size_t bytes) noexcept {
    Memory found{};
    if (kHold && bytes >= kStep) with_held([&] { found = held.take(bytes); });
    return found.data ? found : make(bytes);
}

void take_back(Memory memory) noexcept {
    if (!memory.data) return;
    if (!kHold || memory.size < kStep || memory.size > kMost) return end(memory);
    for (bool kept = false; !kept;) {
        Memory old{};
        const bool free = with_held([&] {
            if ((kept = held.has_room_for(memory.size))) held.put(memory);
            else old = held.oldest();
        });
        if (!free) return end(memory);
        if (old.data) end(old);
    }
}

}  // namespace elman
