// Text to tokens and back.
#include "engine.hpp"

#include <climits>

namespace {

int64_t tokenize(
    const martlet_llama_model *model, martlet_llama_text text, int32_t *tokens, size_t capacity,
    bool adds_special, bool reads_special, martlet_llama_error *error) {
    int64_t count = -1;
    guarded(error, [&]() -> int32_t {
        if (!has_text(model)) throw invalid_call("the model has no tokenizer");
        if (text.count > INT32_MAX) throw invalid_call("the text is longer than 2 GiB");
        const int32_t room = static_cast<int32_t>(std::min<size_t>(capacity, INT32_MAX));
        const int32_t found = llama_tokenize(
            model->vocabulary, text.bytes == nullptr ? "" : text.bytes,
            static_cast<int32_t>(text.count), tokens, room, adds_special, reads_special);
        if (found == INT32_MIN) throw invalid_call("the text has more than 2^31 tokens");
        count = found < 0 ? -static_cast<int64_t>(found) : found;
        return MARTLET_LLAMA_OK;
    });
    return count;
}

int64_t token_bytes(
    const martlet_llama_model *model, int32_t token, char *buffer, size_t capacity,
    bool shows_special) {
    return guarded_or(int64_t{-1}, [&]() -> int64_t {
        if (!is_token(model, token) || !has_text(model)) return -1;
        const int32_t length = llama_token_to_piece(
            model->vocabulary, token, buffer,
            static_cast<int32_t>(std::min<size_t>(capacity, INT32_MAX)), 0, shows_special);
        return length < 0 ? -static_cast<int64_t>(length) : length;
    });
}

int64_t detokenize(
    const martlet_llama_model *model, const int32_t *tokens, size_t count, char *buffer,
    size_t capacity, bool removes_special, bool shows_special) {
    return guarded_or(int64_t{-1}, [&]() -> int64_t {
        if (count > INT32_MAX || !has_text(model)) return -1;
        for (size_t index = 0; index < count; index++) {
            if (!is_token(model, tokens[index])) return -1;
        }
        const int32_t length = llama_detokenize(
            model->vocabulary, tokens, static_cast<int32_t>(count), buffer,
            static_cast<int32_t>(std::min<size_t>(capacity, INT32_MAX)), removes_special,
            shows_special);
        return length < 0 ? -static_cast<int64_t>(length) : length;
    });
}

bool token_ends(const martlet_llama_model *model, int32_t token) {
    return is_token(model, token) && llama_vocab_is_eog(model->vocabulary, token);
}

bool token_is_control(const martlet_llama_model *model, int32_t token) {
    return is_token(model, token) && has_text(model) &&
        llama_vocab_is_control(model->vocabulary, token);
}

}  // namespace

void add_vocabulary_functions(martlet_llama &table) {
    table.tokenize = tokenize;
    table.token_bytes = token_bytes;
    table.detokenize = detokenize;
    table.token_ends = token_ends;
    table.token_is_control = token_is_control;
}
