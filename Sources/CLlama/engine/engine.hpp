// What the files of the engine share.
#pragma once

#include "martlet_llama.h"

#include "chat.h"
#include "llama.h"

#include <atomic>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// What a call refuses because of its arguments.
struct invalid_call : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

struct martlet_llama_model {
    llama_model *model = nullptr;
    const llama_vocab *vocabulary = nullptr;
    /// Parsed once; rendering does not change them.
    common_chat_templates_ptr templates;
    /// Why there are none.
    std::string template_fault;
    /// Whether answers may begin with thoughts.
    bool thinks = false;
    /// It has neither weights nor a shape.
    bool is_vocabulary_only = false;

    ~martlet_llama_model();
};

struct martlet_llama_adapter {
    martlet_llama_model *owner = nullptr;
    llama_adapter_lora *adapter = nullptr;
};

struct martlet_llama_context {
    martlet_llama_model *owner = nullptr;
    llama_context *context = nullptr;
    /// NULL for models without a decoder.
    llama_memory_t memory = nullptr;
    std::atomic<bool> is_cancelled{false};
    bool gives_embeddings = false;
    bool is_unified = false;
    bool is_causal = true;
    uint32_t batch = 0;
    uint32_t micro_batch = 0;
    /// Sequences that can be decoded, and those that can hold cells.
    uint32_t sequences = 0;
    uint32_t slots = 0;
    uint32_t outputs = 0;
    /// The batch that is handed to the engine, filled anew for each decode.
    llama_batch tokens = {};
    /// Of the last decode that succeeded: which tokens have an output.
    std::vector<int8_t> has_output;

    ~martlet_llama_context();
};

/// Where thoughts between tags stand that llama.cpp does not tell apart.
enum class thought_form {
    /// There are none, or it does.
    none,
    /// The answer may begin with them.
    may_come,
    /// The prompt has begun them.
    begun,
};

/// How an answer's text begins, and what follows.
struct split_answer {
    std::string_view thoughts;
    std::string_view rest;
    /// The thoughts have ended, if there were any.
    bool has_rest;
};

struct martlet_llama_chat {
    common_chat_params parameters;
    /// How the answer is read; of no use if it is plain.
    common_chat_parser_params reading;
    /// Behind the thoughts the answer is its own text, with neither calls nor thoughts to be found
    /// in it.
    bool is_plain = false;
    thought_form thoughts = thought_form::none;
};

/// Notes where thoughts stand in the answer to a rendered chat whose template has this source.
void find_thoughts(martlet_llama_chat &, std::string_view source);
/// Takes the thoughts off a text. More of a partial text changes nothing of what was taken.
split_answer split_thoughts(std::string_view text, thought_form, bool is_partial);

inline void write_error(martlet_llama_error *error, const char *text) {
    if (error == nullptr) return;
    std::strncpy(error->message, text, sizeof error->message - 1);
    error->message[sizeof error->message - 1] = '\0';
}

inline int32_t fail(martlet_llama_error *error, int32_t status, const char *text) {
    write_error(error, text);
    return status;
}

/// Runs a call so that no exception leaves it.
template <typename Body>
int32_t guarded(martlet_llama_error *error, Body body) noexcept {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return fail(error, MARTLET_LLAMA_FAILED, "out of memory");
    } catch (const std::invalid_argument &thrown) {
        return fail(error, MARTLET_LLAMA_INVALID, thrown.what());
    } catch (const std::exception &thrown) {
        return fail(error, MARTLET_LLAMA_FAILED, thrown.what());
    } catch (...) {
        return fail(error, MARTLET_LLAMA_FAILED, "unknown exception");
    }
}

/// The same for calls whose answer says whether they failed.
template <typename Value, typename Body>
Value guarded_or(Value failed, Body body) noexcept {
    try {
        return body();
    } catch (...) {
        return failed;
    }
}

inline std::string string_of(martlet_llama_text text) {
    return text.bytes == nullptr ? std::string() : std::string(text.bytes, text.count);
}

inline martlet_llama_text text_of(const std::string &text) {
    return {text.data(), text.size()};
}

/// Copies as much as fits and returns the whole length.
inline size_t copy_out(std::string_view text, char *buffer, size_t capacity) {
    if (buffer != nullptr) std::memcpy(buffer, text.data(), std::min(capacity, text.size()));
    return text.size();
}

inline bool is_token(const martlet_llama_model *model, int32_t token) {
    return token >= 0 && token < llama_vocab_n_tokens(model->vocabulary);
}

/// Whether its tokens stand for text: the engine ends the process for what asks one without.
inline bool has_text(const martlet_llama_model *model) {
    return llama_vocab_type(model->vocabulary) != LLAMA_VOCAB_TYPE_NONE;
}

/// The scores of an output of the last batch; NULL if it was not wanted.
const float *output_scores(martlet_llama_context *, size_t index);
/// The first place of the largest score, or -1 if all are no numbers.
int32_t index_of_maximum(const float *scores, size_t count);

/// What the engine logs as an error on this thread, collected while one of these lives: most
/// functions of llama.cpp say only there why they failed.
class error_watch {
public:
    error_watch();
    ~error_watch();
    error_watch(const error_watch &) = delete;

    /// The first error, or `otherwise`.
    std::string reason(const char *otherwise) const;
    void add(const char *text);

private:
    std::string first_;
    error_watch *outer_;
};

/// While one of these lives, chat templates that this thread renders are bounded in time and
/// memory: beyond, rendering throws.
class template_watch {
public:
    template_watch();
    ~template_watch();
    template_watch(const template_watch &) = delete;
};

/// Called with each line that this thread logs, while set; may throw.
extern thread_local void (*line_watcher)(const char *text, void *context);
extern thread_local void *line_watcher_context;

/// Refuses JSON that is too large or too deep for parsers that recurse.
void require_bounded_json(std::string_view text, size_t limit, const char *name);
/// Refuses a grammar that is too large or too deep.
void require_bounded_grammar(std::string_view text);

/// Each file's part of the table of functions.
void add_model_functions(martlet_llama &);
void add_vocabulary_functions(martlet_llama &);
void add_context_functions(martlet_llama &);
void add_memory_functions(martlet_llama &);
void add_output_functions(martlet_llama &);
void add_sampler_functions(martlet_llama &);
void add_chat_functions(martlet_llama &);
void add_message_functions(martlet_llama &);
void add_adapter_functions(martlet_llama &);
void add_remote_functions(martlet_llama &);
void add_quantize_functions(martlet_llama &);
