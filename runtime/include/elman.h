/* Runs a model step by step, without Python. C99 and C++.
 *
 * What is loaded is an image, which Python makes of a stored model:
 *
 *     import elman_runtime
 *     from elman_runtime.program.image import image
 *
 *     model = elman_runtime.load("model.safetensors")
 *     data = image(model.programs["main"], model.tensors, model.tapes)
 *     open("model.elman", "wb").write(data)
 *
 * A program takes the inputs of one step or of several, and a state, which it changes; the state is
 * all that it remembers. All numbers of a program are float, or all are double: elman_number_size.
 *
 * Bits. For one instruction set, what a row gives depends on its own state and inputs alone: not on
 * the other rows of a call, nor on how its steps are shared out among calls.
 *
 * Memory. Everything is allocated by elman_load, and nothing afterwards. Weights are copied: the
 * image may go once it is loaded. Arrays belong to the caller, are dense, need the alignment of
 * their numbers alone, and may not overlap.
 *
 * Threads. A program is used by one thread at a time: load it once for each. It holds no lock and
 * starts no thread, and goes on working after fork.
 */
#ifndef ELMAN_H
#define ELMAN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define ELMAN_API __declspec(dllexport)
#else
#define ELMAN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct elman_program elman_program;

/* What elman_run returns. Unless it is ELMAN_OK nothing was written. */
enum {
    ELMAN_OK = 0,
    ELMAN_NOT_FINITE = 1,   /* an input holds NaN or an infinity, and ELMAN_FINITE was asked for */
    ELMAN_OUT_OF_RANGE = 2, /* an integer is not one that the program knows */
    ELMAN_BAD_ARGUMENT = 3  /* a null pointer, a negative size, or an unknown option */
};

/* Options of elman_run. */
enum { ELMAN_FINITE = 1 /* refuse inputs that are not finite */ };

/* Null where the bytes are no image, are damaged, or memory runs out; then `error`, unless it is
 * null, holds at most error_size - 1 characters that say why, and a zero. Of the instruction sets of
 * this processor the fastest is taken. */
ELMAN_API elman_program* elman_load(const void* image, size_t size, char* error, size_t error_size);

/* The same of a file. */
ELMAN_API elman_program* elman_load_file(const char* path, char* error, size_t error_size);

/* Null is allowed. */
ELMAN_API void elman_free(elman_program* program);

/* Bytes of a number: 4 or 8. */
ELMAN_API size_t elman_number_size(const elman_program* program);

/* "avx2", ...: lives as long as the program. */
ELMAN_API const char* elman_instruction_set(const elman_program* program);

/* Numbers in the state of one row; may be 0. */
ELMAN_API size_t elman_state_size(const elman_program* program);

/* How many inputs and outputs there are, and the numbers of each for one row and step. A size is 0
 * where there is no such input or output. */
ELMAN_API size_t elman_inputs(const elman_program* program);
ELMAN_API size_t elman_outputs(const elman_program* program);
ELMAN_API size_t elman_input_size(const elman_program* program, size_t input);
ELMAN_API size_t elman_output_size(const elman_program* program, size_t output);

/* Integers below it, and from 0, are what an input of int64_t takes; 0 for one of numbers. */
ELMAN_API int64_t elman_input_limit(const elman_program* program, size_t input);

/* Writes elman_state_size numbers: the state of a row before its first step. */
ELMAN_API void elman_start(const elman_program* program, void* state);

/* Feeds `steps` steps to each of `rows` rows; either may be 0. With N rows and T steps, dense:
 *
 *   state    (N, state_size), read and written
 *   inputs   for each input (N, T, size), of numbers or of int64_t
 *   outputs  for each output (N, T, size); every element is written
 *   options  0 or ELMAN_FINITE
 */
ELMAN_API int elman_run(elman_program* program, int64_t rows, int64_t steps, void* state,
                        const void* const* inputs, void* const* outputs, unsigned options);

#ifdef __cplusplus
}
#endif

#endif
