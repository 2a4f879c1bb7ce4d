#define _GNU_SOURCE
#include "martlet_llama.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef const martlet_llama *(*table_function)(uint32_t abi, const char *directory);

int martlet_llama_open(const char *directory, martlet_llama *api, char *error, size_t error_size) {
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/libmartlet_llama.so", directory);
    if (length < 0 || (size_t)length >= sizeof path) {
        snprintf(error, error_size, "path too long: %.512s", directory);
        return -1;
    }
    // Before an abort the engine would start a debugger that attaches to this process. It looks
    // at this when it is opened.
    setenv("GGML_NO_BACKTRACE", "1", 0);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL) {
        snprintf(error, error_size, "%s", dlerror());
        return -1;
    }
    table_function table = NULL;
    *(void **)&table = dlsym(library, "martlet_llama_table");
    if (table == NULL) {
        snprintf(error, error_size, "symbol martlet_llama_table is missing");
        return -1;
    }
    const martlet_llama *functions = table(MARTLET_LLAMA_ABI, directory);
    if (functions == NULL) {
        snprintf(error, error_size, "it was built for another version of this program");
        return -1;
    }
    *api = *functions;
    return 0;
}
