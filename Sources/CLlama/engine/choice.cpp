// Choosing a token that a grammar allows, while asking the grammar about as few as possible.
//
// The token that would be chosen without a grammar is asked about alone: mostly the model follows
// it by itself. If it is refused, the others follow in the order in which they would be chosen, 64
// of them, then some 1,000, then all: the whole vocabulary takes tens of milliseconds, and the first
// that is allowed is seldom far.
//
// At temperature 0 the order is that of the scores, so that the token is the likeliest that is
// allowed, as if the grammar had gone first. Else it is that of drawing again and again, each time
// without those drawn before: what comes first of those allowed has the probability that it has
// among them, as if the refused had been taken out and the rest scaled up. The order is drawn at
// once: by score plus a number of Gumbel's distribution each. Steps that keep only some tokens, such
// as top p, are done before, and without the grammar; only where it allows none of what they keep,
// it goes first.
#include "sampler.hpp"

#include <algorithm>
#include <cmath>

namespace {

// How many are asked about at first, and then.
constexpr size_t round_sizes[] = {64, 1024};

llama_token_data_array all_candidates(martlet_llama_sampler &sampler, const float *scores) {
    const auto count = static_cast<size_t>(llama_vocab_n_tokens(sampler.owner->vocabulary));
    sampler.candidates.resize(count);
    for (size_t index = 0; index < count; index++) {
        sampler.candidates[index] = {static_cast<llama_token>(index), scores[index], 0};
    }
    llama_token_data_array array{sampler.candidates.data(), count, -1, false};
    if (sampler.adjustments) llama_sampler_apply(sampler.adjustments.get(), &array);
    return array;
}

int32_t choose(martlet_llama_sampler &sampler, llama_token_data_array &array) {
    llama_sampler_apply(sampler.chain.get(), &array);
    const bool is_chosen = array.selected >= 0 && static_cast<size_t>(array.selected) < array.size;
    if (!is_chosen) throw std::runtime_error("sampling chose no token");
    return array.data[array.selected].id;
}

bool is_possible(const llama_token_data &candidate) {
    // False for what is no number, too.
    return candidate.logit > -INFINITY;
}

// Equal scores in the order of tokens, so that answers are the same each time.
bool precedes(const llama_token_data &left, const llama_token_data &right) {
    return left.logit != right.logit ? left.logit > right.logit : left.id < right.id;
}

// The first in order of those between two places that the grammar allows; -1 if it allows none.
int32_t first_allowed(
    martlet_llama_sampler &sampler, llama_token_data *from, llama_token_data *to) {
    llama_token_data_array asked{from, static_cast<size_t>(to - from), -1, false};
    llama_sampler_apply(sampler.grammar.get(), &asked);
    auto *end = std::partition(from, to, is_possible);
    const auto *first = std::min_element(from, end, precedes);
    return first == end ? -1 : first->id;
}

// The first in the order of their scores that the grammar allows; -1 if it allows none.
int32_t first_allowed(martlet_llama_sampler &sampler, const llama_token_data_array &candidates) {
    auto *from = candidates.data;
    auto *end = std::partition(from, from + candidates.size, is_possible);
    for (const size_t size : round_sizes) {
        if (size >= static_cast<size_t>(end - from)) break;
        auto *to = from + size;
        std::nth_element(from, to - 1, end, precedes);
        const int32_t found = first_allowed(sampler, from, to);
        if (found >= 0) return found;
        from = to;
    }
    if (from == end) return -1;
    if (candidates.size > round_sizes[1]) sampler.whole_passes++;
    return first_allowed(sampler, from, end);
}

// Makes of scores an order of drawing.
void add_chance(martlet_llama_sampler &sampler, const llama_token_data_array &candidates) {
    for (size_t index = 0; index < candidates.size; index++) {
        const double drawn = (sampler.chance() + 0.5) / 4294967296.0;
        candidates.data[index].logit -= static_cast<float>(std::log(-std::log(drawn)));
    }
}

[[noreturn]] void refuse_all() {
    throw std::runtime_error("the grammar allows none of the model's tokens here");
}

int32_t choose_greedily(martlet_llama_sampler &sampler, const float *scores) {
    int32_t best = -1;
    if (sampler.adjustments) {
        auto array = all_candidates(sampler, scores);
        best = choose(sampler, array);
    } else {
        const auto count = static_cast<size_t>(llama_vocab_n_tokens(sampler.owner->vocabulary));
        best = index_of_maximum(scores, count);
        if (best < 0) throw std::runtime_error("the scores are no numbers");
    }
    if (!sampler.grammar || grammar_allows(sampler, best)) return best;
    best = first_allowed(sampler, all_candidates(sampler, scores));
    if (best < 0) refuse_all();
    return best;
}

int32_t choose_after_grammar(martlet_llama_sampler &sampler, const float *scores) {
    auto array = all_candidates(sampler, scores);
    sampler.whole_passes++;
    llama_sampler_apply(sampler.grammar.get(), &array);
    const auto *end = std::partition(array.data, array.data + array.size, is_possible);
    array.size = static_cast<size_t>(end - array.data);
    if (array.size == 0) refuse_all();
    return choose(sampler, array);
}

}  // namespace

bool grammar_allows(martlet_llama_sampler &sampler, int32_t token) {
    llama_token_data single{token, 1, 0};
    llama_token_data_array array{&single, 1, -1, false};
    llama_sampler_apply(sampler.grammar.get(), &array);
    return single.logit != -INFINITY;
}

int32_t choose_token(martlet_llama_sampler &sampler, const float *scores) {
    if (sampler.is_greedy) return choose_greedily(sampler, scores);
    auto kept = all_candidates(sampler, scores);
    const size_t all = kept.size;
    const int32_t drawn = choose(sampler, kept);
    if (!sampler.grammar || grammar_allows(sampler, drawn)) return drawn;
    if (sampler.learns) return choose_after_grammar(sampler, scores);
    const bool keeps_all = kept.size == all;
    add_chance(sampler, kept);
    const int32_t next = first_allowed(sampler, kept);
    if (next >= 0) return next;
    if (keeps_all) refuse_all();
    return choose_after_grammar(sampler, scores);
}
