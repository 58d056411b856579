// Where threads that have some units each lay down what all of them need of a product's rows.
#pragma once

#include "call.hpp"
#include "kernels/buffer.hpp"
#include "kernels/product.hpp"
#include "threads.hpp"

namespace elman::ELMAN_SET {

// Two rooms in turn: when a thread writes to one again, it has waited once since, and to come there
// every other one had done with it. So one wait for each product is enough.
template <class V>
class Exchange {
public:
    using Real = typename V::Real;

    // For rows of a state forwards, of all gates of the widest product backwards.
    Exchange(const Plan& plan, const Call<Real>& call, bool back) {
        std::size_t widest = 1;
        for (const Product& product : plan.products)
            if (back) widest = std::max(widest, product.gates.size());
        ld = leading<V>(padded<V>(static_cast<Index>(widest) * call.units));
        for (std::size_t& room : rooms_) room = arena_.ask(call.rows * ld);
    }

    // False where memory runs out.
    bool prepare() { return arena_.allocate(); }

    Index ld;  // from a row to the next

    // What one of `count` threads has of it.
    class Member {
    public:
        Member(Exchange& all, int count) : ld(all.ld), all_(all), count_(count) {}

        // The room of the product at hand: each thread writes its own units there, then waits.
        Real* next() {
            turn_ ^= 1;
            return all_.arena_.at(all_.rooms_[turn_]);
        }

        void wait() { all_.barrier_.wait(count_); }

        const Index ld;

    private:
        Exchange& all_;
        int count_, turn_ = 0;
    };

private:
    Arena<Real> arena_;
    std::size_t rooms_[2];
    Barrier barrier_;
};

}  // namespace elman::ELMAN_SET
