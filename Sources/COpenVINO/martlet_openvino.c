#define _GNU_SOURCE
#include "martlet_openvino.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char library_name[] = "libopenvino_c.so";

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

// The file's name ends with the version, and only some packages hold a link without it.
static int find_library(const char *directory, char *path, size_t path_size) {
    DIR *folder = opendir(directory);
    if (folder == NULL) return -1;
    int length = -1;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strncmp(entry->d_name, library_name, sizeof library_name - 1) != 0) continue;
        length = snprintf(path, path_size, "%s/%s", directory, entry->d_name);
        break;
    }
    closedir(folder);
    return length < 0 || (size_t)length >= path_size ? -1 : 0;
}

int martlet_openvino_open(
    const char *directory, martlet_openvino *api, char *error, size_t error_size) {
    char path[4096];
    if (find_library(directory, path, sizeof path) != 0) {
        snprintf(error, error_size, "there is no %s in %.512s", library_name, directory);
        return -1;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL) {
        snprintf(error, error_size, "%s", dlerror());
        return -1;
    }
#define BIND(name) {"ov_" #name, (void **)&api->name}
    const struct binding bindings[] = {
        BIND(get_openvino_version), BIND(version_free), BIND(get_last_err_msg), BIND(free),
        BIND(core_create), BIND(core_free), BIND(core_set_property), BIND(core_get_property),
        BIND(core_read_model), BIND(model_free), BIND(core_compile_model_props), BIND(compiled_model_free),
        BIND(compiled_model_get_property), BIND(compiled_model_inputs_size),
        BIND(compiled_model_input_by_name), BIND(compiled_model_output_by_name),
        BIND(port_get_element_type), BIND(output_const_port_free),
        BIND(compiled_model_create_infer_request), BIND(infer_request_free),
        BIND(infer_request_set_tensor_by_const_port),
        BIND(infer_request_get_tensor_by_const_port), BIND(infer_request_infer),
        BIND(tensor_create_from_host_ptr), BIND(tensor_get_shape), BIND(tensor_get_element_type),
        BIND(tensor_get_byte_size), BIND(tensor_data), BIND(tensor_free), BIND(shape_free),
    };
#undef BIND
    return bind_all(library, bindings, sizeof bindings / sizeof *bindings, error, error_size);
}

int martlet_openvino_set_property(
    const martlet_openvino *api, const ov_core *core, const char *key, const char *value) {
    int (*set)(const ov_core *, const char *, ...) =
        (int (*)(const ov_core *, const char *, ...))api->core_set_property;
    // The empty device stands for the core itself.
    return set(core, "", key, value);
}
