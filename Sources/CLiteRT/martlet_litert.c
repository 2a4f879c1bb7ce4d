#define _GNU_SOURCE
#include "martlet_litert.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(LiteRtRankedTensorType) == 72, "LiteRT's layout of a tensor type");

struct environment_option {
    int tag;
    struct {
        int type;
        int64_t value;
    } value;
};

enum {
    option_accelerators = 24,
    option_log_severity = 25,
    option_type_integer = 2,
    accelerator_processor = 1,
    severity_silent = 4,
};

struct binding {
    const char *symbol;
    void **slot;
};

static int bind_all(
    void *library, const struct binding *bindings, size_t count, char *error, size_t error_size) {
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(library, bindings[i].symbol);
        if (address == NULL) {
            snprintf(error, error_size, "symbol %s is missing", bindings[i].symbol);
            return -1;
        }
        *bindings[i].slot = address;
    }
    return 0;
}

static void *open_library(const char *directory, char *error, size_t error_size) {
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/libLiteRt.so", directory);
    if (length < 0 || (size_t)length >= sizeof path) {
        snprintf(error, error_size, "path too long: %s", directory);
        return NULL;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL) snprintf(error, error_size, "%s", dlerror());
    return library;
}

int martlet_litert_open(
    const char *directory, martlet_litert *api, LiteRtEnvironment *environment, char *error,
    size_t error_size) {
    void *library = open_library(directory, error, error_size);
    if (library == NULL) return -1;

    int (*create_environment)(int, const struct environment_option *, LiteRtEnvironment *);
#define BIND(name) {"LiteRt" #name, (void **)&api->name}
    const struct binding bindings[] = {
        BIND(CreateModelFromBuffer), BIND(DestroyModel), BIND(GetNumModelSubgraphs),
        BIND(GetModelSubgraph), BIND(GetNumModelSignatures), BIND(GetModelSignature),
        BIND(GetSignatureKey), BIND(GetSignatureSubgraph), BIND(GetNumSubgraphInputs),
        BIND(GetSubgraphInput), BIND(GetNumSubgraphOutputs), BIND(GetSubgraphOutput),
        BIND(GetNumSubgraphOps), BIND(GetSubgraphOp), BIND(GetOpCode), BIND(GetCustomCode),
        BIND(GetNumOpInputs), BIND(GetOpInput), BIND(GetNumOpOutputs), BIND(GetOpOutput),
        BIND(GetTensorName), BIND(GetTensorTypeId), BIND(GetRankedTensorType),
        BIND(GetUnrankedTensorType), BIND(GetTensorWeights), BIND(GetWeightsBytes),
        BIND(CreateCompiledModel), BIND(DestroyCompiledModel),
        BIND(CompiledModelResizeInputTensorNonStrict), BIND(GetCompiledModelOutputTensorLayouts),
        BIND(RunCompiledModel), BIND(CompiledModelGetErrorMessages),
        BIND(CompiledModelClearErrors), BIND(CreateTensorBufferFromHostMemory),
        BIND(DestroyTensorBuffer), BIND(CreateOptions), BIND(DestroyOptions),
        BIND(SetOptionsHardwareAccelerators), BIND(CreateOpaqueOptions), BIND(AddOpaqueOptions),
        BIND(DestroyOpaqueOptions),
        {"LiteRtCreateEnvironment", (void **)&create_environment},
    };
#undef BIND
    const size_t count = sizeof bindings / sizeof *bindings;
    if (bind_all(library, bindings, count, error, error_size) != 0) return -1;

    const struct environment_option options[] = {
        {option_accelerators, {option_type_integer, accelerator_processor}},
        {option_log_severity, {option_type_integer, severity_silent}},
    };
    const int status = create_environment(2, options, environment);
    if (status != MARTLET_LITERT_OK) {
        snprintf(error, error_size, "its environment cannot be created (status %d)", status);
        return -1;
    }
    return 0;
}

static bool add_payload(
    const martlet_litert *api, LiteRtOptions options, const char *identifier, const char *text) {
    char *payload = strdup(text);
    LiteRtOpaqueOptions opaque = NULL;
    if (payload == NULL) return false;
    if (api->CreateOpaqueOptions(identifier, payload, free, &opaque) != MARTLET_LITERT_OK) {
        free(payload);
        return false;
    }
    if (api->AddOpaqueOptions(options, opaque) != MARTLET_LITERT_OK) {
        api->DestroyOpaqueOptions(opaque);
        return false;
    }
    return true;
}

LiteRtOptions martlet_litert_new_options(const martlet_litert *api, bool use_xnnpack) {
    LiteRtOptions options = NULL;
    if (api->CreateOptions(&options) != MARTLET_LITERT_OK) return NULL;
    const char *kernels = use_xnnpack ? "num_threads = 1\nkernel_mode = \"xnnpack\"\n"
                                      : "num_threads = 1\nkernel_mode = \"builtin\"\n";
    if (api->SetOptionsHardwareAccelerators(options, accelerator_processor) != MARTLET_LITERT_OK ||
        !add_payload(api, options, "xnnpack", kernels) ||
        // 2: errors are kept in a buffer.
        !add_payload(api, options, "runtime_options_string", "error_reporter_mode = 2\n")) {
        api->DestroyOptions(options);
        return NULL;
    }
    return options;
}
