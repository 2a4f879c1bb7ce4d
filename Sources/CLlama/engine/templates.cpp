// Bounds on what a model's chat template may cost: it is a program, and comes with the file.
//
// llama.cpp's interpreter has no bound of its own. Its library calls the functions at the end of
// this file through its table of symbols, in which those of the library that opens it come first.
#include "engine.hpp"

#include "jinja/runtime.h"

#include <chrono>
#include <dlfcn.h>

namespace {

using moment = std::chrono::steady_clock;

constexpr auto longest = std::chrono::seconds(10);
constexpr size_t maximum_elements = size_t{4} << 20;
constexpr size_t maximum_text_bytes = size_t{128} << 20;
constexpr uint32_t steps_between_looks = 128;

struct template_bounds {
    bool is_watched = false;
    moment::time_point end;
    size_t elements = 0;
    uint32_t steps = 0;
};

thread_local template_bounds bounds;

void take_step() {
    if (!bounds.is_watched || ++bounds.steps % steps_between_looks != 0) return;
    if (moment::now() > bounds.end) {
        throw std::runtime_error("the chat template takes longer than 10 seconds");
    }
}

void take_element() {
    if (bounds.is_watched && ++bounds.elements > maximum_elements) {
        throw std::runtime_error("the chat template makes lists of more than 4 million elements");
    }
}

void require_bounded(const jinja::value &made) {
    if (bounds.is_watched && made && made->val_str.length() > maximum_text_bytes) {
        throw std::runtime_error("the chat template makes a text of more than 128 MiB");
    }
}

// The library that holds the interpreter, which is open.
void *interpreter() {
    Dl_info info{};
    const auto *known = reinterpret_cast<const void *>(&common_chat_templates_init);
    if (dladdr(known, &info) == 0) return nullptr;
    return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
}

template <typename Function>
Function *original(const char *symbol) {
    static void *library = interpreter();
    void *found = library == nullptr ? nullptr : dlsym(library, symbol);
    if (found == nullptr) throw std::runtime_error("the interpreter of chat templates is not there");
    return reinterpret_cast<Function *>(found);
}

}  // namespace

template_watch::template_watch() {
    bounds = {true, moment::now() + longest, 0, 0};
}

template_watch::~template_watch() {
    bounds.is_watched = false;
}

// A member function is called as any other whose first argument is the object.
#define EXECUTE "_ZNK5jinja9statement7executeERNS_7contextE"
#define PUSH_COPY "_ZN5jinja13value_array_t9push_backERKSt10shared_ptrINS_7value_tEE"
#define PUSH_MOVED "_ZN5jinja13value_array_t9push_backEOSt10shared_ptrINS_7value_tEE"
#define IN_PLACE_OF(symbol) __asm__(symbol) __attribute__((visibility("default"), used))

jinja::value bounded_execute(const jinja::statement *, jinja::context &) IN_PLACE_OF(EXECUTE);
void bounded_push(jinja::value_array_t *, const jinja::value &) IN_PLACE_OF(PUSH_COPY);
void bounded_push_moved(jinja::value_array_t *, jinja::value &&) IN_PLACE_OF(PUSH_MOVED);

jinja::value bounded_execute(const jinja::statement *statement, jinja::context &context) {
    static auto *rest = original<jinja::value(const jinja::statement *, jinja::context &)>(EXECUTE);
    take_step();
    auto made = rest(statement, context);
    require_bounded(made);
    return made;
}

void bounded_push(jinja::value_array_t *list, const jinja::value &element) {
    static auto *rest = original<void(jinja::value_array_t *, const jinja::value &)>(PUSH_COPY);
    take_element();
    rest(list, element);
}

void bounded_push_moved(jinja::value_array_t *list, jinja::value &&element) {
    static auto *rest = original<void(jinja::value_array_t *, jinja::value &&)>(PUSH_MOVED);
    take_element();
    rest(list, std::move(element));
}
