// x that a job makes for itself of raw inputs: of some steps at a time, so that it is still in cache
// when they read it. x of all steps goes through memory twice.
#pragma once

#include "kernels/dense.hpp"
#include "kernels/shared.hpp"

namespace elman::ELMAN_SET {

// For all units, or for a part of them that begins and ends with panels of W.
template <class V>
class OwnX {
public:
    using Real = typename V::Real;

    OwnX(const Shared<V>& shared, Index rows, Index units, Index first_unit)
        : call_(shared.call), units_(units), width_(leading<V>(shared.plan.gates * units)), raw_width_(leading<V>(call_.width)) {
        const Index each = width_ * Index{sizeof(Real)};
        const bool all = in_place<V>(shared.weight);
        most_ = all ? call_.steps : std::min(call_.steps, std::max(kLeast, kInCache / each) / std::max<Index>(1, rows) + 1);
        x_ = arena_.ask(most_ * rows * width_);
        raw_ = arena_.ask(most_ * rows * raw_width_);
        const bool whole = units == call_.units;
        const Index gates = shared.plan.gates, parts = whole ? 1 : gates, columns = whole ? gates * units : units;
        for (Index gate = 0; gate < parts; ++gate) {
            const Index column = gate * call_.units + first_unit;
            Paneled<Real> weight = shared.weight;
            weight.data += column * call_.width;
            const Factors<Real> term{{nullptr, raw_width_, 1}, weight, call_.width};
            parts_.push_back({{term}, 0, columns, nullptr, width_, call_.bias_ih ? call_.bias_ih + column : nullptr});
        }
    }

    // False where memory runs out.
    bool allocate() {
        if (!arena_.allocate()) return false;
        for (std::size_t k = 0; k < parts_.size(); ++k) {
            parts_[k].terms[0].a.data = arena_.at(raw_);
            parts_[k].out = arena_.at(x_) + static_cast<Index>(k) * units_;
        }
        return true;
    }

    // From a row to the next; a gate's part is `units` wide.
    Index width() const { return width_; }

    // x of a row at a step at hand.
    Real* at(Index t, Index row) const { return arena_.at(x_) + ((t - first_) * rows_ + row) * width_; }

    // Makes it for step t, if it is not at hand, and for those that follow. active(t) is how many rows
    // there are of step t, place(t, row) where a row stands in arrays of all steps.
    template <class Active, class PlaceOf>
    void need(Index t, Active active, PlaceOf place) {
        if (t >= first_ && t < end_) return;
        first_ = call_.reverse ? std::max<Index>(0, t + 1 - most_) : t;
        end_ = call_.reverse ? t + 1 : std::min(call_.steps, t + most_);
        rows_ = active(first_);  // the most
        Real* to = arena_.at(raw_);
        for (Index step = first_; step < end_; ++step)
            for (Index r = 0; r < rows_; ++r, to += raw_width_)
                std::copy_n(call_.raw + place(step, r) * call_.width, call_.width, to);
        for (Dense<Real>& part : parts_) {
            part.rows = (end_ - first_) * rows_;
            dense<V>(part, 0, part.rows);
        }
    }

private:
    // Bytes of x that are made at a time, and for how many rows at least: a panel of W is read for all.
    static constexpr Index kInCache = Index{64} << 10, kLeast = 24;

    const Call<Real>& call_;
    Index units_, width_, raw_width_, most_;  // most: steps at a time
    Index first_ = 0, end_ = 0, rows_ = 0;    // steps at hand, and rows of each
    Arena<Real> arena_;
    std::size_t x_, raw_;
    std::vector<Dense<Real>> parts_;
};

}  // namespace elman::ELMAN_SET
