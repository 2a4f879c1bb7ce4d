// What sets a lazy grammar off: the beginning of a tool call in text that is free until there.
#pragma once

#include "engine.hpp"

#include "common.h"

#include <deque>
#include <optional>
#include <regex>

/// Looks for a trigger in text that comes token by token.
///
/// Only the end of the text is kept and searched: as much as a new match can reach back. So a token
/// costs the same however long the text is.
class trigger_watch {
public:
    /// Refuses a word that is longer than a kilobyte.
    explicit trigger_watch(const std::vector<common_grammar_trigger> &triggers);

    /// The text from the beginning of a match.
    struct match {
        /// From the token in which it begins.
        std::vector<llama_token> tokens;
        /// Bytes of the first token that stand before it.
        size_t skipped = 0;
    };

    /// Takes in a token and the text that it stands for; gives the match that it completes.
    std::optional<match> receive(llama_token token, const std::string &piece);

    /// Forgets the text.
    void reset();

private:
    struct trigger {
        /// Searched for as it is, if it is not empty; else there is a pattern.
        std::string word;
        std::regex pattern;
    };
    struct kept_token {
        llama_token token;
        size_t size;
    };

    void add_pattern(const std::string &pattern);
    size_t start_of(const trigger &, size_t fresh) const;
    match match_from(size_t start) const;
    void forget_beginning();

    std::vector<llama_token> tokens_;
    std::vector<trigger> triggers_;
    /// How far a match reaches back before the token that completes it, in bytes.
    size_t reach_ = 0;
    /// The end of the text, and the tokens that it consists of.
    std::string tail_;
    std::deque<kept_token> kept_;
    /// There was text before the tail.
    bool is_cut_ = false;
};
