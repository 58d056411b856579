// How the rows and units of a call are shared out among threads.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/job.hpp"

namespace elman::ELMAN_SET {

// Longest first where they differ in length.
template <class Real>
std::vector<Index> ordered_rows(const Call<Real>& call) {
    std::vector<Index> rows(static_cast<std::size_t>(call.rows));
    for (Index r = 0; r < call.rows; ++r) rows[static_cast<std::size_t>(r)] = r;
    if (call.lengths)
        std::stable_sort(rows.begin(), rows.end(),
                         [&](Index a, Index b) { return call.lengths[a] > call.lengths[b]; });
    return rows;
}

// Below so many rows a thread, reading the matrices costs more than what is saved.
inline constexpr Index kLeastRows = 3;

// Values that a thread makes at a step forwards for which it is worth to have one more.
inline constexpr Index kLeastStep = 1536;

// Whether some value is made of a whole row: then one thread has all of its units.
inline bool needs_rows(const Plan& plan) {
    for (const Slot& slot : plan.slots)
        if (slot.narrow) return true;
    return false;
}

// Rows for each thread, longest first: no thread waits for another. Where units need not know of
// each other they are shared out too, in parts that stay in L1. `normed`: a row's norm is taken,
// which is of all its units.
template <class V>
std::vector<Share> shares(const Plan& plan, const Call<typename V::Real>& call, bool normed = false) {
    const std::vector<Index> rows = ordered_rows(call);
    const bool whole = normed || plan.whole_rows || needs_rows(plan) || call.weight_hr;
    const Index units = whole ? call.units : std::min<Index>(call.units, 256);
    Index parts = (call.units + units - 1) / units;
    // Fewer rows than threads: smaller parts, but not so small that what begins a step takes longer.
    const Index values = static_cast<Index>(plan.update.size()) * call.units / kLeastStep;
    if (!whole && call.rows < call.threads) parts = std::max(parts, std::min<Index>(call.threads, values));
    Index jobs = std::max<Index>(1, std::min<Index>(call.threads, call.rows / kLeastRows));
    if (plan.products.empty()) jobs = std::max<Index>(1, std::min<Index>(call.rows, 64));
    std::vector<Share> found;
    for (Index part = 0; part < parts; ++part) {
        const Index from = call.units * part / parts, to = call.units * (part + 1) / parts;
        for (Index job = 0; job < jobs; ++job) {
            Share share{{}, from, to - from};
            if (call.lengths)
                for (std::size_t r = static_cast<std::size_t>(job); r < rows.size(); r += static_cast<std::size_t>(jobs))
                    share.rows.push_back(rows[r]);
            else
                for (Index r = call.rows * job / jobs; r < call.rows * (job + 1) / jobs; ++r)
                    share.rows.push_back(r);
            found.push_back(std::move(share));
        }
    }
    return found;
}

// Whether threads share out the units of all rows, and wait for each other at every product: where
// there are too few rows for all of them, or U is read from beyond a core's own cache at each step
// though a thread's part of it is not. A thread with fewer than 4 panels of a product would wait for
// its own sums, and one with little of U longer for the others than for its part.
template <class V>
bool shares_units(const Plan& plan, const Call<typename V::Real>& call, bool back) {
    if (call.threads < 2 || plan.products.empty() || call.weight_hr || needs_rows(plan)) return false;
    if (call.rows < 1 || call.units < kPanel<V> * call.threads) return false;
    constexpr Index own = Index{1} << 20, least = Index{3} << 14, most_rows = 16;
    Index blocks = back ? 1 : plan.recurrent;  // of H columns in the narrowest product
    for (const Product& product : plan.products) blocks = std::min(blocks, static_cast<Index>(product.gates.size()));
    const Index values = plan.recurrent * call.units * call.units;
    if (blocks * call.units < 4 * kPanel<V> * call.threads || values < least) return false;
    if (call.rows < kLeastRows * call.threads) return true;
    return values * Index{sizeof(typename V::Real)} > own && call.rows <= most_rows * call.threads;
}

// All rows, and whole panels of their units.
template <class V>
Share share_of_units(const Call<typename V::Real>& call, int index, int count) {
    const Index panels = padded<V>(call.units) / kPanel<V>;
    const Index from = panels * index / count * kPanel<V>;
    const Index to = std::min(call.units, panels * (index + 1) / count * kPanel<V>);
    return {ordered_rows(call), from, to - from};
}

// Whether each job may make x of raw inputs for its own rows and units (own_x.hpp): there must be one
// for each thread, and whole panels of W for each. `all` are those that take rows.
template <class V>
bool may_make_own_x(const Call<typename V::Real>& call, bool by_unit, const std::vector<Share>& all) {
    const bool panels = call.units % kPanel<V> == 0;
    if (by_unit) return panels;
    return static_cast<Index>(all.size()) >= call.threads && std::all_of(all.begin(), all.end(), [&](const Share& share) {
        return share.units == call.units || (panels && share.first_unit % kPanel<V> == 0);
    });
}

}  // namespace elman::ELMAN_SET
