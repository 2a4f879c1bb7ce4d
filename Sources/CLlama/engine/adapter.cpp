// LoRA adapters.
#include "engine.hpp"

#include <cmath>

namespace {

int32_t adapter_load(
    martlet_llama_model *model, const char *path, martlet_llama_adapter **result,
    martlet_llama_error *error) {
    *result = nullptr;
    return guarded(error, [&]() -> int32_t {
        if (model->is_vocabulary_only) throw invalid_call("the model has no weights");
        auto adapter = std::make_unique<martlet_llama_adapter>();
        const error_watch watch;
        adapter->owner = model;
        adapter->adapter = llama_adapter_lora_init(model->model, path);
        if (adapter->adapter == nullptr) {
            return fail(
                error, MARTLET_LLAMA_FAILED, watch.reason("it cannot be loaded").c_str());
        }
        *result = adapter.release();
        return MARTLET_LLAMA_OK;
    });
}

void adapter_free(martlet_llama_adapter *adapter) {
    if (adapter == nullptr) return;
    llama_adapter_lora_free(adapter->adapter);
    delete adapter;
}

int32_t context_set_adapters(
    martlet_llama_context *context, martlet_llama_adapter *const *adapters, const float *scales,
    size_t count, martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        std::vector<llama_adapter_lora *> chosen;
        std::vector<float> chosen_scales;
        for (size_t index = 0; index < count; index++) {
            if (adapters[index]->owner != context->owner) {
                throw invalid_call("an adapter is for another model");
            }
            if (!std::isfinite(scales[index])) throw invalid_call("a scale is no number");
            chosen.push_back(adapters[index]->adapter);
            chosen_scales.push_back(scales[index]);
        }
        llama_set_adapters_lora(
            context->context, chosen.data(), chosen.size(), chosen_scales.data());
        return MARTLET_LLAMA_OK;
    });
}

}  // namespace

void add_adapter_functions(martlet_llama &table) {
    table.adapter_load = adapter_load;
    table.adapter_free = adapter_free;
    table.context_set_adapters = context_set_adapters;
}
