// OpenVINO alone in a loop: what no server over it can exceed.
//
//   openvino-limit DIRECTORY MODEL INPUT OUTPUT PRECISION THREADS SECONDS BATCH SIZE...
//
// DIRECTORY holds OpenVINO's libraries, MODEL is a SavedModel's folder or a file, PRECISION is f32
// or bf16. INPUT may end in `:i32` where the model takes integers. Each thread runs one request
// after the other, of BATCH rows of SIZE... numbers.

#include "martlet_openvino.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { element_f32 = 4, element_i32 = 9, threads_max = 64, rank_max = 8 };

static martlet_openvino api;
static ov_compiled_model *compiled;
static ov_port *input, *output;
static martlet_ov_shape shape;
static int element = element_f32;
static atomic_bool is_over;

static void require(int status, const char *what) {
    if (status == 0) return;
    fprintf(stderr, "openvino-limit: %s: %s\n", what, api.get_last_err_msg());
    exit(1);
}

static void *run(void *argument) {
    long *count = argument;
    size_t elements = 1;
    for (int64_t i = 0; i < shape.rank; i++) elements *= (size_t)shape.dimensions[i];
    float *values = malloc(elements * sizeof *values);
    if (values == NULL) exit(1);
    for (size_t i = 0; i < elements; i++) {
        const int integer = (int)(i % 255);
        const float number = (float)integer / 255;
        memcpy(&values[i], element == element_i32 ? (const void *)&integer : &number, 4);
    }

    ov_infer_request *request;
    require(api.compiled_model_create_infer_request(compiled, &request), "request");
    void *answer = NULL;
    while (!is_over) {
        ov_tensor *tensor, *result;
        size_t size;
        void *data;
        require(api.tensor_create_from_host_ptr(element, shape, values, &tensor), "tensor");
        require(
            api.infer_request_set_tensor_by_const_port(request, input, tensor), "input");
        require(api.infer_request_infer(request), "run");
        require(
            api.infer_request_get_tensor_by_const_port(request, output, &result), "output");
        require(api.tensor_get_byte_size(result, &size), "size");
        require(api.tensor_data(result, &data), "data");
        answer = realloc(answer, size);
        if (answer == NULL) exit(1);
        memcpy(answer, data, size);
        api.tensor_free(result);
        api.tensor_free(tensor);
        *count += 1;
    }
    api.infer_request_free(request);
    return NULL;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void compile(char **arguments, const char *threads) {
    char error[1024];
    if (martlet_openvino_open(arguments[1], &api, error, sizeof error) != 0) {
        fprintf(stderr, "openvino-limit: %s\n", error);
        exit(1);
    }
    ov_core *core;
    ov_model *model;
    require(api.core_create(&core), "start");
    require(api.core_read_model(core, arguments[2], NULL, &model), "read");
    const martlet_ov_property settings[] = {
        {"PERFORMANCE_HINT", "THROUGHPUT"}, {"INFERENCE_PRECISION_HINT", arguments[5]},
        {"NUM_STREAMS", threads},           {"INFERENCE_NUM_THREADS", threads},
        {"ENABLE_CPU_PINNING", "NO"},
    };
    const size_t count = sizeof settings / sizeof *settings;
    require(api.core_compile_model_props(core, model, "CPU", count, settings, &compiled), "compile");
    require(api.compiled_model_input_by_name(compiled, arguments[3], &input), "find the input");
    require(api.compiled_model_output_by_name(compiled, arguments[4], &output), "find the output");
}

int main(int argument_count, char **arguments) {
    static int64_t dimensions[rank_max];
    const int threads = argument_count > 8 ? atoi(arguments[6]) : 0;
    if (threads < 1 || threads > threads_max || argument_count - 8 > rank_max) return 64;
    shape = (martlet_ov_shape){argument_count - 8, dimensions};
    for (int i = 8; i < argument_count; i++) dimensions[i - 8] = atoll(arguments[i]);
    char *suffix = strstr(arguments[3], ":i32");
    if (suffix != NULL) {
        *suffix = '\0';
        element = element_i32;
    }
    compile(arguments, arguments[6]);

    pthread_t handles[threads_max];
    static long counts[threads_max][16];  // A cache line of each thread's own.
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&handles[i], NULL, run, counts[i]) != 0) return 1;
    }
    const struct timespec second = {1, 0};
    nanosleep(&second, NULL);
    long before = 0, after = 0;
    for (int i = 0; i < threads; i++) before += counts[i][0];
    const double start = now();
    while (now() - start < atof(arguments[7])) nanosleep(&(struct timespec){0, 10000000}, NULL);
    for (int i = 0; i < threads; i++) after += counts[i][0];
    const double seconds = now() - start;
    is_over = true;
    for (int i = 0; i < threads; i++) pthread_join(handles[i], NULL);
    printf("%.2f\n", (double)(after - before) / seconds);
    return 0;
}
