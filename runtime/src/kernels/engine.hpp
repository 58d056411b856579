// Shares a call among threads.
//
// Included once for each instruction set, which defines ELMAN_SET, the namespace of everything in
// this folder: code that was compiled for one set must not serve another.
#pragma once

#include <memory>

#include "kernels/backward.hpp"
#include "kernels/denormals.hpp"
#include "kernels/forward.hpp"
#include "kernels/shares.hpp"
#include "kernels/whole.hpp"
#include "threads.hpp"

namespace elman::ELMAN_SET {

// Runs a job for each share of rows, then what `done` says of all of them in their order.
template <class V, class Make, class Done>
bool by_rows(const Call<typename V::Real>& call, const std::vector<Share>& all, Matrices<V>& matrices,
             Make make, Done done, Ahead<V>* ahead = nullptr) {
    if (!matrices.pack(call.threads)) return false;
    std::vector<decltype(make(matrices, all[0], nullptr))> jobs(all.size());
    std::atomic<bool> good{true};
    const auto run = [&](int i) noexcept {
        const FlushDenormals flush_here;
        const auto k = static_cast<std::size_t>(i);
        jobs[k] = make(matrices, all[k], nullptr);
        if (jobs[k]->prepare()) jobs[k]->run();
        else good = false;
    };
    static Patience patience;
    if (ahead && patience.pays()) {
        auto end = Patience::Clock::now();
        together(2, [&](int i, int) noexcept {
            if (i > 0) return ahead->run();
            run(0);
            end = Patience::Clock::now();
        });
        patience.waited(Patience::Clock::now() - end + ahead->waited());
    } else parallel(static_cast<int>(all.size()), call.threads, [&](int i) noexcept { run(i); });
    if (!good) return false;
    for (const auto& job : jobs) done(*job);
    return true;
}

// The same where each thread has some units of all rows, and its part of the matrices.
template <class V, class Make, class Done>
bool by_units(const Plan& plan, const Call<typename V::Real>& call, bool back, Make make, Done done) {
    Exchange<V> exchange(plan, call, back);
    if (!exchange.prepare()) return false;
    std::vector<decltype(make(std::declval<Matrices<V>&>(), Share{}, nullptr))> jobs(static_cast<std::size_t>(call.threads));
    std::atomic<bool> good{true};
    together(call.threads, [&](int i, int count) noexcept {
        const FlushDenormals flush_here;
        Share share = share_of_units<V>(call, i, count);
        typename Exchange<V>::Member here(exchange, count);
        Matrices<V> matrices(plan, call, share.first_unit, share.units, back);
        auto job = make(matrices, std::move(share), &here);
        if (!matrices.pack() || !job->prepare()) good = false;
        here.wait();  // all of them know whether all have room
        if (good) job->run();
        jobs[static_cast<std::size_t>(i)] = std::move(job);
    });
    if (!good) return false;
    for (const auto& job : jobs)
        if (job) done(*job);
    return true;
}

template <class V>
bool forward(const Plan& plan, const Call<typename V::Real>& given) {
    const FlushDenormals flush;
    const bool by_unit = shares_units<V>(plan, given, false);
    const std::vector<Share> all = by_unit ? std::vector<Share>{} : shares<V>(plan, given);
    Projected<V> projected(given);
    const bool left = may_make_own_x<V>(given, by_unit, all), alone = !by_unit && all.size() == 1;
    if (!projected.prepare(plan, left, alone)) return false;
    const Call<typename V::Real>& call = projected.call;
    Shared<V> shared(plan, call);
    shared.weight = projected.weight;
    shared.ahead = projected.ahead.get();
    if (!shared.prepare(false)) return false;
    const auto make = [&](Matrices<V>& matrices, Share share, typename Exchange<V>::Member* exchange) {
        return std::make_unique<ForwardJob<V>>(shared, matrices, std::move(share), exchange);
    };
    const auto nothing = [](const ForwardJob<V>&) {};
    if (by_unit) return by_units<V>(plan, call, false, make, nothing);
    Matrices<V> matrices(plan, call, 0, call.units, false);
    return by_rows<V>(call, all, matrices, make, nothing, projected.ahead.get());
}

// With `dx` given.
template <class V>
bool backward_steps(const Plan& plan, const BackwardCall<typename V::Real>& back) {
    using Real = typename V::Real;
    const Call<Real>& call = *back.forward;
    Shared<V> shared(plan, call);
    const FlushDenormals flush;
    if (!shared.prepare(true)) return false;
    const Index groups = plan.count[static_cast<int>(Space::g)];
    std::vector<Real> sums(static_cast<std::size_t>(groups * call.units) + 1, Real(0));
    const auto make = [&](Matrices<V>& matrices, Share share, typename Exchange<V>::Member* exchange) {
        return std::make_unique<BackwardJob<V>>(shared, matrices, back, std::move(share), exchange);
    };
    if (back.dsums) std::fill_n(back.dsums, plan.columns * call.units, Real(0));
    // In the order of the jobs, so that threads do not decide in what order values are added.
    const auto add = [&](const BackwardJob<V>& job) { job.add_sums(sums.data()); };
    if (back.clip <= 0 && shares_units<V>(plan, call, true)) {
        if (!by_units<V>(plan, call, true, make, add)) return false;
    } else {
        Matrices<V> matrices(plan, call, 0, call.units, true);
        if (!by_rows<V>(call, shares<V>(plan, call, back.clip > 0), matrices, make, add)) return false;
    }
    for (std::size_t i = 0; i < plan.slots.size(); ++i)
        if (plan.slots[i].space == Space::dp) shared.constants[i].base = back.dparams[plan.slots[i].index];
    shared.run_once(plan.back_epilogue, sums.data());
    return true;
}

template <class V>
bool backward(const Plan& plan, const BackwardCall<typename V::Real>& back) {
    if (back.dx) return backward_steps<V>(plan, back);
    const Call<typename V::Real>& call = *back.forward;
    Arena<typename V::Real> arena;
    // Rows whole pages apart would share the same lines of L1, where products read a dozen side by side.
    constexpr Index line = 64 / Index{sizeof(typename V::Real)}, page = 64 * line;
    const Index columns = plan.columns * call.units, apart = columns % page ? columns : columns + line;
    const auto dx = arena.ask(call.steps * call.rows * apart), sums = arena.ask(columns);
    // Where the batch comes first or lengths differ, the states before steps do not follow each other,
    // and are copied.
    std::vector<std::size_t> before(static_cast<std::size_t>(plan.states), 0);
    for (const Product& product : plan.products) {
        const Slot& vector = plan.slots[product.vector];
        const bool follow = !call.batch_first && !call.lengths;
        if (follow || vector.space != Space::s || before[vector.index]) continue;
        before[vector.index] = arena.ask(call.steps * call.rows * (vector.index == 0 ? call.first : call.units));
    }
    if (!arena.allocate()) return false;
    BackwardCall<typename V::Real> steps = back;
    for (std::size_t k = 0; k < before.size(); ++k)
        if (before[k]) steps.before[k] = arena.at(before[k]);
    steps.dx = arena.at(dx);
    steps.apart = apart;
    if (back.dbias_ih || back.dbias_hh) steps.dsums = arena.at(sums);
    if (!backward_steps<V>(plan, steps)) return false;
    const FlushDenormals flush;
    WholeGradients<V>(plan, back, steps).run();
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
