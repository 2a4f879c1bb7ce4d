// What the making of samplers and their choosing share.
#pragma once

#include "trigger.hpp"

#include <memory>
#include <optional>
#include <random>

struct sampler_deleter {
    void operator()(llama_sampler *sampler) const { llama_sampler_free(sampler); }
};
using sampler_pointer = std::unique_ptr<llama_sampler, sampler_deleter>;

/// A grammar before it has read anything; copies of a sampler share it.
struct unread_grammar {
    std::string source;
    sampler_pointer grammar;
};

/// A grammar that holds from where the text begins a tool call.
struct lazy_grammar {
    trigger_watch watch;
    std::shared_ptr<const unread_grammar> unread;
};

struct martlet_llama_sampler {
    const martlet_llama_model *owner = nullptr;
    /// Biases and penalties: each changes a token's score whatever the others' are. None if there
    /// are none.
    sampler_pointer adjustments;
    /// What is left of the tokens, and which of them is taken.
    sampler_pointer chain;
    /// None if the text is free, or is so far.
    sampler_pointer grammar;
    /// None if no grammar is to come.
    std::optional<lazy_grammar> lazy;
    /// What the grammar has read before the first generated token.
    std::vector<int32_t> opening;
    /// The likeliest token is taken.
    bool is_greedy = false;
    /// The chain learns from what it has taken: it has to take the token itself.
    bool learns = false;
    /// The grammar is in no state to go on from.
    bool is_broken = false;
    /// How often the grammar was asked about the whole vocabulary.
    uint64_t whole_passes = 0;
    uint32_t seed = 0;
    /// For draws beyond the chain's own.
    std::mt19937 chance;
    std::vector<llama_token_data> candidates;
};

/// Begins its chance anew: other numbers than the chain's, which has the same seed.
inline void seed_chance(martlet_llama_sampler &sampler) {
    sampler.chance.seed(sampler.seed ^ 0x9e3779b9U);
}

/// Whether the grammar lets the token come next.
bool grammar_allows(martlet_llama_sampler &, int32_t token);
/// Chooses a token by the scores of the whole vocabulary.
int32_t choose_token(martlet_llama_sampler &, const float *scores);

/// Holds the text to what is asked for.
void add_grammar(martlet_llama_sampler &, const martlet_llama_sampler_parameters &);
/// Takes in a token of a text that is free so far; if it begins a call, the grammar holds from
/// there on.
void await_call(martlet_llama_sampler &, llama_token);
/// Takes the grammar back to before the first token.
void reset_grammar(martlet_llama_sampler &);
