// What the processor can do at most.
#pragma once

namespace elman {

// Operations of Real a second that `threads` threads reach in multiplications and additions alone,
// the best of several tries of about 10 ms.
template <class Real>
double fma_peak(int threads);

}  // namespace elman
