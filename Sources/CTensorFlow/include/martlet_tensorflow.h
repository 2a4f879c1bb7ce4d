#pragma once

// The part of TensorFlow's C API that Martlet uses, declared by hand and bound at run time.
// The library is opened, never linked: linking it rebinds symbols of system libraries (OpenSSL,
// curl, zstd) to the copies inside TensorFlow, and a gateway must run where it is not installed.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_Graph TF_Graph;
typedef struct TF_Session TF_Session;
typedef struct TF_SessionOptions TF_SessionOptions;
typedef struct TF_Operation TF_Operation;

typedef struct TF_Buffer {
    const void *data;
    size_t length;
    void (*data_deallocator)(void *data, size_t length);
} TF_Buffer;

typedef struct TF_Output {
    TF_Operation *oper;
    int index;
} TF_Output;

/// A string element of a tensor; its 24 bytes are opaque here.
typedef struct TF_TString {
    uint64_t words[3];
} TF_TString;

/// Pointers to the functions of one opened library. Every member is set once opening succeeded.
typedef struct martlet_tf {
    const char *(*Version)(void);

    TF_Status *(*NewStatus)(void);
    void (*DeleteStatus)(TF_Status *);
    int (*GetCode)(const TF_Status *);
    const char *(*Message)(const TF_Status *);

    TF_Buffer *(*NewBufferFromString)(const void *bytes, size_t length);
    void (*DeleteBuffer)(TF_Buffer *);

    TF_Tensor *(*AllocateTensor)(int dtype, const int64_t *dims, int num_dims, size_t length);
    void (*DeleteTensor)(TF_Tensor *);
    int (*TensorType)(const TF_Tensor *);
    int (*NumDims)(const TF_Tensor *);
    int64_t (*Dim)(const TF_Tensor *, int index);
    size_t (*TensorByteSize)(const TF_Tensor *);
    void *(*TensorData)(const TF_Tensor *);

    void (*StringInit)(TF_TString *);
    void (*StringCopy)(TF_TString *, const char *bytes, size_t length);
    const char *(*StringGetDataPointer)(const TF_TString *);
    size_t (*StringGetSize)(const TF_TString *);
    void (*StringDealloc)(TF_TString *);

    TF_Graph *(*NewGraph)(void);
    void (*DeleteGraph)(TF_Graph *);
    TF_Operation *(*GraphOperationByName)(TF_Graph *, const char *name);
    TF_Operation *(*GraphNextOperation)(TF_Graph *, size_t *position);
    const char *(*OperationOpType)(TF_Operation *);
    int (*OperationNumOutputs)(TF_Operation *);
    int (*OperationOutputType)(TF_Output);

    TF_SessionOptions *(*NewSessionOptions)(void);
    void (*DeleteSessionOptions)(TF_SessionOptions *);
    void (*SetConfig)(TF_SessionOptions *, const void *proto, size_t length, TF_Status *);
    TF_Session *(*NewSession)(TF_Graph *, const TF_SessionOptions *, TF_Status *);
    TF_Session *(*LoadSessionFromSavedModel)(
        const TF_SessionOptions *, const TF_Buffer *run_options, const char *export_dir,
        const char *const *tags, int tag_count, TF_Graph *, TF_Buffer *meta_graph, TF_Status *);
    void (*CloseSession)(TF_Session *, TF_Status *);
    void (*DeleteSession)(TF_Session *, TF_Status *);
    void (*SessionRun)(
        TF_Session *, const TF_Buffer *run_options, const TF_Output *inputs,
        TF_Tensor *const *input_values, int input_count, const TF_Output *outputs,
        TF_Tensor **output_values, int output_count, const TF_Operation *const *targets,
        int target_count, TF_Buffer *run_metadata, TF_Status *);
} martlet_tf;

/// Opens `libtensorflow_cc.so.2` and `libtensorflow_framework.so.2` in `directory` and fills
/// `api`. Returns 0, or -1 with a text in `error`. The libraries stay open for the process's life.
///
/// They print to standard error while they are opened, past any log level; what anybody prints
/// there meanwhile becomes `*printed`, to be freed, or NULL if that is nothing.
int martlet_tf_open(
    const char *directory, martlet_tf *api, char *error, size_t error_size, char **printed);

#ifdef __cplusplus
}
#endif
