// Memory that begins on a cache line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory.hpp"

namespace elman::ELMAN_SET {

// Many arrays in one allocation: first each is asked for, then `allocate` makes them. They are not
// initialised, and end with the arena.
template <class Real>
class Arena {
public:
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena() { take_back(memory_); }

    // The number under which `at` gives an array of `count` values.
    std::size_t ask(std::int64_t count) {
        begins_.push_back(size_);
        constexpr std::size_t each = kLine / sizeof(Real);
        size_ += (static_cast<std::size_t>(count) + each - 1) / each * each;
        return begins_.size() - 1;
    }

    // False where memory runs out. At most once.
    bool allocate() noexcept {
        memory_ = lend(size_ * sizeof(Real) + kLine);
        return memory_.data != nullptr;
    }

    std::size_t bytes() const { return size_ * sizeof(Real); }

    Real* at(std::size_t number) const { return static_cast<Real*>(memory_.data) + begins_[number]; }

private:
    static constexpr std::size_t kLine = 64;
    std::vector<std::size_t> begins_;
    std::size_t size_ = 0;
    Memory memory_{};
};

}  // namespace elman::ELMAN_SET
