#define _GNU_SOURCE
#include "martlet_standard_error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { steps = 125, step_ms = 2 };

static const int crashes[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
enum { crash_count = sizeof crashes / sizeof *crashes };

static struct sigaction previous[crash_count];
static int reading = -1;
static int target = -1;
// Whether the reader holds bytes that are not written yet.
static atomic_int is_busy;
static atomic_int is_crashing;

static int has_bytes(void) {
    struct pollfd poller = {.fd = reading, .events = POLLIN};
    return poll(&poller, 1, 0) > 0 && (poller.revents & POLLIN) != 0;
}

// The reader's thread goes on while the one that crashed sleeps.
static void await_reader(void) {
    const struct timespec step = {.tv_nsec = step_ms * 1000000L};
    for (int i = 0; i < steps && (atomic_load(&is_busy) || has_bytes()); i++) {
        nanosleep(&step, NULL);
    }
}

// For a reader that cannot go on, since the crash left a lock held: the bytes as they are.
static void write_rest(void) {
    char bytes[1024];
    while (has_bytes()) {
        const ssize_t count = read(reading, bytes, sizeof bytes);
        if (count <= 0 || write(target, bytes, (size_t)count) < 0) return;
    }
}

// Only functions that POSIX allows in a handler are called from here.
static void on_crash(int number, siginfo_t *info, void *context) {
    (void)context;
    const int error = errno;
    const int is_first = atomic_exchange(&is_crashing, 1) == 0;
    // Whatever is printed from now on needs no reader.
    if (is_first) dup2(target, STDERR_FILENO);
    await_reader();
    if (is_first) write_rest();
    for (int i = 0; i < crash_count; i++) {
        if (crashes[i] == number) sigaction(number, &previous[i], NULL);
    }
    // A fault happens again when this returns; a signal that was sent has to be sent again.
    if (info->si_code <= 0) raise(number);
    errno = error;
}

static void handle_crashes(void) {
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < crash_count; i++) sigaction(crashes[i], &action, &previous[i]);
}

int martlet_standard_error_redirect(int original) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    if (dup2(ends[1], STDERR_FILENO) < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    close(ends[1]);
    reading = ends[0];
    target = original;
    handle_crashes();
    return 0;
}

ssize_t martlet_standard_error_read(void *buffer, size_t size) {
    for (;;) {
        struct pollfd poller = {.fd = reading, .events = POLLIN};
        if (poll(&poller, 1, -1) < 0) continue;
        // Before the bytes leave the pipe: whoever finds it empty then finds this set.
        atomic_store(&is_busy, 1);
        const ssize_t count = read(reading, buffer, size);
        if (count > 0) return count;
        martlet_standard_error_written();
        if (count == 0 || errno != EINTR) return 0;
    }
}

void martlet_standard_error_written(void) { atomic_store(&is_busy, 0); }

void martlet_standard_error_restore(void) { dup2(target, STDERR_FILENO); }
