// Looking for what sets a lazy grammar off.
#include "trigger.hpp"

#include <algorithm>

namespace {

constexpr size_t maximum_word_bytes = 1024;
// Patterns are llama.cpp's own, for some dozen bytes and the name of a function.
constexpr size_t pattern_reach = 512;

}  // namespace

trigger_watch::trigger_watch(const std::vector<common_grammar_trigger> &triggers) {
    for (const auto &given : triggers) {
        switch (given.type) {
            case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN: tokens_.push_back(given.token); break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_WORD:
                if (given.value.empty()) break;
                if (given.value.size() > maximum_word_bytes) {
                    throw invalid_call(
                        "the chat template begins tool calls with more than 1024 bytes");
                }
                reach_ = std::max(reach_, given.value.size() - 1);
                triggers_.push_back({given.value, {}});
                break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN: add_pattern(given.value); break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL:
                add_pattern("^(?:" + given.value + ")$");
                break;
        }
    }
}

void trigger_watch::add_pattern(const std::string &pattern) {
    reach_ = std::max(reach_, pattern_reach);
    triggers_.push_back({{}, std::regex(pattern)});
}

std::optional<trigger_watch::match> trigger_watch::receive(
    llama_token token, const std::string &piece) {
    if (std::find(tokens_.begin(), tokens_.end(), token) != tokens_.end()) {
        return match{{token}, 0};
    }
    tail_ += piece;
    kept_.push_back({token, piece.size()});
    for (const auto &trigger : triggers_) {
        const size_t start = start_of(trigger, piece.size());
        if (start != std::string::npos) return match_from(start);
    }
    forget_beginning();
    return std::nullopt;
}

void trigger_watch::reset() {
    tail_.clear();
    kept_.clear();
    is_cut_ = false;
}

// Where the grammar begins to read if the tail, whose last bytes are fresh, has a match.
size_t trigger_watch::start_of(const trigger &trigger, size_t fresh) const {
    if (!trigger.word.empty()) {
        const size_t back = std::min(tail_.size(), fresh + trigger.word.size() - 1);
        return tail_.find(trigger.word, tail_.size() - back);
    }
    // No text begins where some was before it.
    const auto flags = is_cut_ ? std::regex_constants::match_not_bol
                               : std::regex_constants::match_default;
    std::smatch found;
    if (!std::regex_search(tail_, found, trigger.pattern, flags)) return std::string::npos;
    // What a group holds is for the grammar, and what is before it is not.
    for (size_t group = 1; group < found.size(); group++) {
        if (found.length(group) > 0) return static_cast<size_t>(found.position(group));
    }
    return static_cast<size_t>(found.position(0));
}

trigger_watch::match trigger_watch::match_from(size_t start) const {
    match made;
    size_t end = 0;
    for (const auto &kept : kept_) {
        end += kept.size;
        if (end <= start) continue;
        if (made.tokens.empty()) made.skipped = start - (end - kept.size);
        made.tokens.push_back(kept.token);
    }
    return made;
}

void trigger_watch::forget_beginning() {
    size_t size = 0;
    while (!kept_.empty() && tail_.size() - size - kept_.front().size >= reach_) {
        size += kept_.front().size;
        kept_.pop_front();
    }
    if (size > 0) is_cut_ = true;
    tail_.erase(0, size);
}
