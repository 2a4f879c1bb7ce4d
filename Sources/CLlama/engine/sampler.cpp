// The making of samplers, and what they remember.
#include "sampler.hpp"

#include <algorithm>
#include <cmath>

namespace {

martlet_llama_sampler_parameters sampler_defaults() {
    martlet_llama_sampler_parameters defaults{};
    defaults.temperature = 1;
    defaults.top_p = 1;
    defaults.typical_p = 1;
    defaults.xtc_threshold = 0.1F;
    defaults.penalty_window = 64;
    defaults.repeat_penalty = 1;
    defaults.dry_base = 1.75F;
    defaults.dry_allowed_length = 2;
    defaults.dry_window = 1024;
    defaults.mirostat_tau = 5;
    defaults.mirostat_eta = 0.1F;
    return defaults;
}

void require_between(const char *name, float value, float least, float most) {
    // False for what is no number, too.
    if (value >= least && value <= most) return;
    throw invalid_call(
        std::string(name) + " is " + std::to_string(value) + ", and must be between " +
        std::to_string(least) + " and " + std::to_string(most));
}

void require_valid(
    const martlet_llama_model *model, const martlet_llama_sampler_parameters &given) {
    require_between("the temperature", given.temperature, 0, 100);
    require_between("top p", given.top_p, 0, 1);
    require_between("min p", given.min_p, 0, 1);
    require_between("typical p", given.typical_p, 0, 1);
    require_between("top n sigma", given.top_n_sigma, -1, 1000);
    require_between("the XTC probability", given.xtc_probability, 0, 1);
    require_between("the XTC threshold", given.xtc_threshold, 0, 1);
    require_between("the repeat penalty", given.repeat_penalty, 0.01F, 100);
    require_between("the frequency penalty", given.frequency_penalty, -100, 100);
    require_between("the presence penalty", given.presence_penalty, -100, 100);
    require_between("the DRY multiplier", given.dry_multiplier, 0, 100);
    require_between("the DRY base", given.dry_base, 1, 100);
    require_between("Mirostat's tau", given.mirostat_tau, 0, 100);
    require_between("Mirostat's eta", given.mirostat_eta, 0, 1);
    const bool has_sizes = given.top_k >= 0 && given.penalty_window >= 0 &&
        given.penalty_window <= 1 << 20 && given.dry_window >= 0 && given.dry_window <= 1 << 20 &&
        given.dry_allowed_length >= 0;
    if (!has_sizes) throw invalid_call("top k, a window or a length is out of range");
    if (given.mirostat < 0 || given.mirostat > 2) throw invalid_call("Mirostat has versions 1 and 2");
    for (size_t index = 0; index < given.bias_count; index++) {
        const auto &bias = given.biases[index];
        if (!is_token(model, bias.token)) throw invalid_call("a bias is for none of the model's tokens");
        if (std::isnan(bias.bias)) throw invalid_call("a bias is no number");
    }
}

class chain_builder {
public:
    explicit chain_builder(const martlet_llama_model *model)
        : model_(model), chain_(llama_sampler_chain_init(llama_sampler_chain_default_params())) {}

    void add(llama_sampler *step) {
        if (step == nullptr) throw std::runtime_error("a step of sampling cannot be made");
        llama_sampler_chain_add(chain_.get(), step);
        count_++;
    }

    void add_biases(const martlet_llama_sampler_parameters &given) {
        std::vector<llama_logit_bias> biases;
        for (size_t index = 0; index < given.bias_count; index++) {
            biases.push_back({given.biases[index].token, given.biases[index].bias});
        }
        int32_t count = 0;
        const auto *suppressed = llama_vocab_get_suppress_tokens(model_->vocabulary, &count);
        for (int32_t index = 0; index < count; index++) {
            biases.push_back({suppressed[index], -INFINITY});
        }
        if (biases.empty()) return;
        add(llama_sampler_init_logit_bias(
            size(), static_cast<int32_t>(biases.size()), biases.data()));
    }

    void add_penalties(const martlet_llama_sampler_parameters &given) {
        const bool penalises = given.repeat_penalty != 1 || given.frequency_penalty != 0 ||
            given.presence_penalty != 0;
        if (penalises && given.penalty_window > 0) {
            add(llama_sampler_init_penalties(
                size(), given.penalty_window, given.repeat_penalty, given.frequency_penalty,
                given.presence_penalty));
        }
        if (given.dry_multiplier > 0 && given.dry_window > 0) {
            const char *breakers[] = {"\n", ":", "\"", "*"};
            add(llama_sampler_init_dry(
                model_->vocabulary, given.dry_multiplier, given.dry_base, given.dry_allowed_length,
                given.dry_window, breakers, std::size(breakers)));
        }
    }

    void add_truncations(const martlet_llama_sampler_parameters &given) {
        if (given.temperature == 0 || given.mirostat != 0) return;
        if (given.top_n_sigma > 0) add(llama_sampler_init_top_n_sigma(given.top_n_sigma));
        if (given.top_k > 0) add(llama_sampler_init_top_k(given.top_k));
        if (given.typical_p < 1) add(llama_sampler_init_typical(given.typical_p, 1));
        if (given.top_p < 1) add(llama_sampler_init_top_p(given.top_p, 1));
        if (given.min_p > 0) add(llama_sampler_init_min_p(given.min_p, 1));
        if (given.xtc_probability > 0) {
            add(llama_sampler_init_xtc(
                given.xtc_probability, given.xtc_threshold, 1, seed(given)));
        }
    }

    void add_choice(const martlet_llama_sampler_parameters &given) {
        if (given.temperature == 0) {
            add(llama_sampler_init_greedy());
            return;
        }
        add(llama_sampler_init_temp(given.temperature));
        switch (given.mirostat) {
            case 1:
                add(llama_sampler_init_mirostat(
                    size(), seed(given), given.mirostat_tau, given.mirostat_eta, 100));
                break;
            case 2:
                add(llama_sampler_init_mirostat_v2(
                    seed(given), given.mirostat_tau, given.mirostat_eta));
                break;
            default: add(llama_sampler_init_dist(seed(given)));
        }
    }

    size_t count() const { return count_; }
    sampler_pointer take() { return std::move(chain_); }

private:
    int32_t size() const { return llama_vocab_n_tokens(model_->vocabulary); }

    // The engine's largest number stands for a seed of its own choice.
    static uint32_t seed(const martlet_llama_sampler_parameters &given) {
        return given.seed == LLAMA_DEFAULT_SEED ? given.seed - 1 : given.seed;
    }

    const martlet_llama_model *model_;
    sampler_pointer chain_;
    size_t count_ = 0;
};

int32_t sampler_create(
    const martlet_llama_model *model, const martlet_llama_sampler_parameters *given,
    martlet_llama_sampler **result, martlet_llama_error *error) {
    *result = nullptr;
    return guarded(error, [&]() -> int32_t {
        require_valid(model, *given);
        auto sampler = std::make_unique<martlet_llama_sampler>();
        sampler->owner = model;
        chain_builder builder(model);
        builder.add_truncations(*given);
        builder.add_choice(*given);
        sampler->chain = builder.take();
        chain_builder adjustments(model);
        adjustments.add_biases(*given);
        adjustments.add_penalties(*given);
        if (adjustments.count() > 0) sampler->adjustments = adjustments.take();
        sampler->is_greedy = given->temperature == 0;
        sampler->learns = given->temperature > 0 && given->mirostat > 0;
        sampler->seed = given->seed;
        seed_chance(*sampler);
        add_grammar(*sampler, *given);
        *result = sampler.release();
        return MARTLET_LLAMA_OK;
    });
}

void sampler_free(martlet_llama_sampler *sampler) {
    delete sampler;
}

void require_usable(const martlet_llama_sampler &sampler) {
    if (sampler.is_broken) throw std::runtime_error("the text has left its grammar");
}

int32_t sampler_sample(
    martlet_llama_sampler *sampler, martlet_llama_context *context, size_t index, int32_t *token,
    martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        require_usable(*sampler);
        if (context->owner != sampler->owner) throw invalid_call("the context is another model's");
        const float *scores = output_scores(context, index);
        if (scores == nullptr) throw invalid_call("there is no output of this token");
        *token = choose_token(*sampler, scores);
        return MARTLET_LLAMA_OK;
    });
}

int32_t sampler_accept(
    martlet_llama_sampler *sampler, int32_t token, bool is_generated,
    martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        require_usable(*sampler);
        if (!is_token(sampler->owner, token)) throw invalid_call("a token is none of the model's");
        if (sampler->grammar && is_generated) {
            // The engine ends the process for an end that comes too early.
            if (!grammar_allows(*sampler, token)) {
                throw invalid_call("the token does not follow the grammar");
            }
            sampler->is_broken = true;
            llama_sampler_accept(sampler->grammar.get(), token);
            sampler->is_broken = false;
        } else if (sampler->lazy && is_generated) {
            sampler->is_broken = true;
            await_call(*sampler, token);
            sampler->is_broken = false;
        }
        if (sampler->adjustments) llama_sampler_accept(sampler->adjustments.get(), token);
        llama_sampler_accept(sampler->chain.get(), token);
        return MARTLET_LLAMA_OK;
    });
}

int32_t sampler_reset(martlet_llama_sampler *sampler, martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (sampler->adjustments) llama_sampler_reset(sampler->adjustments.get());
        llama_sampler_reset(sampler->chain.get());
        seed_chance(*sampler);
        sampler->is_broken = true;
        reset_grammar(*sampler);
        sampler->is_broken = false;
        return MARTLET_LLAMA_OK;
    });
}

int32_t sampler_clone(
    const martlet_llama_sampler *sampler, martlet_llama_sampler **result,
    martlet_llama_error *error) {
    *result = nullptr;
    return guarded(error, [&]() -> int32_t {
        auto copy = std::make_unique<martlet_llama_sampler>();
        copy->owner = sampler->owner;
        if (sampler->adjustments) {
            copy->adjustments.reset(llama_sampler_clone(sampler->adjustments.get()));
        }
        copy->chain.reset(llama_sampler_clone(sampler->chain.get()));
        if (sampler->grammar) copy->grammar.reset(llama_sampler_clone(sampler->grammar.get()));
        copy->lazy = sampler->lazy;
        copy->opening = sampler->opening;
        copy->is_greedy = sampler->is_greedy;
        copy->learns = sampler->learns;
        copy->seed = sampler->seed;
        copy->chance = sampler->chance;
        copy->is_broken = sampler->is_broken;
        *result = copy.release();
        return MARTLET_LLAMA_OK;
    });
}

uint64_t sampler_whole_passes(const martlet_llama_sampler *sampler) {
    return sampler->whole_passes;
}

}  // namespace

void add_sampler_functions(martlet_llama &table) {
    table.sampler_defaults = sampler_defaults;
    table.sampler_create = sampler_create;
    table.sampler_free = sampler_free;
    table.sampler_sample = sampler_sample;
    table.sampler_accept = sampler_accept;
    table.sampler_reset = sampler_reset;
    table.sampler_clone = sampler_clone;
    table.sampler_whole_passes = sampler_whole_passes;
}
