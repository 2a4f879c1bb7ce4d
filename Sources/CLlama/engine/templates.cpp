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
constexpr int64_t maximum_elements = int64_t{1} << 20;
constexpr int64_t maximum_indent = 1024;
constexpr size_t maximum_text_bytes = size_t{128} << 20;
constexpr uint32_t steps_between_looks = 128;

struct template_bounds {
    bool is_watched = false;
    moment::time_point end;
    uint32_t steps = 0;
};

thread_local template_bounds bounds;

void take_step() {
    if (!bounds.is_watched || ++bounds.steps % steps_between_looks != 0) return;
    if (moment::now() > bounds.end) {
        throw std::runtime_error("the chat template takes longer than 10 seconds");
    }
}

void refuse_elements() {
    throw std::runtime_error("the chat template makes a list of more than 1048576 elements");
}

void require_bounded(const jinja::value &made) {
    if (!bounds.is_watched || !made) return;
    if (made->val_str.length() > maximum_text_bytes) {
        throw std::runtime_error("the chat template makes a text of more than 128 MiB");
    }
    if (made->val_arr.size() > static_cast<size_t>(maximum_elements)) refuse_elements();
}

// A range is made whole, within one step.
void require_bounded_range(const std::vector<jinja::value> &numbers) {
    for (const auto &number : numbers) {
        const double size = static_cast<double>(number->as_int());
        if (size > maximum_elements || size < -maximum_elements) refuse_elements();
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
    if (found == nullptr) throw std::runtime_error("there is no interpreter of chat templates");
    return reinterpret_cast<Function *>(found);
}

}  // namespace

template_watch::template_watch() {
    bounds = {true, moment::now() + longest, 0};
}

template_watch::~template_watch() {
    bounds.is_watched = false;
}

// A member function is called as any other whose first argument is the object.
#define EXECUTE "_ZNK5jinja9statement7executeERNS_7contextE"
#define ARGUMENT "_ZNK5jinja9func_args7get_posEm"
#define NAMED_ARGUMENT                                                                          \
    "_ZNK5jinja9func_args16get_kwarg_or_posERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaI" \
    "cEEEm"
#define IN_PLACE_OF(symbol) __asm__(symbol) __attribute__((visibility("default"), used))

jinja::value bounded_execute(const jinja::statement *, jinja::context &) IN_PLACE_OF(EXECUTE);
jinja::value bounded_argument(const jinja::func_args *, size_t) IN_PLACE_OF(ARGUMENT);
jinja::value bounded_named_argument(const jinja::func_args *, const std::string &, size_t)
    IN_PLACE_OF(NAMED_ARGUMENT);

jinja::value bounded_execute(const jinja::statement *statement, jinja::context &context) {
    static auto *rest = original<jinja::value(const jinja::statement *, jinja::context &)>(EXECUTE);
    take_step();
    auto made = rest(statement, context);
    require_bounded(made);
    return made;
}

jinja::value bounded_argument(const jinja::func_args *arguments, size_t place) {
    static auto *rest = original<jinja::value(const jinja::func_args *, size_t)>(ARGUMENT);
    if (bounds.is_watched && place == 0 && arguments->func_name == "range") {
        require_bounded_range(arguments->get_args());
    }
    return rest(arguments, place);
}

jinja::value bounded_named_argument(
    const jinja::func_args *arguments, const std::string &name, size_t place) {
    static auto *rest = original<jinja::value(
        const jinja::func_args *, const std::string &, size_t)>(NAMED_ARGUMENT);
    auto found = rest(arguments, name, place);
    const bool indents = bounds.is_watched && (name == "indent" || name == "width") &&
        jinja::is_val<jinja::value_int>(found);
    if (indents && found->as_int() > maximum_indent) {
        throw std::runtime_error("the chat template indents by more than 1024 columns");
    }
    return found;
}
