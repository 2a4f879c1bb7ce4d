// Models.
#include "engine.hpp"

namespace {

martlet_llama_model_parameters model_defaults() {
    martlet_llama_model_parameters defaults{};
    defaults.split_mode = LLAMA_SPLIT_MODE_LAYER;
    return defaults;
}

llama_model_params engine_parameters(
    const martlet_llama_model_parameters &given, std::vector<float> &split) {
    auto parameters = llama_model_default_params();
    parameters.n_gpu_layers = given.gpu_layers;
    if (given.split_mode < LLAMA_SPLIT_MODE_NONE || given.split_mode > LLAMA_SPLIT_MODE_ROW) {
        throw invalid_call("the split mode is none of 0, 1 and 2");
    }
    parameters.split_mode = static_cast<llama_split_mode>(given.split_mode);
    parameters.main_gpu = given.main_gpu;
    if (given.split_count > llama_max_devices()) throw invalid_call("more shares than devices");
    if (given.split_count > 0) {
        // The engine reads as many as there may be devices.
        split.assign(llama_max_devices(), 0);
        std::copy_n(given.split, given.split_count, split.begin());
        parameters.tensor_split = split.data();
    }
    parameters.load_mode = given.maps_file
        ? (given.locks_memory ? LLAMA_LOAD_MODE_MMAP_MLOCK : LLAMA_LOAD_MODE_MMAP)
        : (given.locks_memory ? LLAMA_LOAD_MODE_MLOCK : LLAMA_LOAD_MODE_NONE);
    parameters.vocab_only = given.vocabulary_only;
    parameters.check_tensors = given.checks_tensors;
    parameters.progress_callback = given.progress;
    parameters.progress_callback_user_data = given.progress_context;
    return parameters;
}

// Whether the template marks thoughts off, as rendering it shows.
bool finds_thoughts(const common_chat_templates *templates) {
    common_chat_templates_inputs inputs;
    common_chat_msg message;
    message.role = "user";
    message.content = "Hello";
    inputs.messages = {message};
    inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    return common_chat_templates_apply(templates, inputs).supports_thinking;
}

void load_templates(martlet_llama_model &model) {
    try {
        model.templates = common_chat_templates_init(model.model, "");
        model.thinks = finds_thoughts(model.templates.get());
    } catch (const std::exception &thrown) {
        // The model is of use without chats.
        model.template_fault = thrown.what();
    }
}

int32_t model_load(
    const char *path, const martlet_llama_model_parameters *given, martlet_llama_model **result,
    martlet_llama_error *error) {
    *result = nullptr;
    return guarded(error, [&]() -> int32_t {
        std::vector<float> split;
        const auto parameters = engine_parameters(*given, split);
        bool is_stopped = false;
        struct watched {
            const martlet_llama_model_parameters *given;
            bool *is_stopped;
        } watched{given, &is_stopped};
        auto tracked = parameters;
        if (given->progress != nullptr) {
            tracked.progress_callback = [](float done, void *context) {
                const auto *watching = static_cast<struct watched *>(context);
                const bool goes_on =
                    watching->given->progress(done, watching->given->progress_context);
                if (!goes_on) *watching->is_stopped = true;
                return goes_on;
            };
            tracked.progress_callback_user_data = &watched;
        }
        const error_watch watch;
        auto model = std::make_unique<martlet_llama_model>();
        model->model = llama_model_load_from_file(path, tracked);
        if (model->model == nullptr) {
            if (is_stopped) return fail(error, MARTLET_LLAMA_CANCELLED, "loading was stopped");
            return fail(
                error, MARTLET_LLAMA_FAILED, watch.reason("the file cannot be loaded").c_str());
        }
        model->vocabulary = llama_model_get_vocab(model->model);
        model->is_vocabulary_only = given->vocabulary_only;
        if (!has_text(model.get()) && !given->vocabulary_only) {
            return fail(
                error, MARTLET_LLAMA_FAILED,
                "the file has no tokenizer: its tokens stand for no text");
        }
        load_templates(*model);
        *result = model.release();
        return MARTLET_LLAMA_OK;
    });
}

void model_free(martlet_llama_model *model) {
    delete model;
}

void add_shape(const llama_model *engine, martlet_llama_model_info *info) {
    info->training_context = llama_model_n_ctx_train(engine);
    info->embedding_size = llama_model_n_embd_out(engine);
    info->layers = llama_model_n_layer(engine);
    info->heads = llama_model_n_head(engine);
    info->kv_heads = llama_model_n_head_kv(engine);
    info->sliding_window = llama_model_n_swa(engine);
    info->classes = static_cast<int32_t>(llama_model_n_cls_out(engine));
    info->parameter_count = llama_model_n_params(engine);
    info->byte_count = llama_model_size(engine);
    info->file_type = static_cast<int32_t>(llama_model_ftype(engine));
    info->has_encoder = llama_model_has_encoder(engine);
    info->has_decoder = llama_model_has_decoder(engine);
    info->is_recurrent = llama_model_is_recurrent(engine);
    info->is_hybrid = llama_model_is_hybrid(engine);
}

void add_tokens(const llama_vocab *vocabulary, martlet_llama_model_info *info) {
    info->vocabulary_size = llama_vocab_n_tokens(vocabulary);
    info->bos = llama_vocab_bos(vocabulary);
    info->eos = llama_vocab_eos(vocabulary);
    info->eot = llama_vocab_eot(vocabulary);
    info->separator = llama_vocab_sep(vocabulary);
    info->newline = llama_vocab_nl(vocabulary);
    info->padding = llama_vocab_pad(vocabulary);
    info->fill_prefix = llama_vocab_fim_pre(vocabulary);
    info->fill_suffix = llama_vocab_fim_suf(vocabulary);
    info->fill_middle = llama_vocab_fim_mid(vocabulary);
    info->adds_bos = llama_vocab_get_add_bos(vocabulary);
    info->adds_eos = llama_vocab_get_add_eos(vocabulary);
}

void model_info(const martlet_llama_model *model, martlet_llama_model_info *info) {
    *info = {};
    add_tokens(model->vocabulary, info);
    // The engine ends the process when asked for a shape that it did not read.
    if (!model->is_vocabulary_only) add_shape(model->model, info);
}

size_t model_description(const martlet_llama_model *model, char *buffer, size_t capacity) {
    return guarded_or(size_t{0}, [&] {
        char text[256];
        const int32_t length = llama_model_desc(model->model, text, sizeof text);
        if (length < 0) return size_t{0};
        return copy_out({text, std::min<size_t>(length, sizeof text - 1)}, buffer, capacity);
    });
}

int64_t model_metadata(
    const martlet_llama_model *model, const char *key, char *buffer, size_t capacity) {
    return guarded_or(int64_t{-1}, [&]() -> int64_t {
        const int32_t length = llama_model_meta_val_str(model->model, key, nullptr, 0);
        if (length < 0) return -1;
        std::string value(static_cast<size_t>(length) + 1, '\0');
        llama_model_meta_val_str(model->model, key, value.data(), value.size());
        return static_cast<int64_t>(
            copy_out({value.data(), static_cast<size_t>(length)}, buffer, capacity));
    });
}

}  // namespace

martlet_llama_model::~martlet_llama_model() {
    if (model != nullptr) llama_model_free(model);
}

void add_model_functions(martlet_llama &table) {
    table.model_defaults = model_defaults;
    table.model_load = model_load;
    table.model_free = model_free;
    table.model_info = model_info;
    table.model_description = model_description;
    table.model_metadata = model_metadata;
}
