/* Streams a model: floats in on standard input, floats out on standard output, step by step.
 *
 *     stream model.elman < inputs.f32 > outputs.f32
 */
#include <elman.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char** arguments) {
    char error[256] = "a model is needed";
    elman_program* model = count > 1 ? elman_load_file(arguments[1], error, sizeof error) : NULL;
    if (model && (elman_number_size(model) != sizeof(float) || elman_inputs(model) != 1 ||
                  elman_input_limit(model, 0) != 0 || elman_outputs(model) != 1)) {
        snprintf(error, sizeof error, "the model is not one of floats in and floats out");
        elman_free(model);
        model = NULL;
    }
    if (!model) return fprintf(stderr, "stream: %s\n", error), 2;
    size_t in = elman_input_size(model, 0), out = elman_output_size(model, 0);
    float* state = malloc((elman_state_size(model) + in + out + 1) * sizeof *state);
    float *x = state + elman_state_size(model), *y = x + in;
    const void* inputs[] = {x};
    void* outputs[] = {y};
    if (!state) return 2;
    elman_start(model, state);
    while (fread(x, sizeof *x, in, stdin) == in) {
        if (elman_run(model, 1, 1, state, inputs, outputs, ELMAN_FINITE) != ELMAN_OK) return 1;
        fwrite(y, sizeof *y, out, stdout);
        fflush(stdout);
    }
    free(state);
    elman_free(model);
    return 0;
}
