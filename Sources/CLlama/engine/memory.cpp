// The cells of a context: sharing, removing, saving.
#include "engine.hpp"

namespace {

bool is_sequence(const martlet_llama_context *context, int32_t sequence) {
    return context->memory != nullptr && sequence >= 0 &&
        static_cast<uint32_t>(sequence) < context->slots;
}

void require_sequence(const martlet_llama_context *context, int32_t sequence) {
    if (context->memory == nullptr) throw invalid_call("the model keeps no memory");
    if (!is_sequence(context, sequence)) throw invalid_call("a sequence is none of the context's");
}

int32_t sequence_copy(
    martlet_llama_context *context, int32_t source, int32_t target, int32_t from, int32_t to,
    martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        require_sequence(context, source);
        require_sequence(context, target);
        if (source == target) return MARTLET_LLAMA_OK;
        if (!context->is_unified) {
            // The engine ends the process for a part.
            llama_memory_seq_cp(context->memory, source, target, -1, -1);
            return MARTLET_LLAMA_OK;
        }
        // Else the target would have two cells of the same position.
        if (llama_memory_seq_pos_max(context->memory, target) >= std::max(from, 0)) {
            throw invalid_call("the target of a copy already has cells there");
        }
        llama_memory_seq_cp(context->memory, source, target, from, to);
        return MARTLET_LLAMA_OK;
    });
}

int32_t sequence_remove(
    martlet_llama_context *context, int32_t sequence, int32_t from, int32_t to,
    martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        require_sequence(context, sequence);
        if (!llama_memory_seq_rm(context->memory, sequence, from, to)) {
            throw invalid_call("the model's memory cannot give up a part of a sequence");
        }
        return MARTLET_LLAMA_OK;
    });
}

int32_t sequence_first(const martlet_llama_context *context, int32_t sequence) {
    if (!is_sequence(context, sequence)) return -1;
    return guarded_or(-1, [&] { return llama_memory_seq_pos_min(context->memory, sequence); });
}

int32_t sequence_last(const martlet_llama_context *context, int32_t sequence) {
    if (!is_sequence(context, sequence)) return -1;
    return guarded_or(-1, [&] { return llama_memory_seq_pos_max(context->memory, sequence); });
}

void clear(martlet_llama_context *context) {
    if (context->memory == nullptr) return;
    guarded(nullptr, [&]() -> int32_t {
        llama_memory_clear(context->memory, false);
        return MARTLET_LLAMA_OK;
    });
}

size_t state_size(martlet_llama_context *context, int32_t sequence) {
    if (!is_sequence(context, sequence)) return 0;
    return guarded_or(
        size_t{0}, [&] { return llama_state_seq_get_size(context->context, sequence); });
}

size_t state_save(
    martlet_llama_context *context, int32_t sequence, uint8_t *buffer, size_t capacity) {
    if (!is_sequence(context, sequence)) return 0;
    return guarded_or(size_t{0}, [&] {
        return llama_state_seq_get_data(context->context, buffer, capacity, sequence);
    });
}

int32_t state_restore(
    martlet_llama_context *context, int32_t sequence, const uint8_t *bytes, size_t count,
    martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        require_sequence(context, sequence);
        const error_watch watch;
        if (llama_state_seq_set_data(context->context, bytes, count, sequence) == 0) {
            llama_memory_seq_rm(context->memory, sequence, -1, -1);
            return fail(
                error, MARTLET_LLAMA_FAILED, watch.reason("the state does not fit").c_str());
        }
        return MARTLET_LLAMA_OK;
    });
}

}  // namespace

void add_memory_functions(martlet_llama &table) {
    table.sequence_copy = sequence_copy;
    table.sequence_remove = sequence_remove;
    table.sequence_first = sequence_first;
    table.sequence_last = sequence_last;
    table.clear = clear;
    table.state_size = state_size;
    table.state_save = state_save;
    table.state_restore = state_restore;
}
