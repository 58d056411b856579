// Shares a call among threads.
//
// Included once for each instruction set, which defines ELMAN_SET, the namespace of everything in
// this folder: code that was compiled for one set must not serve another.
#pragma once

#include <memory>

#include "kernels/backward.hpp"
#include "kernels/denormals.hpp"
#include "kernels/forward.hpp"
#include "threads.hpp"

namespace elman::ELMAN_SET {

// Rows for each thread, longest first: no thread waits for another. Where units need not know of
// each other they are shared out too, in parts that stay in L1.
template <class V>
std::vector<Share> shares(const Plan& plan, const Call<typename V::Real>& call) {
    std::vector<Index> rows(static_cast<std::size_t>(call.rows));
    for (Index r = 0; r < call.rows; ++r) rows[static_cast<std::size_t>(r)] = r;
    if (call.lengths)
        std::stable_sort(rows.begin(), rows.end(),
                         [&](Index a, Index b) { return call.lengths[a] > call.lengths[b]; });
    bool whole = plan.whole_rows;
    for (const Slot& slot : plan.slots) whole = whole || slot.narrow;
    const Index units = whole || call.weight_hr ? call.units : std::min<Index>(call.units, 256);
    const Index parts = (call.units + units - 1) / units;
    // Below so many rows a thread, reading the matrices costs more than what is saved.
    const Index least = plan.products.empty() ? 1 : 3;
    Index jobs = std::max<Index>(1, std::min<Index>(call.threads, call.rows / least));
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

template <class V>
bool forward(const Plan& plan, const Call<typename V::Real>& call) {
    Shared<V> shared(plan, call);
    const FlushDenormals flush;
    if (!shared.prepare(false)) return false;
    const std::vector<Share> all = shares<V>(plan, call);
    std::atomic<bool> good{true};
    parallel(static_cast<int>(all.size()), call.threads, [&](int i) noexcept {
        const FlushDenormals flush_here;
        ForwardJob<V> job(shared, all[static_cast<std::size_t>(i)]);
        if (!job.run()) good = false;
    });
    return good;
}

template <class V>
bool backward(const Plan& plan, const BackwardCall<typename V::Real>& back) {
    using Real = typename V::Real;
    const Call<Real>& call = *back.forward;
    Shared<V> shared(plan, call);
    const FlushDenormals flush;
    if (!shared.prepare(true)) return false;
    const std::vector<Share> all = shares<V>(plan, call);
    const Index groups = plan.count[static_cast<int>(Space::g)];
    // In the order of the jobs, so that threads do not decide in what order values are added.
    std::vector<std::unique_ptr<BackwardJob<V>>> jobs(all.size());
    std::atomic<bool> good{true};
    parallel(static_cast<int>(all.size()), call.threads, [&](int i) noexcept {
        const FlushDenormals flush_here;
        const auto k = static_cast<std::size_t>(i);
        jobs[k] = std::make_unique<BackwardJob<V>>(shared, back, all[k]);
        if (!jobs[k]->run()) good = false;
    });
    if (!good) return false;
    std::vector<Real> sums(static_cast<std::size_t>(groups * call.units) + 1, Real(0));
    for (const auto& job : jobs) job->add_sums(sums.data());
    for (std::size_t i = 0; i < plan.slots.size(); ++i)
        if (plan.slots[i].space == Space::dp) shared.constants[i].base = back.dparams[plan.slots[i].index];
    shared.run_once(plan.back_epilogue, sums.data());
    return true;
}

// 24 * count multiplications and additions in as many chains as keep the processor busy.
template <class V>
double fma_chains(Index count) {
    V sum[12];
    for (V& one : sum) one = V::set(1);
    const V a = V::set(typename V::Real(0.999)), b = V::set(typename V::Real(0.001));
    for (Index i = 0; i < count; ++i)
        for (V& one : sum) one = fma(one, a, b);
    double total = 0;
    for (const V& one : sum) total += static_cast<double>(V::sum(one));
    return total;
}

template <class V>
constexpr Engine<typename V::Real> engine_of(const char* name) {
    return {name, forward<V>, backward<V>, fma_chains<V>, 24 * V::width};
}

}  // namespace elman::ELMAN_SET
