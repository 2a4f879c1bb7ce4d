// Writing a model in another type.
#include "engine.hpp"

#include <cerrno>
#include <cstdio>
#include <unistd.h>

namespace {

struct stopped : std::exception {};

struct watched_progress {
    const martlet_llama_quantization *settings;
    bool is_stopped = false;
};

// The engine tells of its progress in its log only, as "[done/total] tensor ...". An exception is
// the one way to stop it: its own clean-up runs, and it reports a failure.
void watch_line(const char *text, void *context) {
    auto *progress = static_cast<watched_progress *>(context);
    int done = 0;
    int total = 0;
    if (std::sscanf(text, "[%d/%d]", &done, &total) != 2 || total <= 0) return;
    if (progress->settings->progress == nullptr) return;
    const float share = static_cast<float>(done) / static_cast<float>(total);
    if (progress->settings->progress(share, progress->settings->progress_context)) return;
    progress->is_stopped = true;
    throw stopped();
}

class line_watch {
public:
    explicit line_watch(watched_progress &progress) {
        line_watcher_context = &progress;
        line_watcher = watch_line;
    }
    ~line_watch() { line_watcher = nullptr; }
    line_watch(const line_watch &) = delete;
};

int32_t run(
    const char *source, const char *target, const martlet_llama_quantization &settings,
    martlet_llama_error *error) {
    auto parameters = llama_model_quantize_default_params();
    parameters.nthread = settings.threads;
    parameters.ftype = static_cast<llama_ftype>(settings.file_type);
    parameters.allow_requantize = settings.allows_requantizing;
    parameters.pure = settings.is_pure;
    watched_progress progress{&settings};
    const error_watch watch;
    uint32_t result = 1;
    {
        const line_watch lines(progress);
        result = llama_model_quantize(source, target, &parameters);
    }
    if (progress.is_stopped) {
        return fail(error, MARTLET_LLAMA_CANCELLED, "quantising was stopped");
    }
    if (result != 0) {
        return fail(error, MARTLET_LLAMA_FAILED, watch.reason("quantising failed").c_str());
    }
    return MARTLET_LLAMA_OK;
}

int32_t quantize(
    const char *source, const char *target, const martlet_llama_quantization *settings,
    martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        // What fails leaves part of a file.
        const std::string aside = std::string(target) + ".partial";
        const int32_t status = run(source, aside.c_str(), *settings, error);
        if (status != MARTLET_LLAMA_OK) {
            unlink(aside.c_str());
            return status;
        }
        if (std::rename(aside.c_str(), target) != 0) {
            const std::string reason = std::strerror(errno);
            unlink(aside.c_str());
            return fail(error, MARTLET_LLAMA_FAILED, reason.c_str());
        }
        return MARTLET_LLAMA_OK;
    });
}

}  // namespace

void add_quantize_functions(martlet_llama &table) {
    table.quantize = quantize;
}
