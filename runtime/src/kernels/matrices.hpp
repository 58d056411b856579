// The matrices of a call's products, packed into panels: for all units, or for those of one thread.
#pragma once

#include <vector>

#include "kernels/buffer.hpp"
#include "kernels/product.hpp"
#include "threads.hpp"

namespace elman::ELMAN_SET {

// Whether a slot holds a value of the first state, P wide.
inline bool is_first(const Slot& s) {
    switch (s.space) {
        case Space::s: case Space::final: case Space::ds: case Space::dfinal:
        case Space::dstart: case Space::start:
            return s.index == 0;
        case Space::t:  // P < H only where every product is of the first state
            return true;
        default:
            return false;
    }
}

// How many values a row of a slot has; `all` is H or the part of it that a thread has.
template <class Real>
Index width_of(const Plan& plan, const Call<Real>& call, std::int32_t slot, Index all) {
    const Slot& s = plan.slots[slot];
    if (s.narrow) return 1;
    return call.first != call.units && is_first(s) ? call.first : all;
}

// pack(first column) for each panel, by all threads where that takes longer than to wake them.
template <class V, class Pack>
void by_panels(Index columns, Index depth, int threads, Pack pack) {
    constexpr Index least = Index{1} << 15;  // values
    const Index panels = padded<V>(columns) / kPanel<V>;
    const Index jobs = columns * depth < least ? 1 : std::min<Index>(panels, 2 * threads);
    parallel(static_cast<int>(jobs), threads, [&](int i) noexcept {
        for (Index panel = panels * i / jobs; panel < panels * (i + 1) / jobs; ++panel) pack(panel * kPanel<V>);
    });
}

template <class V>
class Matrices {
public:
    using Real = typename V::Real;

    // Of the units [first, first + units), which are all where P < H; for one direction in time.
    Matrices(const Plan& plan, const Call<Real>& call, Index first, Index units, bool backward)
        : plan_(plan), call_(call), first_(first), units_(units), each_(padded<V>(units)), backward_(backward) {
        for (const Product& product : plan.products) {
            const Index gates = static_cast<Index>(product.gates.size()), depth = depth_of(product);
            data_.push_back(arena_.ask(backward ? padded<V>(columns_back(depth)) * gates * call.units
                                                : gates * each_ * depth));
            bias_.push_back(arena_.ask(gates * each_));
        }
        if (call.weight_hr) data_.push_back(arena_.ask(padded<V>(std::max(units, call.first)) * units));
    }

    // False where memory runs out.
    bool pack(int threads = 1) {
        if (!arena_.allocate()) return false;
        for (std::size_t k = 0; k < plan_.products.size(); ++k) backward_ ? pack_back(k, threads) : pack_ahead(k, threads);
        if (call_.weight_hr) pack_projection();
        return true;
    }

    // From a gate's first unit to the next one's, in what `ahead` gives.
    Index each() const { return each_; }

    // Of each product: forwards U of its gates, one after the other; backwards its transpose.
    std::vector<Panels<Real>> of;
    std::vector<const Real*> bias;          // forwards, each() for each gate; or null
    std::vector<std::vector<Added>> added;  // forwards, what of x is added to each panel
    std::vector<bool> adds;                 // whether anything is
    Panels<Real> projection{};              // V, or backwards its transpose

private:
    Index depth_of(const Product& product) const { return width_of(plan_, call_, product.vector, call_.units); }

    // With P < H there is one thread for all units: so wide as the vector is its gradient.
    Index columns_back(Index depth) const { return units_ == call_.units ? depth : units_; }

    void pack_ahead(std::size_t k, int threads) {
        const Product& product = plan_.products[k];
        const Index gates = static_cast<Index>(product.gates.size()), depth = depth_of(product);
        Real *out = arena_.at(data_[k]), *shift = arena_.at(bias_[k]);
        by_panels<V>(gates * each_, depth, threads, [&](Index column) {
            const Index c = column % each_, row = product.gates[column / each_] * call_.units + first_ + c;
            pack_rows<V>(call_.weight_hh + row * depth, depth, std::min(kPanel<V>, units_ - c), depth, out + column * depth);
        });
        added.emplace_back();
        adds.push_back(false);
        const Index apart = call_.x ? call_.units : units_;
        for (Index j = 0; j < gates; ++j) {
            const Index row = product.gates[j] * call_.units + first_, gate = product.added[j];
            for (Index c = 0; call_.bias_hh && c < each_; ++c)
                shift[j * each_ + c] = c < units_ ? call_.bias_hh[row + c] : Real(0);
            for (Index c = 0; c < each_; c += kPanel<V>)
                added[k].push_back({gate < 0 ? -1 : gate * apart + c,
                                    std::min(kPanel<V>, units_ - c)});
            if (gate >= 0) adds[k] = true;
        }
        of.push_back({out, gates * each_, depth});
        bias.push_back(call_.bias_hh ? shift : nullptr);
    }

    void pack_back(std::size_t k, int threads) {
        const Product& product = plan_.products[k];
        const Index gates = static_cast<Index>(product.gates.size()), depth = depth_of(product);
        const Index units = call_.units, columns = columns_back(depth);
        Real* out = arena_.at(data_[k]);
        by_panels<V>(columns, gates * units, threads, [&](Index column) {
            Real* to = out + column * gates * units;
            for (Index j = 0; j < gates; ++j, to += units * kPanel<V>)
                pack_columns<V>(call_.weight_hh + product.gates[j] * units * depth + first_ + column, depth,
                                std::min(kPanel<V>, columns - column), units, gates * units, to);
        });
        of.push_back({out, columns, gates * units});
    }

    void pack_projection() {
        Real* out = arena_.at(data_.back());
        const Index narrow = call_.first, units = call_.units;
        if (backward_) pack_columns<V>(call_.weight_hr, units, units, narrow, narrow, out);
        else pack_rows<V>(call_.weight_hr, units, narrow, units, out);
        projection = {out, backward_ ? units : narrow, backward_ ? narrow : units};
    }

    const Plan& plan_;
    const Call<Real>& call_;
    Index first_, units_, each_;
    bool backward_;
    Arena<Real> arena_;
    std::vector<std::size_t> data_, bias_;
};

}  // namespace elman::ELMAN_SET
