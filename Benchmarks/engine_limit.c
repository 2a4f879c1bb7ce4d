// What the engine can do at most: threads that run a SavedModel through TensorFlow's C API and
// nothing else. No queue, no socket, no message; the same session settings as Martlet's engine.
//
//   engine_limit TENSORFLOW_FOLDER MODEL_FOLDER INPUT OUTPUT THREADS SECONDS
//                [SETTINGS TYPE VALUES ANSWER SIZE...]
//
// INPUT and OUTPUT are tensors of the graph, such as serving_default_x:0. Without the rest the model
// must compute y = x / 2 + 2 on three floats. Otherwise SETTINGS is `caller` for Martlet's, or
// `default` for TensorFlow's own; TYPE is a TF_DataType of 4 bytes; VALUES and ANSWER are files of
// the raw input, of dimensions SIZE..., and of the float output. Every answer is checked. Prints one
// JSON object.

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "martlet_heap.h"
#include "martlet_tensorflow.h"

enum { FLOAT = 1, VALUES = 3, WARM_UP_RUNS = 2000, THREADS_MAX = 256, RANK_MAX = 8 };
enum { WARM_UP_NS = 1000000000 };

static float x[VALUES] = {1.0f, 2.0f, 5.0f};
static float y[VALUES] = {2.5f, 3.0f, 4.5f};

// One input, and what the model must answer.
struct sample {
    int type;
    int rank;
    int64_t shape[RANK_MAX];
    void *values;
    size_t size;
    float *answer;
    size_t answer_size;
    float tolerance;
};

struct model {
    martlet_tf tf;
    struct sample sample;
    bool has_default_settings;
    TF_Session *session;
    TF_Buffer *run_options;
    TF_Output input;
    TF_Output output;
};

struct worker {
    const struct model *model;
    pthread_barrier_t *start;
    int64_t duration_ns;
    int64_t elapsed_ns;
    uint32_t *run_ns;
    size_t runs;
    size_t capacity;
};

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("engine_limit: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void check(const martlet_tf *tf, TF_Status *status, const char *what) {
    if (tf->GetCode(status) != 0) fail("%s: %s", what, tf->Message(status));
}

// As a request does: a tensor made, filled, run, read and freed.
static void run_once(const struct model *model, TF_Status *status) {
    const martlet_tf *tf = &model->tf;
    const struct sample *sample = &model->sample;
    TF_Tensor *input = tf->AllocateTensor(sample->type, sample->shape, sample->rank, sample->size);
    TF_Tensor *output = NULL;
    memcpy(tf->TensorData(input), sample->values, sample->size);
    tf->SessionRun(
        model->session, model->run_options, &model->input, &input, 1, &model->output, &output, 1,
        NULL, 0, NULL, status);
    check(tf, status, "run");
    if (tf->TensorByteSize(output) != sample->answer_size) fail("the answer has another size");
    const float *found = tf->TensorData(output);
    for (size_t i = 0; i < sample->answer_size / sizeof *found; i++) {
        // Written so that NaN is wrong.
        if (!(fabsf(found[i] - sample->answer[i]) <= sample->tolerance)) {
            fail("the answer is wrong: %g at %zu", found[i], i);
        }
    }
    tf->DeleteTensor(output);
    tf->DeleteTensor(input);
}

static void record(struct worker *worker, int64_t ns) {
    if (worker->runs == worker->capacity) {
        worker->capacity = worker->capacity ? worker->capacity * 2 : 1 << 20;
        worker->run_ns = realloc(worker->run_ns, worker->capacity * sizeof *worker->run_ns);
        if (worker->run_ns == NULL) fail("out of memory");
    }
    worker->run_ns[worker->runs++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void *work(void *argument) {
    struct worker *worker = argument;
    TF_Status *status = worker->model->tf.NewStatus();
    const int64_t warm = now_ns() + WARM_UP_NS;
    run_once(worker->model, status);
    for (int i = 1; i < WARM_UP_RUNS && now_ns() < warm; i++) run_once(worker->model, status);
    pthread_barrier_wait(worker->start);
    const int64_t began = now_ns();
    int64_t before = began;
    while (before - began < worker->duration_ns) {
        run_once(worker->model, status);
        const int64_t after = now_ns();
        record(worker, after - before);
        before = after;
    }
    worker->elapsed_ns = before - began;
    worker->model->tf.DeleteStatus(status);
    return NULL;
}

static TF_Output find_tensor(const martlet_tf *tf, TF_Graph *graph, const char *name) {
    char operation[512];
    const char *colon = strrchr(name, ':');
    const size_t length = colon ? (size_t)(colon - name) : strlen(name);
    if (length >= sizeof operation) fail("the name of tensor %s is too long", name);
    memcpy(operation, name, length);
    operation[length] = '\0';
    TF_Output found = {tf->GraphOperationByName(graph, operation), colon ? atoi(colon + 1) : 0};
    if (found.oper == NULL) fail("the graph has no tensor %s", name);
    return found;
}

static void load(
    struct model *model, const char *tensorflow, const char *path, const char *input,
    const char *output) {
    char error[1024];
    char *printed = NULL;
    if (!model->has_default_settings) {
        // As a node sets it.
        setenv("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1", 0);
        martlet_heap_keep_freed();
    }
    if (martlet_tf_open(tensorflow, &model->tf, error, sizeof error, &printed) != 0) {
        fail("%s", error);
    }
    free(printed);
    const martlet_tf *tf = &model->tf;
    // One intra-op and one inter-op thread, and each run in the thread that calls.
    const uint8_t configuration[] = {0x10, 0x01, 0x28, 0x01};
    const uint8_t options[] = {
        0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01};
    const char *tags[] = {"serve"};
    TF_Status *status = tf->NewStatus();
    TF_SessionOptions *session_options = tf->NewSessionOptions();
    TF_Graph *graph = tf->NewGraph();
    if (!model->has_default_settings) {
        tf->SetConfig(session_options, configuration, sizeof configuration, status);
        check(tf, status, "configuration");
        model->run_options = tf->NewBufferFromString(options, sizeof options);
    }
    model->session = tf->LoadSessionFromSavedModel(
        session_options, NULL, path, tags, 1, graph, NULL, status);
    check(tf, status, path);
    model->input = find_tensor(tf, graph, input);
    model->output = find_tensor(tf, graph, output);
    tf->DeleteSessionOptions(session_options);
    tf->DeleteStatus(status);
}

static void *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail("cannot read %s", path);
    const long length = ftell(file);
    rewind(file);
    void *bytes = length > 0 ? malloc((size_t)length) : NULL;
    if (bytes == NULL || fread(bytes, 1, (size_t)length, file) != (size_t)length) {
        fail("cannot read %s", path);
    }
    fclose(file);
    *size = (size_t)length;
    return bytes;
}

// TYPE VALUES ANSWER SIZE...
static void read_sample(struct sample *sample, int count, char **arguments) {
    if (count > 3 + RANK_MAX) fail("more than %d dimensions", RANK_MAX);
    sample->type = atoi(arguments[0]);
    sample->values = read_file(arguments[1], &sample->size);
    sample->answer = read_file(arguments[2], &sample->answer_size);
    sample->rank = count - 3;
    size_t bytes = 4;
    for (int i = 0; i < sample->rank; i++) {
        sample->shape[i] = atoll(arguments[3 + i]);
        bytes *= (size_t)sample->shape[i];
    }
    if (bytes != sample->size) fail("%s has not the size of its shape", arguments[1]);
    // Sums in another order differ by this much of the largest number.
    float largest = 0;
    for (size_t i = 0; i < sample->answer_size / sizeof(float); i++) {
        largest = fmaxf(largest, fabsf(sample->answer[i]));
    }
    sample->tolerance = 2e-3f * largest;
}

static int ascending(const void *left, const void *right) {
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void report(struct worker *workers, int threads, int64_t cpu, const char *version) {
    size_t runs = 0;
    int64_t elapsed = 0;
    for (int i = 0; i < threads; i++) {
        runs += workers[i].runs;
        if (workers[i].elapsed_ns > elapsed) elapsed = workers[i].elapsed_ns;
    }
    uint32_t *all = malloc(runs * sizeof *all);
    if (all == NULL) fail("out of memory");
    size_t position = 0;
    for (int i = 0; i < threads; i++) {
        memcpy(all + position, workers[i].run_ns, workers[i].runs * sizeof *all);
        position += workers[i].runs;
    }
    qsort(all, runs, sizeof *all, ascending);
    printf(
        "{\"tensorflow\": \"%s\", \"threads\": %d, \"runs\": %zu, \"seconds\": %.6f, "
        "\"runs_per_second\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
        "\"cpu_us_per_run\": %.3f}\n",
        version, threads, runs, elapsed / 1e9, runs / (elapsed / 1e9), all[runs / 2] / 1e3,
        all[runs - 1 - runs / 100] / 1e3, cpu / 1e3 / runs);
    free(all);
}

int main(int count, char **arguments) {
    if (count != 7 && count < 12) {
        fputs(
            "usage: engine_limit TENSORFLOW MODEL INPUT OUTPUT THREADS SECONDS "
            "[SETTINGS TYPE VALUES ANSWER SIZE...]\n",
            stderr);
        return 64;
    }
    const int threads = atoi(arguments[5]);
    const double seconds = atof(arguments[6]);
    if (threads < 1 || threads > THREADS_MAX || !(seconds > 0 && seconds <= 3600)) {
        fail("threads must be 1 to %d, seconds above 0 and at most 3600", THREADS_MAX);
    }
    setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);

    struct model model = {
        .sample = {FLOAT, 1, {VALUES}, x, sizeof x, y, sizeof y, 1e-6f},
        .has_default_settings = count > 7 && strcmp(arguments[7], "default") == 0,
    };
    if (count > 7) read_sample(&model.sample, count - 8, arguments + 8);
    load(&model, arguments[1], arguments[2], arguments[3], arguments[4]);
    pthread_t handles[THREADS_MAX];
    struct worker workers[THREADS_MAX] = {0};
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
        workers[i].model = &model;
        workers[i].start = &start;
        workers[i].duration_ns = (int64_t)(seconds * 1e9);
        const int error = pthread_create(&handles[i], NULL, work, &workers[i]);
        if (error != 0) fail("thread: %s", strerror(error));
    }
    pthread_barrier_wait(&start);
    const int64_t cpu_before = cpu_ns();
    for (int i = 0; i < threads; i++) pthread_join(handles[i], NULL);
    report(workers, threads, cpu_ns() - cpu_before, model.tf.Version());
    return 0;
}
