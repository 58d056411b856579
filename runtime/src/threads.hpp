// A pool of threads that are parked between calls.
#pragma once

#include <atomic>

namespace elman {

using Task = void (*)(void* context, int index);

// Calls task(context, i) for each i in [0, count), on at most `threads` threads of which the caller
// is one, and returns when all are done. A call from within a task, or while another thread is in
// a call, runs on the caller alone. After fork() the child makes threads of its own.
void parallel(int count, int threads, Task task, void* context);

template <class Function>
void parallel(int count, int threads, Function&& function) {
    parallel(count, threads,
             [](void* context, int index) { (*static_cast<Function*>(context))(index); }, &function);
}

}  // namespace elman
