// Grammars that hold the text from its first token, and those that hold it from a tool call on.
#include "sampler.hpp"

#include "common.h"

#include <cctype>

namespace {

sampler_pointer make_grammar(const martlet_llama_model *model, const std::string &source) {
    require_bounded_grammar(source);
    const error_watch watch;
    sampler_pointer grammar(
        llama_sampler_init_grammar(model->vocabulary, source.c_str(), "root"));
    if (!grammar) throw invalid_call("the grammar: " + watch.reason("it cannot be parsed"));
    return grammar;
}

// llama.cpp's own lazy grammar searches all of the text for each token of it; so the text is
// watched here, and the grammar begins with the call.
lazy_grammar make_lazy_grammar(
    const martlet_llama_model *model, const common_chat_params &chat) {
    auto grammar = make_grammar(model, chat.grammar);
    auto unread = std::make_shared<const unread_grammar>(
        unread_grammar{chat.grammar, std::move(grammar)});
    return {trigger_watch(chat.grammar_triggers), std::move(unread)};
}

// A grammar that begins to read within the first token it is given: only a lazy one can, by a
// pattern that leaves out what is before.
sampler_pointer make_grammar_within_a_token(
    const martlet_llama_model *model, const std::string &source, size_t skipped) {
    const auto pattern = "^[\\s\\S]{" + std::to_string(skipped) + "}([\\s\\S]+)";
    const char *patterns[] = {pattern.c_str()};
    sampler_pointer grammar(llama_sampler_init_grammar_lazy_patterns(
        model->vocabulary, source.c_str(), "root", patterns, 1, nullptr, 0));
    if (!grammar) throw std::runtime_error("the chat's grammar cannot be parsed");
    return grammar;
}

// The tokens of the answer's opening, which the prompt holds already.
std::vector<int32_t> opening_tokens(const martlet_llama_model *model, const std::string &opening) {
    if (opening.empty()) return {};
    auto tokens = common_tokenize(model->vocabulary, opening, false, true);
    if (tokens.empty()) return tokens;
    // Some vocabularies put a space before the first special token.
    const auto first = common_token_to_piece(model->vocabulary, tokens.front(), true);
    const bool is_added = !first.empty() && std::isspace(static_cast<unsigned char>(first[0])) &&
        !std::isspace(static_cast<unsigned char>(opening[0]));
    if (is_added) tokens.erase(tokens.begin());
    return tokens;
}

}  // namespace

void add_grammar(
    martlet_llama_sampler &sampler, const martlet_llama_sampler_parameters &given) {
    if (given.grammar.count > 0) {
        sampler.grammar = make_grammar(sampler.owner, string_of(given.grammar));
        return;
    }
    if (given.chat == nullptr || given.chat->parameters.grammar.empty()) return;
    const auto &chat = given.chat->parameters;
    if (chat.grammar_lazy) {
        sampler.lazy = make_lazy_grammar(sampler.owner, chat);
        return;
    }
    sampler.grammar = make_grammar(sampler.owner, chat.grammar);
    // The grammar of a plain answer knows of no opening.
    if (given.chat->is_plain) return;
    sampler.opening = opening_tokens(sampler.owner, chat.generation_prompt);
    for (const int32_t token : sampler.opening) {
        llama_sampler_accept(sampler.grammar.get(), token);
    }
}

void await_call(martlet_llama_sampler &sampler, llama_token token) {
    const auto *vocabulary = sampler.owner->vocabulary;
    // The engine ends the process for a grammar that is given an end too early.
    if (llama_vocab_is_eog(vocabulary, token)) return;
    auto &lazy = *sampler.lazy;
    const auto found = lazy.watch.receive(token, common_token_to_piece(vocabulary, token, true));
    if (!found) return;
    sampler.grammar = found->skipped == 0
        ? sampler_pointer(llama_sampler_clone(lazy.unread->grammar.get()))
        : make_grammar_within_a_token(sampler.owner, lazy.unread->source, found->skipped);
    for (const llama_token begun : found->tokens) {
        llama_sampler_accept(sampler.grammar.get(), begun);
    }
    lazy.watch.reset();
}

void reset_grammar(martlet_llama_sampler &sampler) {
    if (sampler.lazy) {
        sampler.grammar.reset();
        sampler.lazy->watch.reset();
    }
    if (!sampler.grammar) return;
    llama_sampler_reset(sampler.grammar.get());
    for (const int32_t token : sampler.opening) {
        llama_sampler_accept(sampler.grammar.get(), token);
    }
}
