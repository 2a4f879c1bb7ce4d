// What a decode gives: scores, probabilities, embeddings.
#include "engine.hpp"

#include <algorithm>
#include <cmath>

namespace {

// As many as a client may ask for, and some.
constexpr size_t maximum_likeliest = 128;

size_t vocabulary_size(const martlet_llama_context *context) {
    return static_cast<size_t>(llama_vocab_n_tokens(context->owner->vocabulary));
}

int32_t likeliest(martlet_llama_context *context, size_t index) {
    const float *scores = output_scores(context, index);
    return scores == nullptr ? -1 : index_of_maximum(scores, vocabulary_size(context));
}

// log(sum(exp(score))), without overflow.
float log_sum_of_exponentials(const float *scores, size_t count) {
    const int32_t best = index_of_maximum(scores, count);
    if (best < 0) return NAN;
    const float largest = scores[best];
    double sum = 0;
    for (size_t index = 0; index < count; index++) sum += std::exp(scores[index] - largest);
    return largest + static_cast<float>(std::log(sum));
}

void find_likeliest(
    const float *scores, size_t total, size_t count, float normaliser, int32_t *tokens,
    float *values) {
    std::vector<int32_t> order(total);
    for (size_t index = 0; index < total; index++) order[index] = static_cast<int32_t>(index);
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
        [scores](int32_t left, int32_t right) {
            // Equal scores in the order of tokens, so that answers are the same each time.
            return scores[left] != scores[right] ? scores[left] > scores[right] : left < right;
        });
    for (size_t place = 0; place < count; place++) {
        tokens[place] = order[place];
        values[place] = scores[order[place]] - normaliser;
    }
}

int32_t log_probabilities(
    martlet_llama_context *context, size_t index, int32_t token, float *of_token, size_t count,
    int32_t *tokens, float *of_likeliest, martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        const float *scores = output_scores(context, index);
        if (scores == nullptr) throw invalid_call("there is no output of this token");
        if (!is_token(context->owner, token)) throw invalid_call("a token is none of the model's");
        const size_t total = vocabulary_size(context);
        if (count > std::min(total, maximum_likeliest)) {
            throw invalid_call("more than 128 likeliest tokens");
        }
        const float normaliser = log_sum_of_exponentials(scores, total);
        if (!std::isfinite(normaliser)) throw std::runtime_error("the scores are no numbers");
        *of_token = scores[token] - normaliser;
        if (count > 0) find_likeliest(scores, total, count, normaliser, tokens, of_likeliest);
        return MARTLET_LLAMA_OK;
    });
}

const float *sequence_embedding(martlet_llama_context *context, int32_t sequence) {
    if (!context->gives_embeddings || context->has_output.empty()) return nullptr;
    return guarded_or<const float *>(nullptr, [&]() -> const float * {
        if (llama_pooling_type(context->context) == LLAMA_POOLING_TYPE_NONE) return nullptr;
        return llama_get_embeddings_seq(context->context, sequence);
    });
}

const float *token_embedding(martlet_llama_context *context, size_t index) {
    const bool is_given = context->gives_embeddings && index < context->has_output.size() &&
        llama_pooling_type(context->context) == LLAMA_POOLING_TYPE_NONE;
    if (!is_given) return nullptr;
    return guarded_or<const float *>(nullptr, [&] {
        return llama_get_embeddings_ith(context->context, static_cast<int32_t>(index));
    });
}

}  // namespace

// In blocks, so that the compiler computes several maxima at once.
int32_t index_of_maximum(const float *scores, size_t count) {
    constexpr size_t width = 16;
    float lanes[width];
    std::fill_n(lanes, width, -INFINITY);
    const size_t whole = count / width * width;
    for (size_t start = 0; start < whole; start += width) {
        for (size_t lane = 0; lane < width; lane++) {
            const float score = scores[start + lane];
            lanes[lane] = score > lanes[lane] ? score : lanes[lane];
        }
    }
    float best = *std::max_element(lanes, lanes + width);
    for (size_t index = whole; index < count; index++) best = std::max(best, scores[index]);
    const auto *found = std::find(scores, scores + count, best);
    return found == scores + count ? -1 : static_cast<int32_t>(found - scores);
}

const float *output_scores(martlet_llama_context *context, size_t index) {
    if (index >= context->has_output.size() || context->has_output[index] == 0) return nullptr;
    return guarded_or<const float *>(nullptr, [&]() -> const float * {
        return llama_get_logits_ith(context->context, static_cast<int32_t>(index));
    });
}

void add_output_functions(martlet_llama &table) {
    table.logits = output_scores;
    table.likeliest = likeliest;
    table.log_probabilities = log_probabilities;
    table.sequence_embedding = sequence_embedding;
    table.token_embedding = token_embedding;
}
