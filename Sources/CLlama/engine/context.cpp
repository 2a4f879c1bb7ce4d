// Contexts: their making, and the computing of batches.
#include "engine.hpp"

// For the sizes of memory; no part of the stable interface.
#include "../src/llama-ext.h"

#include <algorithm>

namespace {

// More end the process.
constexpr int32_t maximum_threads = 512;

int32_t bounded_threads(int32_t threads) {
    return std::clamp(threads, 1, maximum_threads);
}

martlet_llama_context_parameters context_defaults() {
    martlet_llama_context_parameters defaults{};
    defaults.cells = 4096;
    defaults.batch = 2048;
    defaults.micro_batch = 512;
    defaults.sequences = 1;
    defaults.is_unified = true;
    defaults.threads = 1;
    defaults.batch_threads = 1;
    defaults.flash_attention = LLAMA_FLASH_ATTN_TYPE_AUTO;
    defaults.pooling = LLAMA_POOLING_TYPE_UNSPECIFIED;
    defaults.offloads_memory = true;
    defaults.keeps_full_window = true;
    return defaults;
}

ggml_type number_type(int32_t bits) {
    switch (bits) {
        case 0:
        case 16: return GGML_TYPE_F16;
        case 8: return GGML_TYPE_Q8_0;
        case 4: return GGML_TYPE_Q4_0;
        default: throw invalid_call("the bits of a KV number are none of 16, 8 and 4");
    }
}

llama_context_params engine_parameters(const martlet_llama_context_parameters &given) {
    if (given.cells == 0) throw invalid_call("the context has no cells");
    if (given.batch == 0 || given.micro_batch == 0 || given.micro_batch > given.batch) {
        throw invalid_call("the micro-batch must be at least 1 and at most the batch");
    }
    if (given.sequences == 0 || given.sequences > llama_max_parallel_sequences()) {
        const auto most = std::to_string(llama_max_parallel_sequences());
        throw invalid_call("the sequences must be at least 1 and at most " + most);
    }
    // The engine keeps room for an output of each sequence, whatever the batch.
    if (given.sequences > std::min(given.batch, given.cells)) {
        throw invalid_call("the batch and the cells must be at least as many as the sequences");
    }
    if (given.flash_attention < -1 || given.flash_attention > 1 || given.pooling < -1 ||
        given.pooling > LLAMA_POOLING_TYPE_RANK) {
        throw invalid_call("flash attention or pooling is a number that stands for nothing");
    }
    auto parameters = llama_context_default_params();
    parameters.n_ctx = given.cells;
    parameters.n_batch = given.batch;
    parameters.n_ubatch = given.micro_batch;
    parameters.n_seq_max = given.sequences;
    // Every token of an embedding is an output.
    const bool has_bound = given.outputs > 0 && !given.gives_embeddings;
    parameters.n_outputs_max =
        has_bound ? std::clamp(given.outputs, given.sequences, given.batch) : 0;
    parameters.n_threads = bounded_threads(given.threads);
    parameters.n_threads_batch = bounded_threads(given.batch_threads);
    parameters.pooling_type = static_cast<enum llama_pooling_type>(given.pooling);
    parameters.flash_attn_type = static_cast<llama_flash_attn_type>(given.flash_attention);
    parameters.embeddings = given.gives_embeddings;
    parameters.kv_unified = given.is_unified;
    parameters.type_k = number_type(given.key_bits);
    parameters.type_v = number_type(given.value_bits);
    parameters.offload_kqv = given.offloads_memory;
    parameters.swa_full = given.keeps_full_window;
    parameters.no_perf = false;
    return parameters;
}

void read_limits(martlet_llama_context &context, const llama_context_params &parameters) {
    auto *engine = context.context;
    context.memory = llama_get_memory(engine);
    context.gives_embeddings = parameters.embeddings;
    context.is_unified = parameters.kv_unified;
    context.is_causal = llama_get_causal_attn(engine);
    context.batch = llama_n_batch(engine);
    context.micro_batch = std::min(llama_n_ubatch(engine), context.batch);
    // Unified memory tells sequences apart by number alone: there are as many as numbers.
    const bool is_shared = parameters.kv_unified && context.memory != nullptr &&
        !llama_model_is_recurrent(context.owner->model) &&
        !llama_model_is_hybrid(context.owner->model);
    context.sequences = llama_n_seq_max(engine);
    context.slots = is_shared ? static_cast<uint32_t>(llama_max_parallel_sequences())
                              : context.sequences;
    const bool has_bound =
        parameters.n_outputs_max > 0 && !llama_model_has_encoder(context.owner->model);
    context.outputs =
        has_bound ? std::min(parameters.n_outputs_max, context.batch) : context.batch;
    context.tokens = llama_batch_init(static_cast<int32_t>(context.batch), 0, 1);
}

int32_t context_create(
    martlet_llama_model *model, const martlet_llama_context_parameters *given,
    martlet_llama_context **result, martlet_llama_error *error) {
    *result = nullptr;
    return guarded(error, [&]() -> int32_t {
        if (model->is_vocabulary_only) throw invalid_call("the model has no weights");
        auto context = std::make_unique<martlet_llama_context>();
        auto parameters = engine_parameters(*given);
        parameters.abort_callback = [](void *flag) {
            return static_cast<std::atomic<bool> *>(flag)->load(std::memory_order_relaxed);
        };
        parameters.abort_callback_data = &context->is_cancelled;
        const error_watch watch;
        context->owner = model;
        context->context = llama_init_from_model(model->model, parameters);
        if (context->context == nullptr) {
            return fail(
                error, MARTLET_LLAMA_FAILED, watch.reason("it cannot be made").c_str());
        }
        read_limits(*context, parameters);
        *result = context.release();
        return MARTLET_LLAMA_OK;
    });
}

void context_free(martlet_llama_context *context) {
    delete context;
}

void context_info(const martlet_llama_context *context, martlet_llama_context_info *info) {
    const auto *engine = context->context;
    const auto *model = context->owner->model;
    *info = {};
    info->cells = llama_n_ctx(engine);
    info->sequence_cells = llama_n_ctx_seq(engine);
    info->batch = context->batch;
    info->micro_batch = context->micro_batch;
    info->sequences = context->sequences;
    info->slots = context->slots;
    info->outputs = context->outputs;
    info->pooling = llama_pooling_type(engine);
    info->embedding_size = info->pooling == LLAMA_POOLING_TYPE_RANK
        ? static_cast<int32_t>(llama_model_n_cls_out(model))
        : llama_model_n_embd_out(model);
    info->is_unified = context->is_unified;
    info->can_shift = context->memory != nullptr && llama_memory_can_shift(context->memory);
    guarded_or(0, [&] {
        for (const auto &[type, bytes] : llama_get_memory_breakdown(engine)) {
            info->model_bytes += bytes.model;
            info->memory_bytes += bytes.context;
            info->compute_bytes += bytes.compute;
        }
        return 0;
    });
}

void context_set_threads(martlet_llama_context *context, int32_t threads, int32_t batch_threads) {
    llama_set_n_threads(
        context->context, bounded_threads(threads), bounded_threads(batch_threads));
}

void context_cancel(martlet_llama_context *context, bool is_cancelled) {
    context->is_cancelled.store(is_cancelled, std::memory_order_relaxed);
}

// What the engine would end the process for, or leave the memory in disorder after.
void require_valid(
    const martlet_llama_context &context, const martlet_llama_token *tokens, size_t count) {
    if (count == 0) throw invalid_call("the batch is empty");
    if (count > context.batch) {
        throw invalid_call(
            "the batch has " + std::to_string(count) + " tokens, and the context takes " +
            std::to_string(context.batch));
    }
    const bool is_whole = context.memory == nullptr || !context.is_causal;
    if (is_whole && count > context.micro_batch) {
        throw invalid_call(
            "the batch has " + std::to_string(count) + " tokens, and a model that sees all of "
            "them at once takes " + std::to_string(context.micro_batch));
    }
    size_t outputs = 0;
    for (size_t index = 0; index < count; index++) {
        const auto &token = tokens[index];
        if (!is_token(context.owner, token.token)) throw invalid_call("a token is none of the model's");
        if (token.position < 0) throw invalid_call("a position is negative");
        if (token.sequence < 0 || static_cast<uint32_t>(token.sequence) >= context.sequences) {
            throw invalid_call("a sequence is none of the context's");
        }
        outputs += token.wants_output != 0;
    }
    if (outputs > context.outputs) {
        throw invalid_call(
            "the batch wants " + std::to_string(outputs) + " outputs, and the context gives " +
            std::to_string(context.outputs));
    }
}

void fill(martlet_llama_context &context, const martlet_llama_token *tokens, size_t count) {
    auto &batch = context.tokens;
    batch.n_tokens = static_cast<int32_t>(count);
    for (size_t index = 0; index < count; index++) {
        batch.token[index] = tokens[index].token;
        batch.pos[index] = tokens[index].position;
        batch.n_seq_id[index] = 1;
        batch.seq_id[index][0] = tokens[index].sequence;
        batch.logits[index] = context.gives_embeddings || tokens[index].wants_output != 0;
    }
}

int32_t status_of(int32_t result) {
    switch (result) {
        case 0: return MARTLET_LLAMA_OK;
        case 1: return MARTLET_LLAMA_FULL;
        case 2: return MARTLET_LLAMA_CANCELLED;
        case -1: return MARTLET_LLAMA_INVALID;
        default: return MARTLET_LLAMA_FAILED;
    }
}

int32_t decode(
    martlet_llama_context *context, const martlet_llama_token *tokens, size_t count,
    martlet_llama_error *error) {
    // What was there of the batch before may be gone whatever comes.
    context->has_output.clear();
    return guarded(error, [&]() -> int32_t {
        require_valid(*context, tokens, count);
        fill(*context, tokens, count);
        const error_watch watch;
        const int32_t result = context->memory == nullptr
            ? llama_encode(context->context, context->tokens)
            : llama_decode(context->context, context->tokens);
        const int32_t status = status_of(result);
        switch (status) {
            case MARTLET_LLAMA_OK:
                context->has_output.assign(
                    context->tokens.logits, context->tokens.logits + count);
                if (context->memory == nullptr) context->has_output.assign(count, 1);
                return status;
            case MARTLET_LLAMA_FULL:
                return fail(error, status, "the context's memory has no room for the batch");
            case MARTLET_LLAMA_CANCELLED:
                return fail(error, status, "the computation was cancelled");
            default:
                return fail(error, status, watch.reason("the computation failed").c_str());
        }
    });
}

void performance(const martlet_llama_context *context, martlet_llama_performance *result) {
    const auto data = llama_perf_context(context->context);
    *result = {data.t_load_ms, data.t_p_eval_ms, data.t_eval_ms,
               data.n_p_eval,  data.n_eval,      data.n_reused};
}

void reset_performance(martlet_llama_context *context) {
    llama_perf_context_reset(context->context);
}

}  // namespace

martlet_llama_context::~martlet_llama_context() {
    if (context == nullptr) return;
    if (tokens.token != nullptr) llama_batch_free(tokens);
    llama_free(context);
}

void add_context_functions(martlet_llama &table) {
    table.context_defaults = context_defaults;
    table.context_create = context_create;
    table.context_free = context_free;
    table.context_info = context_info;
    table.context_set_threads = context_set_threads;
    table.context_cancel = context_cancel;
    table.decode = decode;
    table.performance = performance;
    table.reset_performance = reset_performance;
}
