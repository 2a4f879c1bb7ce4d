// From generated text to the assistant's message.
#include "engine.hpp"

struct martlet_llama_message {
    std::string content;
    std::string thoughts;
    std::vector<common_chat_tool_call> calls;
};

namespace {

void read(
    const martlet_llama_chat &chat, const std::string &text, bool is_partial,
    martlet_llama_message &message) {
    if (chat.is_plain) {
        message.content = text;
        return;
    }
    auto read = common_chat_parse(text, is_partial, chat.reading);
    message.content =
        read.content_parts.empty() ? std::move(read.content) : read.render_content();
    message.thoughts = std::move(read.reasoning_content);
    message.calls = std::move(read.tool_calls);
}

int32_t chat_parse(
    const martlet_llama_chat *chat, martlet_llama_text text, bool is_partial,
    martlet_llama_message **result, martlet_llama_error *error) {
    *result = nullptr;
    return guarded(error, [&]() -> int32_t {
        auto message = std::make_unique<martlet_llama_message>();
        const auto whole = string_of(text);
        const auto parts = split_thoughts(whole, chat->thoughts, is_partial);
        // Thoughts alone are no answer, of whatever form.
        const bool has_rest = parts.has_rest && (!parts.rest.empty() || parts.thoughts.empty());
        if (has_rest) read(*chat, std::string(parts.rest), is_partial, *message);
        if (!parts.thoughts.empty()) message->thoughts = parts.thoughts;
        *result = message.release();
        return MARTLET_LLAMA_OK;
    });
}

void message_free(martlet_llama_message *message) {
    delete message;
}

martlet_llama_text message_content(const martlet_llama_message *message) {
    return text_of(message->content);
}

martlet_llama_text message_thoughts(const martlet_llama_message *message) {
    return text_of(message->thoughts);
}

size_t message_call_count(const martlet_llama_message *message) {
    return message->calls.size();
}

martlet_llama_tool_call message_call(const martlet_llama_message *message, size_t index) {
    if (index >= message->calls.size()) return {};
    const auto &call = message->calls[index];
    return {text_of(call.name), text_of(call.arguments), text_of(call.id)};
}

}  // namespace

void add_message_functions(martlet_llama &table) {
    table.chat_parse = chat_parse;
    table.message_free = message_free;
    table.message_content = message_content;
    table.message_thoughts = message_thoughts;
    table.message_call_count = message_call_count;
    table.message_call = message_call;
}
