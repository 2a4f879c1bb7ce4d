// The table of functions, logging, and devices.
#include "engine.hpp"

#include "common.h"
#include "log.h"

#include <mutex>

thread_local void (*line_watcher)(const char *, void *) = nullptr;
thread_local void *line_watcher_context = nullptr;

namespace {

thread_local error_watch *innermost_watch = nullptr;
std::atomic<martlet_llama_log> log_function{nullptr};
std::atomic<void *> log_context{nullptr};
// The engine gives a line in parts: the first has a level, the rest say that they go on.
thread_local std::string open_line;
thread_local ggml_log_level open_level = GGML_LOG_LEVEL_NONE;

void emit_line() {
    if (open_line.empty()) return;
    const std::string line = std::move(open_line);
    open_line.clear();
    if (open_level == GGML_LOG_LEVEL_ERROR && innermost_watch != nullptr) {
        innermost_watch->add(line.c_str());
    }
    if (const auto function = log_function.load(); function != nullptr) {
        function(static_cast<int32_t>(open_level), line.c_str(), log_context.load());
    }
    if (line_watcher != nullptr) line_watcher(line.c_str(), line_watcher_context);
}

void take_log(ggml_log_level level, const char *text, void *) {
    if (level != GGML_LOG_LEVEL_CONT) {
        emit_line();
        open_level = level;
    }
    open_line += text;
    if (open_line.empty()) return;
    // Lines of quantising are long in coming: they say how far it is before they end.
    const bool is_progress = line_watcher != nullptr && open_line.front() == '[';
    if (is_progress || open_line.back() == '\n' || open_line.size() > 16384) emit_line();
}

// The last words, before the process ends: a log that is written by a thread would lose them.
void take_abort(const char *text) {
    std::fprintf(stderr, "llama.cpp ends the process: %s\n", text);
    std::fflush(stderr);
}

void set_log(martlet_llama_log function, void *context) {
    log_context.store(context);
    log_function.store(function);
}

const char *system_info() {
    return guarded_or("", [] { return llama_print_system_info(); });
}

size_t devices(martlet_llama_device *found, size_t capacity) {
    return guarded_or(size_t{0}, [&] {
        const size_t count = ggml_backend_dev_count();
        for (size_t index = 0; index < std::min(count, capacity); index++) {
            const auto device = ggml_backend_dev_get(index);
            auto &entry = found[index];
            entry = {};
            std::snprintf(entry.name, sizeof entry.name, "%s", ggml_backend_dev_name(device));
            std::snprintf(
                entry.description, sizeof entry.description, "%s",
                ggml_backend_dev_description(device));
            entry.kind = static_cast<int32_t>(ggml_backend_dev_type(device));
            size_t free_bytes = 0;
            size_t total_bytes = 0;
            ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
            entry.free_bytes = free_bytes;
            entry.total_bytes = total_bytes;
        }
        return count;
    });
}

void start(const char *directory) {
    llama_log_set(take_log, nullptr);
    ggml_set_abort_callback(take_abort);
    // The common library would print by a thread of its own.
    common_log_pause(common_log_main());
    // With backends in files of their own, none is there yet.
    if (ggml_backend_dev_count() == 0) ggml_backend_load_all_from_path(directory);
    llama_backend_init();
}

martlet_llama make_table() {
    martlet_llama table{};
    table.version = llama_version;
    table.system_info = system_info;
    table.set_log = set_log;
    table.can_use_gpu = llama_supports_gpu_offload;
    table.devices = devices;
    add_remote_functions(table);
    add_model_functions(table);
    add_vocabulary_functions(table);
    add_context_functions(table);
    add_memory_functions(table);
    add_output_functions(table);
    add_sampler_functions(table);
    add_chat_functions(table);
    add_message_functions(table);
    add_adapter_functions(table);
    add_quantize_functions(table);
    return table;
}

}  // namespace

error_watch::error_watch() : outer_(innermost_watch) {
    innermost_watch = this;
}

error_watch::~error_watch() {
    innermost_watch = outer_;
}

void error_watch::add(const char *text) {
    if (first_.empty()) first_ = text;
}

std::string error_watch::reason(const char *otherwise) const {
    std::string text = first_;
    // "function: what is wrong".
    const auto colon = text.find(": ");
    if (colon != std::string::npos && text.find(' ') > colon) text.erase(0, colon + 2);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    return text.empty() ? otherwise : text;
}

extern "C" __attribute__((visibility("default"))) const martlet_llama *martlet_llama_table(
    uint32_t abi, const char *directory) {
    if (abi != MARTLET_LLAMA_ABI) return nullptr;
    return guarded_or<const martlet_llama *>(nullptr, [&] {
        static std::once_flag started;
        std::call_once(started, start, directory);
        static const martlet_llama table = make_table();
        return &table;
    });
}
