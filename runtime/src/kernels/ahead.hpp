// W x made by one more thread while the first one takes the steps: of few rows, which are one thread's.
#pragma once

#include <atomic>
#include <memory>

#include "kernels/dense.hpp"

namespace elman::ELMAN_SET {

// A product of whole matrices, so many rows of it for each step, made in parts in the order of steps.
// The steps need not wait for a thread that comes late, or never: what it has not begun, they do.
template <class V>
class Ahead {
public:
    using Real = typename V::Real;

    Ahead(Dense<Real> product, Index steps, bool reverse)
        : product_(std::move(product)), steps_(steps), rows_(product_.rows / steps), reverse_(reverse) {
        while (begin(count_) < steps_) ++count_;
        taken_ = std::make_unique<std::atomic<bool>[]>(static_cast<std::size_t>(count_));
        done_ = std::make_unique<std::atomic<bool>[]>(static_cast<std::size_t>(count_));
        for (int k = 0; k < count_; ++k) taken_[k] = done_[k] = false;
    }

    // Returns when the rows of step t are there; steps come in their order.
    void need(Index t) noexcept {
        const Index order = reverse_ ? steps_ - 1 - t : t;
        for (; begin(at_hand_) <= order; ++at_hand_)
            if (!make(at_hand_)) wait_for(at_hand_);
    }

    // How long the steps have waited for the other thread.
    Patience::Clock::duration waited() const { return waited_; }

    // What the other thread does.
    void run() noexcept {
        const FlushDenormals flush;
        for (int k = 1; k < count_; ++k) make(k);
    }

private:
    static constexpr Index kFirst = 16;  // rows of the first part; each is twice as large as the one before

    // The first step of a part, in their order.
    Index begin(int part) const {
        const Index first = std::max<Index>(1, kFirst / rows_);
        return std::min(steps_, first * ((Index{1} << std::min(part, 40)) - 1));
    }

    // False where the other thread has it.
    bool make(int part) {
        if (taken_[part].exchange(true, std::memory_order_relaxed)) return false;
        const Index from = begin(part), to = begin(part + 1);
        dense<V>(product_, rows_ * (reverse_ ? steps_ - to : from), rows_ * (reverse_ ? steps_ - from : to));
        done_[part].store(true, std::memory_order_release);
        return true;
    }

    void wait_for(int part) noexcept {
        if (done_[part].load(std::memory_order_acquire)) return;
        const auto since = Patience::Clock::now();
        for (int polls = 0; !done_[part].load(std::memory_order_acquire);) poll(polls);
        waited_ += Patience::Clock::now() - since;
    }

    Dense<Real> product_;
    Index steps_, rows_;
    bool reverse_;
    int count_ = 0, at_hand_ = 0;  // parts, and how many of them the steps have
    Patience::Clock::duration waited_{0};
    std::unique_ptr<std::atomic<bool>[]> taken_, done_;
};

}  // namespace elman::ELMAN_SET
