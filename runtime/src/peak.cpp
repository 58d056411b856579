#include "peak.hpp"

#include <atomic>
#include <chrono>

#include "engines.hpp"
#include "threads.hpp"

namespace elman {

template <class Real>
double fma_peak(int threads) {
    using Clock = std::chrono::steady_clock;
    const Engine<Real>* const here = engine<Real>("");
    std::atomic<double> sink{0};  // so that the loop is not left out
    constexpr Index count = 1000000;
    double best = 0;
    for (int tries = 0; tries < 8; ++tries) {
        const auto start = Clock::now();
        parallel(threads, threads, [&](int) { sink = here->fma_chains(count); });
        const std::chrono::duration<double> took = Clock::now() - start;
        const double rate = static_cast<double>(count) * here->chain_flops * threads / took.count();
        if (rate > best) best = rate;
    }
    return best;
}

template double fma_peak<float>(int);
template double fma_peak<double>(int);

}  // namespace elman
