#pragma once

// What Martlet uses of llama.cpp, behind a C interface of our own.
//
// llama.cpp's own interface changes with each release, parts of it are C++, and a call that breaks
// its contract ends the process. The library libmartlet_llama, built by `scripts/setup.sh llama`
// from ../engine against the headers of the pinned release, checks what it is given, keeps C++
// exceptions inside, and hands out one table of functions. It is opened at run time, never linked:
// a gateway must run where it is not installed.
//
// Functions that can fail return a MARTLET_LLAMA_... status and write the reason to `error`, which
// may be NULL. A model may be used by several threads at once. A context, and what is sampled from
// it, belongs to one thread at a time; context_cancel alone may be called from any.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Changes whenever something in this file does.
enum { MARTLET_LLAMA_ABI = 4 };

enum {
    MARTLET_LLAMA_OK = 0,
    /// The arguments break a rule of the call; nothing was done.
    MARTLET_LLAMA_INVALID = 1,
    /// No room for the batch in the context's memory; nothing was done.
    MARTLET_LLAMA_FULL = 2,
    /// Cancelled; what was computed before stays.
    MARTLET_LLAMA_CANCELLED = 3,
    /// The engine failed, for instance for want of memory.
    MARTLET_LLAMA_FAILED = 4,
};

/// Why a call failed, in UTF-8, cut to the size.
typedef struct martlet_llama_error {
    char message[512];
} martlet_llama_error;

typedef struct martlet_llama_model martlet_llama_model;
typedef struct martlet_llama_context martlet_llama_context;
typedef struct martlet_llama_sampler martlet_llama_sampler;
typedef struct martlet_llama_adapter martlet_llama_adapter;
/// A rendered chat: the prompt, and how the answer to it is held to a form and read.
typedef struct martlet_llama_chat martlet_llama_chat;
/// The assistant's message as read from generated text.
typedef struct martlet_llama_message martlet_llama_message;

/// Bytes that are owned elsewhere; not ended by a zero.
typedef struct martlet_llama_text {
    const char *bytes;
    size_t count;
} martlet_llama_text;

/// `level`: 1 for details, 2 information, 3 warning, 4 error. The text is one whole line or more.
typedef void (*martlet_llama_log)(int32_t level, const char *text, void *context);

/// Told how far something is, from 0 to 1. Returning false ends it.
typedef bool (*martlet_llama_progress)(float done, void *context);

typedef struct martlet_llama_model_parameters {
    /// Layers that run on the GPU: 0 for none, negative for all.
    int32_t gpu_layers;
    /// 0: one GPU; 1: whole layers to each GPU; 2: rows of each layer.
    int32_t split_mode;
    int32_t main_gpu;
    /// The share of each device, if `split_count` is not 0.
    const float *split;
    size_t split_count;
    /// Maps the file instead of reading it: a file that is cut short then ends the process.
    bool maps_file;
    bool locks_memory;
    /// Reads the vocabulary and templates only.
    bool vocabulary_only;
    /// Checks every tensor's numbers while loading.
    bool checks_tensors;
    martlet_llama_progress progress;
    void *progress_context;
} martlet_llama_model_parameters;

/// What a model is. Tokens are -1 where it has none.
typedef struct martlet_llama_model_info {
    int32_t vocabulary_size;
    int32_t training_context;
    int32_t embedding_size;
    int32_t layers;
    int32_t heads;
    int32_t kv_heads;
    /// Tokens that a layer with a sliding window sees; 0 without one.
    int32_t sliding_window;
    /// Numbers that a model with a classifier gives, for ranking.
    int32_t classes;
    uint64_t parameter_count;
    uint64_t byte_count;
    /// The number of the file's type, as model_quantize takes it.
    int32_t file_type;
    bool has_encoder;
    bool has_decoder;
    /// Its memory is one state, from whose end nothing can be taken away.
    bool is_recurrent;
    bool is_hybrid;
    int32_t bos, eos, eot, separator, newline, padding;
    int32_t fill_prefix, fill_suffix, fill_middle;
    bool adds_bos, adds_eos;
} martlet_llama_model_info;

typedef struct martlet_llama_context_parameters {
    /// Cells of KV memory, of all sequences together.
    uint32_t cells;
    /// Most tokens of one decode.
    uint32_t batch;
    /// Most tokens that are computed at once.
    uint32_t micro_batch;
    /// Most sequences that are decoded. With unified memory each may use all cells, else each has
    /// its equal part.
    uint32_t sequences;
    /// One memory for all sequences, so that they can share cells.
    bool is_unified;
    /// Most outputs of a decode; 0 for as many as tokens.
    uint32_t outputs;
    /// Threads of a decode of one token, and of more.
    int32_t threads;
    int32_t batch_threads;
    /// -1: where it can; 0: no; 1: yes.
    int32_t flash_attention;
    /// Gives embeddings, of the kind `pooling` says, instead of logits.
    bool gives_embeddings;
    /// -1: the model's; 0: none; 1: mean; 2: first token; 3: last token; 4: rank.
    int32_t pooling;
    /// Bits of a KV number: 16, 8 or 4; the last two need flash attention. 0 for 16.
    int32_t key_bits;
    int32_t value_bits;
    /// KV memory of layers that are on the GPU stands there.
    bool offloads_memory;
    /// Keeps all cells of layers with a sliding window, so that prefixes can be used again.
    bool keeps_full_window;
} martlet_llama_context_parameters;

/// What a context has, which may be more or less than was asked for.
typedef struct martlet_llama_context_info {
    uint32_t cells;
    /// Most tokens of one sequence.
    uint32_t sequence_cells;
    uint32_t batch;
    uint32_t micro_batch;
    /// Sequences that are decoded have numbers below this.
    uint32_t sequences;
    /// Sequences that only hold cells, such as a prefix for others, have numbers below this.
    uint32_t slots;
    uint32_t outputs;
    int32_t pooling;
    /// Floats of an embedding, or of a rank.
    int32_t embedding_size;
    bool is_unified;
    bool can_shift;
    /// Bytes of the model's weights, of KV memory, and of buffers for computing.
    uint64_t model_bytes;
    uint64_t memory_bytes;
    uint64_t compute_bytes;
} martlet_llama_context_info;

/// A token of a batch: where it stands, whose it is, and whether its output is wanted.
typedef struct martlet_llama_token {
    int32_t token;
    int32_t position;
    int32_t sequence;
    int32_t wants_output;
} martlet_llama_token;

/// Milliseconds and tokens since the context was made or reset_performance called.
typedef struct martlet_llama_performance {
    double load_milliseconds;
    double prompt_milliseconds;
    double decode_milliseconds;
    int32_t prompt_tokens;
    int32_t decoded_tokens;
    int32_t reused_graphs;
} martlet_llama_performance;

typedef struct martlet_llama_bias {
    int32_t token;
    float bias;
} martlet_llama_bias;

/// Steps run in this order: bias, penalties, DRY, top n sigma, top k, typical, top p, min p, XTC,
/// temperature. A value at which a step does nothing is named with it.
typedef struct martlet_llama_sampler_parameters {
    /// 0: the likeliest token.
    float temperature;
    /// 0: all.
    int32_t top_k;
    /// 1: all.
    float top_p;
    /// 0: all.
    float min_p;
    /// 1: all.
    float typical_p;
    /// 0 or less: all.
    float top_n_sigma;
    /// 0: never.
    float xtc_probability;
    float xtc_threshold;
    uint32_t seed;
    /// Tokens looked back at; 0 for none.
    int32_t penalty_window;
    /// 1: none.
    float repeat_penalty;
    /// 0: none.
    float frequency_penalty;
    float presence_penalty;
    /// 0: none.
    float dry_multiplier;
    float dry_base;
    int32_t dry_allowed_length;
    int32_t dry_window;
    /// 0: none; else version 1 or 2, in place of all steps between penalties and temperature.
    int32_t mirostat;
    float mirostat_tau;
    float mirostat_eta;
    const martlet_llama_bias *biases;
    size_t bias_count;
    /// A grammar in GBNF that the text must follow, if `count` is not 0.
    martlet_llama_text grammar;
    /// Takes the grammar of a rendered chat instead, with what sets it off; may be NULL.
    const martlet_llama_chat *chat;
} martlet_llama_sampler_parameters;

typedef struct martlet_llama_chat_request {
    /// Messages, and tools or nothing, as JSON arrays in the form of OpenAI's API.
    martlet_llama_text messages;
    martlet_llama_text tools;
    /// `auto`, `none` or `required`; nothing stands for `auto`.
    martlet_llama_text tool_choice;
    /// A JSON schema that the answer must follow, or nothing.
    martlet_llama_text schema;
    /// A template in place of the model's own, or nothing.
    martlet_llama_text template_source;
    /// A JSON object of further variables of the template, or nothing.
    martlet_llama_text variables;
    /// Seconds since 1970 that templates are told.
    int64_t now;
    /// Ends the prompt where the assistant's answer begins.
    bool opens_answer;
    /// Goes on with the last message, which is the assistant's.
    bool continues_answer;
    bool allows_parallel_calls;
    /// Lets a model think that can, and splits its thoughts from the answer.
    bool allows_thinking;
    bool splits_thoughts;
} martlet_llama_chat_request;

/// Texts of a rendered chat.
enum {
    MARTLET_LLAMA_CHAT_PROMPT = 0,
    MARTLET_LLAMA_CHAT_GRAMMAR = 1,
    /// The end of the prompt that belongs to the answer.
    MARTLET_LLAMA_CHAT_OPENING = 2,
    MARTLET_LLAMA_CHAT_FORMAT = 3,
};

/// Lists of a rendered chat.
enum {
    /// Texts that end the answer, beside the model's own.
    MARTLET_LLAMA_CHAT_STOPS = 0,
    /// Special tokens that must be kept in the generated text for it to be read.
    MARTLET_LLAMA_CHAT_KEPT_TOKENS = 1,
};

/// What a model's template can do, as bits.
enum {
    MARTLET_LLAMA_CAN_TOOLS = 1,
    MARTLET_LLAMA_CAN_TOOL_CALLS = 2,
    MARTLET_LLAMA_CAN_SYSTEM = 4,
    MARTLET_LLAMA_CAN_PARALLEL_CALLS = 8,
    MARTLET_LLAMA_CAN_THINK = 16,
    /// The template is the model's own and not a stand-in.
    MARTLET_LLAMA_HAS_TEMPLATE = 32,
};

typedef struct martlet_llama_tool_call {
    martlet_llama_text name;
    /// A JSON object, or the beginning of one if the text is.
    martlet_llama_text arguments;
    martlet_llama_text id;
} martlet_llama_tool_call;

typedef struct martlet_llama_quantization {
    /// The number of the type to make: see llama.h's list of llama_ftype.
    int32_t file_type;
    /// 0 for one per core.
    int32_t threads;
    /// Takes a file that is quantised already, which loses more than from its original.
    bool allows_requantizing;
    /// All tensors in the one type.
    bool is_pure;
    martlet_llama_progress progress;
    void *progress_context;
} martlet_llama_quantization;

typedef struct martlet_llama_device {
    char name[64];
    char description[128];
    /// 0: processor; 1: GPU; 2: GPU of the processor; 3: something that speeds another up.
    int32_t kind;
    uint64_t free_bytes;
    uint64_t total_bytes;
} martlet_llama_device;

/// The functions of one opened library.
typedef struct martlet_llama {
    // The library.

    /// The version of llama.cpp, such as `0.5.0`.
    const char *(*version)(void);
    /// What the processor has that the library uses, in one line.
    const char *(*system_info)(void);
    /// All that the engine says goes there; NULL for nowhere. Set it before anything is loaded.
    void (*set_log)(martlet_llama_log, void *context);
    bool (*can_use_gpu)(void);
    /// Fills at most `capacity` devices; returns how many there are.
    size_t (*devices)(martlet_llama_device *, size_t capacity);
    /// Adds the devices of an RPC server, `HOST:PORT`. The protocol has no authentication.
    int32_t (*add_remote_devices)(const char *endpoint, martlet_llama_error *);
    /// Lets other machines compute here, one at a time, at `endpoint`, an IPv4 address and a port.
    /// Returns only if it fails.
    int32_t (*serve_devices)(const char *endpoint, int32_t threads, martlet_llama_error *);

    // Models.

    martlet_llama_model_parameters (*model_defaults)(void);
    int32_t (*model_load)(
        const char *path, const martlet_llama_model_parameters *, martlet_llama_model **,
        martlet_llama_error *);
    /// Contexts, adapters and samplers of it must be freed before.
    void (*model_free)(martlet_llama_model *);
    void (*model_info)(const martlet_llama_model *, martlet_llama_model_info *);
    /// A line such as `llama 135M Q4_0`. Returns its length, which may be over the capacity.
    size_t (*model_description)(const martlet_llama_model *, char *buffer, size_t capacity);
    /// A scalar of the file's metadata as text; returns its length, or -1 if there is none.
    int64_t (*model_metadata)(
        const martlet_llama_model *, const char *key, char *buffer, size_t capacity);

    // Vocabulary. Thread-safe.

    /// Returns the number of tokens, which may be over the capacity (then none is written), or -1.
    int64_t (*tokenize)(
        const martlet_llama_model *, martlet_llama_text, int32_t *tokens, size_t capacity,
        bool adds_special, bool reads_special, martlet_llama_error *);
    /// The bytes of a token; returns their number, which may be over the capacity, or -1.
    int64_t (*token_bytes)(
        const martlet_llama_model *, int32_t token, char *buffer, size_t capacity,
        bool shows_special);
    /// The text of tokens; returns its length, which may be over the capacity, or -1.
    int64_t (*detokenize)(
        const martlet_llama_model *, const int32_t *tokens, size_t count, char *buffer,
        size_t capacity, bool removes_special, bool shows_special);
    /// Whether the token ends the generation.
    bool (*token_ends)(const martlet_llama_model *, int32_t token);
    bool (*token_is_control)(const martlet_llama_model *, int32_t token);

    // Contexts.

    martlet_llama_context_parameters (*context_defaults)(void);
    int32_t (*context_create)(
        martlet_llama_model *, const martlet_llama_context_parameters *, martlet_llama_context **,
        martlet_llama_error *);
    void (*context_free)(martlet_llama_context *);
    void (*context_info)(const martlet_llama_context *, martlet_llama_context_info *);
    void (*context_set_threads)(martlet_llama_context *, int32_t threads, int32_t batch_threads);
    /// While set, a decode ends at its next operation. From any thread.
    void (*context_cancel)(martlet_llama_context *, bool);
    /// Computes a batch. The positions of a sequence must follow those it has, without a gap.
    int32_t (*decode)(
        martlet_llama_context *, const martlet_llama_token *, size_t count, martlet_llama_error *);
    /// Scores of the whole vocabulary after token `index` of the last batch, valid until the next;
    /// NULL if that output was not wanted.
    const float *(*logits)(martlet_llama_context *, size_t index);
    /// The likeliest token there, or -1.
    int32_t (*likeliest)(martlet_llama_context *, size_t index);
    /// The natural logarithm of the probability of `token` there, and the `count` likeliest tokens
    /// with theirs, in order. Of the scores as the model gave them, before any sampling.
    int32_t (*log_probabilities)(
        martlet_llama_context *, size_t index, int32_t token, float *of_token, size_t count,
        int32_t *likeliest, float *of_likeliest, martlet_llama_error *);
    /// The embedding (or rank) of a sequence of the last batch, where the context pools; NULL if
    /// there is none.
    const float *(*sequence_embedding)(martlet_llama_context *, int32_t sequence);
    /// The embedding of token `index` of the last batch, where the context does not pool.
    const float *(*token_embedding)(martlet_llama_context *, size_t index);
    int32_t (*context_set_adapters)(
        martlet_llama_context *, martlet_llama_adapter *const *, const float *scales, size_t count,
        martlet_llama_error *);
    void (*performance)(const martlet_llama_context *, martlet_llama_performance *);
    void (*reset_performance)(martlet_llama_context *);

    // The context's memory. A range is [from, to); a negative end is open.

    /// Makes a sequence share the cells of another. Without unified memory the whole of it is
    /// copied, whatever the range.
    int32_t (*sequence_copy)(
        martlet_llama_context *, int32_t source, int32_t target, int32_t from, int32_t to,
        martlet_llama_error *);
    /// MARTLET_LLAMA_INVALID where the memory cannot give up a part of a sequence.
    int32_t (*sequence_remove)(
        martlet_llama_context *, int32_t sequence, int32_t from, int32_t to, martlet_llama_error *);
    /// The first and the last position that the memory holds of it; -1 if none.
    int32_t (*sequence_first)(const martlet_llama_context *, int32_t sequence);
    int32_t (*sequence_last)(const martlet_llama_context *, int32_t sequence);
    void (*clear)(martlet_llama_context *);
    /// Bytes that the state of a sequence takes; 0 if it cannot be saved.
    size_t (*state_size)(martlet_llama_context *, int32_t sequence);
    /// Returns the bytes written, 0 for failure.
    size_t (*state_save)(
        martlet_llama_context *, int32_t sequence, uint8_t *buffer, size_t capacity);
    /// It has no output until its last token is decoded again.
    int32_t (*state_restore)(
        martlet_llama_context *, int32_t sequence, const uint8_t *bytes, size_t count,
        martlet_llama_error *);

    // Sampling. A sampler belongs to one sequence.

    martlet_llama_sampler_parameters (*sampler_defaults)(void);
    int32_t (*sampler_create)(
        const martlet_llama_model *, const martlet_llama_sampler_parameters *,
        martlet_llama_sampler **, martlet_llama_error *);
    void (*sampler_free)(martlet_llama_sampler *);
    /// Chooses a token from output `index` of the last batch; accepts nothing.
    int32_t (*sampler_sample)(
        martlet_llama_sampler *, martlet_llama_context *, size_t index, int32_t *token,
        martlet_llama_error *);
    /// Tells it a token that the sequence got. Of a prompt's tokens, the grammar is not told.
    int32_t (*sampler_accept)(
        martlet_llama_sampler *, int32_t token, bool is_generated, martlet_llama_error *);
    /// Forgets the tokens it was told.
    int32_t (*sampler_reset)(martlet_llama_sampler *, martlet_llama_error *);
    int32_t (*sampler_clone)(
        const martlet_llama_sampler *, martlet_llama_sampler **, martlet_llama_error *);
    /// How often its grammar was asked about the whole vocabulary, which is slow.
    uint64_t (*sampler_whole_passes)(const martlet_llama_sampler *);

    // Chats. Thread-safe.

    uint32_t (*chat_capabilities)(martlet_llama_model *);
    /// The source of the model's template; empty if it has none.
    martlet_llama_text (*chat_template)(const martlet_llama_model *);
    int32_t (*chat_render)(
        martlet_llama_model *, const martlet_llama_chat_request *, martlet_llama_chat **,
        martlet_llama_error *);
    void (*chat_free)(martlet_llama_chat *);
    martlet_llama_text (*chat_text)(const martlet_llama_chat *, int32_t which);
    size_t (*chat_count)(const martlet_llama_chat *, int32_t list);
    martlet_llama_text (*chat_item)(const martlet_llama_chat *, int32_t list, size_t index);
    /// Whether the grammar holds only from where the text begins a tool call.
    bool (*chat_grammar_is_lazy)(const martlet_llama_chat *);
    /// Whether generated text is the message as it is, so that it need not be read.
    bool (*chat_is_plain)(const martlet_llama_chat *);
    /// Reads what was generated so far, all of it if not `is_partial`.
    int32_t (*chat_parse)(
        const martlet_llama_chat *, martlet_llama_text, bool is_partial, martlet_llama_message **,
        martlet_llama_error *);
    void (*message_free)(martlet_llama_message *);
    martlet_llama_text (*message_content)(const martlet_llama_message *);
    martlet_llama_text (*message_thoughts)(const martlet_llama_message *);
    size_t (*message_call_count)(const martlet_llama_message *);
    martlet_llama_tool_call (*message_call)(const martlet_llama_message *, size_t index);
    /// A grammar in GBNF for a JSON schema. Free it with text_free.
    int32_t (*schema_grammar)(martlet_llama_text schema, char **grammar, martlet_llama_error *);
    void (*text_free)(char *);

    // Adapters (LoRA) and quantising.

    int32_t (*adapter_load)(
        martlet_llama_model *, const char *path, martlet_llama_adapter **, martlet_llama_error *);
    void (*adapter_free)(martlet_llama_adapter *);
    /// Writes a model in another type. The target appears when it is complete, or not at all.
    int32_t (*quantize)(
        const char *source, const char *target, const martlet_llama_quantization *,
        martlet_llama_error *);
} martlet_llama;

/// Opens the library in `directory` and fills `api`. Returns 0, or -1 with a text in `error`. It
/// stays open for the process's life.
int martlet_llama_open(const char *directory, martlet_llama *api, char *error, size_t error_size);

#ifdef __cplusplus
}
#endif
