#pragma once

// The part of OpenVINO's C API that Martlet uses, declared by hand for the version that
// scripts/versions.env pins, and bound at run time. The library is opened, never linked: a gateway
// must run where it is not installed, and its symbols must not meet those of other engines.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ov_core ov_core;
typedef struct ov_model ov_model;
typedef struct ov_compiled_model ov_compiled_model;
typedef struct ov_infer_request ov_infer_request;
typedef struct ov_tensor ov_tensor;
typedef struct ov_output_const_port ov_port;

typedef struct martlet_ov_version {
    const char *build;
    const char *description;
} martlet_ov_version;

typedef struct martlet_ov_shape {
    int64_t rank;
    int64_t *dimensions;
} martlet_ov_shape;

/// A setting: `value` is a C string.
typedef struct martlet_ov_property {
    const char *key;
    const void *value;
} martlet_ov_property;

enum {
    MARTLET_OPENVINO_OK = 0,
    MARTLET_OPENVINO_INVALID_PARAMETER = -14,
};

/// Pointers to the functions of one opened library. Every member is set once opening succeeded.
/// Functions return a status, 0 for success, and give their result through the last parameter.
typedef struct martlet_openvino {
    int (*get_openvino_version)(martlet_ov_version *);
    void (*version_free)(martlet_ov_version *);
    const char *(*get_last_err_msg)(void);
    void (*free)(const char *);

    int (*core_create)(ov_core **);
    void (*core_free)(ov_core *);
    /// Of variable arguments, which Swift does not know: see martlet_openvino_set_property().
    void (*core_set_property)(void);
    int (*core_get_property)(const ov_core *, const char *device, const char *key, char **value);
    int (*core_read_model)(const ov_core *, const char *path, const char *weights, ov_model **);
    void (*model_free)(ov_model *);
    int (*core_compile_model_props)(
        const ov_core *, const ov_model *, const char *device, size_t count,
        const martlet_ov_property *, ov_compiled_model **);
    void (*compiled_model_free)(ov_compiled_model *);
    int (*compiled_model_get_property)(const ov_compiled_model *, const char *key, char **value);

    int (*compiled_model_inputs_size)(const ov_compiled_model *, size_t *);
    int (*compiled_model_input_by_name)(
        const ov_compiled_model *, const char *name, ov_port **);
    int (*compiled_model_output_by_name)(
        const ov_compiled_model *, const char *name, ov_port **);
    int (*port_get_element_type)(const ov_port *, int *);
    void (*output_const_port_free)(ov_port *);

    int (*compiled_model_create_infer_request)(const ov_compiled_model *, ov_infer_request **);
    void (*infer_request_free)(ov_infer_request *);
    int (*infer_request_set_tensor_by_const_port)(
        ov_infer_request *, const ov_port *, const ov_tensor *);
    int (*infer_request_get_tensor_by_const_port)(
        const ov_infer_request *, const ov_port *, ov_tensor **);
    int (*infer_request_infer)(ov_infer_request *);

    /// Keeps no copy of the elements: `bytes` must outlive each run that the tensor is set for.
    int (*tensor_create_from_host_ptr)(int type, martlet_ov_shape, void *bytes, ov_tensor **);
    int (*tensor_get_shape)(const ov_tensor *, martlet_ov_shape *);
    int (*tensor_get_element_type)(const ov_tensor *, int *);
    int (*tensor_get_byte_size)(const ov_tensor *, size_t *);
    int (*tensor_data)(const ov_tensor *, void **);
    void (*tensor_free)(ov_tensor *);
    int (*shape_free)(martlet_ov_shape *);
} martlet_openvino;

/// Opens OpenVINO's C library in `directory` and fills `api`. The library finds what it reads
/// models with, and runs them by, beside itself. Returns 0, or -1 with a text in `error`. It stays
/// open for the process's life.
int martlet_openvino_open(
    const char *directory, martlet_openvino *api, char *error, size_t error_size);

/// Sets what holds for all models of a core.
int martlet_openvino_set_property(
    const martlet_openvino *api, const ov_core *core, const char *key, const char *value);

#ifdef __cplusplus
}
#endif
