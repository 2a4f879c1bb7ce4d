// Telling thoughts apart where llama.cpp finds no sign of them in the chat template: it looks for
// what the template writes around thoughts of earlier answers, and many drop these.
#include "engine.hpp"

namespace {

constexpr std::string_view opening_tag = "<think>";
constexpr std::string_view closing_tag = "</think>";
constexpr std::string_view spaces = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    const auto start = text.find_first_not_of(spaces);
    if (start == std::string_view::npos) return {};
    return text.substr(start, text.find_last_not_of(spaces) + 1 - start);
}

bool begins(std::string_view text, std::string_view beginning) {
    return text.substr(0, beginning.size()) == beginning;
}

// The text without an end of it that may become the tag.
std::string_view without_begun(std::string_view text, std::string_view tag) {
    for (size_t count = std::min(text.size(), tag.size() - 1); count > 0; count--) {
        if (begins(tag, text.substr(text.size() - count))) {
            return text.substr(0, text.size() - count);
        }
    }
    return text;
}

thought_form form_of_thoughts(const common_chat_params &chat, std::string_view source) {
    const bool is_known = chat.supports_thinking && !chat.thinking_end_tags.empty();
    if (is_known || source.find(opening_tag) == std::string_view::npos) return thought_form::none;
    const auto open = chat.generation_prompt.rfind(opening_tag);
    const auto closed = chat.generation_prompt.rfind(closing_tag);
    if (open == std::string::npos) return thought_form::may_come;
    // A prompt that closes them at once asks for none.
    return closed == std::string::npos || closed < open ? thought_form::begun
                                                        : thought_form::none;
}

}  // namespace

void find_thoughts(martlet_llama_chat &chat, std::string_view source) {
    chat.thoughts = form_of_thoughts(chat.parameters, source);
    if (chat.thoughts == thought_form::none) return;
    // Where they are special tokens their names would not be in the text.
    for (const auto tag : {opening_tag, closing_tag}) {
        chat.parameters.preserved_tokens.emplace_back(tag);
    }
}

split_answer split_thoughts(std::string_view text, thought_form form, bool is_partial) {
    if (form == thought_form::none) return {{}, text, true};
    const auto start = std::min(text.find_first_not_of(spaces), text.size());
    auto thoughts = text.substr(start);
    if (begins(thoughts, opening_tag)) {
        thoughts.remove_prefix(opening_tag.size());
    } else if (is_partial && begins(opening_tag, thoughts)) {
        return {{}, {}, false};
    } else if (form == thought_form::may_come) {
        return {{}, text, true};
    }
    const auto end = thoughts.find(closing_tag);
    if (end == std::string_view::npos) {
        if (is_partial) thoughts = without_begun(thoughts, closing_tag);
        return {trimmed(thoughts), {}, false};
    }
    auto rest = thoughts.substr(end + closing_tag.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(spaces), rest.size()));
    return {trimmed(thoughts.substr(0, end)), rest, true};
}
