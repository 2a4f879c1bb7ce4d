// Limits on what clients send before it reaches parsers that recurse.
#include "engine.hpp"

namespace {

constexpr size_t maximum_depth = 128;
constexpr size_t maximum_grammar_bytes = 256 * 1024;

[[noreturn]] void refuse_depth(const char *name) {
    throw invalid_call(
        std::string(name) + " is nested deeper than " + std::to_string(maximum_depth) + " levels");
}

[[noreturn]] void refuse_size(const char *name, size_t limit) {
    throw invalid_call(
        std::string(name) + " is larger than " + std::to_string(limit) + " bytes");
}

// Where a quoted part that begins at `start` ends: behind its closing character.
size_t end_of_quoted(std::string_view text, size_t start, char closing) {
    size_t index = start + 1;
    while (index < text.size() && text[index] != closing) index += text[index] == '\\' ? 2 : 1;
    return index + 1;
}

}  // namespace

void require_bounded_json(std::string_view text, size_t limit, const char *name) {
    if (text.size() > limit) refuse_size(name, limit);
    size_t depth = 0;
    for (size_t index = 0; index < text.size();) {
        const char character = text[index];
        if (character == '"') {
            index = end_of_quoted(text, index, '"');
            continue;
        }
        if (character == '{' || character == '[') depth++;
        if ((character == '}' || character == ']') && depth > 0) depth--;
        if (depth > maximum_depth) refuse_depth(name);
        index++;
    }
}

void require_bounded_grammar(std::string_view text) {
    if (text.size() > maximum_grammar_bytes) refuse_size("the grammar", maximum_grammar_bytes);
    if (text.find('\0') != std::string_view::npos) throw invalid_call("the grammar has a zero byte");
    size_t depth = 0;
    for (size_t index = 0; index < text.size();) {
        const char character = text[index];
        if (character == '"' || character == '[') {
            index = end_of_quoted(text, index, character == '"' ? '"' : ']');
            continue;
        }
        if (character == '#') {
            index = text.find('\n', index);
            if (index == std::string_view::npos) return;
        }
        if (character == '(') depth++;
        if (character == ')' && depth > 0) depth--;
        if (depth > maximum_depth) refuse_depth("the grammar");
        index++;
    }
}
