#define _GNU_SOURCE
#include "martlet_tensorflow.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void *open_library(
    const char *directory, const char *name, char *error, size_t error_size) {
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof path) {
        snprintf(error, error_size, "path too long: %s", directory);
        return NULL;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL) snprintf(error, error_size, "%s", dlerror());
    return library;
}

struct binding {
    const char *symbol;
    void **slot;
};

static int bind_all(
    const struct binding *bindings, size_t count, void *const libraries[2], char *error,
    size_t error_size) {
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(libraries[0], bindings[i].symbol);
        if (address == NULL) address = dlsym(libraries[1], bindings[i].symbol);
        if (address == NULL) {
            snprintf(error, error_size, "symbol %s is missing", bindings[i].symbol);
            return -1;
        }
        *bindings[i].slot = address;
    }
    return 0;
}

static int open_libraries(
    const char *directory, void *libraries[2], char *error, size_t error_size) {
    libraries[1] = open_library(directory, "libtensorflow_framework.so.2", error, error_size);
    if (libraries[1] == NULL) return -1;
    libraries[0] = open_library(directory, "libtensorflow_cc.so.2", error, error_size);
    return libraries[0] == NULL ? -1 : 0;
}

// Standard error, while it is a file in memory.
struct capture {
    int file;
    int saved;
};

static struct capture begin_capture(void) {
    struct capture capture = {-1, -1};
    capture.file = memfd_create("martlet-stderr", MFD_CLOEXEC);
    if (capture.file < 0) return capture;
    fflush(stderr);
    capture.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (capture.saved >= 0) dup2(capture.file, STDERR_FILENO);
    return capture;
}

static char *end_capture(struct capture capture) {
    char *text = NULL;
    if (capture.saved >= 0) {
        fflush(stderr);
        dup2(capture.saved, STDERR_FILENO);
        close(capture.saved);
        const off_t size = lseek(capture.file, 0, SEEK_END);
        if (size > 0) text = calloc(1, (size_t)size + 1);
        if (text != NULL && pread(capture.file, text, (size_t)size, 0) < 0) text[0] = 0;
    }
    if (capture.file >= 0) close(capture.file);
    return text;
}

int martlet_tf_open(
    const char *directory, martlet_tf *api, char *error, size_t error_size, char **printed) {
    void *libraries[2];
    const struct capture capture = begin_capture();
    const int opened = open_libraries(directory, libraries, error, error_size);
    *printed = end_capture(capture);
    if (opened != 0) return -1;

#define BIND(name) {"TF_" #name, (void **)&api->name}
    const struct binding bindings[] = {
        BIND(Version), BIND(NewStatus), BIND(DeleteStatus), BIND(GetCode), BIND(Message),
        BIND(NewBufferFromString), BIND(DeleteBuffer), BIND(AllocateTensor), BIND(DeleteTensor),
        BIND(TensorType), BIND(NumDims), BIND(Dim), BIND(TensorByteSize), BIND(TensorData),
        BIND(StringInit), BIND(StringCopy), BIND(StringGetDataPointer), BIND(StringGetSize),
        BIND(StringDealloc), BIND(NewGraph), BIND(DeleteGraph), BIND(GraphOperationByName),
        BIND(GraphNextOperation), BIND(OperationOpType),
        BIND(OperationNumOutputs), BIND(OperationOutputType), BIND(NewSessionOptions),
        BIND(DeleteSessionOptions), BIND(SetConfig), BIND(LoadSessionFromSavedModel),
        BIND(NewSession), BIND(CloseSession), BIND(DeleteSession), BIND(SessionRun),
    };
#undef BIND
    return bind_all(bindings, sizeof bindings / sizeof *bindings, libraries, error, error_size);
}
