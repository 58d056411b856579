// What one thread does of a call: some rows, some units.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/exchange.hpp"
#include "kernels/shared.hpp"

namespace elman::ELMAN_SET {

// The rows and units of one thread. Rows come longest first, so that those still running at any
// step are the first ones.
struct Share {
    std::vector<Index> rows;
    Index first_unit, units;
};

template <class V>
class Job {
public:
    using Real = typename V::Real;

    // With an exchange, other threads have the other units of these rows, and are at the same step.
    Job(const Shared<V>& shared, const Matrices<V>& matrices, Share share, typename Exchange<V>::Member* exchange)
        : shared(shared), matrices(matrices), plan(shared.plan), call(shared.call), exchange_(exchange),
          share_(std::move(share)),
          n(static_cast<Index>(share_.rows.size())), units(share_.units), u0(share_.first_unit),
          ld_(leading<V>(padded<V>(std::max(units, call.first)))),
          places_(shared.constants), adds_(n), global_(share_.rows.data()),
          step_(call.batch_first ? 1 : call.rows), row_(call.batch_first ? call.steps : 1) {
        for (Index r = 0; r < n; ++r) local_.push_back(r);
        for (std::size_t i = 0; i < plan.slots.size(); ++i)
            if (plan.slots[i].space == Space::p || plan.slots[i].space == Space::f) places_[i].base += u0;
    }

protected:
    Index count(Space space) const { return plan.count[static_cast<int>(space)]; }

    Index length(Index r) const { return call.lengths ? call.lengths[global_[r]] : call.steps; }
    Index first_step(Index r) const { return call.reverse ? length(r) - 1 : 0; }
    Index last_step(Index r) const { return call.reverse ? 0 : length(r) - 1; }

    Index active(Index t) const {
        Index rows = n;
        while (rows > 0 && length(rows - 1) <= t) --rows;
        return rows;
    }

    // Whether a boundary lies between step t of row r and the step that comes before it.
    bool starts_anew(Index t, Index r) const {
        if (!call.reset) return false;
        const Index boundary = call.reverse ? t + 1 : t;
        return boundary < length(r) && call.reset[at(boundary, r)];
    }

    Index state_width(std::size_t k) const { return k == 0 && shared.narrow ? call.first : units; }

    // Where row r stands at step t in the caller's arrays.
    Index at(Index t, Index r) const { return t * step_ + global_[r] * row_; }

    // Row r of a dense (B, S) array of state k, of which this thread has some units.
    template <class Any>
    Any* of_state(Any* base, std::size_t k, Index r) const {
        return base + global_[r] * shared.width_of_state(k) + u0;
    }

    // The same of one with all steps.
    template <class Any>
    Any* of_states(Any* base, std::size_t k, Index t, Index r) const {
        return base + at(t, r) * shared.width_of_state(k) + u0;
    }

    void copy(Real* to, const Real* from, Index count) const {
        std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(Real));
    }

    // A copy to where all steps have their places.
    void put(Real* to, const Real* from, Index count) const {
        shared.streams ? stream(to, from, count) : copy(to, from, count);
    }

    void clear(Real* to, Index count) const {
        std::memset(to, 0, static_cast<std::size_t>(count) * sizeof(Real));
    }

    // A matrix that is read from its last panel at every other step: where it is larger than a cache,
    // what was read last is still there.
    Panels<Real> alternating(Panels<Real> matrix, Index t) const {
        matrix.from_end = t % 2 != 0;
        return matrix;
    }

    // --- places ------------------------------------------------------------------------------

    std::size_t ask_rows(Index columns = 1) { return arena_.ask(n * columns * ld_); }
    Real* row(std::size_t part, Index r, Index columns = 1) const {
        return arena_.at(part) + r * columns * ld_;
    }

    void local(std::size_t slot, Real* base, Index stride) {
        places_[slot] = {base, stride, local_.data()};
    }

    // A slot in an array (T, B, width) of the caller's: it moves on with each step.
    void over_time(std::size_t slot, Real* base, Index width) {
        places_[slot] = {base, row_ * width, global_};
        moving_.push_back({slot, base, step_ * width});
    }

    void move_to(Index t) {
        for (const Moving& m : moving_) places_[m.slot].base = m.base + t * m.step;
    }

    // --- running -----------------------------------------------------------------------------

    void run(const std::vector<Line<Real>>& lines, Index rows) {
        if (lines.empty()) return;
        // So many rows at once that what a section touches of them stays in L1.
        const Index touched = static_cast<Index>(lines.size() + 8) * units * Index{sizeof(Real)};
        const Index block = std::max<Index>(1, 24 * 1024 / touched);
        for (Index first = 0; first < rows; first += block) {
            const Index last = std::min(rows, first + block);
            for (const Line<Real>& line : lines) line.run(line, places_.data(), first, last);
        }
    }

    const Shared<V>& shared;
    const Matrices<V>& matrices;
    const Plan& plan;
    const Call<Real>& call;
    typename Exchange<V>::Member* exchange_;

private:
    struct Moving {
        std::size_t slot;
        Real* base;
        Index step;
    };

    Share share_;

protected:
    Index n, units, u0;
    Index ld_;  // from a row to the next in arrays of this thread's own
    std::vector<Place<Real>> places_;
    std::vector<const Real*> adds_;
    const Index* global_;
    Index step_, row_;  // from a step to the next, and from a row to the next
    std::vector<Index> local_;
    std::vector<Moving> moving_;
    Arena<Real> arena_;
};

}  // namespace elman::ELMAN_SET
