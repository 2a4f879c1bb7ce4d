#pragma once

// The part of LiteRT's C API that Martlet uses, declared by hand for the version that
// scripts/versions.env pins, and bound at run time. The library is opened, never linked: a gateway
// must run where it is not installed, and its symbols must not meet TensorFlow's.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct LiteRtEnvironmentT *LiteRtEnvironment;
typedef struct LiteRtModelT *LiteRtModel;
typedef struct LiteRtSignatureT *LiteRtSignature;
typedef struct LiteRtSubgraphT *LiteRtSubgraph;
typedef struct LiteRtTensorT *LiteRtTensor;
typedef struct LiteRtWeightsT *LiteRtWeights;
typedef struct LiteRtOpT *LiteRtOp;
typedef struct LiteRtOptionsT *LiteRtOptions;
typedef struct LiteRtOpaqueOptionsT *LiteRtOpaqueOptions;
typedef struct LiteRtCompiledModelT *LiteRtCompiledModel;
typedef struct LiteRtTensorBufferT *LiteRtTensorBuffer;

enum {
    MARTLET_LITERT_OK = 0,
    MARTLET_LITERT_UNSUPPORTED = 5,
    MARTLET_LITERT_MAXIMUM_RANK = 8,
    MARTLET_LITERT_BUFFER_ALIGNMENT = 64,
};

typedef struct LiteRtLayout {
    // The rank, in seven bits, and whether the strides count, in the eighth.
    uint32_t rank;
    int32_t dimensions[MARTLET_LITERT_MAXIMUM_RANK];
    uint32_t strides[MARTLET_LITERT_MAXIMUM_RANK];
} LiteRtLayout;

typedef struct LiteRtRankedTensorType {
    int32_t element_type;
    LiteRtLayout layout;
} LiteRtRankedTensorType;

/// Pointers to the functions of one opened library. Every member is set once opening succeeded.
/// Functions return a status, 0 for success, and give their result through the last parameter.
typedef struct martlet_litert {
    int (*CreateModelFromBuffer)(
        LiteRtEnvironment, const void *bytes, size_t length, LiteRtModel *);
    void (*DestroyModel)(LiteRtModel);
    int (*GetNumModelSubgraphs)(LiteRtModel, size_t *);
    int (*GetModelSubgraph)(LiteRtModel, size_t index, LiteRtSubgraph *);
    int (*GetNumModelSignatures)(LiteRtModel, size_t *);
    int (*GetModelSignature)(LiteRtModel, size_t index, LiteRtSignature *);
    int (*GetSignatureKey)(LiteRtSignature, const char **);
    int (*GetSignatureSubgraph)(LiteRtSignature, LiteRtSubgraph *);
    int (*GetNumSubgraphInputs)(LiteRtSubgraph, size_t *);
    int (*GetSubgraphInput)(LiteRtSubgraph, size_t index, LiteRtTensor *);
    int (*GetNumSubgraphOutputs)(LiteRtSubgraph, size_t *);
    int (*GetSubgraphOutput)(LiteRtSubgraph, size_t index, LiteRtTensor *);
    int (*GetNumSubgraphOps)(LiteRtSubgraph, size_t *);
    int (*GetSubgraphOp)(LiteRtSubgraph, size_t index, LiteRtOp *);

    int (*GetOpCode)(LiteRtOp, int *);
    int (*GetCustomCode)(LiteRtOp, const char **);
    int (*GetNumOpInputs)(LiteRtOp, size_t *);
    int (*GetOpInput)(LiteRtOp, size_t index, LiteRtTensor *);
    int (*GetNumOpOutputs)(LiteRtOp, size_t *);
    int (*GetOpOutput)(LiteRtOp, size_t index, LiteRtTensor *);

    int (*GetTensorName)(LiteRtTensor, const char **);
    int (*GetTensorTypeId)(LiteRtTensor, int *);
    int (*GetRankedTensorType)(LiteRtTensor, LiteRtRankedTensorType *);
    int (*GetUnrankedTensorType)(LiteRtTensor, int32_t *);
    int (*GetTensorWeights)(LiteRtTensor, LiteRtWeights *);
    int (*GetWeightsBytes)(LiteRtWeights, const void **, size_t *);

    int (*CreateCompiledModel)(
        LiteRtEnvironment, LiteRtModel, LiteRtOptions, LiteRtCompiledModel *);
    void (*DestroyCompiledModel)(LiteRtCompiledModel);
    int (*CompiledModelResizeInputTensorNonStrict)(
        LiteRtCompiledModel, size_t signature, size_t input, const int *dimensions, size_t rank);
    int (*GetCompiledModelOutputTensorLayouts)(
        LiteRtCompiledModel, size_t signature, size_t count, LiteRtLayout *, bool allocate);
    int (*RunCompiledModel)(
        LiteRtCompiledModel, size_t signature, size_t input_count, LiteRtTensorBuffer *inputs,
        size_t output_count, LiteRtTensorBuffer *outputs);
    int (*CompiledModelGetErrorMessages)(LiteRtCompiledModel, char **);
    int (*CompiledModelClearErrors)(LiteRtCompiledModel);

    int (*CreateTensorBufferFromHostMemory)(
        const LiteRtRankedTensorType *, void *bytes, size_t length, void (*deallocate)(void *),
        LiteRtTensorBuffer *);
    void (*DestroyTensorBuffer)(LiteRtTensorBuffer);

    int (*CreateOptions)(LiteRtOptions *);
    void (*DestroyOptions)(LiteRtOptions);
    int (*SetOptionsHardwareAccelerators)(LiteRtOptions, int accelerators);
    int (*CreateOpaqueOptions)(
        const char *identifier, void *payload, void (*deallocate)(void *), LiteRtOpaqueOptions *);
    int (*AddOpaqueOptions)(LiteRtOptions, LiteRtOpaqueOptions);
    void (*DestroyOpaqueOptions)(LiteRtOpaqueOptions);
} martlet_litert;

/// Opens `libLiteRt.so` in `directory`, fills `api` and creates the environment, which knows the
/// processor only and logs nothing. Returns 0, or -1 with a text in `error`. The library and the
/// environment stay for the process's life.
int martlet_litert_open(
    const char *directory, martlet_litert *api, LiteRtEnvironment *environment, char *error,
    size_t error_size);

/// Options for one thread on the processor, with errors kept for the caller to read; with
/// `use_xnnpack`, by XNNPACK's kernels where it has them. NULL when memory is short.
LiteRtOptions martlet_litert_new_options(const martlet_litert *api, bool use_xnnpack);

#ifdef __cplusplus
}
#endif
