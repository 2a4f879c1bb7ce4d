// From a chat's messages to a prompt, by the model's own template.
#include "engine.hpp"

#include "json-schema-to-grammar.h"

#include <cstdlib>

namespace {

constexpr size_t maximum_message_bytes = 32 << 20;
constexpr size_t maximum_tool_bytes = 1 << 20;
constexpr size_t maximum_schema_bytes = 256 << 10;
constexpr size_t maximum_template_bytes = 1 << 20;

uint32_t chat_capabilities(martlet_llama_model *model) {
    return guarded_or(uint32_t{0}, [&]() -> uint32_t {
        if (!model->templates) return 0;
        const auto *templates = model->templates.get();
        auto known = common_chat_templates_get_caps(templates);
        uint32_t bits = 0;
        if (known["supports_tools"]) bits |= MARTLET_LLAMA_CAN_TOOLS;
        if (known["supports_tool_calls"]) bits |= MARTLET_LLAMA_CAN_TOOL_CALLS;
        if (known["supports_system_role"]) bits |= MARTLET_LLAMA_CAN_SYSTEM;
        if (known["supports_parallel_tool_calls"]) bits |= MARTLET_LLAMA_CAN_PARALLEL_CALLS;
        if (model->thinks) bits |= MARTLET_LLAMA_CAN_THINK;
        if (common_chat_templates_was_explicit(templates)) bits |= MARTLET_LLAMA_HAS_TEMPLATE;
        return bits;
    });
}

martlet_llama_text chat_template(const martlet_llama_model *model) {
    const char *source = llama_model_chat_template(model->model, nullptr);
    return source == nullptr ? martlet_llama_text{} : martlet_llama_text{source, strlen(source)};
}

common_json parsed(martlet_llama_text text, size_t limit, const char *name) {
    require_bounded_json({text.bytes == nullptr ? "" : text.bytes, text.count}, limit, name);
    return common_json::parse(string_of(text));
}

void read_tools(const martlet_llama_chat_request &request, common_chat_templates_inputs &inputs) {
    if (request.tools.count == 0) return;
    inputs.tools = common_chat_tools_parse_oaicompat(
        parsed(request.tools, maximum_tool_bytes, "the list of tools"));
    if (request.tool_choice.count > 0) {
        inputs.tool_choice =
            common_chat_tool_choice_parse_oaicompat(string_of(request.tool_choice));
    }
    // Tools that may not be called are not shown either.
    if (inputs.tool_choice == COMMON_CHAT_TOOL_CHOICE_NONE) inputs.tools.clear();
}

void read_variables(
    const martlet_llama_chat_request &request, common_chat_templates_inputs &inputs) {
    if (request.variables.count == 0) return;
    const auto variables = parsed(request.variables, maximum_tool_bytes, "the variables");
    if (!variables.is_object()) throw invalid_call("the variables are no JSON object");
    for (const auto &item : variables.items()) {
        inputs.chat_template_kwargs[item.key()] = item.value().dump();
    }
}

void read_continuation(
    const martlet_llama_chat_request &request, common_chat_templates_inputs &inputs) {
    inputs.add_generation_prompt = request.opens_answer && !request.continues_answer;
    if (!request.continues_answer) return;
    const bool can_go_on = !inputs.messages.empty() &&
        inputs.messages.back().role == "assistant" && inputs.messages.back().tool_calls.empty();
    if (!can_go_on) throw invalid_call("the last message is no answer that can be gone on with");
    inputs.continue_final_message = COMMON_CHAT_CONTINUATION_AUTO;
}

common_chat_templates_inputs read_request(const martlet_llama_chat_request &request) {
    common_chat_templates_inputs inputs;
    inputs.messages = common_chat_msgs_parse_oaicompat(
        parsed(request.messages, maximum_message_bytes, "the list of messages"));
    if (inputs.messages.empty()) throw invalid_call("the list of messages is empty");
    read_tools(request, inputs);
    read_variables(request, inputs);
    read_continuation(request, inputs);
    if (request.schema.count > 0) {
        inputs.json_schema = parsed(request.schema, maximum_schema_bytes, "the schema").dump();
    }
    inputs.parallel_tool_calls = request.allows_parallel_calls;
    inputs.enable_thinking = request.allows_thinking;
    inputs.reasoning_format =
        request.splits_thoughts ? COMMON_REASONING_FORMAT_DEEPSEEK : COMMON_REASONING_FORMAT_NONE;
    inputs.now = std::chrono::system_clock::from_time_t(request.now);
    return inputs;
}

// Without tools and thoughts there is nothing to find in an answer. Working out how to find it
// renders the template a dozen times, so it is left out.
bool is_plain(
    const martlet_llama_model &model, const martlet_llama_chat_request &request,
    const common_chat_templates_inputs &inputs) {
    return request.template_source.count == 0 && inputs.tools.empty() &&
        !(model.thinks && request.splits_thoughts) && !request.continues_answer;
}

std::string grammar_of(const std::string &schema) {
    const auto grammar = json_schema_to_grammar(common_json::parse(schema), true);
    require_bounded_grammar(grammar);
    return grammar;
}

void render(
    const martlet_llama_model &model, const martlet_llama_chat_request &request,
    martlet_llama_chat &chat) {
    auto inputs = read_request(request);
    const template_watch watch;
    const auto *templates = model.templates.get();
    common_chat_templates_ptr own;
    if (request.template_source.count > 0) {
        if (request.template_source.count > maximum_template_bytes) {
            throw invalid_call("the template is larger than 1 MiB");
        }
        own = common_chat_templates_init(model.model, string_of(request.template_source));
        templates = own.get();
    }
    if (templates == nullptr) {
        throw invalid_call("the model's chat template cannot be read: " + model.template_fault);
    }
    chat.is_plain = is_plain(model, request, inputs);
    const auto schema = inputs.json_schema;
    if (chat.is_plain) {
        inputs.force_pure_content = true;
        inputs.json_schema.clear();
    }
    chat.parameters = common_chat_templates_apply(templates, inputs);
    // A schema holds the answer from its first token, and what goes on has thought before.
    if (request.splits_thoughts && schema.empty() && !request.continues_answer) {
        find_thoughts(chat, common_chat_templates_source(templates));
    }
    if (chat.is_plain) {
        if (!schema.empty()) chat.parameters.grammar = grammar_of(schema);
        return;
    }
    chat.reading = common_chat_parser_params(chat.parameters);
    chat.reading.reasoning_format = inputs.reasoning_format;
    chat.reading.parse_tool_calls = !inputs.tools.empty();
    chat.reading.is_continuation = request.continues_answer;
    if (!chat.parameters.parser.empty()) chat.reading.parser.load(chat.parameters.parser);
}

// Rendering takes the model's beginning away from the text, as whoever tokenises it is to add it.
// Here the prompt is all that the model reads.
void put_beginning_back(const martlet_llama_model &model, std::string &prompt) {
    const auto token = llama_vocab_bos(model.vocabulary);
    if (!llama_vocab_get_add_bos(model.vocabulary) || token == LLAMA_TOKEN_NULL) return;
    const std::string beginning = llama_vocab_get_text(model.vocabulary, token);
    if (prompt.compare(0, beginning.size(), beginning) != 0) prompt.insert(0, beginning);
}

// What a template says by raise_exception stands last, behind an excerpt of its source that may
// leave it no room.
std::string rendering_fault(const std::exception &thrown) {
    constexpr std::string_view mark = "Jinja Exception: ";
    std::string text = thrown.what();
    const auto place = text.rfind(mark);
    if (place == std::string::npos) return text;
    text.erase(0, place + mark.size());
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return "the model's chat template refuses it: " + text;
}

// The request is to blame for what goes wrong in rendering.
template <typename Body>
int32_t guarded_request(martlet_llama_error *error, Body body) {
    return guarded(error, [&]() -> int32_t {
        try {
            return body();
        } catch (const std::bad_alloc &) {
            throw;
        } catch (const std::exception &thrown) {
            return fail(error, MARTLET_LLAMA_INVALID, rendering_fault(thrown).c_str());
        }
    });
}

int32_t chat_render(
    martlet_llama_model *model, const martlet_llama_chat_request *request,
    martlet_llama_chat **result, martlet_llama_error *error) {
    *result = nullptr;
    return guarded_request(error, [&]() -> int32_t {
        auto chat = std::make_unique<martlet_llama_chat>();
        render(*model, *request, *chat);
        put_beginning_back(*model, chat->parameters.prompt);
        *result = chat.release();
        return MARTLET_LLAMA_OK;
    });
}

void chat_free(martlet_llama_chat *chat) {
    delete chat;
}

martlet_llama_text chat_text(const martlet_llama_chat *chat, int32_t which) {
    const auto &parameters = chat->parameters;
    switch (which) {
        case MARTLET_LLAMA_CHAT_PROMPT: return text_of(parameters.prompt);
        case MARTLET_LLAMA_CHAT_GRAMMAR: return text_of(parameters.grammar);
        case MARTLET_LLAMA_CHAT_OPENING: return text_of(parameters.generation_prompt);
        case MARTLET_LLAMA_CHAT_FORMAT: {
            const char *name = common_chat_format_name(parameters.format);
            return {name, strlen(name)};
        }
        default: return {};
    }
}

const std::vector<std::string> *chat_list(const martlet_llama_chat *chat, int32_t list) {
    switch (list) {
        case MARTLET_LLAMA_CHAT_STOPS: return &chat->parameters.additional_stops;
        case MARTLET_LLAMA_CHAT_KEPT_TOKENS: return &chat->parameters.preserved_tokens;
        default: return nullptr;
    }
}

size_t chat_count(const martlet_llama_chat *chat, int32_t list) {
    const auto *texts = chat_list(chat, list);
    return texts == nullptr ? 0 : texts->size();
}

martlet_llama_text chat_item(const martlet_llama_chat *chat, int32_t list, size_t index) {
    const auto *texts = chat_list(chat, list);
    if (texts == nullptr || index >= texts->size()) return {};
    return text_of((*texts)[index]);
}

bool chat_grammar_is_lazy(const martlet_llama_chat *chat) {
    return chat->parameters.grammar_lazy;
}

bool chat_is_plain(const martlet_llama_chat *chat) {
    return chat->is_plain && chat->thoughts == thought_form::none;
}

int32_t schema_grammar(martlet_llama_text schema, char **result, martlet_llama_error *error) {
    *result = nullptr;
    return guarded_request(error, [&]() -> int32_t {
        const auto text = parsed(schema, maximum_schema_bytes, "the schema").dump();
        *result = strdup(grammar_of(text).c_str());
        if (*result == nullptr) throw std::bad_alloc();
        return MARTLET_LLAMA_OK;
    });
}

void text_free(char *text) {
    std::free(text);
}

}  // namespace

void add_chat_functions(martlet_llama &table) {
    table.chat_capabilities = chat_capabilities;
    table.chat_template = chat_template;
    table.chat_render = chat_render;
    table.chat_free = chat_free;
    table.chat_text = chat_text;
    table.chat_count = chat_count;
    table.chat_item = chat_item;
    table.chat_grammar_is_lazy = chat_grammar_is_lazy;
    table.chat_is_plain = chat_is_plain;
    table.schema_grammar = schema_grammar;
    table.text_free = text_free;
}
